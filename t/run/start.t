# Children that start while their siblings work, talk to each other and are told to leave: none
# dies of it. MASTRA_CYCLES=200 makes it a long test.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served;
use Time::HiRes qw(sleep);

my $cycles = $ENV{MASTRA_CYCLES} || 4;
my $limits = { event => "StartServers 3\nThreadsPerChild 6\nMinSpareThreads 2\nMaxSpareThreads 18\n"
        . "MaxRequestWorkers 18\nServerLimit 8\nAsyncRequestWorkerFactor 20\n",
    prefork => "StartServers 4\nMinSpareServers 4\nMaxSpareServers 8\nMaxRequestWorkers 12\n" };

plan tests => 2 * $cycles + 1;

my $n = 0;

# Messages to a thread are told to all children.
sub talk {
    my ($httpd) = @_;
    my @said = map { eval { $httpd->api_post('/agents/memory-agent/send-message',
        { message => 'word', resourceId => 'r', threadId => 't-' . $n++ % 3 }) } } 1 .. 3;
    my @asked = map { eval { $httpd->ask('/agents/memory-agent/stream', { messages => 'hello' }) } } 1 .. 3;
    my $whole = grep { $_ && eval { my @frames = ($_->read_head && $_->frames); @frames > 3 } } @asked;
    return $whole + grep { $_ && $_->{status} && $_->{status} < 500 } @said;
}

my $died = 0;
for my $cycle (1 .. $cycles) {
    my $httpd = Served->start(name => 'start', limits => $limits->{ mpm() });
    # a child that is told to leave may have no time to store what a run says
    $httpd->expect_log(qr/MA3010/);
    sleep rand 0.03;
    talk($httpd);
    for (1 .. 3) {
        $httpd->graceful;
        sleep rand 0.06;
        talk($httpd);
    }
    ok MastraTest::wait_for(sub { talk($httpd) >= 4 }, 20), "round $cycle: it answers after all of it";
    # at once, now and then: children that are just starting are told to leave
    if ($cycle % 2) {
        $httpd->graceful;
        sleep rand 0.04;
        kill TERM => $httpd->pid;
        $httpd->wait_exit(30);
    }
    $httpd->stop;
    my @signals = grep { /exit signal|AddressSanitizer|runtime error/ } split /\n/, $httpd->log;
    is "@signals", '', '... and no child died';
    $died += @signals;
}
is $died, 0, 'none at all';
