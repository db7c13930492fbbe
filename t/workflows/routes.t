# Runs of workflows as clients see them: begun in each way, read, listed, resumed, sent back, ended.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Time::HiRes qw(sleep);

plan tests => 116;

my $id = "routes-$$";

sub records {
    my ($path, $body) = @_;
    my $answer = api_post("/workflows/$path", $body ? $body : ());
    return map { JSON::PP::decode_json($_) } split /\x1e/, $answer->{body};
}

sub types { return join ' ', map { $_->{type} =~ s/^workflow-//r } @_ }

# --- what there is

my $all = api_get('/workflows')->{json};
ok $all->{'simple-workflow'}{steps}{'add-one'}, 'workflows are listed by their keys';
is_deeply [map { $_->{id} } @{ $all->{'simple-workflow'}{stepGraph} }], ['add-one', 'double'],
    '... with their graphs';
my $brief = api_get('/workflows?partial=true')->{json}{'simple-workflow'};
is $brief->{stepCount}, 2, '... and in short';
is_deeply $brief->{steps}, {}, '... without steps';
my $one = api_get('/workflows/simple-workflow')->{json};
is $one->{name}, 'simple-workflow', 'one is found by its id';
my $schema = JSON::PP::decode_json($one->{inputSchema})->{json};
is $schema->{properties}{n}{type}, 'number', '... with its schema as text';
is $schema->{additionalProperties}, false, '... closed';
is api_get('/workflows/none')->{status}, 404, 'one that is not there is not found';
is api_get('/workflows/none')->{json}{error}, 'Workflow not found', '... and said so';

# --- start-async

my $run = api_post('/workflows/simple-workflow/start-async', { inputData => { n => 3 } })->{json};
is $run->{status}, 'success', 'a run is waited for';
is_deeply $run->{result}, { d => 8 }, '... with its result';
is_deeply $run->{steps}{input}, { n => 3 }, '... its input';
is_deeply $run->{steps}{double}{output}, { d => 8 }, '... and steps';
ok !exists $run->{steps}{double}{payload}, '... without what repeats the step before';
is_deeply $run->{stepExecutionPath}, ['add-one', 'double'], '... in their order';
like $run->{traceId}, qr/^[0-9a-f]{32}$/, '... in a trace';
my $bad = api_post('/workflows/simple-workflow/start-async', { inputData => { n => 'x' } });
is $bad->{status}, 400, 'input that does not fit is refused';
is $bad->{json}{error}, "Invalid input data: \n- n: Invalid input: expected number, received string",
    '... and why';

# --- created, then started

my $answer = api_post("/workflows/simple-workflow/create-run?runId=$id-c", { resourceId => 'r1' });
is_deeply $answer->{json}, { runId => "$id-c" }, 'a run is created';
my $view = api_get("/workflows/simple-workflow/runs/$id-c")->{json};
is $view->{status}, 'pending', '... and waits to be started';
is $view->{resourceId}, 'r1', '... as its resource\'s';
is_deeply api_post("/workflows/simple-workflow/create-run?runId=$id-c", {})->{json},
    { runId => "$id-c" }, 'creating it again changes nothing';
$answer = api_post("/workflows/simple-workflow/start?runId=$id-c", { inputData => { n => 3 } });
is_deeply $answer->{json}, { message => 'Workflow run started' }, 'it is started';
ok wait_for(sub { $view = api_get("/workflows/simple-workflow/runs/$id-c")->{json};
    $view->{status} eq 'success' }, 5), '... and comes to its end';
is_deeply $view->{payload}, { n => 3 }, '... with its input';
is_deeply $view->{steps}{double}{payload}, { n => 4 }, '... and the payloads of its steps';
is_deeply [sort keys %{ api_get("/workflows/simple-workflow/runs/$id-c?fields=steps")->{json} }],
    [sort qw(runId workflowName resourceId createdAt updatedAt status steps)], 'fields can be chosen';
is api_get("/workflows/simple-workflow/runs/$id-c?fields=status")->{status}, 400,
    '... of those that there are';
is api_post('/workflows/simple-workflow/start', {})->{status}, 400, 'start needs a run';
is api_post("/workflows/simple-workflow/start?runId=$id-none", {})->{status}, 404,
    '... that is there';
is api_get("/workflows/suspend-workflow/runs/$id-c")->{status}, 404,
    'a run is not another workflow\'s';
is api_post("/workflows/suspend-workflow/start-async?runId=$id-c",
    { inputData => { reason => 'x' } })->{status}, 409, '... which cannot use its id';
is api_post('/workflows/simple-workflow/create-run?runId=' . 'x' x 300, {})->{status}, 400,
    'an id that is too long is refused';

# --- streams

my @seen = records("simple-workflow/stream?runId=$id-s", { inputData => { n => 3 } });
is types(@seen), 'start step-start step-result step-start step-result finish',
    'a stream tells of each step';
is $seen[1]{payload}{stepCallId}, $seen[2]{payload}{stepCallId}, '... start and result alike';
is_deeply $seen[-1]{payload}{finalWorkflowResult}, { d => 8 }, '... and of the result';
is $seen[-1]{payload}{output}{usage}{totalTokens}, 0, '... and of what it cost';
@seen = records("simple-workflow/stream?runId=$id-i", { inputData => { n => 'x' } });
is types(@seen), 'start finish', 'in a stream bad input is told by the run';
is $seen[1]{payload}{metadata}{error}{code}, 'WORKFLOW_SCHEMA_VALIDATION_FAILED', '... with its reason';
is api_post('/workflows/simple-workflow/stream', {})->{status}, 400, 'a stream needs an id';
@seen = records("simple-workflow/observe?runId=$id-s", undef);
is types(@seen), 'start step-start step-result step-start step-result finish',
    'a finished run can be seen again';
@seen = records("simple-workflow/observe?runId=$id-s&offset=4", undef);
is types(@seen), 'step-result finish', '... from a place on';
is api_post("/workflows/simple-workflow/observe?runId=$id-none")->{status}, 404,
    '... unless there is none';
@seen = records("simple-workflow/stream-legacy?runId=$id-l", { inputData => { n => 3 } });
is types(@seen), 'start step-start step-result step-finish step-start step-result step-finish finish',
    'the older form has the older names';
is types(records("simple-workflow/observe-stream-legacy?runId=$id-l", undef)), types(@seen),
    '... also when seen again';

# --- an agent

$run = api_post('/workflows/agent-workflow/start-async', { inputData => { topic => 'cats' } })->{json};
is_deeply $run->{result}, { text => 'Echo: Write about cats' }, 'an agent is a step';
@seen = records("agent-workflow/stream?runId=$id-a", { inputData => { topic => 'cats' } });
my @said = map { $_->{payload}{output} } grep { $_->{type} eq 'workflow-step-output' } @seen;
is join('', map { $_->{payload}{text} // '' } grep { $_->{type} eq 'text-delta' } @said),
    'Echo: Write about cats', '... that is heard word by word';
is $seen[-1]{payload}{output}{usage}{totalTokens}, 15, '... and counted';

# --- all kinds of control flow

$run = api_post('/workflows/control-flow-workflow/start-async', { inputData => { n => 3 } })->{json};
is_deeply $run->{result}, { n => 5, plus => 4 }, 'branches, items, rounds and sleeps come to an end';
is_deeply $run->{steps}{each}{output}, [{ n => 2 }, { n => 3 }, { n => 4 }], '... each item in its place';
is $run->{steps}{again}{metadata}{iterationCount}, 2, '... the rounds counted';
ok !$run->{steps}{large} && $run->{steps}{small}, '... and one branch only where one was right';
@seen = records("control-flow-workflow/stream?runId=$id-f", { inputData => { n => 3 } });
is scalar(grep { $_->{type} eq 'workflow-step-progress' } @seen), 3, 'a stream tells of each item';
is scalar(grep { $_->{type} eq 'workflow-step-waiting' } @seen), 1, '... and of sleeping';

# --- suspended, resumed

$run = api_post("/workflows/suspend-workflow/start-async?runId=$id-w",
    { inputData => { reason => 'why' } })->{json};
is $run->{status}, 'suspended', 'a run waits for a person';
is_deeply $run->{suspended}, [['ask-human']], '... at a step';
is_deeply $run->{suspendPayload}, { 'ask-human' => { reason => 'why' } }, '... with what it asks';
$view = api_get("/workflows/suspend-workflow/runs/$id-w")->{json};
is_deeply $view->{suspendedPaths}, { 'ask-human' => [0] }, '... as its state shows';
is api_get('/workflows/run-counts')->{json}{'suspend-workflow'}{suspended} > 0, 1, '... and the counts';
$answer = api_post("/workflows/suspend-workflow/resume-async?runId=$id-w",
    { step => 'ask-human', resumeData => { approved => 'yes' } });
is $answer->{status}, 400, 'an answer that does not fit is refused';
is $answer->{json}{error}, "Invalid resume data: \n- approved: Invalid input: expected boolean, received string",
    '... and why';
$answer = api_post("/workflows/suspend-workflow/resume-async?runId=$id-w",
    { step => 'other', resumeData => { approved => true } });
is $answer->{status}, 500, 'a step that does not wait cannot be resumed';
like $answer->{json}{error}, qr/"other" was not suspended.*\[ask-human\]/, '... others are named';
$run = api_post("/workflows/suspend-workflow/resume-async?runId=$id-w",
    { step => 'ask-human', resumeData => { approved => true } })->{json};
is_deeply $run->{result}, { approved => true }, 'it goes on with the answer';
is_deeply $run->{steps}{'ask-human'}{resumePayload}, { approved => true }, '... which its step shows';
$answer = api_post("/workflows/suspend-workflow/resume-async?runId=$id-w",
    { step => 'ask-human', resumeData => { approved => true } });
is $answer->{status}, 409, 'a finished run cannot be resumed';
is $answer->{json}{error}, 'This workflow run was not suspended', '... and is said to be so';
is api_post("/workflows/suspend-workflow/resume-async?runId=$id-none", { resumeData => {} })->{status}, 404,
    'nor one that never was';

@seen = records("suspend-workflow/stream?runId=$id-x", { inputData => { reason => 'why' } });
is types(@seen), 'start step-start step-suspended finish', 'a stream ends when the run waits';
@seen = records("suspend-workflow/resume-stream?runId=$id-x",
    { step => ['ask-human'], resumeData => { approved => false } });
is types(@seen), 'start step-start step-result finish', '... and another one goes on';
is_deeply $seen[1]{payload}{resumePayload}, { approved => false }, '... with the answer';
is types(records("suspend-workflow/observe?runId=$id-x", undef)),
    'start step-start step-suspended finish start step-start step-result finish',
    '... both are seen again';
api_post("/workflows/suspend-workflow/start-async?runId=$id-y", { inputData => { reason => 'why' } });
is_deeply api_post("/workflows/suspend-workflow/resume?runId=$id-y",
    { resumeData => { approved => true } })->{json}, { message => 'Workflow run resumed' },
    'a resume need not wait';
api_post("/workflows/suspend-workflow/start-async?runId=$id-z", { inputData => { reason => 'why' } });
is_deeply api_post("/workflows/suspend-workflow/resume-no-wait?runId=$id-z",
    { resumeData => { approved => true } })->{json}, { runId => "$id-z" }, '... or names the run';
ok wait_for(sub { api_get("/workflows/suspend-workflow/runs/$id-z")->{json}{status} eq 'success' }, 5),
    '... which goes on';

# one that waits inside of another

api_post('/stored/workflows', { id => "$id-outer", inputSchema => { type => 'object', properties => { reason =>
    { type => 'string' } }, required => ['reason'] }, outputSchema => { type => 'object' },
    graph => [{ type => 'workflow', id => 'inner', workflowId => 'suspend-workflow' }] });
$run = api_post("/workflows/$id-outer/start-async?runId=$id-outer-1", { inputData => { reason => 'why' } })->{json};
is_deeply $run->{suspended}, [['inner', 'ask-human']], 'a nested step waits';
@seen = records("$id-outer/resume-stream?runId=$id-outer-1", { resumeData => { approved => true } });
is_deeply [map { $_->{payload}{id} } grep { $_->{payload}{resumePayload} } @seen],
    ['inner', 'inner.ask-human', 'inner.ask-human', 'inner'], '... and its answer is shown around it, too';
$run = api_get("/workflows/$id-outer/runs/$id-outer-1")->{json};
is_deeply $run->{steps}{inner}{resumePayload}, { approved => true }, '... also later';

# a stream that stays
my $stays = stream("/workflows/suspend-workflow/stream?runId=$id-stays",
    { inputData => { reason => 'why' }, closeOnSuspend => false }, separator => "\x1e");
ok wait_for(sub { api_get("/workflows/suspend-workflow/runs/$id-stays")->{json}{status} eq 'suspended' }, 5),
    'a run waits whose client wants to stay';
api_post("/workflows/suspend-workflow/resume?runId=$id-stays", { resumeData => { approved => true } });
is types(map { $_->{json} } $stays->frames),
    'start step-start step-suspended start step-start step-result finish', '... and sees it go on';

# --- ended from outside

api_post("/workflows/suspend-workflow/start-async?runId=$id-k", { inputData => { reason => 'why' } });
is_deeply api_post("/workflows/suspend-workflow/runs/$id-k/cancel", {})->{json},
    { message => 'Workflow run cancelled' }, 'a run that waits is cancelled';
is api_get("/workflows/suspend-workflow/runs/$id-k")->{json}{status}, 'canceled', '... as it says';
is api_post("/workflows/suspend-workflow/resume?runId=$id-k", { resumeData => { approved => true } })->{status},
    409, '... and cannot be resumed';
is api_post("/workflows/suspend-workflow/runs/$id-none/cancel", {})->{status}, 404,
    'one that never was cannot be cancelled';
is_deeply api_delete("/workflows/suspend-workflow/runs/$id-k")->{json},
    { message => 'Workflow run deleted' }, 'a run is deleted';
is api_delete("/workflows/suspend-workflow/runs/$id-k")->{status}, 404, '... once';

# --- lists

api_post("/workflows/simple-workflow/start-async?runId=$id-r", { inputData => { n => 4 }, resourceId => $id,
    requestContext => { a => 1 } });
my $list = api_get("/workflows/simple-workflow/runs?resourceId=$id&limit=5&offset=0")->{json};
is $list->{total}, 1, 'runs are listed by resource';
is $list->{runs}[0]{runId}, "$id-r", '... by id';
is_deeply $list->{runs}[0]{snapshot}{context}{double}{output}, { d => 10 }, '... with their state';
is_deeply $list->{runs}[0]{snapshot}{requestContext}, { a => 1 }, '... and context';
$list = api_get('/workflows/suspend-workflow/runs?status=success&page=0&perPage=1')->{json};
is scalar @{ $list->{runs} }, 1, '... in pages';
ok $list->{total} > 1, '... of a whole';

for (['perPage=0', 'perPage must be a positive integer'], ['limit=0', 'perPage must be a positive integer'],
    ['fromDate=x', 'Invalid query parameters'], ['toDate=x', 'Invalid query parameters'])
{
    my ($query, $error) = @$_;
    $answer = api_get("/workflows/simple-workflow/runs?$query");
    is_deeply [$answer->{status}, $answer->{json}{error}], [400, $error], "... refused: $query";
}
is_deeply [sort keys %{ api_get("/workflows/simple-workflow/runs/$id-r?fields=")->{json} }],
    [sort keys %{ api_get("/workflows/simple-workflow/runs/$id-r")->{json} }], 'no fields are all of them';

# --- back in time

$run = api_post("/workflows/simple-workflow/time-travel-async?runId=$id-r",
    { step => 'double', inputData => { n => 10 } })->{json};
is_deeply $run->{result}, { d => 20 }, 'a run goes back to a step with other input';
is_deeply $run->{steps}{'add-one'}{output}, { n => 10 }, '... as if the step before had said it';
is_deeply $run->{stepExecutionPath}, ['add-one', 'double', 'double'], '... and remembers both ways';
is_deeply api_post("/workflows/simple-workflow/time-travel?runId=$id-r", { step => 'add-one' })->{json},
    { message => 'Workflow run time travel started' }, 'nobody need wait';
wait_for(sub { api_get("/workflows/simple-workflow/runs/$id-r")->{json}{status} eq 'success' }, 5);
$answer = api_post("/workflows/simple-workflow/time-travel-async?runId=$id-r", { step => 'nope' });
like $answer->{json}{error}, qr/^Cannot time travel to step 'nope'.*recorded in the snapshot: (?:add-one, double|double, add-one)/,
    'to a step that is not there no run goes';
api_post("/workflows/suspend-workflow/start-async?runId=$id-back", { inputData => { reason => 'x' } });
api_post('/stored/workflows', { id => "$id-skip", inputSchema => { type => 'object' }, outputSchema => { type => 'object' },
    graph => [{ type => 'mapping', id => 'bad', mapConfig => { city => { requestContextPath => 'who.is' } } },
        { type => 'tool', id => 'weather', toolId => 'weather-tool' },
        { type => 'mapping', id => 'back', mapConfig => { n => { value => 5 } } },
        { type => 'tool', id => 'plus', toolId => 'add-one-tool' }] });
$run = api_post("/workflows/$id-skip/start-async?runId=$id-skip-1", { inputData => {} })->{json};
is $run->{steps}{weather}{status}, 'failed', 'a run fails at a step';
like api_post("/workflows/$id-skip/time-travel-async?runId=$id-skip-1", { step => 'plus', inputData => { n => 1 } })->{json}{error},
    qr/^Cannot time travel to step 'plus': step\(s\) 'back' precede the target/, '... and is not taken further than it was';
$run = api_post("/workflows/$id-skip/time-travel-async?runId=$id-skip-1", { step => 'back', inputData => { city => 'x' } })->{json};
is_deeply [$run->{status}, $run->{result}], ['success', { n => 6 }], '... but past it';
is $run->{steps}{weather}{status}, 'success', '... as if it had not';
$run = api_post("/workflows/simple-workflow/restart-async?runId=$id-r", {})->{json};
is $run->{status}, 'success', 'restarting a finished run shows its end';
ok $run->{steps}{double}{payload}, '... with all payloads';
is api_post("/workflows/suspend-workflow/restart-async?runId=$id-back", {})->{status}, 409,
    'one that waits cannot be restarted';
is_deeply api_post('/workflows/simple-workflow/restart-all-active-workflow-runs', {})->{json},
    { message => 'All active workflow runs restarted' }, 'what is active goes on by itself';

# --- one step, events, the older form

$answer = api_post("/workflows/simple-workflow/runs/$id-c/steps/execute", { stepId => 'double',
    executionPath => [0], stepResults => {}, state => {}, requestContext => {}, input => { n => 2 } });
is_deeply [@{ $answer->{json} }{qw(status output payload __state)}],
    ['success', { n => 3 }, { n => 2 }, {}], 'one step is done by itself';
is api_post("/workflows/simple-workflow/runs/$id-c/steps/execute", {})->{json}{issues}[0]{field}, 'stepId',
    '... when it is said which';
is api_post("/workflows/simple-workflow/runs/$id-c/steps/execute", { stepId => 'x', executionPath => [7],
    stepResults => {}, state => {}, requestContext => {} })->{status}, 400, '... and it is there';
is api_post('/workflows/events', {})->{json}{issues}[0]{field}, 'event', 'an event has a form';
is_deeply api_post('/workflows/events', { event => { id => '1', type => 'x', data => {}, runId => 'r',
    createdAt => '2026-01-01T00:00:00Z' } })->{json}, { ok => true }, '... and is acknowledged';
$run = api_post('/workflows/simple-workflow/execute', { triggerData => { n => 3 } })->{json};
is_deeply [$run->{result}, $run->{results}{double}{output}], [{ d => 8 }, { d => 8 }],
    'the older form of running has its results';
