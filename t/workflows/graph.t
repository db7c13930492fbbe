# Graphs that are made at run time: what is refused, what they do, what runs keep of them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;

plan tests => 70;

my $id     = "graph-$$";
my $object = { type => 'object' };
my $n      = { type => 'object', properties => { n => { type => 'number' } }, required => ['n'] };
my $reason = { type => 'object', properties => { reason => { type => 'string' } }, required => ['reason'] };

sub store {
    my ($name, $graph, %opt) = @_;
    return api_post('/stored/workflows', { id => "$id-$name", inputSchema => $object,
        outputSchema => $object, graph => $graph, %opt });
}

sub run { my ($name, $input, %opt) = @_;
    my $run = delete $opt{run};
    return api_post("/workflows/$id-$name/start-async" . ($run ? "?runId=$run" : ''),
        { inputData => $input, %opt })->{json} }

sub resume { my ($name, $run, %body) = @_;
    return api_post("/workflows/$id-$name/resume-async?runId=$run", \%body) }

sub tool { my ($step, $tool, %opt) = @_; return { type => 'tool', id => $step, toolId => $tool, %opt } }
sub map_ { my ($step, %map) = @_;
    return { type => 'mapping', id => $step, mapConfig => JSON::PP::encode_json(\%map) } }

# --- stored, shown, deleted

my $answer = store('sum', [tool('one', 'add-one-tool'), tool('two', 'double-tool')], inputSchema => $n);
is_deeply $answer->{json}, { ok => true, id => "$id-sum" }, 'a definition is stored';
is run('sum', { n => 4 })->{result}{d}, 10, '... and runs at once';
my $row = api_get("/stored/workflows/$id-sum")->{json};
is $row->{status}, 'active', '... and is shown as it was given';
is_deeply $row->{graph}, [tool('one', 'add-one-tool'), tool('two', 'double-tool')], '... with its graph';
ok +(grep { $_->{id} eq "$id-sum" } @{ api_get('/stored/workflows')->{json}{workflows} }), '... and listed';
is api_get("/workflows/$id-sum")->{json}{origin}, 'dynamic', 'it is a workflow like others';
ok api_get('/workflows')->{json}{"$id-sum"}, '... in their list';
store('sum', [tool('one', 'double-tool')], inputSchema => $n);
is run('sum', { n => 4 })->{result}{d}, 8, 'a new definition takes its place';
is_deeply api_delete("/stored/workflows/$id-sum")->{json},
    { success => true, message => "Workflow $id-sum deleted" }, 'it is deleted';
is api_get("/workflows/$id-sum")->{status}, 404, '... and gone';
is api_get("/stored/workflows/$id-sum")->{json}{error}, qq(Dynamic workflow "$id-sum" not found), '... for good';

# --- what is refused

$answer = store('bad', [tool('x', 'nope')]);
is $answer->{status}, 500, 'a tool that is not there is refused';
is $answer->{json}{error}, qq(Dynamic workflow "$id-bad" failed validation with 1 issue(s):\n)
    . '- [missing-reference] graph.0.toolId: Step "x" declares toolId "nope" which is not a registered tool.',
    '... with its place';
like store('bad', [tool('x', 'add-one-tool')])->{json}{error}, qr/\[incompatible-schema\] graph\.0:/,
    'so are steps that do not fit';
like store('bad', [map_('m', a => { step => 'later', path => 'x' })])->{json}{error},
    qr/\[invalid-map-reference\] graph\.0\.mapConfig\.a\.step/, '... mappings of what is not there';
like store('bad', [map_('m', a => { template => '${nowhere.x}' })])->{json}{error}, qr/unknown namespace "nowhere"/,
    '... and templates';
for ([zzz => { type => 'zzz', id => 'x' }, 'graph.0.type'],
    [mismatch => { type => 'conditional', steps => [tool('a', 'count-tool')], predicates => [] }, 'graph.0.predicates'],
    [inner => { type => 'parallel', steps => [{ type => 'sleep', id => 'm', duration => 1 }] }, 'graph.0.steps.0.type'],
    [nameless => { type => 'tool', id => 'x' }, 'graph.0.toolId'],
    [operator => { type => 'conditional', steps => [tool('a', 'weather-tool')],
        predicates => [{ op => 'like', left => {}, right => {} }] }, 'graph.0.predicates.0'],
    [sleep => { type => 'sleep', id => 's', duration => -1 }, 'graph.0.duration'])
{
    my ($what, $entry, $field) = @$_;
    $answer = store('bad', [$entry], inputSchema => { type => 'object', properties => { city => { type => 'string' },
        n => { type => 'integer' } }, required => ['city', 'n'] });
    is_deeply [$answer->{status}, $answer->{json}{issues}[0]{field}], [400, $field], "a shape that is none: $what";
}
for (['self-reference', 'graph.0.workflowId', { type => 'workflow', id => 'w', workflowId => "$id-bad" }],
    ['empty-graph', 'graph'],
    ['duplicate-step-id', 'graph.1.id', map_('m', a => { value => 1 }), map_('m', a => { value => 1 })],
    ['invalid-parallel', 'graph.0.steps', { type => 'parallel', steps => [] }],
    ['invalid-map-placement', 'graph.0.steps.0', { type => 'parallel', steps => [map_('m', a => { value => 1 })] }],
    ['invalid-map-config', 'graph.0.mapConfig', { type => 'mapping', id => 'm', mapConfig => '[]' }],
    ['invalid-predicate-reference', 'graph.0.predicates.0.left.path', { type => 'conditional',
        steps => [tool('a', 'count-tool')], predicates => [{ op => 'eq', left => { path => 'other.x' },
            right => { literal => 1 } }] }],
    ['invalid-predicate-reference', 'graph.0.predicates.0.args.0.path', { type => 'conditional',
        steps => [tool('a', 'count-tool')], predicates => [{ op => 'and', args => [{ op => 'exists',
            path => 'stepResults.later.x' }] }] }])
{
    my ($code, $field, @graph) = @$_;
    $answer = store('bad', \@graph, inputSchema => $n);
    is $answer->{status}, 500, "a graph is refused: $code";
    like $answer->{json}{error}, qr/1 issue\(s\):\n- \[$code\] \Q$field\E: /, '... with its place';
}
like store('circle', [{ type => 'workflow', id => 'w', workflowId => "$id-two" }], inputSchema => $n,
    dependencies => [{ id => "$id-two", inputSchema => $n, outputSchema => $object, graph => [{ type => 'workflow', id => 'w', workflowId => "$id-circle" }] }]
    )->{json}{issues}[0]{message}, qr/would contain itself/, 'workflows cannot contain each other';
is store('file', [], id => 'simple-workflow')->{status}, 409, 'one of a file cannot be replaced';

# --- bundles

$answer = store('outer', [{ type => 'workflow', id => 'in', workflowId => "$id-inner" }], inputSchema => $n,
    dependencies => [{ id => "$id-inner", inputSchema => $n, outputSchema => $object,
        graph => [tool('one', 'add-one-tool')] }]);
is_deeply $answer->{json}, { ok => true, id => "$id-outer", dependencyIds => ["$id-inner"] },
    'a definition brings others along';
my $run = run('outer', { n => 1 }, run => "$id-outer-1");
is_deeply $run->{result}, { n => 2 }, '... which it nests';
my $view = api_get("/workflows/$id-outer/runs/$id-outer-1")->{json};
is_deeply $view->{steps}{'in.one'}{output}, { n => 2 }, '... with their steps below it';
ok !api_get("/workflows/$id-outer/runs/$id-outer-1?withNestedWorkflows=false")->{json}{steps}{'in.one'},
    '... unless they are not wanted';
$answer = store('outer2', [tool('x', 'nope')], dependencies => [{ id => "$id-dep", inputSchema => $n,
    outputSchema => $object, graph => [tool('one', 'add-one-tool')] }]);
is api_get("/stored/workflows/$id-dep")->{status}, 404, 'nothing is stored of a bundle with a fault';

# --- mappings and templates

store('map', [map_('m', a => { value => [1] }, b => { template => 'n=${initData.n} ${state.s} ${requestContext.k} ${initData.o}' },
    c => { initData => true, path => 'o.x' }, d => { requestContextPath => 'k' }),
    map_('m2', e => { step => ['none', 'm'], path => 'a' }, f => { template => '${stepResults.m.c}!' })],
    graph => [map_('none', z => { value => 1 }), map_('m', a => { value => [1] },
        b => { template => 'n=${initData.n} ${state.s} ${requestContext.k} ${initData.o}' },
        c => { initData => true, path => 'o.x' }, d => { requestContextPath => 'k' }),
        map_('m2', e => { step => ['m'], path => 'a' }, f => { template => '${stepResults.m.c}!' })]);
$run = run('map', { n => 3, o => { x => 'y' } }, initialState => { s => 'S' }, requestContext => { k => 'K' },
    outputOptions => { includeState => true });
is_deeply $run->{steps}{m}{output}, { a => [1], b => 'n=3 S K {"x":"y"}', c => 'y', d => 'K' },
    'mappings take from everywhere';
is_deeply $run->{result}, { e => [1], f => 'y!' }, '... and from steps';
is_deeply $run->{state}, { s => 'S' }, 'the state is shown to who asks for it';
store('through', [map_('m', a => { template => '${initData.a.b.c}' })]);
$run = run('through', { a => 1 });
is $run->{status}, 'failed', 'a path through what has no members fails the run';
like $run->{error}{message}, qr/^Invalid path a\.b\.c in Template placeholder #1/, '... and why';

# --- what tools are given

store('given', [map_('m', n => { requestContextPath => 'n' }), tool('t', 'add-one-tool')]);
$run = run('given', {}, requestContext => { n => 'x' });
is $run->{error}{message}, "Step input validation failed: \n- n: Invalid input: expected number, received string",
    'what a step is given is checked';
is $run->{error}{code}, 'WORKFLOW_STEP_INPUT_VALIDATION_FAILED', '... under a name';
is run('given', {}, requestContext => { n => 5 })->{result}{n}, 6, '... and taken when it fits';

# --- branches that wait

my $ask = sub { tool($_[0], 'ask-human-tool') };
store('ask', [{ type => 'parallel', steps => [map { $ask->($_) } qw(a b)] }], inputSchema => $reason);
$run = run('ask', { reason => 'r' }, run => "$id-ask-1");
is_deeply $run->{suspended}, [['a'], ['b']], 'two branches wait';
$answer = resume('ask', "$id-ask-1", resumeData => { approved => true });
like $answer->{json}{error}, qr/^Multiple suspended steps found: \[a\], \[b\]\./, '... so it must be said which goes on';
$run = resume('ask', "$id-ask-1", step => 'b', resumeData => { approved => false })->{json};
is_deeply [$run->{status}, $run->{suspended}], ['suspended', [['a']]], 'one goes on, the other waits';
$run = resume('ask', "$id-ask-1", resumeData => { approved => true })->{json};
is_deeply $run->{result}, { a => { approved => true }, b => { approved => false } }, '... until it goes on, too';

# --- items that wait

store('each', [{ type => 'foreach', step => $ask->('q'), opts => { concurrency => 2 } }],
    inputSchema => { type => 'array', items => $reason }, outputSchema => { type => 'array' });
$run = run('each', [map { { reason => $_ } } qw(x y z)], run => "$id-each-1");
is $run->{status}, 'suspended', 'items wait';
$run = resume('each', "$id-each-1", forEachIndex => 1, resumeData => { approved => true })->{json};
is $run->{status}, 'suspended', '... and are answered by their index';
$run = resume('each', "$id-each-1", step => 'q', forEachIndex => 0, resumeData => { approved => false })->{json};
is $run->{status}, 'suspended', '... one by one';
$run = resume('each', "$id-each-1", step => 'q', resumeData => { approved => true })->{json};
is_deeply $run->{result}, [{ approved => false }, { approved => true }, { approved => true }],
    '... their answers in their order';

# --- below another workflow

store('below', [{ type => 'workflow', id => 'w', workflowId => 'suspend-workflow' }, map_('end', ok => { step => 'w', path => 'approved' })],
    inputSchema => $reason);
$run = run('below', { reason => 'deep' }, run => "$id-below-1");
is_deeply $run->{suspended}, [['w', 'ask-human']], 'a nested step waits';
is_deeply $run->{suspendPayload}, { w => { reason => 'deep' } }, '... with what it asks';
$run = resume('below', "$id-below-1", step => ['w', 'ask-human'], resumeData => { approved => true })->{json};
is_deeply $run->{result}, { ok => true }, '... and goes on by its path';

# --- an agent whose tool waits

store('agent', [{ type => 'agent', id => 'talk', agentId => 'weather-agent' }],
    inputSchema => { type => 'object', properties => { prompt => { type => 'string' } }, required => ['prompt'] });
$run = run('agent', { prompt => 'delete it' }, run => "$id-agent-1", outputOptions => { includeResumeLabels => true });
is $run->{status}, 'suspended', 'an agent waits for a person, and the run with it';
is $run->{suspendPayload}{talk}{toolName}, 'delete-tool', '... with what is to be approved';
my ($label) = keys %{ $run->{resumeLabels} };
is $run->{resumeLabels}{$label}{stepId}, 'talk', '... under the id of the call';
$run = resume('agent', "$id-agent-1", label => $label, resumeData => { approved => true })->{json};
like $run->{result}{text}, qr/^Tool result:/, '... and goes on with the decision';

# --- runs keep their graph

store('kept', [$ask->('q'), map_('m', v => { value => 1 })], inputSchema => $reason);
run('kept', { reason => 'r' }, run => "$id-kept-1");
store('kept', [map_('m', v => { value => 2 })]);
is_deeply resume('kept', "$id-kept-1", resumeData => { approved => true })->{json}{result}, { v => 1 },
    'a run goes on with the graph that it began with';
is_deeply run('kept', {})->{result}, { v => 2 }, '... others begin with the new one';
