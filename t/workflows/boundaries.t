# Processes die at every boundary between the steps of a run of twenty: before a step, after its effect,
# after its answer and before its row. Each run ends, no effect is lost and none is doubled. CRASH=1
# (make crash) does it with few runs at once, and ROUNDS= times at random points.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep time);

my $steps  = 20;
my $long   = $ENV{CRASH};
my $rounds = $ENV{ROUNDS} // ($long ? 20 : 1);
my $id     = "edge-$$";
my @chains = qw(sql-held uri-held agent-held);
my $one    = mpm() eq 'prefork';

# A child of prefork has one run at its gate, and no more: there a few boundaries stand for all, but
# in the long form. So do those of one chain and the other on PostgreSQL, and of agents everywhere.
my @all   = map { my $step = $_; map { [$_, $step] } @chains[0, 1] } 1 .. $steps;
my @talks = map { ['agent-held', $_] } 1 .. $steps;
my @edges = $long && $one ? (map { [$_] } @all, @talks) : $long ? ([@all], [@talks])
    : $one ? ([$all[0]], [$all[19]], [$talks[9]])
    : [(database() eq 'sqlite3' ? @all : map { $all[2 * $_ + $_ % 2] } 0 .. $steps - 1), @talks[0, 9, 19]];

plan tests => 3 * 6 + $rounds + 1;

my $httpd = Ledger->start(name => 'edges', steps => $steps, conf => "MastraRunLease 4\n",
    limits => $one ? "StartServers 8\nMinSpareServers 8\nMaxSpareServers 16\nMaxRequestWorkers 24\n"
        # all runs may be in one child, which has half of its threads for calls of its tools
        : "StartServers 3\nServerLimit 3\nMinSpareThreads 1\nMaxSpareThreads 270\nThreadLimit 90\n"
        . "ThreadsPerChild 90\nMaxRequestWorkers 270\n");
$httpd->expect_log(qr/AH00052|AH00051|MA320\d|MA3009|MA30[234]/);

my %once = map { $_ => 1 } 1 .. $steps;

# One run for each boundary, each held there.
sub begin {
    my ($name, @at) = @_;
    my %at;
    for (@at) {
        my ($chain, $step) = @$_;
        my $run = "$id-$name-$chain-$step";
        $at{$run} = { chain => $chain, step => $step, run => $run };
        $httpd->hold($run, $step);
        my $answer = $httpd->begin($chain, $run);
        diag "$run: $answer->{body}" if $answer->{status} != 200;
    }
    wait_calls(1, values %at) or die 'not all runs come to their gates';
    return \%at;
}

# Until each has come to its gate so often.
sub wait_calls {
    my ($n, @at) = @_;
    my @missing = @at;
    my $all = wait_for(sub {
        @missing = grep { $httpd->calls($_->{run}, $_->{step}) < $n } @missing;
        return !@missing;
    }, 60);
    diag "$_->{run} did not come to its gate" for $all ? () : @missing;
    return $all;
}

# Until all are somebody's who lives.
sub wait_owners {
    my ($at) = @_;
    return wait_for(sub {
        my %alive  = map { $_ => 1 } $httpd->children;
        my $owners = $httpd->owners;
        return !grep { !$alive{ $owners->{$_} // 0 } } keys %$at;
    }, 60);
}

sub kill_children { kill KILL => $httpd->children; return 1 }

# The process that is at the gate for a run.
sub server_of {
    my ($one) = @_;
    my ($call) = reverse grep { $_->[1] == $one->{step} } $httpd->noted($one->{run});
    return $call->[2];
}

# Each child that has a run, or is at its gate for another child, one after the other.
sub kill_one_by_one {
    my ($at) = @_;
    my $owners = $httpd->owners;
    my %pids   = map { ($owners->{ $_->{run} } // 0 => 1, server_of($_) => 1) } values %$at;
    delete $pids{0};
    for my $pid (sort keys %pids) {
        $owners = $httpd->owners;
        my @hit = grep { $owners->{ $_->{run} } == $pid || server_of($_) == $pid } values %$at;
        my @calls = map { $httpd->calls($_->{run}, $_->{step}) } @hit;
        kill KILL => $pid;
        wait_owners($at) or die 'not all runs are taken over';
        wait_calls(1 + shift @calls, $_) or die 'a call is not repeated' for @hit;
    }
    return scalar keys %pids;
}

sub counts { return { map { $_ => 0 } qw(runs ended lost doubled keys) } }

# The gates open: all come to their ends.
sub check {
    my ($at, $count) = @_;
    $httpd->open_gates(keys %$at);
    for my $one (values %$at) {
        my $view = $httpd->wait_end($one->{chain}, $one->{run}, 60);
        if (($view->{status} // '') eq 'success') {
            $count->{ended}++;
        }
        else {
            diag "$one->{run}: ", $view->{status} // 'lost', ' ', $view->{error}{message} // '';
        }
        my $effects = $httpd->effects($one->{run});
        $count->{lost}    += grep { !$effects->{$_} } keys %once;
        $count->{doubled} += grep { $_ > 1 } values %$effects;
        my %keys = map { ("$_->[0] $_->[1]" => 1) } $httpd->noted($one->{run});
        $count->{keys} += keys(%keys) != $steps;
        next if $one->{chain} ne 'sql-held';
        my $written = $httpd->written($one->{run});
        $count->{lost}    += grep { !$written->{$_} } keys %once;
        $count->{doubled} += grep { $_ > 1 } values %$written;
    }
    $count->{runs} += keys %$at;
}

sub report {
    my ($what, $count, $kills) = @_;
    diag "$what: $count->{runs} runs, $kills kills";
    cmp_ok $kills, '>=', @edges, "$what: processes died";
    is $count->{runs}, (map { @$_ } @edges), '... at each boundary';
    is $count->{ended}, $count->{runs}, '... and each run came to its end';
    is $count->{lost}, 0, '... with no effect lost';
    is $count->{doubled}, 0, '... none doubled';
    is $count->{keys}, 0, '... and each step called under one key';
}

# The answers come, but cannot be stored; then the processes die.
sub kill_uncommitted {
    my ($at) = @_;
    my @runs = values %$at;
    return $httpd->while_locked(sub {
        $httpd->open_gates(map { $_->{run} } @runs);
        wait_for(sub { !grep { !$httpd->calls($_->{run}, $_->{step}, 'passed') } @runs }, 3);
        sleep 0.1;
        kill_children();
        return 1;
    });
}

# Some of the processes, at any time.
sub kill_at_random {
    my ($name) = @_;
    my %at = map { my $chain = $chains[$_ % 3]; my $run = "$id-$name-$_";
        ($run => { chain => $chain, run => $run, step => 0 }) } 1 .. ($one ? 6 : 12);
    $httpd->begin($at{$_}{chain}, $_) for sort keys %at;
    for (1 .. 4) {
        sleep rand 0.4;
        my @children = $httpd->children;
        kill KILL => rand > 0.3 && @children ? $children[rand @children] : @children;
    }
    return \%at;
}

my %ways = (
    'one child after the other'           => \&kill_one_by_one,
    'all children'                        => \&kill_children,
    'all children, answers not committed' => \&kill_uncommitted,
);
for my $way (sort keys %ways) {
    my $count = counts();
    my $kills = 0;
    my $from  = time;
    for my $group (@edges) {
        my $at = begin($way =~ s/\W+/-/gr, @$group);
        $kills += $ways{$way}->($at);
        check($at, $count);
    }
    report($way, $count, $kills);
    diag sprintf '%.1f s', time - $from;
}
for my $round (1 .. $rounds) {
    my $count = counts();
    check(kill_at_random("random-$round"), $count);
    is_deeply $count, { %{ counts() }, runs => $count->{runs}, ended => $count->{runs} },
        "at random, $round: all as it should be";
}
is scalar(keys %{ $httpd->owners }), 0, 'in the end nothing is left over';
$httpd->stop;
