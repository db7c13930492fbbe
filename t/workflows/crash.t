# Processes die under runs: each run comes to its end, no step is lost and none is done twice.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 26;

my $steps = 20;
my $id    = "crash-$$";
my %once  = map { $_ => 1 } 1 .. $steps;
my $httpd = Ledger->start(name => 'flows', steps => $steps, conf => "MastraRunLease 2\n",
    limits => mpm() eq 'prefork' ? "StartServers 4\nMinSpareServers 2\nMaxSpareServers 6\nMaxRequestWorkers 10\n"
        : "StartServers 3\nMinSpareThreads 10\nMaxSpareThreads 40\nThreadsPerChild 10\nMaxRequestWorkers 40\n",
    setup => sub {
        my $self = shift;
        $self->workflow("grow-$_", Ledger::chain('write', $_)) for 10, 20, 40, 80;
        # long enough to be seen asleep
        $self->workflow('nap', { type => 'sleep', id => 'z', duration => 6000 }, Ledger::chain('write', 1));
        $self->sql('size', 'SELECT count(*) AS steps, sum(length(record)) AS bytes, '
            . '(SELECT length(CAST(snapshot AS TEXT)) FROM mastra_workflow_snapshot WHERE run_id = ?) AS snapshot, '
            . '(SELECT sum(length(frames)) FROM mastra_x_events WHERE log = ?) AS events, '
            . '(SELECT max(ends) FROM mastra_x_events WHERE log = ?) AS ends '
            . 'FROM mastra_x_steps WHERE run = ?', ['run', 'log', 'log', 'run'], 'rows');
    });
$httpd->expect_log(qr/AH00052|AH00051|MA320\d|MA3009/);

sub kill_children { kill KILL => $httpd->children }

sub check_uri {
    my ($run, $what) = @_;
    my (%keys, %steps);
    for ($httpd->noted($run)) {
        $keys{ $_->[0] }++;
        $steps{ $_->[1] }{ $_->[0] }++;
    }
    is scalar keys %keys, $steps, "$what: each step has a key of its own";
    is scalar(grep { keys %{ $steps{$_} } != 1 } keys %steps), 0, '... the same each time it is called';
}

# --- undisturbed, and how much is kept

$httpd->begin('sql-chain', "$id-calm");
my $view = $httpd->wait_end('sql-chain', "$id-calm");
is $view->{status}, 'success', 'a run of twenty steps comes to its end';
is_deeply $httpd->written("$id-calm"), \%once, '... each step once';
my %size;
for my $n (10, 20, 40, 80) {
    my $run = sprintf "$id-grow-%03d", $n;
    $httpd->begin("grow-$n", $run);
    $httpd->wait_end("grow-$n", $run);
    # the log is written a moment later
    wait_for(sub {
        $size{$n} = $httpd->api_post('/tools/size/execute', { data => { run => $run, log => "w:$run:1" } })->{json}[0];
        return $size{$n}{ends};
    }, 20);
}
is_deeply [map { $size{$_}{steps} } 10, 20, 40, 80], [map { 2 * $_ + 1 } 10, 20, 40, 80], 'each step is one row';
# the second half of a run costs what the first half has cost
for my $what (qw(bytes snapshot events)) {
    my @per_step = map { ($size{ 2 * $_ }{$what} - $size{$_}{$what}) / $_ } 10, 20, 40;
    diag sprintf '%s: %.0f, %.0f, %.0f for each step', $what, @per_step;
    cmp_ok $per_step[2], '<', 1.1 * $per_step[0], "what is kept grows with the steps: $what";
}
cmp_ok $size{80}{bytes} / $size{80}{steps}, '<', 200, '... and is little';

# --- all children killed again and again

my $at = time;
for my $chain (qw(sql-chain uri-chain)) {
    my $run    = "$id-$chain";
    my $killed = 0;
    $httpd->begin($chain, $run);
    for my $step (1 .. $steps) {
        my $there = wait_for(sub {
            my $seen = $chain eq 'sql-chain' ? eval { $httpd->written($run) } || {}
                : { map { $_->[1] => 1 } $httpd->noted($run) };
            return (grep { $_ >= $step } keys %$seen) ? 1 : 0;
        }, 20);
        last if ($httpd->view($chain, $run)->{status} // '') eq 'success';
        kill_children();
        $killed++;
        last if $killed >= 4;
    }
    $view = $httpd->wait_end($chain, $run, 40);
    is $view->{status}, 'success', "$chain: a run whose processes are killed again and again comes to its end";
    if ($chain eq 'sql-chain') {
        is_deeply $httpd->written($run), \%once, '... each step done once, as it commits with its row';
    }
    else {
        check_uri($run, $chain);
    }
}

# --- many runs, killed at random

my @runs = map { "$id-many-$_" } 1 .. 12;
$httpd->begin($_ =~ /[02468]$/ ? 'sql-chain' : 'uri-chain', $_) for @runs;
for (1 .. 4) {
    sleep 0.05 + rand 0.4;
    my @children = $httpd->children;
    kill KILL => $children[rand @children] if @children;
}
my %ends;
for my $run (@runs) {
    $view = $httpd->wait_end($run =~ /[02468]$/ ? 'sql-chain' : 'uri-chain', $run, 40);
    $ends{ $view->{status} // 'lost' }++;
}
is_deeply \%ends, { success => 12 }, 'many runs come to their ends, whichever process dies';
is scalar(grep { /[02468]$/ && keys %{ $httpd->written($_) } != $steps } @runs), 0, '... no step is lost';
is scalar(grep { /[02468]$/ && grep { $_ != 1 } values %{ $httpd->written($_) } } @runs), 0, '... none done twice';
is scalar(grep { my %k; $k{ $_->[0] } = 1 for $httpd->noted($_); !/[02468]$/ && keys %k != $steps } @runs), 0,
    '... nor called under two keys';

# --- the whole server

my $run = "$id-all";
$httpd->begin('uri-chain', $run);
wait_for(sub { $httpd->noted($run) >= 3 }, 10);
$httpd->kill_all;
sleep 0.3;
$httpd->up;
$view = $httpd->wait_end('uri-chain', $run, 30);
is $view->{status}, 'success', 'after the death of the whole server a run goes on'
    or diag explain $view->{error};
check_uri($run, 'the whole server');

# --- attempts

$run = "$id-retry";
$httpd->begin('retry-chain', $run);
$view = $httpd->wait_end('retry-chain', $run);
is $view->{status}, 'failed', 'a step that fails fails the run';
is $view->{error}{message}, 'not yet', '... with what it said';
# one is made again, under its key, where its process is held up for longer than the lease
my @noted = $httpd->noted($run);
my %keys = map { $_->[0] => 1 } @noted;
cmp_ok scalar @noted, '>=', 3, '... after the attempts that it has';
is scalar keys %keys, 3, '... each under a key of its own';

# --- asleep

$run = "$id-nap";
$httpd->begin('nap', $run);
ok wait_for(sub { ($httpd->view('nap', $run)->{status} // '') eq 'waiting' }, 5), 'a run sleeps';
kill_children();
$view = $httpd->wait_end('nap', $run, 20);
is $view->{status}, 'success', '... and wakes up in another process' or diag explain $view->{error};
is_deeply $httpd->written($run), { 1 => 1 }, '... and goes on';

$httpd->stop;
