# The options of generate and stream, as they reach a model over the wire and as clients see them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Served qw(text_of_frames types);
use Upstream;

plan tests => 82;

my $up   = Upstream->start;
my @port = (port => server_port() + 1);
my $json = JSON::PP->new->canonical;

sub ask {
    my ($agent, %body) = @_;
    $up->reset;
    return api_post("/agents/$agent/generate", \%body, @port);
}

sub frames {
    my ($agent, $body, %opt) = @_;
    $up->reset;
    return grep { defined $_->{data} || $opt{separator} } stream("/agents/$agent/stream", $body, @port, %opt)->frames;
}

sub chunks { my $type = shift; return map { $_->{json} } grep { ref $_->{json} && $_->{json}{type} eq $type } @_ }

# what the n-th request asked of the model
sub asked { return ($up->requests)[$_[0] // -1]{json} }
sub said  { return [map { [$_->{role}, $_->{content}] } @{ asked(@_)->{messages} }] }
sub tools { return join ' ', map { $_->{function}{name} } @{ asked(@_)->{tools} || [] } }

# --- what goes over the wire: [name, options, members of the upstream request]

my $png    = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
my $system = ['system', 'You are tested.'];
my @wire = (
    ['a question', { messages => 'q' }, [$system, ['user', 'q']]],
    ['several', { messages => ['p', { role => 'user', content => 'q' }] }, [$system, ['user', 'p'], ['user', 'q']]],
    ['an image', { messages => [{ role => 'user', content => [{ type => 'text', text => 'q' },
        { type => 'image', image => $png }] }] },
        [$system, ['user', [{ type => 'text', text => 'q' },
            { type => 'image_url', image_url => { url => "data:image/png;base64,$png" } }]]]],
    ['a file of a UI message', { messages => [{ id => 1, role => 'user', parts => [{ type => 'file',
        mediaType => 'application/pdf', url => 'data:application/pdf;base64,JVBERi0=', filename => 'a.pdf' }] }] },
        [$system, ['user', [{ type => 'file', file => { filename => 'a.pdf',
            file_data => 'data:application/pdf;base64,JVBERi0=' } }]]]],
    ['a call and its result', { messages => ['q',
        { role => 'assistant', content => [{ type => 'tool-call', toolCallId => 'c', toolName => 't', args => { a => 1 } }] },
        { role => 'tool', content => [{ type => 'tool-result', toolCallId => 'c', toolName => 't', result => { b => 2 } }] }] },
        [$system, ['user', 'q'], ['assistant', undef], ['tool', '{"b":2}']]],
    ['other instructions', { messages => 'q', instructions => 'Be brief.' }, [['system', 'Be brief.'], ['user', 'q']]],
    ['... as messages', { messages => 'q', instructions => [{ role => 'system', content => 'I' }, 'J'] },
        [['system', 'I'], ['system', 'J'], ['user', 'q']]],
    ['more of them', { messages => 'q', system => 'S' }, [$system, ['system', 'S'], ['user', 'q']]],
    ['context', { messages => 'q', context => ['c', { role => 'system', content => 'd' }] },
        [$system, ['system', 'd'], ['user', 'c'], ['user', 'q']]],
);
for (@wire) {
    my ($name, $body, $want) = @$_;
    is ask('up-agent', %$body)->{status}, 200, "$name is taken";
    is_deeply said(), $want, '... and sent';
}

my @settings = (
    [{ modelSettings => { temperature => 0.1, maxOutputTokens => 9, topP => 0.2, stopSequences => ['x'], seed => 3,
        presencePenalty => 0.3, frequencyPenalty => 0.4 } },
        { temperature => 0.1, max_tokens => 9, top_p => 0.2, stop => ['x'], seed => 3, presence_penalty => 0.3,
            frequency_penalty => 0.4 }],
    [{ providerOptions => { up => { user => 'u', extra => 1 } } }, { user => 'u', extra => 1 }],
    [{ unheardOf => 1, output => {}, returnScorerData => true, tracingOptions => { tags => ['x'] }, versions => {},
        scorers => {}, untilIdle => true }, {}],
);
for (@settings) {
    my ($options, $want) = @$_;
    is ask('up-agent', messages => 'q', %$options)->{status}, 200, 'options are taken: ' . join ' ', sort keys %$options;
    my %seen = %{ asked() };
    delete @seen{qw(model messages)};
    is $json->encode(\%seen), $json->encode($want), '... and passed on where they are for the model';
}
is ask('greeter-agent', messages => 'q')->{status}, 200, 'an agent has options of its own';
is asked()->{temperature}, 0.5, '... which are used';
ask('greeter-agent', messages => 'q', modelSettings => { temperature => 1 });
is asked()->{temperature}, 1, '... unless the request has others';

# --- request context

is said()->[0][1], 'You help a stranger ({{plan}}).', 'instructions have gaps';
ask('greeter-agent', messages => 'q', requestContext => { user => { name => 'Ann' }, plan => 'pro' });
is said()->[0][1], 'You help Ann (pro).', '... that the request context fills';
ask('greeter-agent', messages => 'q', requestContext => { plan => '{{user.name}}' });
is said()->[0][1], 'You help a stranger ({{user.name}}).', '... once';

# --- tools

my %mine = (clientTools => { mine => { description => 'Mine', inputSchema => { type => 'object',
    properties => { a => { type => 'number' } }, required => ['a'] } } });
my $answer = ask('memory-agent', messages => 'CALL:mine:{"a":1}', %mine);
is tools(), 'echo-tool mine', 'a client offers tools of its own';
is $answer->{json}{finishReason}, 'tool-calls', '... and is left to call them';
is_deeply $answer->{json}{toolCalls}[0]{payload}{args}, { a => 1 }, '... with these arguments';
my $call = $answer->{json}{toolCalls}[0]{payload}{toolCallId};
my @turn = (@{ $answer->{json}{response}{messages} }, { role => 'tool', content => [{ type => 'tool-result',
    toolCallId => $call, toolName => 'mine', result => { b => 2 } }] });
$answer = ask('memory-agent', messages => ['CALL:mine:{"a":1}', @turn], %mine);
is $answer->{json}{text}, 'Tool result: {"b":2}', '... and the model hears of the result';
is scalar(@{ $answer->{json}{response}{messages} }), 3, '... in a conversation that is whole';

my %memory = (memory => { thread => "options-$$", resource => 'options' });
my @seen = frames('memory-agent', { messages => 'CALL:mine:{"a":1}', %mine, %memory });
is types(@seen), 'start step-start tool-call-input-streaming-start tool-call-delta '
    . 'tool-call-input-streaming-end tool-call step-finish finish [DONE]', 'a stream ends with the call';
my ($told) = chunks('tool-call', @seen);
like $told->{payload}{observability}{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, '... which is part of a trace';
is +(chunks('finish', @seen))[0]{payload}{stepResult}{reason}, 'tool-calls', '... for the reason clients look for';
@seen = frames('memory-agent', { messages => [{ role => 'tool', content => [{ type => 'tool-result',
    toolCallId => $told->{payload}{toolCallId}, toolName => 'mine', input => { a => 1 }, result => 'ok' }] }], %mine, %memory });
is text_of_frames(@seen), 'Tool result: ok', 'with memory the result alone is enough';
is_deeply [map { $_->[0] } @{ said() }], [qw(system user assistant tool)], '... and the call is sent once';
my $stored = api_get("/memory/threads/options-$$/messages?agentId=memory-agent", @port)->{json}{messages};
is_deeply [map { $_->{type} } @{ $stored->[-1]{content}{parts} }], [qw(tool-invocation step-start text)],
    '... and is stored with the answer';

ask('memory-agent', messages => 'q', toolsets => { s => { set => {} } });
is tools(), 'echo-tool set', 'a set of tools is offered';
for (['auto', 'auto'], ['required', 'required'], [{ type => 'tool', toolName => 'echo-tool' },
    { type => 'function', function => { name => 'echo-tool' } }]) {
    ask('memory-agent', messages => 'q', toolChoice => $_->[0]);
    is $json->encode([asked()->{tool_choice}]), $json->encode([$_->[1]]), 'a choice of tools is passed on';
}
ask('memory-agent', messages => 'q', toolChoice => 'none');
is tools(), '', '... but for none, when there are none';
ask('tool-agent', messages => 'q', activeTools => ['sql-tool', 'echo-tool', 'no-tool']);
is tools(), 'echo-tool sql-tool', 'of tools those are offered that are active';
ask('tool-agent', messages => 'CALL:echo-tool:{"x":1}', maxSteps => 1);
is scalar($up->requests), 1, 'maxSteps ends a run';
ask('tool-agent', messages => 'CALL:echo-tool:{"x":1}', stopWhen => { hasToolCall => 'echo-tool' });
is scalar($up->requests), 1, '... as does stopWhen';

# --- an agent as a tool

$answer = ask('boss-agent', messages => 'CALL:greeter-tool:{"prompt":"hello"}', requestContext => { plan => 'pro' });
is $answer->{json}{text}, 'Tool result: Echo: hello', 'an agent asks another';
is_deeply said(1), [['system', 'You help a stranger (pro).'], ['user', 'hello']], '... which hears its prompt alone';
is $answer->{json}{toolResults}[0]{payload}{result}{usage}{totalTokens}, 15, '... and tells what it used';
is $answer->{json}{totalUsage}{totalTokens}, 30, '... which is not counted as its own';
@seen = frames('boss-agent', { messages => 'CALL:greeter-tool:{"prompt":"hello"}' });
is join('', map { $_->{payload}{output}{payload}{text} // '' } chunks('tool-output', @seen)), 'Echo: hello',
    'a stream shows what it says';
is +(chunks('tool-output', @seen))[0]{payload}{toolName}, 'greeter-tool', '... as that tool\'s output';
is api_post('/tools/greeter-tool/execute', { data => { prompt => 'hi' } }, @port)->{json}{text}, 'Echo: hi',
    'the tool may be called without an agent';
$answer = ask('boss-agent', messages => 'CALL:boss-tool:{"prompt":"CALL:boss-tool:{\"prompt\":\"hi\"}"}');
is $answer->{status}, 200, 'an agent that calls itself comes to an end';
my $slow = stream('/agents/boss-agent/stream', { messages =>
    'CALL:greeter-tool:{"prompt":"SILENT one two three four"}' }, @port);
my $before = $up->stats->{cancelled};
wait_for(sub { my $frame = $slow->next_frame or return 1; ($frame->{data} // '') =~ /three/ });
$slow->leave;
ok wait_for(sub { $up->stats->{cancelled} > $before }, 10), 'a client that leaves stops the agent that is asked';

# --- structured output

my %schema = (schema => { type => 'object', properties => { answer => { type => 'string' } }, required => ['answer'] });
$answer = ask('up-agent', messages => 'q', structuredOutput => { %schema });
is_deeply $answer->{json}{object}, { answer => 'mock' }, 'an object comes back';
ok !asked()->{response_format}{json_schema}{schema}{additionalProperties}, '... of a closed schema';
@seen = frames('up-agent', { messages => 'q', structuredOutput => { %schema } });
is_deeply +(chunks('object-result', @seen))[0]{object}, { answer => 'mock' }, '... in streams, too';
ask('up-agent', messages => 'q', structuredOutput => { %schema, jsonPromptInjection => true });
ok !asked()->{response_format}, 'a model that knows no schemas';
like said()->[0][1], qr/^You are tested\.\n\n.*JSON schema.*"answer"/s, '... is told in words';
$answer = ask('up-agent', messages => 'q', structuredOutput => { %schema, model => 'up/other-model' });
is $answer->{json}{text}, 'Echo: q', 'another model may make the object';
is_deeply $answer->{json}{object}, { answer => 'mock' }, '... of the text';
is join(' ', map { $_->{json}{model} } $up->requests), 'mock-model other-model', '... of the first';
my %long = (schema => { type => 'object', properties => { answer => { type => 'string', minLength => 99 } } });
$answer = ask('up-agent', messages => 'q', structuredOutput => { %long });
is $answer->{status}, 422, 'what does not fit is an error';
like $answer->{json}{error}, qr/^Structured output validation failed: - answer: /, '... that names the member';
is scalar($up->requests), 1, '... and not tried again';
$answer = ask('up-agent', messages => 'q', structuredOutput => { %long, errorStrategy => 'fallback', fallbackValue => [1] });
is $json->encode($answer->{json}{object}), '[1]', '... unless there is a value instead';
ok $answer->{json}{usedFallbackValue}, '... which is told';
$answer = ask('up-agent', messages => 'q', structuredOutput => { %long, errorStrategy => 'warn' });
is $answer->{status}, 200, '... or nothing is wanted';
@seen = frames('up-agent', { messages => 'q', structuredOutput => { %long } });
is +(chunks('error', @seen))[0]{payload}{error}{code}, 'STRUCTURED_OUTPUT_SCHEMA_VALIDATION_FAILED',
    'a stream has it as a chunk';

# --- form of the stream

@seen = frames('up-agent', { messages => 'q', includeRawChunks => true });
is +(chunks('raw', @seen))[0]{payload}{object}, 'chat.completion.chunk', 'raw chunks come along';
for my $accept ('text/plain', 'text/plain, */*;q=0.5', 'application/json, text/event-stream;q=0.1, text/*;q=0.9') {
    my $client = stream('/agents/up-agent/stream', { messages => 'q' }, @port, separator => "\x1e",
        headers => [Accept => $accept]);
    is $client->{head}{headers}{'content-type'}, 'text/plain', "Accept: $accept asks for records";
}
for my $accept ('*/*', 'text/event-stream, text/plain', 'text/*') {
    my $client = stream('/agents/up-agent/stream', { messages => 'q' }, @port, headers => [Accept => $accept]);
    like $client->{head}{headers}{'content-type'}, qr{^text/event-stream}, "Accept: $accept does not";
}
is ask('up-agent', messages => 'q', runId => "run-$$")->{json}{runId}, "run-$$", 'a run has the id that it is given';
is ask('up-agent', messages => 'q', tracingOptions => { traceId => '0123456789abcdef0123456789abcdef' })->{json}{traceId},
    '0123456789abcdef0123456789abcdef', '... and the trace';
