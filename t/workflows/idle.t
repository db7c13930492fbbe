# Runs that sleep and runs that wait for a person are rows: no thread, no connection, no memory of a
# child is theirs, and whoever is there wakes them, also after a restart. IDLE=5000 does it with so
# many of each and shows what the children hold.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use POSIX ();
use Served;
use Time::HiRes qw(time);

plan tests => 9, need { 'once is enough' => sub { mpm() eq 'event' } };

my $many   = $ENV{IDLE} || 80;
my $object = { type => 'object' };
my $httpd  = Served->start(name => 'idle', limits => "StartServers 2\nServerLimit 2\nThreadsPerChild 8\n"
        . "MinSpareThreads 1\nMaxSpareThreads 16\nMaxRequestWorkers 16\n");
my @pids;
wait_for(sub { (@pids = $httpd->children) == 2 }) or die 'a child is missing';

sub store {
    my ($id, $input, @graph) = @_;
    return $httpd->api_post('/stored/workflows', { id => $id, inputSchema => $input,
        outputSchema => $object, graph => \@graph })->{status};
}
my $q = { type => 'object', properties => { q => { type => 'string' } }, required => ['q'] };
is_deeply [store('nap', $object, { type => 'sleep', id => 'a', duration => 3_600_000 }),
    store('short', $object, { type => 'sleep', id => 'a', duration => 3000 },
        { type => 'mapping', id => 'm', mapConfig => '{"ok":{"value":1}}' }),
    store('ask', $q, { type => 'tool', id => 'a', toolId => 'net-ask' })], [200, 200, 200], 'workflows are stored';

sub begin {
    my ($id, $run, $input) = @_;
    $httpd->api_post("/workflows/$id/create-run?runId=$run", {});
    return $httpd->api_post("/workflows/$id/start?runId=$run", { inputData => $input })->{status} == 200;
}

# From several clients at once; how many did not work.
sub burst {
    my ($tag, $n) = @_;
    my ($bad, @clients) = (0);
    for my $client (0 .. 3) {
        my $pid = fork // die "fork: $!";
        push @clients, $pid;
        next if $pid;
        my $all = 1;
        for (my $i = $client; $i < $n; $i += 4) {
            $all &&= begin('nap', "$tag-n$i", {}) && begin('ask', "$tag-a$i", { q => 'yes?' });
        }
        POSIX::_exit($all ? 0 : 1);
    }
    for (@clients) {
        waitpid $_, 0;
        $bad++ if $?;
    }
    return $bad;
}

sub count {
    my ($id, $status) = @_;
    return $httpd->api_get("/workflows/$id/runs?status=$status&page=0&perPage=1")->{json}{total};
}

sub held {
    my %sum = (descriptors => 0, threads => 0, kilobytes => 0);
    for my $pid (@pids) {
        $sum{descriptors} += () = glob "/proc/$pid/fd/*";
        $sum{threads}     += () = glob "/proc/$pid/task/*";
        open my $fh, '<', "/proc/$pid/status" or next;
        /^VmRSS:\s+(\d+)/ and $sum{kilobytes} += $1 while <$fh>;
    }
    return \%sum;
}

# --- what they hold

burst('warm', 20);
my $before = held();
is burst('idle', $many), 0, 'runs begin';
ok wait_for(sub { count('nap', 'waiting') == $many + 20 && count('ask', 'suspended') == $many + 20 },
    60), 'all of them sleep or wait';
my $after;
# each child may have opened what it may have to storage and to clients
ok wait_for(sub {
    $after = held();
    $after->{descriptors} <= $before->{descriptors} + 16 && $after->{threads} <= $before->{threads} + 8;
}, 30), 'no descriptor and no thread is theirs' or diag explain [$before, $after];
diag sprintf 'from %d kB, %d descriptors, %d threads to %d kB, %d descriptors, %d threads by %d runs',
    (map { @$_{qw(kilobytes descriptors threads)} } $before, $after), 2 * $many;
# the cache of the database grows with it, up to its limit
cmp_ok $after->{kilobytes}, '<', $before->{kilobytes} + 2 * 4 * 8192 + $many, 'nor memory';

# --- who wakes them

sub over { my @runs = @_;
    return wait_for(sub { !grep { ($httpd->api_get("/workflows/short/runs/$_?fields=result")->{json}{status} // '')
        ne 'success' } @runs }, 40) }

is_deeply [grep { !begin('short', "killed-$_", {}) } 1 .. 12], [], 'runs that sleep for seconds begin';
# on a busy machine the first are over when the last begin
wait_for(sub { count('short', 'waiting') + count('short', 'success') == 12 });
kill KILL => $pids[0];
ok over(map { "killed-$_" } 1 .. 12), '... and are woken, though a child has died';
begin('short', "stopped-$_", {}) for 1 .. 12;
wait_for(sub { count('short', 'waiting') + count('short', 'success') == 24 });
$httpd->stop;
$httpd->up;
ok over(map { "stopped-$_" } 1 .. 12), '... and by a server that was started meanwhile';
is $httpd->api_post('/workflows/ask/resume-async?runId=idle-a7', { resumeData => { answer => 'yes' } })->{json}{status},
    'success', 'it takes up those that wait, too';
$httpd->stop;
