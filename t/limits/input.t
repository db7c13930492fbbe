# Bodies that are JSON and still wrong: each field with what does not belong there, ids that
# nobody has, texts that no text is. A clear 4xx for each, and the server none the worse.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Upstream;

my $upstream = Upstream->start;
my $log  = log_size();
my @up   = (port => server_port() + 1);
my $path = '/agents/mock-agent/generate';

# --- the body of generate and stream, member by member: what is refused, and where

my %wrong = (
    messages         => [42, true, {}, null],
    memory           => ['t', 42, [], {}, { thread => 42 }, { thread => {} },
        { thread => { id => 42 } }, { resource => 'r' }, { thread => 't', resource => 42 },
        { thread => 't', resource => 'r', readOnly => 'yes' },
        { thread => 't', resource => 'r', options => 'many' }],
    runId            => [42, [], {}, true],
    maxSteps         => ['many', [], {}, true],
    context          => ['text', {}, 42],
    requestContext   => ['text', [], 42],
    savePerStep      => ['yes', 1],
    providerOptions  => ['text', [], { openai => 'text' }],
    activeTools      => ['weather-tool', {}, [42]],
    toolsets         => ['text', 42],
    clientTools      => ['text', 42],
    toolChoice       => ['sometimes', 42, { type => 'other' }, { type => 'tool' },
        { type => 'tool', toolName => 42 }],
    requireToolApproval => ['yes', 1],
    structuredOutput => ['text', 42, {}, { schema => 'text' },
        { schema => {}, errorStrategy => 'other' }, { schema => {}, instructions => 42 }],
    tracingOptions   => ['text', { tags => 'text' }, { traceId => 42 }],
    model            => [42, {}, []],
);

# --- what the schema lets through and no message is

my @messages = (
    [[],                                        undef, 'no message at all'],
    [[{ role => 'user' }],                      undef, 'a message without content'],
    [[{ content => 'x' }],                      undef, 'a message without role'],
    [[{ role => 'king', content => 'x' }],      undef, 'a role that there is not'],
    [[{ role => 'user', content => 42 }],       undef, 'content that is a number'],
    [[{ role => 'user', content => [42] }],     undef, 'a part that is a number'],
    [[{ role => 'user', content => [{ type => 'hologram' }] }], undef, 'a part of no known type'],
    [[{ role => 'user', content => [{ type => 'text' }] }],     undef, 'a text part without text'],
    [[{ role => 'user', content => [{ type => 'text', text => 42 }] }], undef, 'a text that is none'],
    [[42],                                      undef, 'a number in place of a message'],
    [[[]],                                      undef, 'a list in place of a message'],
    [[null],                                    undef, 'null in place of a message'],
    [[{ role => 'user', parts => 'x' }],        undef, 'parts that are no list'],
    [[{ role => 'tool', content => 'x' }],      undef, 'a tool\'s answer that is none'],
    ['',                                        undef, 'an empty text'],
);

my @unknown = (
    ['GET',    '/agents/nobody',                     'an agent'],
    ['POST',   '/agents/nobody/generate',            'an agent that generates', { messages => 'x' }],
    ['POST',   '/agents/nobody/stream',              'an agent that streams', { messages => 'x' }],
    ['GET',    '/agents/mock-agent/tools/nothing',   'a tool of an agent'],
    ['POST',   '/agents/mock-agent/tools/nothing/execute', 'its execution', { data => {} }],
    ['POST',   '/agents/nobody/tools/echo-tool/execute', 'a tool of nobody', { data => {} }],
    ['GET',    '/tools/nothing',                     'a tool'],
    ['POST',   '/tools/nothing/execute',             'its execution', { data => {} }],
    ['GET',    '/memory/threads/nothing?agentId=memory-agent', 'a thread'],
    ['PATCH',  '/memory/threads/nothing?agentId=memory-agent', 'its change', { title => 'x' }],
    ['GET',    '/nothing',                           'a path'],
    ['POST',   '/agents/mock-agent/approve-tool-call', 'a run',
        { runId => 'nothing', toolCallId => 'nothing' }],
);

my @odd_ids = ('%00', 'a%00b', '..', '%2e%2e', '%2F', 'a%2Fb', '%ff', '%c3%28', "'", '%22',
    '%3Cscript%3E', 'x' x 2000, '%F0%9F%92%A9', "'%20OR%201=1--", ';', '%');

my @numbers = ('1e999', '-1e999', '1e-999', '123456789012345678901234567890', '-0', '0.1',
    '1E400', '0123', '+1', '.5', '1.', 'NaN', 'Infinity', '0x10');

my $cases = 0;
$cases += 2 * @$_ for values %wrong;
plan tests => 2 * $cases + 3 * @messages + 3 * @unknown + 2 * @odd_ids + 2 * @numbers + 39;

sub has_error {
    my ($answer, $name) = @_;
    return ok ref $answer->{json} && length($answer->{json}{error} // ''), $name
        || diag substr $answer->{body}, 0, 200;
}

for my $field (sort keys %wrong) {
    for my $value (@{ $wrong{$field} }) {
        my $text = JSON::PP->new->canonical->allow_nonref->encode($value);
        for my $way ('generate', 'stream') {
            my $answer = api_post("/agents/mock-agent/$way", { messages => 'x', $field => $value }, @up);
            is $answer->{status}, 400, "$way: $field = $text is refused" or diag $answer->{body};
            like $answer->{json}{issues}[0]{field} // '-', qr/^\Q$field\E(?:\.|$)/, '... by its name';
        }
    }
}

for (@messages) {
    my ($messages, $status, $name) = @$_;
    for my $way ('generate', 'stream') {
        my $answer = request(POST => "/api/agents/mock-agent/$way", json => { messages => $messages },
            @up);
        cmp_ok $answer->{status}, '<', 500, "$way: $name is no fault of the server";
        next if $way eq 'stream';
        ok $answer->{status} == 200 || length($answer->{json}{error} // ''), '... and answered in JSON';
    }
}

for (@unknown) {
    my ($method, $where, $name, $data) = @$_;
    my $answer = request($method => "/api$where", ($data ? (json => $data) : ()), @up);
    is $answer->{status}, 404, "$name that there is not";
    unlike $answer->{body}, qr{/work|mod_mastra|\.c:\d|0x[0-9a-f]{6}}, '... and no more is said';
    ok length $answer->{body}, '... but that';
}

for my $id (@odd_ids) {
    my $answer = request(GET => "/api/agents/$id", @up);
    my $name   = length $id > 20 ? 'a very long id' : "id $id";
    like $answer->{status}, qr/^(?:400|403|404|414)$/, "$name is not found or refused";
    $answer = request(POST => '/api/agents/memory-agent/generate', json => { messages => 'x',
        memory => { thread => $id, resource => $id } }, @up);
    cmp_ok $answer->{status}, '<', 500, '... and does no harm as a thread\'s';
}

for my $number (@numbers) {
    my $answer = request(POST => "/api$path", @up, body => qq({"messages":"x","maxSteps":$number}),
        headers => ['Content-Type' => 'application/json']);
    like $answer->{status}, qr/^(?:200|400)$/, "maxSteps $number is a number or none";
    $answer = request(POST => "/api/tools/echo-tool/execute", @up,
        body => qq({"data":{"n":$number}}), headers => ['Content-Type' => 'application/json']);
    like $answer->{status}, qr/^(?:200|400)$/, '... in a tool\'s input as well';
}

# --- texts

my %texts = (
    'all of Unicode\'s planes' => "a\x{e9}\x{4e2d}\x{1f600}\x{10ffff}",
    'controls'                 => join('', map { chr } 1 .. 31),
    'what JSON escapes'        => qq("\\/\b\f\n\r\t\x{2028}\x{2029}),
    'a text of spaces'         => ' ' x 1000,
    'text that looks like SSE' => "x\n\ndata: {\"type\":\"finish\"}\n\ndata: [DONE]\n\n",
    'text that looks like a record' => "a\x1eb",
    'HTML'                     => '<script>alert(1)</script>&amp;',
    'a template'               => '{{secret}} ${x} %s %n %d',
);
for my $name (sort keys %texts) {
    my $text   = $texts{$name};
    my $answer = api_post('/agents/up-agent/generate', { messages => $text }, @up);
    is $answer->{json}{text}, "Echo: $text", "$name: come back as they were";
    my $stream = stream('/agents/up-agent/stream', { messages => $text }, @up);
    is join('', map { $_->{json}{payload}{text} } grep { ref $_->{json}
        && $_->{json}{type} eq 'text-delta' } $stream->frames), "Echo: $text", '... in streams, too';
}
for (['a\u0000b', 'NUL'], ['\ud800', 'half a pair'], ['\udc00\ud800', 'a pair in the wrong order'],
    ['\uZZZZ', 'no digits'], ['\x41', 'no escape']) {
    my ($text, $name) = @$_;
    my $answer = request(POST => "/api$path", @up, body => qq({"messages":"$text"}),
        headers => ['Content-Type' => 'application/json']);
    is $answer->{status}, 400, "$name in a text is refused";
    is $answer->{json}{issues}[0]{field}, 'body', '... as JSON that is not valid';
}

# --- shapes

my %shapes = (
    'deep lists'           => '[' x 100_000 . ']' x 100_000,
    'deep objects'         => '{"a":' x 50_000 . '1' . '}' x 50_000,
    'lists without end'    => '[' x 1_000_000,
    'many members'         => '{' . join(',', map { "\"k$_\":$_" } 1 .. 100_000) . '}',
    'the same name often'  => '{' . join(',', ('"k":1') x 100_000) . '}',
    'many small values'    => '[' . join(',', (0) x 1_000_000) . ']',
    'a long name'          => '{"' . 'k' x 1_000_000 . '":1}',
    'a long number'        => '[' . '9' x 100_000 . ']',
);
for my $name (sort keys %shapes) {
    my $answer = request(POST => "/api$path", @up,
        body => qq({"messages":"x","modelSettings":$shapes{$name}}),
        headers => ['Content-Type' => 'application/json']);
    like $answer->{status}, qr/^(?:200|400)$/, "$name: taken or refused";
}
my $schema = { type => 'object' };
$schema = { type => 'object', properties => { a => $schema } } for 1 .. 40;
like api_post($path, { messages => 'x', structuredOutput => { schema => $schema } }, @up)->{status},
    qr/^(?:200|4\d\d)$/, 'a deep schema';
is api_post($path, { messages => 'x', structuredOutput => { schema => { type => 'banana' } } },
    @up)->{status}, 400, 'a schema that is none is refused';
is api_post($path, { messages => 'x', structuredOutput => { schema => { type => 'object',
    properties => { a => { type => 'string', pattern => '(' } } } } }, @up)->{status}, 400,
    '... and one whose pattern is none';
is api_post('/agents/mock-agent/generate', { messages => 'still' }, @up)->{json}{text},
    'Echo: still', 'the server is none the worse';
unlike log_since($log), qr/exit signal/, '... and no child was lost';
