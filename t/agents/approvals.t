# Runs that wait for a person: stored, listed, taken up once, by any child and after a restart.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraClient;
use MastraHttpd;
use MastraTest;
use POSIX ();
use Upstream;

plan tests => 49;

sub types { return map { $_->{json}{type} } grep { ref $_->{json} } @_ }

sub frames { return grep { defined $_->{data} } $_[0]->frames }

# starts a run that waits; gives the id of the call that it waits for
sub waiting {
    my ($run, %opt) = @_;
    my $server = delete $opt{server};
    my $answer = ($server ? $server->api_post('/agents/weather-agent/generate',
            { messages => 'delete it', runId => $run, %opt })
        : api_post('/agents/weather-agent/generate', { messages => 'delete it', runId => $run, %opt }));
    return $answer->{json}{suspendPayload}{toolCallId};
}

my $id = "approvals-$$";

# --- a stream waits

my @seen = frames(stream('/agents/weather-agent/stream',
    { messages => 'delete it', runId => "$id-1", memory => { thread => "$id-t", resource => $id } }));
my ($ask) = grep { ref $_->{json} && $_->{json}{type} eq 'tool-call-approval' } @seen;
ok $ask, 'a tool that needs approval is asked for';
is $seen[-2]{json}{type}, 'tool-call-approval', '... and the stream ends with that';
is $seen[-1]{data}, '[DONE]', '... in order';
is_deeply $ask->{json}{payload}{args}, { path => '/tmp/x' }, '... with what the tool is to do';
my $call = $ask->{json}{payload}{toolCallId};

my $list = api_get("/agents/weather-agent/suspended-runs?resourceId=$id")->{json};
is $list->{total}, 1, 'the run is listed';
is $list->{runs}[0]{runId}, "$id-1", '... by its id';
is_deeply [map { $_->{toolCallId} } @{ $list->{runs}[0]{toolCalls} }], [$call], '... with its call';
is api_get('/agents/weather-agent/suspended-runs?resourceId=nobody')->{json}{total}, 0,
    '... for its resource only';

my $messages = api_get("/memory/threads/$id-t/messages?agentId=weather-agent")->{json}{messages};
is $messages->[1]{content}{metadata}{pendingToolApprovals}{$call}{type}, 'approval',
    'the thread says what is waited for';

# --- wrong decisions change nothing

is api_post('/agents/weather-agent/approve-tool-call',
    { runId => "$id-1", toolCallId => 'other' })->{status}, 404, 'another call is not waiting';
is api_post('/agents/plain-agent/approve-tool-call',
    { runId => "$id-1", toolCallId => $call })->{status}, 404, '... nor is the run another agent\'s';
is api_post('/agents/weather-agent/approve-tool-call',
    { runId => 'nope', toolCallId => $call })->{status}, 404, '... nor is a run that never was';
is api_post('/agents/weather-agent/approve-tool-call', { runId => "$id-1" })->{status}, 400,
    'a decision names its call';

# --- approved

@seen = frames(stream('/agents/weather-agent/approve-tool-call',
    { runId => "$id-1", toolCallId => $call }));
is_deeply [grep { $_ eq 'start' || $_ eq 'tool-result' || $_ eq 'finish' } types(@seen)],
    [qw(tool-result finish)], 'an approved call runs, and the run goes on without a new start';
is_deeply $seen[0]{json}{payload}{result}, { deleted => true, path => '/tmp/x' }, '... with its result';
is api_post('/agents/weather-agent/approve-tool-call',
    { runId => "$id-1", toolCallId => $call })->{status}, 404, 'a finished run is gone';
is api_get("/agents/weather-agent/suspended-runs?resourceId=$id")->{json}{total}, 0, '... from the list, too';
$messages = api_get("/memory/threads/$id-t/messages?agentId=weather-agent")->{json}{messages};
is scalar @$messages, 3, 'the thread has question, call and answer';
is $messages->[1]{content}{parts}[0]{toolInvocation}{state}, 'result', '... the call with its result';
ok !exists $messages->[1]{content}{metadata}{pendingToolApprovals}, '... waiting no more';
like $messages->[2]{content}{content}, qr/^Tool result/, '... and the answer';

# --- declined

$call = waiting("$id-2");
ok $call, 'generate says what it waits for';
@seen = frames(stream('/agents/weather-agent/decline-tool-call',
    { runId => "$id-2", toolCallId => $call, reason => 'not today' }));
is $seen[0]{json}{type}, 'tool-output-denied', 'a declined call does not run';
is $seen[0]{json}{payload}{approval}{reason}, 'not today', '... for the reason given';
is join('', map { $_->{json}{payload}{text} // '' } grep { ref $_->{json} && $_->{json}{type} eq 'text-delta' } @seen),
    'Tool result: not today', '... which the model hears';

# --- without streams

$call = waiting("$id-3");
my $answer = api_post('/agents/weather-agent/approve-tool-call-generate',
    { runId => "$id-3", toolCallId => $call });
is $answer->{status}, 200, 'an approval may be answered as JSON';
is $answer->{json}{finishReason}, 'stop', '... when the run is over';
$call = waiting("$id-4");
$answer = api_post('/agents/weather-agent/decline-tool-call-generate',
    { runId => "$id-4", toolCallId => $call });
is $answer->{json}{text}, 'Tool result: Tool call was not approved by the user', 'so may a refusal';

# --- any tool, when the request says so

$answer = api_post('/agents/weather-agent/generate',
    { messages => 'weather', runId => "$id-5", requireToolApproval => true });
is $answer->{json}{finishReason}, 'suspended', 'a request may ask for approval of each call';
is $answer->{json}{suspendPayload}{toolName}, 'weather-tool', '... of whichever tool';
is_deeply [map { $_->{payload}{toolName} } @{ $answer->{json}{toolCalls} }], ['weather-tool'], '... and shows the call';
my ($said) = grep { $_->{role} eq 'assistant' } @{ $answer->{json}{messages} };
is_deeply [map { $_->{type} } values %{ $said->{content}{metadata}{pendingToolApprovals} }], ['approval'],
    '... and the message what it waits for';
is $answer->{json}{response}{dbMessages}[0]{id}, $said->{id}, '... in both lists';

# --- two decisions at once, in several children

my %count;
for my $round (1 .. 5) {
    my $run = "$id-race-$round";
    $call = waiting($run);
    my @pids;
    for my $who (1 .. 4) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $status = api_post('/agents/weather-agent/approve-tool-call-generate',
                { runId => $run, toolCallId => $call })->{status};
            POSIX::_exit($status == 200 ? 1 : $status == 409 ? 2 : $status == 404 ? 3 : 9);
        }
        push @pids, $pid;
    }
    for (@pids) { waitpid $_, 0; $count{ $? >> 8 }++ }
}
is $count{1}, 5, 'of several decisions about one call exactly one counts';
is $count{9} // 0, 0, '... and the others are refused with 409, or 404 when it is over';

# --- an id in use

$call = waiting("$id-6", memory => { thread => "$id-a", resource => "$id-ann" });
$answer = api_post('/agents/weather-agent/generate', { messages => 'delete it', runId => "$id-6",
    memory => { thread => "$id-b", resource => "$id-bob" } });
is $answer->{status}, 409, 'a run id that is somebody else\'s cannot be taken';

# --- over a restart, and past a lease

my @several = (name => 'approvals', limits => <<'END', conf => <<'END');
StartServers 3
ServerLimit 4
ThreadsPerChild 5
MinSpareThreads 5
MaxSpareThreads 20
MaxRequestWorkers 20
AsyncRequestWorkerFactor 20
END
MastraEngine On
MastraProject "@top@/conf/demo"
# no connection that is kept ends in a child that stands still
KeepAlive Off
MastraRunLease 6s
<MastraTool slow-tool>
    MastraDescription "Waits, the first time"
    MastraExecute http url=TOOLS
</MastraTool>
<MastraAgent slow-agent>
    MastraModel mock/echo
    MastraTools slow-tool
    MastraMemory On
</MastraAgent>
Alias "/tools/" "@top@/conf/demo/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
END

SKIP: {
    skip 'several children with threads: event only', 13 if mpm() ne 'event';
    my $tools = Upstream->start(port => 0, script => sub {
        my $answer = Upstream::reply(200, { done => true });
        return $_[0]{n} > 1 ? $answer : [gate => 1, @$answer];
    });
    my $server = MastraHttpd->start(map { s/TOOLS/$tools->url/er } @several);
    $call = waiting("$id-7", server => $server);
    ok $call, 'a run waits on another server';
    my $old = $server->pid;
    $server->stop;
    $server->up;
    isnt $server->pid, $old, '... that is restarted';
    is $server->api_post('/agents/weather-agent/approve-tool-call-generate',
        { runId => "$id-7", toolCallId => $call })->{json}{finishReason}, 'stop',
        '... and goes on after it';

    # the owner of a run that goes on is stopped past its lease
    my $ask = $server->api_post('/agents/slow-agent/generate', {
        messages => 'CALL:slow-tool:{}', runId => "$id-8", requireToolApproval => true,
        memory => { thread => "$id-slow", resource => $id },
    });
    $call = $ask->{json}{suspendPayload}{toolCallId};
    ok $call, 'a slow call waits';
    my $first = MastraClient->new(port => $server->port);
    $first->send_request(POST => '/api/agents/slow-agent/approve-tool-call',
        json => { runId => "$id-8", toolCallId => $call });
    my $owner;
    ok wait_for(sub { ($owner) = grep { holds($_, $first->socket) } $server->children }),
        '... is approved in one child';
    $tools->gated or die 'the tool was not called';
    is $server->api_post('/agents/slow-agent/approve-tool-call-generate',
        { runId => "$id-8", toolCallId => $call })->{status}, 409, '... and nowhere else';
    $server->freeze($owner);
    my $second;
    wait_for(sub {
        $second = $server->api_post('/agents/slow-agent/approve-tool-call-generate',
            { runId => "$id-8", toolCallId => $call });
        return $second->{status} != 409;
    });
    is $second->{status}, 200, '... until that child is stopped for longer than its lease';
    is $second->{json}{finishReason}, 'stop', '... and another one goes on to the end';
    my $before = $server->api_get("/memory/threads/$id-slow/messages?agentId=slow-agent")->{json};

    $server->expect_log(qr/MA300[125]/);
    kill CONT => $owner;
    $tools->go_all;
    $first->{head} = $first->read_head;
    my @late = grep { ref $_->{json} } $first->frames;
    is $late[-1]{json}{type}, 'finish', 'the child that was stopped ends its stream';
    is $late[-1]{json}{payload}{stepResult}{reason}, 'error', '... with an error';
    my $after = $server->api_get("/memory/threads/$id-slow/messages?agentId=slow-agent")->{json};
    is $after->{total}, $before->{total}, '... and has written nothing';
    is_deeply $after->{messages}, $before->{messages}, '... at all';
    is $server->api_get("/agents/slow-agent/suspended-runs?resourceId=$id")->{json}{total}, 0,
        'nothing waits any more';
}

# 1 when process pid holds the other end of socket
sub holds {
    my ($pid, $socket) = @_;
    my $pair = sprintf '%04X 0100007F:%04X', $socket->peerport, $socket->sockport;
    open my $table, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    my ($inode) = map { (split)[9] } grep { /0100007F:\Q$pair\E / } <$table>;
    return 0 if !$inode;
    return scalar grep { (readlink // '') eq "socket:[$inode]" } glob "/proc/$pid/fd/*";
}
