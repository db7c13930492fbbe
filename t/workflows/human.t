# Persons in the loop: runs that wait in many places, resumed by step, by path, by item and by label,
# in nested workflows, in agents that are steps; step by step, and sent back below.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraTest;
use Upstream;

plan tests => 56;

my $up    = Upstream->start(port => 0);
my $id    = "human-$$";
my $n     = 0;
my $true  = JSON::PP::true;
my %q     = (type => 'object', properties => { q => { type => 'string' } }, required => ['q']);
my %a     = (type => 'object', properties => { answer => { type => 'string' } }, required => ['answer']);
my $httpd = Ledger->start(name => 'human', env => { MASTRA_TEST_KEY => 'sk-test' },
    conf => "MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n",
    setup => sub {
        my $self = shift;
        $self->tool('ask', inputSchema => \%q, outputSchema => \%a, resumeSchema => \%a, execute => { kind => 'human' });
        $self->tool('wipe', inputSchema => { type => 'object' }, requireApproval => $true,
            execute => { kind => 'uri', uri => '/tools/ledger.lua' });
        mkdir "$self->{project}/agents";
        mkdir "$self->{project}/agents/helper";
        Ledger::write_file("$self->{project}/agents/helper/agent.json", JSON::PP::encode_json({ name => 'helper',
            instructions => 'x', model => 'up/mock-model', tools => ['wipe', 'ask'] }));
        flow($self, 'every', 1, { type => 'foreach', id => 'all', step => step('ask', 'ask'), opts => { concurrency => 3 } });
        flow($self, 'narrow', 1, { type => 'foreach', id => 'all', step => step('ask', 'ask'), opts => { concurrency => 1 } });
        flow($self, 'inner', 0, step('ask', 'ask'));
        flow($self, 'outer', 0, { type => 'workflow', id => 'in', workflowId => 'inner' });
        flow($self, 'deep', 0, { type => 'workflow', id => 'out', workflowId => 'outer' });
        flow($self, 'flows', 1, { type => 'foreach', id => 'all',
            step => { type => 'workflow', id => 'in', workflowId => 'inner' }, opts => { concurrency => 2 } });
        flow($self, 'both', 0, { type => 'parallel', id => 'par', steps => [step('a', 'ask'), step('b', 'ask')] });
        flow($self, 'two', 0, step('one', 'ask'), { type => 'mapping', id => 'm',
            mapConfig => '{"q":{"step":"one","path":"answer"}}' }, step('two', 'ask'));
        flow($self, 'helped', 0, { type => 'mapping', id => 'm', mapConfig => '{"prompt":{"initData":true,"path":"q"}}' },
            { type => 'agent', id => 'help', agentId => 'helper' });
    });

sub step { return { type => 'tool', id => $_[0], toolId => $_[1] } }

sub flow {
    my ($self, $key, $list, @graph) = @_;
    Ledger::write_file("$self->{project}/workflows/$key.json", JSON::PP::encode_json({ id => $key,
        inputSchema => $list ? { type => 'array', items => \%q } : \%q,
        outputSchema => $list ? { type => 'array' } : { type => 'object' }, graph => \@graph }));
}

sub begin {
    my ($flow, $input, %more) = @_;
    my $run = "$id-" . ++$n;
    my $answer = $httpd->api_post("/workflows/$flow/start-async?runId=$run", { inputData => $input, %more });
    return ($run, $answer->{json});
}

sub resume {
    my ($flow, $run, $text, %more) = @_;
    return $httpd->api_post("/workflows/$flow/resume-async?runId=$run",
        { defined $text ? (resumeData => { answer => $text }) : (), %more });
}

my @items = map { { q => $_ } } qw(x y z);

# --- by the index of an item

my ($run, $seen) = begin('every', \@items);
is_deeply $seen->{suspended}, [['ask']], 'items wait';
my $meta = $seen->{steps}{ask}{suspendPayload}{__workflow_meta};
is $meta->{foreachIndex}, 0, '... the first is shown';
is_deeply [map { "$_->{status} $_->{payload}{q} $_->{suspendPayload}{q}" } @{ $meta->{foreachOutput} }],
    ['suspended x x', 'suspended y y', 'suspended z z'], '... with all that wait';
$seen = resume('every', $run, 'Y', step => 'ask', forEachIndex => 1)->{json};
is $seen->{status}, 'suspended', 'one is resumed';
is_deeply $seen->{steps}{ask}{resumePayload}, { answer => 'Y' }, '... as its step shows';
$meta = $seen->{steps}{ask}{suspendPayload}{__workflow_meta};
is_deeply [map { $_->{status} } @{ $meta->{foreachOutput} }], [qw(suspended success suspended)], '... and no other';
is_deeply $meta->{foreachOutput}[1]{output}, { answer => 'Y' }, '... with what it came to';
is resume('every', $run, 'Y2', step => 'ask', forEachIndex => 1)->{status}, 500, 'it does not wait a second time';
is resume('every', $run, 'Q', step => 'ask', forEachIndex => 7)->{status}, 500, '... nor does one that is not there';
$seen = resume('every', $run, 'X', forEachIndex => 0)->{json};
is $seen->{steps}{ask}{suspendPayload}{__workflow_meta}{foreachIndex}, 2, 'the next that waits is shown';
$seen = resume('every', $run, 'Z', step => 'ask', forEachIndex => 2)->{json};
is_deeply $seen->{result}, [map { { answer => $_ } } qw(X Y Z)], 'all are answered, each by its own answer';
is resume('every', $run, 'Z')->{json}{error}, 'This workflow run was not suspended', '... and the run is over';
($run) = begin('every', \@items);
is_deeply resume('every', $run, 'same', step => 'ask')->{json}{result}, [({ answer => 'same' }) x 3],
    'without an index all are answered at once';
($run, $seen) = begin('narrow', \@items);
is_deeply [map { $_ && $_->{status} } @{ $seen->{steps}{ask}{suspendPayload}{__workflow_meta}{foreachOutput} }],
    ['suspended', undef, undef], 'those that have not begun do not wait';
is resume('narrow', $run, 'early', step => 'ask', forEachIndex => 2)->{status}, 500, '... and cannot be resumed';
for my $text (qw(1 2 3)) {
    $seen = resume('narrow', $run, $text, step => 'ask')->{json};
}
is_deeply $seen->{result}, [map { { answer => $_ } } 1 .. 3], '... but one after the other';

# --- nested

($run, $seen) = begin('outer', $items[0]);
is_deeply $seen->{suspended}, [['in', 'ask']], 'a workflow in a workflow waits';
is_deeply $seen->{suspendPayload}, { in => { q => 'x' } }, '... as its step';
my $bad = resume('outer', $run, 'bad', step => 'ask');
is $bad->{status}, 500, 'a step below is not meant by its name alone';
for my $step (['in', 'ask'], 'in', 'in.ask', undef) {
    ($run) = begin('outer', $items[0]) if !ref $step;
    $seen = resume('outer', $run, 'A', defined $step ? (step => $step) : ())->{json};
    is_deeply $seen->{result}, { answer => 'A' },
        'it is resumed by ' . (ref $step ? 'its path' : defined $step ? $step : 'itself, as the only one');
}
is_deeply $seen->{steps}{in}{resumePayload}, { answer => 'A' }, '... which its step shows';
($run, $seen) = begin('deep', $items[0]);
is_deeply $seen->{suspended}, [['out', 'in', 'ask']], 'two levels down';
is_deeply resume('deep', $run, 'D', step => ['out', 'in', 'ask'])->{json}{result}, { answer => 'D' }, '... likewise';
($run, $seen) = begin('flows', \@items);
$seen = resume('flows', $run, 'Y', step => ['in', 'ask'], forEachIndex => 1)->{json};
is $seen->{status}, 'suspended', 'a workflow for each item: one is resumed';
$seen = resume('flows', $run, 'X', step => 'in', forEachIndex => 0)->{json};
is $seen->{status}, 'suspended', '... another';
$seen = resume('flows', $run, 'Z', step => 'in', forEachIndex => 2)->{json};
is_deeply $seen->{result}, [map { { answer => $_ } } qw(X Y Z)], '... and all are answered';

# --- several at once

($run, $seen) = begin('both', $items[0]);
is_deeply [sort map { $_->[0] } @{ $seen->{suspended} }], [qw(a b)], 'two steps wait side by side';
like resume('both', $run, 'A')->{json}{error}, qr/Multiple suspended steps found: \[a\], \[b\]/, 'one has to be named';
$seen = resume('both', $run, 'A', step => 'a')->{json};
is_deeply $seen->{suspended}, [['b']], '... the other goes on to wait';
is_deeply resume('both', $run, 'B', step => 'b')->{json}{result}, { a => { answer => 'A' }, b => { answer => 'B' } },
    '... and both come together';

# --- tools that wait inside an agent that is a step

($run, $seen) = begin('helped', { q => qq(CALL:wipe:{"run":"$id-wipe","step":1}) });
is_deeply $seen->{suspended}, [['help']], 'an agent that is a step waits for its tool';
my $payload = $seen->{suspendPayload}{help};
is $payload->{toolName}, 'wipe', '... and says which' or diag explain $payload;
my $view = $httpd->view('helped', $run);
my ($label) = keys %{ $view->{resumeLabels} };
ok $label, '... under a label';
is_deeply [$httpd->noted("$id-wipe")], [], '... and has not called it';
is resume('helped', $run, undef, label => 'other', resumeData => { approved => $true })->{status}, 500,
    'another label is not resumed';
$seen = resume('helped', $run, undef, label => $label, resumeData => { approved => $true })->{json};
is $seen->{status}, 'success', 'by its label it is' or diag explain $seen;
like $seen->{result}{text}, qr/^Tool result: .*"step":1/, '... and goes on with the tool';
is scalar($httpd->noted("$id-wipe")), 1, '... called once';
($run, $seen) = begin('helped', { q => qq(CALL:wipe:{"run":"$id-not","step":1}) });
$seen = resume('helped', $run, undef, resumeData => { approved => JSON::PP::false })->{json};
is $seen->{status}, 'success', 'a call that is refused is not made';
is_deeply [$httpd->noted("$id-not")], [], '... at all';
($run, $seen) = begin('helped', { q => 'CALL:ask:{"q":"who"}' });
is $seen->{suspendPayload}{help}{suspendPayload}{q} // $seen->{suspendPayload}{help}{args}{q}, 'who',
    'an agent asks a person' or diag explain $seen;
like resume('helped', $run, 'me', step => 'help')->{json}{result}{text}, qr/Tool result: .*me/, '... and hears the answer';

# --- step by step

($run, $seen) = begin('two', $items[0], perStep => $true);
is $seen->{status}, 'suspended', 'a run that goes step by step waits, too';
$seen = resume('two', $run, '1', step => 'one', perStep => $true)->{json};
is $seen->{status}, 'paused', '... and pauses after the step';
is_deeply $seen->{stepExecutionPath}, ['one'], '... which is the last';
ok !$seen->{steps}{two}, '... the next has not begun';
($run) = begin('two', $items[0]);
resume('two', $run, '1', step => 'one');
$seen = resume('two', $run, '2', step => 'two')->{json};
is_deeply $seen->{result}, { answer => '2' }, 'one that does not goes on';

# --- sent back

$seen = $httpd->api_post("/workflows/two/time-travel-async?runId=$run", { step => 'two', inputData => { q => 'again' } })->{json};
is $seen->{status}, 'suspended', 'a run that is sent back waits again';
is_deeply $seen->{suspendPayload}, { two => { q => 'again' } }, '... with what it was given';
is_deeply resume('two', $run, '3', step => 'two')->{json}{result}, { answer => '3' }, '... and takes another answer';
($run) = begin('deep', $items[0]);
resume('deep', $run, 'D', step => 'out.in.ask');
$seen = $httpd->api_post("/workflows/deep/time-travel-async?runId=$run",
    { step => ['out', 'in', 'ask'], inputData => { q => 'below' } })->{json};
is_deeply $seen->{suspended}, [['out', 'in', 'ask']], 'one is sent back to a step two levels down';
is_deeply $seen->{suspendPayload}, { out => { q => 'below' } }, '... with what it was given';
is_deeply resume('deep', $run, 'E', step => ['out', 'in', 'ask'])->{json}{result}, { answer => 'E' }, '... and goes on from there';
$httpd->stop;
