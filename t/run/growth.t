# What a server has after much work it had before it: descriptors, threads, memory. A part of the
# clients leaves in the middle. SOAK=300 does it for five minutes and looks at the memory, too.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use POSIX ();
use Served;
use Time::HiRes qw(sleep time);

plan tests => 6;

my $seconds = $ENV{SOAK} || 4;
my $clients = 4;
my $limits  = {
    event => "StartServers 2\nServerLimit 2\nThreadsPerChild 16\nMinSpareThreads 1\n"
        . "MaxSpareThreads 32\nMaxRequestWorkers 32\nAsyncRequestWorkerFactor 4\n",
    prefork => "StartServers 16\nMinSpareServers 16\nMaxSpareServers 16\nMaxRequestWorkers 16\n",
};
my $httpd = Served->start(name => 'growth', limits => $limits->{ mpm() }, conf => "KeepAlive Off\n");

# Sums over all children.
sub held {
    my %sum = (descriptors => 0, threads => 0, kilobytes => 0);
    for my $pid ($httpd->children) {
        $sum{descriptors} += () = glob "/proc/$pid/fd/*";
        open my $fh, '<', "/proc/$pid/status" or next;
        while (<$fh>) {
            $sum{threads}   += $1 if /^Threads:\s+(\d+)/;
            $sum{kilobytes} += $1 if /^VmRSS:\s+(\d+)/;
        }
    }
    return \%sum;
}

# What each client does in turn; a false value when it went wrong.
my @work = (
    sub { $httpd->api_post('/agents/memory-agent/generate', { messages => "g$_[1]",
        memory => { thread => "t$_[0]-" . int($_[1] / 40), resource => 'r' } })->{status} == 200 },
    sub { $httpd->stream('/agents/memory-agent/stream', { messages => "s$_[1] WORDS:30",
        memory => { thread => "t$_[0]-" . int($_[1] / 40), resource => 'r' } })->frames > 30 },
    sub { $httpd->api_post('/agents/tool-agent/generate',
        { messages => 'CALL:echo-tool:{"a":1}' })->{status} == 200 },
    sub { $httpd->api_post('/workflows/net-flow/start-async', { inputData => { n => 1 } })->{status} == 200 },
    sub { $httpd->api_get('/memory/threads?agentId=memory-agent&resourceId=r')->{status} == 200 },
    sub { $httpd->api_post('/agents/nobody/generate', { messages => 'x' })->{status} == 404 },
    sub {
        my $stream = $httpd->stream('/agents/up-agent/stream', { messages => 'SILENT one two three' });
        $stream->next_frame for 1 .. 4;
        $stream->leave;
        # a worker of prefork looks for its client twice a second, and there are few of them
        return wait_for(sub { $httpd->model->stats->{busy} < 4 });
    },
);

sub work {
    my ($until, $round) = @_;
    my @pids;
    for my $client (1 .. $clients) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $bad = 0;
            for (my $n = 0; time < $until || $n < 2 * @work; $n++) {
                $bad = 1 if !eval { $work[$n % @work]->("$round-$client", $n) };
                sleep 0.02;
            }
            POSIX::_exit($bad);
        }
        push @pids, $pid;
    }
    return @pids;
}

# At rest: nothing is open any more.
sub rest {
    my @pids = @_;
    my $bad  = 0;
    for (@pids) {
        waitpid $_, 0;
        $bad++ if $?;
    }
    wait_for(sub { $httpd->model->stats->{busy} == 0 });
    return $bad;
}

my @before;
wait_for(sub { (@before = $httpd->children) >= (mpm() eq 'prefork' ? 16 : 2) }) or die 'children are missing';
is rest(work(time + $seconds / 4, 'warm')), 0, 'much is asked';
my $warm  = held();
my @pids  = work(time + $seconds, 'soak');
my $until = time + $seconds;
while ($ENV{SOAK} && time < $until) {
    my $now = held();
    diag sprintf '%4d s: %d kB, %d descriptors, %d threads', $seconds - ($until - time),
        @$now{qw(kilobytes descriptors threads)};
    sleep 20;
}
is rest(@pids), 0, 'much more is asked';
my $after;
# a child may open as many connections to storage and to models as it may have
my $more = 8 * @before;
ok wait_for(sub {
    $after = held();
    return $after->{descriptors} <= $warm->{descriptors} + $more
        && $after->{threads} <= $warm->{threads} + $more;
}), 'then there are no more descriptors and threads' or diag explain [$warm, $after];
diag sprintf 'from %d kB, %d descriptors, %d threads to %d kB, %d descriptors, %d threads',
    (map { @$_{qw(kilobytes descriptors threads)} } $warm, $after);
cmp_ok $after->{kilobytes}, '<', $warm->{kilobytes} * ($ENV{SOAK} ? 1.1 : 2) + 8192 * @before, 'nor much more memory';
my %now = map { $_ => 1 } $httpd->children;
is_deeply [grep { !$now{$_} } @before], [], 'by the same children' if mpm() ne 'prefork';
pass('children of prefork come and go') if mpm() eq 'prefork';
$httpd->stop;
unlike $httpd->log, qr/\[mastra:(?:error|warn)\](?!.*MA201)/, 'the log has no complaint';
