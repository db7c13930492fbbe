# A server whose database goes away while runs of workflows go on: the runs, what is asked meanwhile, and
# what has to hold afterwards.
package Outage;
use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Ledger;
use MastraTest;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(begin check_errors check_after once);
# assertions of the two
our $CHECKS = 14;

my $steps = 5;
my %once  = map { $_ => 1 } 1 .. $steps;
my $httpd;

sub once { return { %once } }

sub start {
    my (%opt) = @_;
    $httpd = Ledger->start(%opt, steps => $steps, conf => "MastraRunLease 2\n" . ($opt{conf} // ''),
        limits => "StartServers 2\nServerLimit 2\nMinSpareThreads 1\nMaxSpareThreads 60\nThreadsPerChild 30\n"
        . "MaxRequestWorkers 60\n",
        setup => sub {
            my $self = shift;
            $self->tool('ask', execute => { kind => 'human' });
            $self->workflow('asks', { type => 'tool', id => 'q', toolId => 'ask' }, Ledger::chain('write', $steps));
            $self->workflow('naps', { type => 'sleep', id => 'z', duration => 3000 }, Ledger::chain('write', $steps));
            $self->sql('fill', 'INSERT INTO t_ledger (run, step) VALUES (hex(zeroblob(2000000)), 1)', [], 'row');
        });
    $httpd->expect_log(qr/AH00636|MA30[1-4]|MA300\d|MA3010|MA320\d|MA3302/);
    return $httpd;
}

# Runs of all kinds: at gates, suspended, asleep.
sub begin {
    my ($name) = @_;
    my %at = map { my $step = $_; map { ("$name-$_-$step" => [$_, $step]) } qw(sql-held uri-held) } 1, 3, 5;
    for my $run (sort keys %at) {
        $httpd->hold($run, $at{$run}[1]);
        $httpd->begin($at{$run}[0], $run);
    }
    $httpd->api_post("/workflows/asks/start-async?runId=$name-asks", { inputData => { run => "$name-asks" } });
    $httpd->begin('naps', "$name-naps");
    wait_for(sub { !grep { !$httpd->calls($_, $at{$_}[1]) } keys %at }, 30) or die 'not all runs are at their gates';
    wait_for(sub { $httpd->view('naps', "$name-naps")->{status} eq 'waiting' }, 30);
    return \%at;
}

# Several requests at once, each with how long it took: [status, JSON, seconds].
sub ask_all {
    my @from;
    for my $ask (@_) {
        my ($method, $path, $body) = @$ask;
        my $pid = open(my $fh, '-|') // die "fork: $!";
        if (!$pid) {
            my $start  = time;
            my $answer = eval { $httpd->request($method, "/api/workflows/$path", $body ? (json => $body) : ()) };
            my $said   = $answer ? "$answer->{status} " . ($answer->{json}{error} // 'nothing') : "0 $@";
            syswrite STDOUT, sprintf "%.1f %s\n", time - $start, $said;
            POSIX::_exit(0);
        }
        push @from, $fh;
    }
    return map { my $line = readline $_; close $_; chomp $line; [split / /, $line, 3] } @from;
}

# What is asked meanwhile, with what it may come to.
sub check_errors {
    my ($what, $name, $reads) = @_;
    my @said = ask_all(
        [POST => "sql-chain/start-async?runId=$name-new", { inputData => { run => "$name-new" } }],
        [POST => "asks/resume-async?runId=$name-asks", { resumeData => { ok => true } }],
        [POST => "uri-held/runs/$name-uri-held-3/cancel", {}],
        [DELETE => "uri-held/runs/$name-uri-held-5"],
        $reads ? [GET => "asks/runs/$name-asks"] : ());
    my @read = $reads ? pop @said : ();
    is_deeply [grep { $_->[1] !~ /^50[03]$/ } @said], [], "$what: starts, resumes, cancels, deletions are refused"
        or diag explain \@said;
    is_deeply [grep { $_->[2] !~ /^Storage (?:is busy, try again|failed)$/ } @said], [], '... in clear words';
    is_deeply [grep { $_->[0] > 15 } @said], [], '... in time';
    like $read[0] ? $read[0][1] : 200, qr/^200$/, '... what needs no writing is answered';
    ok $httpd->wait_log(qr/\[mastra:error\].*MA30[234]: storage/, 20), '... and the log says why';
}

# Everything is there again.
sub check_after {
    my ($what, $name, $at, @pids) = @_;
    $httpd->open_gates(keys %$at);
    my %status = map { $_ => $httpd->wait_end($at->{$_}[0], $_, 40)->{status} // 'lost' } keys %$at;
    is_deeply [grep { $status{$_} ne 'success' } sort keys %status], [], "$what, afterwards: each run comes to its end"
        or diag explain \%status;
    is_deeply [grep { !eq_hash($httpd->effects($_), \%once) } sort keys %$at], [], '... no effect is lost or doubled';
    is_deeply [grep { !eq_hash($httpd->written($_), \%once) } grep { /sql/ } sort keys %$at], [],
        '... nor in the database';
    is $httpd->wait_end('naps', "$name-naps", 40)->{status}, 'success', '... who slept has woken up';
    my $resumed = $httpd->api_post("/workflows/asks/resume-async?runId=$name-asks", { resumeData => { run => 'r' } });
    is $resumed->{status}, 200, '... who waited is resumed' or diag $resumed->{body};
    is $httpd->api_get("/workflows/sql-chain/runs/$name-new")->{status}, 404, '... and what was refused is not there';
    is_deeply $httpd->written("$name-new"), {}, '... nor has it done anything';
    my $new = $httpd->begin('sql-chain', "$name-newer");
    is $httpd->wait_end('sql-chain', "$name-newer", 40)->{status}, 'success', '... new runs begin';
    my %now = map { $_ => 1 } $httpd->children;
    is_deeply [grep { !$now{$_} } @pids], [], '... and no child was lost';
}

1;
