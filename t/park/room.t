# How many answers may be open: computed from the MPM's numbers, said in the log; one more gets
# 503 with Retry-After, other requests are answered, and no kill leaves a count behind.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 22, need { 'once is enough: in the run with the event MPM' => sub { mpm() eq 'event' } };

# --- event: the MPM's connections
my $httpd = Exchange->start(mpm => 'event', limits => "StartServers 1\nThreadsPerChild 4\n"
    . "MinSpareThreads 1\nMaxSpareThreads 4\nMaxRequestWorkers 4\nAsyncRequestWorkerFactor 2\n");
like $httpd->log, qr/room for 8 open answers in each child.*AsyncRequestWorkerFactor 2\b/,
    'event: the log says how many';
my @open = map { $httpd->ask('/x?n=1000&ms=100') } 1 .. 8;
is join(' ', map { $_->read_head->{status} } @open), join(' ', (200) x 8), 'event: so many are open';
is $httpd->counts->{open}, 8, 'event: ... and counted';
my $answer = $httpd->request(GET => '/x?n=1');
is $answer->{status}, 503, 'event: one more is refused';
is $answer->{headers}{'retry-after'}, 1, 'event: ... with Retry-After';
is $httpd->request(GET => '/x/counts')->{status}, 200, 'event: another request is not';
$open[0]->leave;
ok wait_for(sub { $httpd->counts->{open} == 7 }), 'event: one leaves';
is $httpd->request(GET => '/x?n=1')->{status}, 200, 'event: another comes';
$httpd->stop;

# --- event: calls of ourselves
$httpd = Exchange->start(mpm => 'event', limits => "StartServers 1\nThreadsPerChild 4\n"
    . "MinSpareThreads 1\nMaxSpareThreads 4\nMaxRequestWorkers 4\nAsyncRequestWorkerFactor 5\n");
@open = map { $httpd->ask('/x?n=1000&ms=100') } 1 .. 18;
$_->read_head for @open;
is $httpd->request(GET => '/x?n=1')->{status}, 503, 'event: a tenth is kept';
is $httpd->request(GET => '/x?n=1&internal=1')->{status}, 200, 'event: ... for calls of ourselves';
$httpd->stop;

# --- prefork with two workers
$httpd = Exchange->start(mpm => 'prefork', stop => 120, limits => "StartServers 2\nMinSpareServers 2\n"
    . "MaxSpareServers 2\nMaxRequestWorkers 2\n");
like $httpd->log, qr/room for 1 open answers in all.*one of 2 workers/, 'prefork: the log says how many';
my $one = $httpd->ask('/x?n=1000&ms=100');
is $one->read_head->{status}, 200, 'prefork: one of two workers may wait';
is $httpd->request(GET => '/x?n=1')->{status}, 503, 'prefork: two may not';
is $httpd->request(GET => '/x/counts')->{status}, 200, 'prefork: the other one answers';
is $httpd->request(GET => '/x?n=1&internal=1')->{status}, 200, 'prefork: ... calls of ourselves, too';

# --- a child is killed
my $begun = $httpd->counts->{begun};
$httpd->expect_log('exit signal Killed');
my $port = $one->socket->sockport;
kill KILL => MastraTest::child_with_port($port, $httpd->children);
ok wait_for(sub { (eval { $httpd->request(GET => '/x?n=1')->{status} } // 0) == 200 }, 10),
    'prefork: a killed child takes its count along';
# the room of that answer is free again a little later than its client has it
ok wait_for(sub {
    $one = $httpd->ask('/x?n=1000&ms=100');
    return $one->read_head->{status} == 200;
}), 'prefork: again one may wait';
is $httpd->request(GET => '/x?n=1')->{status}, 503, 'prefork: ... and two may not';

# --- and over a graceful restart
my @before = $httpd->children;
$httpd->graceful;
wait_for(sub {
    my %old = map { $_ => 1 } @before;
    return grep { !$old{$_} } $httpd->children;
});
is $httpd->request(GET => '/x?n=1')->{status}, 503, 'prefork: old children count after a restart';
$one->leave;
ok $httpd->replaced(\@before), 'prefork: until they leave';
is $httpd->request(GET => '/x?n=1')->{status}, 200, 'prefork: then there is room';
$httpd->stop;

# --- worker
$httpd = Exchange->start(mpm => 'worker', limits => "StartServers 1\nThreadsPerChild 8\n"
    . "MinSpareThreads 1\nMaxSpareThreads 8\nMaxRequestWorkers 8\n");
@open = map { $httpd->ask('/x?n=1000&ms=100') } 1 .. 8;
my %status;
$status{ $_->read_head->{status} }++ for @open;
is "$status{200} $status{503}", '6 2', 'worker: a quarter of the workers is kept';
$httpd->stop;
