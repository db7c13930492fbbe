# Networks: an agent chooses who does what, hears what came of it, and goes on until all is done.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraClient;
use MastraTest;
use Upstream;

plan tests => 61;

my $up   = Upstream->start;
my @port = (port => server_port() + 1);
my $id   = "network-$$";
my $n    = 0;
my $A    = '/agents/net-leader';

# the chunks of a network that is given the task, and the thread
sub network {
    my ($task, %opt) = @_;
    my $thread = "$id-" . ++$n;
    my $client = stream("$A/network", { messages => $task, maxSteps => 1,
        memory => { thread => $thread, resource => $id }, %opt }, @port);
    return (chunks($client), $thread);
}

sub chunks {
    my $client = shift;
    my @frames = grep { defined $_->{data} } $client->frames;
    return [map { $_->{json} } grep { ref $_->{json} } @frames];
}

sub decide {
    my ($what, $body) = @_;
    return chunks(stream("$A/$what-network-tool-call", $body, @port));
}

sub types { return join ' ', map { $_->{type} } @{ $_[0] } }
sub named { my ($chunks, $type) = @_; return (grep { $_->{type} eq $type } @$chunks)[0] }

my $CHECKED = 'network-validation-start routing-agent-text-start routing-agent-text-delta '
    . 'routing-agent-text-delta routing-agent-text-delta network-validation-end '
    . 'network-execution-event-finish';

# --- what the agent shows of itself

my $shown = api_get($A, @port)->{json};
is_deeply $shown->{agents}, { 'net-helper' => { id => 'net-helper', name => 'Helper' },
    'net-careful' => { id => 'net-careful', name => 'Careful' } }, 'an agent shows its agents';
is $shown->{workflows}{'net-flow'}{name}, 'net-flow', '... its workflows';
is_deeply [sort keys %{ $shown->{tools} }], ['echo-tool', 'net-ask', 'net-delete'],
    '... and its tools, without those';

# --- to an agent

my ($said, $thread) = network('ROUTE:net-helper:agent:sub task; go');
is types($said), 'routing-agent-start routing-agent-end agent-execution-start '
    . join(' ', map { "agent-execution-event-$_" } qw(start step-start text-start text-delta
        text-delta text-delta text-end step-finish finish))
    . " agent-execution-end $CHECKED", 'a network has an agent do it';
is_deeply [grep { $_ ne 'NETWORK' } map { $_->{from} } @$said], [], '... and all is from it';
my $input = $said->[0]{payload}{inputData};
is $input->{task}, 'ROUTE:net-helper:agent:sub task; go', '... the task';
is $input->{threadId}, $thread, '... in its thread';
is $input->{threadResourceId}, $id, '... of its resource';
my $routed = $said->[1]{payload};
is $routed->{prompt}, 'sub task', 'the choice is told';
is $routed->{usage}{totalTokens}, 15, '... with its cost';
is $routed->{conversationContext}[0]{content}{parts}[0]{text}, $input->{task},
    '... and what was said before';
is $said->[2]{payload}{agentId}, 'net-helper', '... whom it is given to';
is named($said, 'agent-execution-event-start')->{payload}{runId}, $said->[2]{payload}{runId},
    '... under one run id';
my $end = named($said, 'agent-execution-end')->{payload};
is $end->{result}, 'Echo: sub task', 'the result is told';
my $finish = $said->[-1]{payload};
is $finish->{result}, 'Final network answer', 'and the answer';
is $finish->{completionReason}, 'done', '... why it is one';
ok $finish->{isComplete} && $finish->{validationPassed}, '... that it is one';
is $finish->{usage}{totalTokens}, 30, '... and what it cost';
my $messages = api_get("/memory/threads/$thread/messages?agentId=net-leader", @port)
    ->{json}{messages};
is join(' ', map { $_->{role} } @$messages), 'user assistant assistant assistant',
    'the thread has the task, what was done, the answer and the check';
my $done = JSON::PP::decode_json($messages->[1]{content}{parts}[0]{text});
is $done->{finalResult}{text}, 'Echo: sub task', '... with the result';
is $messages->[1]{content}{metadata}{mode}, 'network', '... as the network\'s own';
is $messages->[2]{content}{parts}[0]{text}, 'Final network answer', '... the answer as such';
my @asked = grep { ($_->{json}{messages}[0]{content} // '') =~ /You help/ } $up->requests;
is $asked[0]{json}{messages}[-1]{content}, 'sub task', 'the agent was given the prompt';

# --- to a tool

($said) = network('ROUTE:echo-tool:tool:{"a":1}; go');
is types($said), "routing-agent-start routing-agent-end tool-execution-start tool-execution-end "
    . $CHECKED, 'a network calls a tool';
is_deeply named($said, 'tool-execution-start')->{payload}{args}{args}, { a => 1 },
    '... with arguments';
is named($said, 'tool-execution-end')->{payload}{toolName}, 'echo-tool', '... by its id';
ok named($said, 'tool-execution-end')->{payload}{result}, '... and has its result';

# --- to a workflow

($said) = network('ROUTE:net-flow:workflow:{"n":1}; go');
is types($said), 'routing-agent-start routing-agent-end workflow-execution-start '
    . join(' ', map { "workflow-execution-event-$_" } qw(workflow-start workflow-step-start
        workflow-step-result workflow-finish)) . " workflow-execution-end $CHECKED",
    'a network runs a workflow';
$end = named($said, 'workflow-execution-end')->{payload};
is $end->{result}{status}, 'success', '... to its end';
is_deeply $end->{result}{stepExecutionPath}, ['echo'], '... step by step';
is_deeply $end->{result}{input}, { n => 1 }, '... with the input that was chosen';

# --- to nobody, and without end

($said) = network('do it');
is types($said), 'routing-agent-start routing-agent-end network-execution-event-step-finish '
    . $CHECKED, 'a network may find nobody';
is $said->[-1]{payload}{primitiveType}, 'none', '... and say so';
($said) = network('PLAIN ROUTE:net-helper:agent:x; go');
is $said->[-1]{payload}{result}, 'Echo: x', 'a result may be the answer';
($said) = network('NOTYET ROUTE:net-helper:agent:x; go');
my @starts = grep { $_->{type} eq 'routing-agent-start' } @$said;
is scalar(@starts), 2, 'it goes on while the task is not complete';
is $starts[1]{payload}{inputData}{iteration}, 1, '... step by step';
like $starts[1]{payload}{inputData}{validationFeedback}, qr/NOT COMPLETE/, '... told why';
is $said->[-1]{payload}{completionReason}, 'Max iterations reached: 1', '... until maxSteps';
ok !$said->[-1]{payload}{isComplete}, '... and is not complete then';

# --- as an object

($said) = network('ROUTE:net-helper:agent:x; go', structuredOutput => { schema => {
    type => 'object', properties => { answer => { type => 'string' } }, required => ['answer'] } });
is_deeply named($said, 'network-object-result')->{payload}{object}, { answer => 'mock' },
    'the answer may be an object';
is_deeply $said->[-1]{payload}{object}, { answer => 'mock' }, '... which the end has, too';

# --- a person decides

my $run = "$id-approve";
($said) = network('ROUTE:net-delete:tool:{"path":"/x"}; go', runId => $run);
is types($said), 'routing-agent-start routing-agent-end tool-execution-start '
    . 'tool-execution-approval', 'a tool that needs approval is waited for';
is_deeply $said->[-1]{payload}{args}, { path => '/x' }, '... with what it is to do';
my $resumed = decide(approve => { runId => $run });
is types($resumed), "tool-execution-start tool-execution-end $CHECKED", 'approved, it goes on';
is $resumed->[-1]{payload}{result}, 'Final network answer', '... to the end';
is api_post("$A/approve-network-tool-call", { runId => $run }, @port)->{status}, 404,
    'it is approved once';
$run = "$id-decline";
network('ROUTE:net-delete:tool:{"path":"/x"}; go', runId => $run);
$resumed = decide(decline => { runId => $run });
is named($resumed, 'tool-execution-end')->{payload}{result},
    'Tool call was not approved by the user', 'declined, it is not carried out';
$run = "$id-agent";
($said) = network('ROUTE:net-careful:agent:delete it; go', runId => $run);
is $said->[-1]{type}, 'agent-execution-approval', 'an agent may wait for a person';
$resumed = decide(approve => { runId => $run });
is types($resumed) =~ /agent-execution-event-tool-result/, 1, '... and goes on when approved';
like named($resumed, 'agent-execution-end')->{payload}{result}, qr/Tool result/,
    '... with its result';
$run = "$id-flow";
($said) = network('ROUTE:net-wait:workflow:{"q":"why"}; go', runId => $run);
is $said->[-1]{type}, 'workflow-execution-suspended', 'a workflow may wait, too';
is_deeply $said->[-1]{payload}{suspendPayload}, { q => 'why' }, '... and says for what';
$resumed = decide(approve => { runId => $run, resumeData => { answer => 'so' } });
is named($resumed, 'workflow-execution-end')->{payload}{result}{status}, 'success',
    '... and ends when it has its answer';

# --- what goes wrong

my $answer = api_post('/agents/net-helper/network', { messages => 'x' }, @port);
is $answer->{status}, 400, 'an agent without memory leads nobody';
like $answer->{json}{error}, qr/^Memory is required/, '... and says why';
is api_post("$A/network", { messages => 'x', memory => { thread => "$id-1", resource => 'other' } },
    @port)->{status}, 403, 'the thread of another is not used';
expect_log(qr/run \S+ of network net-leader failed/, 1);
($said) = network('ROUTE:nobody:agent:x; go');
is $said->[-1]{type}, 'error', 'a choice that is not there ends it';
like $said->[-1]{payload}{error}{message}, qr/"nobody", which is not there/, '... with the reason';
is api_post("$A/approve-network-tool-call", { runId => 'none' }, @port)->{status}, 404,
    'a run that is not there is not found';
is api_post("$A/decline-network-tool-call", {}, @port)->{status}, 400, '... nor one without id';
is api_post('/agents/none/network', { messages => 'x' }, @port)->{status}, 404,
    'nor an agent that is not there';
