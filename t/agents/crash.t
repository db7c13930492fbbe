# Processes die, or sleep past their lease, while an agent's run that a person's decision took up calls
# its tool: the run waits for a decision again, the effect is there once, and so is the answer.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Ledger;
use MastraClient;
use MastraTest;
use Time::HiRes qw(sleep time);

# CRASH=1 (make crash): each way for both kinds of runs
my @ways = $ENV{CRASH} ? ([0 .. 2], [0 .. 2]) : ([0, 2], [1]);

plan tests => @{ $ways[0] } * 7 + 4 + 4 + @{ $ways[1] } * 5;


my $id    = "lost-$$";
my $n     = mpm() eq 'prefork' ? 1 : 6;
my $httpd = Ledger->start(name => 'lost', steps => 1, conf => "MastraRunLease 2\nKeepAlive Off\n",
    limits => mpm() eq 'prefork' ? "StartServers 8\nMinSpareServers 6\nMaxSpareServers 12\nMaxRequestWorkers 20\n"
        : "StartServers 3\nServerLimit 3\nMinSpareThreads 1\nMaxSpareThreads 90\nThreadsPerChild 30\n"
        . "MaxRequestWorkers 90\n",
    setup => sub {
        my $self = shift;
        $self->tool('careful', requireApproval => true, inputSchema => $Ledger::step_in,
            execute => { kind => 'uri', uri => '/tools/gate.lua' });
        $self->agent('keeper', durable => true, tools => ['hold'], memory => { options => { lastMessages => 10 } });
        $self->agent('asker', tools => ['careful', 'hold'], memory => { options => { lastMessages => 10 } });
    });
$httpd->expect_log(qr/AH00052|AH00051|MA300\d|MA30[234]/);

# A run that waits for a decision about its call.
sub waiting {
    my ($name) = @_;
    my $run    = "$id-$name";
    my $answer = $httpd->api_post('/agents/asker/generate', { runId => $run,
        messages => qq(CALL:careful:{"run":"$run","step":1}), memory => { thread => "t-$run", resource => $id } });
    my $call = $answer->{json}{suspendPayload}{toolCallId} // die "$run does not wait: $answer->{body}";
    return { run => $run, decision => { runId => $run, toolCallId => $call } };
}

# Approved, and at its gate; the answer is not waited for.
sub approved {
    my ($one) = @_;
    $httpd->hold($one->{run}, 1);
    $one->{client} = MastraClient->new(port => $httpd->port);
    $one->{client}->send_request(POST => '/api/agents/asker/approve-tool-call-generate', json => $one->{decision});
    return $one;
}

sub at_gates {
    my ($times, @runs) = @_;
    return wait_for(sub { !grep { $httpd->calls($_->{run}, 1) < $times } @runs }, 30);
}

sub listed {
    my $runs = eval { $httpd->api_get("/agents/asker/suspended-runs?resourceId=$id&perPage=100")->{json}{runs} };
    return { map { $_->{runId} => 1 } @{ $runs || [] } };
}

# Until somebody else may have it: the answer.
sub decide_again {
    my ($one) = @_;
    my $answer;
    wait_for(sub {
        $answer = eval { $httpd->api_post('/agents/asker/approve-tool-call-generate', $one->{decision}) };
        return $answer && $answer->{status} !~ /^(?:409|503)$/ }, 30);
    return $answer;
}

# What a thread has, in short.
sub said {
    my ($one) = @_;
    my $messages = $httpd->api_get("/memory/threads/t-$one->{run}/messages?agentId=asker")->{json}{messages};
    return join ' ', map { my $m = $_;
        map { $_->{type} eq 'text' ? "$m->{role}" : "$_->{type}:$_->{toolInvocation}{state}" }
            grep { $_->{type} =~ /^text|tool-inv/ } @{ $m->{content}{parts} } } @$messages;
}

sub check {
    my ($what, @runs) = @_;
    check_once($what, @runs);
    is_deeply [map { $httpd->api_post('/agents/asker/approve-tool-call-generate', $_->{decision})->{status} } @runs],
        [(404) x @runs], '... which nobody can decide about any more';
}

sub check_once {
    my ($what, @runs) = @_;
    is_deeply [map { $httpd->effects($_->{run})->{1} // 0 } @runs], [(1) x @runs], "$what: each effect is there once";
    my @keys = map { my %keys = map { $_->[0] => 1 } $httpd->noted($_->{run}); scalar keys %keys } @runs;
    is_deeply \@keys, [(1) x @runs], '... under one key';
    # an answer after a decision is a message of its own
    is_deeply [map { said($_) =~ s/:result text/:result assistant/r } @runs],
        [('user tool-invocation:result assistant') x @runs], '... and question, call and answer are there once';
}

sub kill_children { kill KILL => $httpd->children }

# --- killed

my %ways = (
    'at the tool'  => sub { kill_children() },
    'one by one'   => sub {
        for my $pid ($httpd->children) {
            kill KILL => $pid;
            wait_for(sub { my @now = $httpd->children; @now && !grep { $_ == $pid } @now }, 20);
        }
    },
    'before the answer is stored' => sub {
        my @runs = @_;
        $httpd->while_locked(sub {
            $httpd->open_gates(map { $_->{run} } @runs);
            wait_for(sub { !grep { !$httpd->calls($_->{run}, 1, 'passed') } @runs }, 3, 'at most');
            sleep 0.1;
            kill_children();
        });
    },
);
for my $way ((sort keys %ways)[@{ $ways[0] }]) {
    my @runs = map { approved(waiting(($way =~ s/ /-/gr) . "-$_")) } 1 .. $n;
    ok at_gates(1, @runs), "$way: runs are at their tools";
    $ways{$way}->(@runs);
    $httpd->open_gates(map { $_->{run} } @runs);
    ok wait_for(sub { my $listed = listed(); !grep { !$listed->{ $_->{run} } } @runs }, 30),
        '... their processes die, and they wait for a person again';
    is_deeply [map { decide_again($_)->{json}{finishReason} // 'nothing' } @runs], [('stop') x @runs],
        '... who decides, and they come to their ends';
    check($way, @runs);
}

# --- durable runs, which nobody has to take up

for my $way ((sort keys %ways)[@{ $ways[1] }]) {
    my @runs = map { { run => "$id-keeper-" . ($way =~ s/ /-/gr) . "-$_" } } 1 .. $n;
    for my $one (@runs) {
        $httpd->hold($one->{run}, 1);
        $one->{client} = MastraClient->new(port => $httpd->port);
        $one->{client}->send_request(POST => '/api/agents/keeper/generate', json => { runId => $one->{run},
            messages => qq(CALL:hold:{"run":"$one->{run}","step":1}),
            memory => { thread => "t-$one->{run}", resource => $id } });
    }
    ok at_gates(1, @runs), "durable, $way: runs are at their tools";
    $ways{$way}->(@runs);
    $httpd->open_gates(map { $_->{run} } @runs);
    ok wait_for(sub { !grep { (eval { said($_) } // q()) !~ /assistant$/ } @runs }, 60), '... their processes die, and they end';
    check_once("durable, $way", @runs);
}

# --- asleep past the lease

my $late  = approved(waiting('late'));
at_gates(1, $late);
my $owner = MastraTest::child_with_port($late->{client}->socket->sockport, $httpd->children);
$httpd->freeze($owner);
my $second;
wait_for(sub { listed()->{ $late->{run} } }, 30);
wait_for(sub {
    $second = MastraClient->new(port => $httpd->port);
    $second->send_request(POST => '/api/agents/asker/approve-tool-call-generate', json => $late->{decision});
    return at_gates(2, $late) }, 30);
kill CONT => $owner;
$httpd->open_gates($late->{run});
is eval { $second->read_answer->{json}{finishReason} }, 'stop', 'asleep: another process goes on';
my $first = eval { $late->{client}->read_answer } || { status => 0 };
isnt $first->{status}, 200, '... the late one is refused';
ok $httpd->wait_log(qr/MA300[15]/, 20), '... as the log says';
is $httpd->effects($late->{run})->{1}, 1, '... the effect is there once';
check('asleep', $late);
$httpd->stop;
