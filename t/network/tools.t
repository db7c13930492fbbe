# Agents and workflows as tools of agents: what streams tell of them, what they remember, and calls
# that wait for a person somewhere below.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraClient;
use MastraTest;
use Upstream;

plan tests => 37;

my $up   = Upstream->start;
my @port = (port => server_port() + 1);
my $id   = "nettools-$$";
my $A    = '/agents/net-leader';

sub chunks {
    my ($path, $body) = @_;
    my @frames = grep { defined $_->{data} } stream($path, $body, @port)->frames;
    return [map { $_->{json} } grep { ref $_->{json} } @frames];
}

sub call {
    my ($tool, $args, %opt) = @_;
    return chunks("$A/stream", { messages => "CALL:$tool:" . JSON::PP::encode_json($args), %opt });
}

sub named { my ($chunks, $type) = @_; return (grep { $_->{type} eq $type } @$chunks)[0] }

sub outputs {
    return join ' ', map { $_->{payload}{output}{type} }
        grep { $_->{type} eq 'tool-output' } @{ $_[0] };
}

# --- offered

call('none', {});
my ($request) = grep { ($_->{json}{messages}[0]{content} // '') eq 'Lead them.' } $up->requests;
my %tools = map { $_->{function}{name} => $_->{function} } @{ $request->{json}{tools} };
is_deeply [sort grep { /^(?:agent|workflow)-/ } keys %tools],
    [qw(agent-net-careful agent-net-helper workflow-net-flow workflow-net-wait)],
    'an agent has agents and workflows as tools';
is $tools{'agent-net-helper'}{description}, 'Helps', '... with their descriptions';
is_deeply $tools{'agent-net-helper'}{parameters}{required}, ['prompt'], '... agents take a prompt';
is_deeply $tools{'workflow-net-flow'}{parameters}{properties}{inputData}{required}, ['n'],
    '... workflows what they take';

# --- an agent

my $said = call('agent-net-helper', { prompt => 'hello sub' });
is outputs($said), 'start step-start text-start text-delta text-delta text-delta text-end '
    . 'step-finish finish', 'a stream tells what the agent says';
is named($said, 'tool-output')->{payload}{toolName}, 'agent-net-helper', '... as the tool\'s';
my $result = named($said, 'tool-result')->{payload};
is $result->{result}{text}, 'Echo: hello sub', '... and its result';
is_deeply $result->{providerMetadata}{mastra}{modelOutput},
    { type => 'text', value => 'Echo: hello sub' }, '... of which the model reads the text';
$said = call('agent-net-careful', { prompt => 'hello' },
    memory => { thread => $id, resource => "$id-r" });
$result = named($said, 'tool-result')->{payload}{result};
like $result->{subAgentThreadId}, qr/^\Q$id\E-[0-9a-f-]{36}$/, 'it has a thread below the caller\'s';
is $result->{subAgentResourceId}, "$id-r-net-careful", '... of a resource of its own';
my $thread = $result->{subAgentThreadId};
my $messages = api_get("/memory/threads/$thread/messages?agentId=net-careful", @port)
    ->{json}{messages};
is join(' ', map { $_->{role} } @$messages), 'user assistant', '... where it remembers';
is $messages->[0]{content}{parts}[0]{text}, 'hello', '... what it was asked';
$said = call('agent-net-careful', { prompt => 'again', threadId => $thread },
    memory => { thread => $id, resource => "$id-r" });
is named($said, 'tool-result')->{payload}{result}{subAgentThreadId}, $thread,
    '... and goes on when it is named';
$said = call('agent-net-careful', { prompt => 'again', threadId => "other-$id" },
    memory => { thread => $id, resource => "$id-r" });
isnt named($said, 'tool-result')->{payload}{result}{subAgentThreadId}, "other-$id",
    '... but not in another\'s thread';

# --- a workflow

$said = call('workflow-net-flow', { inputData => { n => 1 } });
is outputs($said), 'workflow-start workflow-step-start workflow-step-result workflow-finish',
    'a stream tells what a workflow does';
$result = named($said, 'tool-result')->{payload}{result};
ok $result->{result} && $result->{runId}, '... and its result';
is api_get("/workflows/net-flow/runs/$result->{runId}", @port)->{json}{status}, 'success',
    '... of a run that is stored';
$said = call('workflow-net-flow', { inputData => { n => 'x' } });
ok named($said, 'tool-result')->{payload}{result}{error}, 'input that does not fit is refused';
my $whole = api_post("$A/generate", { messages => 'CALL:workflow-net-flow:{"inputData":{"n":2}}' },
    @port)->{json};
like $whole->{text}, qr/^Tool result: .*runId/, 'generate runs it as well';

# --- waiting for a person

for my $how (['approve', 'tool-result', 'Tool result'], ['decline', 'tool-output-denied', 'Echo|Tool']) {
    my ($what, $type) = @$how;
    my $run = "$id-$what";
    $said = call('agent-net-careful', { prompt => 'delete it' }, runId => $run,
        memory => { thread => "$run-t", resource => $id });
    my $ask = $said->[-1];
    is $ask->{type}, 'tool-call-approval', "an agent waits while its agent does ($what)";
    is $ask->{payload}{toolName}, 'net-delete', '... for the agent\'s call';
    is_deeply $ask->{payload}{args}, { path => '/tmp/x' }, '... with its arguments';
    my $resumed = chunks("$A/$what-tool-call",
        { runId => $run, toolCallId => $ask->{payload}{toolCallId} });
    like outputs($resumed), qr/^\Q$type\E /, '... and the decision goes down';
    is $resumed->[-1]{type}, 'finish', '... so that both end';
    ok named($resumed, 'tool-result')->{payload}{result}{text}, '... with a result';
}
my $run = "$id-flow";
$said = call('workflow-net-wait', { inputData => { q => 'why' } }, runId => $run);
is $said->[-1]{type}, 'tool-call-suspended', 'an agent waits while its workflow does';
is_deeply $said->[-1]{payload}{suspendPayload}, { q => 'why' }, '... and tells what for';
like $said->[-1]{payload}{resumeSchema}, qr/"answer"/, '... and what it wants';
my $resumed = chunks("$A/resume-stream", { runId => $run, resumeData => { answer => 'so' } });
is outputs($resumed) =~ /workflow-finish$/, 1, '... resumed, it goes on';
is_deeply named($resumed, 'tool-result')->{payload}{result}{result}, { answer => 'so' },
    '... to its result';
is api_post("$A/resume-stream", { runId => $run, resumeData => { answer => 'so' } }, @port)->{status},
    404, '... once';
