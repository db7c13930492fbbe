# Two servers share one database: when one dies the other goes on with its runs, once; of what is asked
# of both at the same moment one is taken.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use IO::Select;
use Ledger;
use MastraTest;
use POSIX ();
use Time::HiRes qw(sleep time);

my $steps  = 20;
my $rounds = $ENV{CRASH} ? 5 : 1;
my $id     = "nodes-$$";
my %once   = map { $_ => 1 } 1 .. $steps;
my $one    = mpm() eq 'prefork';

plan tests => 16;

my $limits = $one ? "StartServers 10\nMinSpareServers 8\nMaxSpareServers 12\nMaxRequestWorkers 16\n"
    : "StartServers 2\nServerLimit 2\nMinSpareThreads 1\nMaxSpareThreads 100\nThreadsPerChild 50\n"
    . "MaxRequestWorkers 100\n";
my $setup = sub {
    my $self = shift;
    $self->tool('ask', execute => { kind => 'human' });
    $self->workflow('asks', { type => 'tool', id => 'q', toolId => 'ask' }, Ledger::held_chain('write', 1));
    $self->tool('careful', requireApproval => true, inputSchema => $Ledger::step_in,
        execute => { kind => 'uri', uri => '/tools/gate.lua' });
    $self->agent('asker', tools => ['careful']);
};
my @common = (steps => $steps, limits => $limits, setup => $setup,
    conf => "MastraRunLease 3\nKeepAlive Off\n");
my $first  = Ledger->start(name => 'node-a', @common);
my $second = Ledger->start(name => 'node-b', @common, db => $first->{params} // $first->database_file,
    traces => $first->{traces});
$_->expect_log(qr/AH00052|AH00051|MA320\d|MA300[1-9]|MA30[234]/) for $first, $second;

# --- one of two servers dies, its parent too

my @chains = qw(sql-held uri-held);
my %at     = map { ("$id-$_" => { chain => $chains[$_ % 2], step => $_ }) } $one ? 7 : 1 .. $steps;
for my $run (sort keys %at) {
    $first->hold($run, $at{$run}{step});
    $first->begin($at{$run}{chain}, $run);
}
ok wait_for(sub { !grep { !$first->calls($_, $at{$_}{step}) } keys %at }, 60), 'runs are at each of their steps';
$first->kill_all;
my %alive = map { $_ => 1 } $second->children;
ok wait_for(sub { my $owners = $second->owners; !grep { !$alive{ $owners->{$_} // 0 } } keys %at }, 60),
    'another server has them, when the one that had them died as a whole';
$second->open_gates(keys %at);
is_deeply [grep { ($second->wait_end($at{$_}{chain}, $_, 60)->{status} // '') ne 'success' } sort keys %at], [],
    '... and goes on with each to its end';
sub check_once {
    my ($what, @runs) = @_;
    is_deeply [grep { !eq_hash($second->effects($_), \%once) } @runs], [], "$what: no effect is lost or doubled";
    is_deeply [grep { !eq_hash($second->written($_), \%once) } grep { $at{$_}{chain} =~ /sql/ } @runs], [],
        '... nor in the database';
}
check_once('one server', keys %at);
is_deeply [grep { $first->calls($_, $at{$_}{step}) < 2 } keys %at], [], '... each was taken over';

# --- it comes back, and both have runs; the other one dies

$first->up;
my %more = map { ("$id-back-$_" => { chain => $chains[$_ % 2], step => $_ }) } $one ? 3 : 1 .. 6;
%at = (%at, %more);
my $n = 0;
for my $run (sort keys %more) {
    $first->hold($run, $at{$run}{step});
    ($n++ % 2 || $one ? $second : $first)->begin($at{$run}{chain}, $run);
}
wait_for(sub { !grep { !$first->calls($_, $at{$_}{step}) } keys %more }, 60);
$second->kill_all;
$first->open_gates(keys %more);
is_deeply [grep { ($first->wait_end($at{$_}{chain}, $_, 60)->{status} // '') ne 'success' } sort keys %more], [],
    'a server that came back takes over in turn';
$second->up;
check_once('the other server', keys %more);

# --- asked of both at once

# Two requests to each server, sent at the same moment: none can be stored before all have had a second
# to read what there is. What their answers are to be read from.
sub of_both {
    my ($path, $body, $method) = @_;
    my @from;
    return $first->while_locked(sub {
        for my $server ($first, $second, $first, $second) {
            my $pid = open(my $fh, '-|') // die "fork: $!";
            if (!$pid) {
                my $answer = eval { $server->request($method // 'POST', "/api$path", json => $body) }
                    || { status => 0, body => $@ };
                syswrite STDOUT, "$answer->{status} $answer->{body}\n";
                POSIX::_exit(0);
            }
            push @from, $fh;
        }
        sleep 1.5;
        return @from;
    });
}

sub answers { return map { my $line = readline $_; close $_; chomp $line; $line } @_ }

# The run is held at its gate until all but the one that is taken have their answers, also those who
# come late.
sub refused {
    my ($run, @from) = @_;
    wait_for(sub { (my @said = IO::Select->new(@from)->can_read(0)) >= @from - 1 });
    $first->open_gates($run);
    return answers(@from);
}

# Distinct calls: one is made again under its key where a process was held up for longer than its lease.
sub keys_of {
    my ($run, $step) = @_;
    my %keys = map { ($_->[0] => 1) } grep { $_->[1] == $step } $first->noted($run);
    return scalar keys %keys;
}

my (%resumed, %canceled, %decided, @bodies);
for my $round (1 .. $rounds) {
    my $run = "$id-resume-$round";
    $first->api_post("/workflows/asks/start-async?runId=$run", { inputData => { run => $run } });
    $first->hold($run, 1);
    my @said = refused($run, of_both("/workflows/asks/resume-async?runId=$run", { resumeData => { ok => true } }));
    $resumed{ substr $_, 0, 3 }++ for @said;
    push @bodies, grep { /^409/ } @said;
    $resumed{effects} += $first->effects($run)->{1} // 0;
    $resumed{rows} += $first->written($run)->{1} // 0;
}
is_deeply \%resumed, { 200 => $rounds, 409 => 3 * $rounds, effects => $rounds, rows => $rounds },
    'of resumes at both servers one is taken, the others get 409';
is scalar(grep { !/already resumed by another caller/ } @bodies), 0, '... and are told why';

# Who comes when it is cancelled already has what he wants: until all have come at once.
my $tries = 0;
while (($canceled{409} // 0) < 3 * $rounds && $tries < 10 * $rounds) {
    my $run = "$id-cancel-" . ++$tries;
    $first->hold($run, 2);
    $first->begin('uri-held', $run);
    wait_for(sub { $first->calls($run, 2) }, 30);
    my @said = map { substr $_, 0, 3 } answers(of_both("/workflows/uri-held/runs/$run/cancel", {}));
    $canceled{$_}++ for @said;
    $canceled{none}++ if !grep { $_ == 200 } @said;
    my $view = $second->wait_end('uri-held', $run, 30);
    $canceled{ $view->{status} // 'lost' }++;
    $first->open_gates($run);
    $canceled{after} += $first->calls($run, 3);
}
is $canceled{canceled}, $tries, 'of cancels at both servers: the run is cancelled';
is $canceled{after}, 0, '... and does nothing more';
is_deeply [@canceled{200, 'none'}], [4 * $tries - $canceled{409}, undef], '... by one, the others get 409'
    or diag explain \%canceled;
is $first->api_post("/workflows/uri-held/runs/$id-cancel-1/cancel", {})->{status}, 200,
    '... while one that was cancelled before is as they want it';

# --- approvals of an agent's tool

for my $round (1 .. $rounds) {
    my $run  = "$id-agent-$round";
    my $asked = $first->api_post('/agents/asker/generate',
        { messages => qq(CALL:careful:{"run":"$run","step":1}), runId => $run });
    my $call = $asked->{json}{suspendPayload}{toolCallId} or diag $asked->{body};
    $first->hold($run, 1);
    my @from = of_both('/agents/asker/approve-tool-call-generate', { runId => $run, toolCallId => $call });
    wait_for(sub { $first->calls($run, 1) }, 20);
    $decided{ substr $_, 0, 3 }++ for refused($run, @from);
    $decided{calls} += keys_of($run, 1);
    $decided{effects} += $first->effects($run)->{1} // 0;
}
is_deeply \%decided, { 200 => $rounds, 409 => 3 * $rounds, calls => $rounds, effects => $rounds },
    'of approvals at both servers one is taken, the others get 409';
$_->stop for $second, $first;
