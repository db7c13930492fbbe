# A model server that fails, in each way that docs/errors.md has: a clear error with the status
# of the table, or error, finish and [DONE] in a stream; one line in the log; never a hang, and
# no word of what the model server wrote.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(finish_reason text_of_frames types);
use Time::HiRes qw(time);

my $httpd = Served->start(name => 'failures', provider => 'timeout=3s retries=1');
my $up    = $httpd->model;
$httpd->expect_log('MA3002');

# [what is said, status, code, requests sent, name, agent]
my @cases = (
    ['FAIL400', 422, 'MODEL_REQUEST_REFUSED', 1, 'a 400'],
    ['FAIL401', 424, 'MODEL_KEY_REFUSED',     1, 'a 401'],
    ['FAIL402', 424, 'MODEL_QUOTA',           1, 'a 402'],
    ['FAIL403', 424, 'MODEL_KEY_REFUSED',     1, 'a 403'],
    ['FAIL404', 424, 'MODEL_NOT_FOUND',       1, 'a 404'],
    ['FAIL413', 413, 'MODEL_PROMPT_TOO_LARGE', 1, 'a 413'],
    ['FAIL429', 429, 'MODEL_RATE_LIMIT',      2, 'a 429'],
    ['FAIL429 RETRY:77', 429, 'MODEL_RATE_LIMIT', 1, 'a 429 with a long Retry-After'],
    ['FAIL500', 502, 'MODEL_UPSTREAM',        2, 'a 500'],
    ['FAIL503', 502, 'MODEL_UPSTREAM',        2, 'a 503'],
    ['MUTE',    504, 'MODEL_TIMEOUT',         1, 'silence'],
    ['GARBAGE one two three four five', 502, 'MODEL_BAD_ANSWER', 1, 'what is no JSON'],
    ['CUT one two three four five',     502, 'MODEL_CUT', undef, 'a cut connection'],
    ['hello',   502, 'MODEL_UNREACHABLE',     0, 'nobody', 'dead-agent'],
);
my @broken = (
    ['CUT one two three four five',     'MODEL_CUT',        'a cut'],
    ['SILENT one two three four five',  'MODEL_TIMEOUT',    'silence'],
    ['GARBAGE one two three four five', 'MODEL_BAD_ANSWER', 'a malformed chunk'],
);

plan tests => 8 * @cases + 8 * @cases + 7 * @broken + 27;

# How often the log has had a line about a failed run.
sub logged { return scalar(() = $httpd->log =~ /MA3002/g) }

for (@cases) {
    my ($said, $status, $code, $requests, $name, $agent) = @$_;
    $agent //= 'up-agent';

    # --- a whole answer
    $up->reset;
    my $before = logged();
    my $start  = time;
    my $answer = $httpd->api_post("/agents/$agent/generate", { messages => $said });
    is $answer->{status}, $status, "$name is a $status";
    like $answer->{json}{error}, qr/^Model provider '/, '... with a message';
    unlike $answer->{body}, qr/mock failure|stack|sk-test|127\.0\.0\.1/, '... that leaks nothing';
    is $answer->{headers}{'retry-after'}, $said =~ /RETRY:(\d+)/ ? $1 : $status == 429 ? 5 : undef,
        '... and Retry-After where it belongs';
    SKIP: {
        skip 'depends on what was cut', 1 if !defined $requests;
        is scalar($up->requests), $requests, '... after so many requests';
    }
    cmp_ok time - $start, '<', 40, '... in time';
    is logged() - $before, 1, '... and once in the log';
    like +(grep { /MA3002/ } split /\n/, $httpd->log)[-1], qr/\($code\)/, '... with its code';

    # --- a stream
    $up->reset;
    my $stream = $httpd->stream("/agents/$agent/stream", { messages => $said });
    my @frames = $stream->frames;
    is $stream->{head}{status}, 200, "$name: a stream has begun";
    like types(@frames), qr/^start step-start .*error step-finish finish \[DONE\]$/,
        '... and tells error, finish and [DONE]';
    ok !$stream->cut, '... whole';
    is finish_reason(@frames), 'error', '... with that reason';
    my ($error) = grep { ref $_->{json} && $_->{json}{type} eq 'error' } @frames;
    is $error->{json}{payload}{error}{code}, $code, '... the code';
    is $error->{json}{payload}{error}{statusCode}, $status, '... and the status';
    unlike join('', map { $_->{data} // '' } @frames), qr/mock failure|stack|sk-test|127\.0\.0\.1/,
        '... and leaks nothing';
    is logged() - $before, 2, '... and once in the log';
}

# --- streams that break after words

for (@broken) {
    my ($said, $code, $name) = @$_;
    my $thread = "broken-$code";
    my $stream = $httpd->stream('/agents/memory-agent/stream', { messages => $said,
        memory => { thread => $thread, resource => 'r' } });
    my @frames = $stream->frames;
    my $text   = text_of_frames(@frames);
    like $text, qr/^Echo: \w+ one $/, "$name after words: they were delivered";
    like types(@frames), qr/text-delta text-end error step-finish finish \[DONE\]$/,
        '... then the error';
    is finish_reason(@frames), 'error', '... and the finish';
    my ($error) = grep { ref $_->{json} && $_->{json}{type} eq 'error' } @frames;
    is $error->{json}{payload}{error}{code}, $code, '... with its code';
    is_deeply [$httpd->said($thread)], ["user: $said", "assistant: $text"],
        '... and the words are kept';
    $up->reset;
    is $httpd->api_post('/agents/memory-agent/generate', { messages => 'go on',
        memory => { thread => $thread, resource => 'r' } })->{status}, 200, '... the thread goes on';
    is scalar(@{ ($up->requests)[-1]{json}{messages} }), 4, '... with them';
}

# --- what helps itself

for my $status (429, 500, 503) {
    $up->reset;
    my $answer = $httpd->api_post('/agents/up-agent/generate', { messages => "ONCE$status" });
    is $answer->{status}, 200, "a $status once is not seen by clients";
    is $answer->{json}{text}, "Echo: ONCE$status", '... who get their answer';
}
my $stream = $httpd->stream('/agents/up-agent/stream', { messages => 'ONCE500 a' });
is text_of_frames($stream->frames), 'Echo: ONCE500 a', '... nor by streams';
is text_of_frames($httpd->stream('/agents/up-agent/stream', { messages => 'NODONE a' })->frames),
    'Echo: NODONE a', 'a stream without [DONE] is whole';
my ($step, $end) = map { $_->{json}{payload}{output}{usage} } grep { ref $_->{json} && $_->{json}{type} =~ /finish$/ }
    $httpd->stream('/agents/up-agent/stream', { messages => 'NOUSAGE a' })->frames;
is_deeply [map { $step->{$_} } qw(inputTokens outputTokens totalTokens)], [undef, undef, 0],
    'a step whose tokens nobody counted';
is_deeply [map { $end->{$_} } qw(inputTokens outputTokens totalTokens)], [0, 0, 0], '... is nothing in the sum';

# --- a repeated request: the question is kept once

my %memory = (memory => { thread => 'repeat', resource => 'r' });
for (1 .. 3) {
    is $httpd->api_post('/agents/memory-agent/generate', { messages => 'FAIL500 please', %memory })
        ->{status}, 502, 'a request that fails with a 5xx is repeated by clients';
}
is_deeply [$httpd->said('repeat')], ['user: FAIL500 please'], '... and its question stored once';
$up->reset;
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'well', %memory })->{status},
    200, '... the next one is another';
is_deeply [$httpd->said('repeat')],
    ['user: FAIL500 please', 'user: well', 'assistant: Echo: well'], '... and stored as such';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'well', %memory })->{status},
    200, 'the same words after an answer';
is scalar(my @said = $httpd->said('repeat')), 5, '... are a question of their own';
for (1 .. 2) {
    $httpd->stream('/agents/memory-agent/stream', { messages => 'FAIL500 streamed',
        memory => { thread => 'repeat-stream', resource => 'r' } })->frames;
}
is_deeply [$httpd->said('repeat-stream')], ['user: FAIL500 streamed'], 'the same in streams';

# --- once a tool has run, no error asks to be repeated

my $tool = Served->start(name => 'failures-tool', provider => 'timeout=5s retries=0',
    script => sub {
        my $request = shift;
        my $last = ($request->{json} || {})->{messages}[-1] || {};
        return undef if ($last->{role} // '') ne 'tool';
        return Upstream::reply(503, { error => { message => 'after the tool' } });
    });
$tool->expect_log('MA3002');
my $answer = $tool->api_post('/agents/tool-agent/generate', { messages => 'CALL:echo-tool:{"a":1}' });
is $answer->{status}, 424, 'a model that fails after a tool is no 5xx';
$stream = $tool->stream('/agents/tool-agent/stream', { messages => 'CALL:echo-tool:{"a":1}' });
my @frames = $stream->frames;
like types(@frames), qr/tool-result step-finish step-start error step-finish finish \[DONE\]$/,
    '... and in a stream tells what had come';
my ($error) = grep { ref $_->{json} && $_->{json}{type} eq 'error' } @frames;
is $error->{json}{payload}{error}{statusCode}, 424, '... with the same status';
ok !$error->{json}{payload}{error}{isRetryable}, '... and no advice to repeat';
$tool->stop;

# --- a whole answer that takes too long

my $late = Served->start(name => 'failures-late', conf => 'MastraTimeout 2s');
$late->expect_log('MA3002');
my $start = time;
$answer = $late->api_post('/agents/up-agent/generate', { messages => 'MUTE' });
is $answer->{status}, 504, 'a whole answer has a limit of its own';
cmp_ok time - $start, '<', 40, '... which is kept';
$answer = $late->api_post('/agents/tool-agent/generate',
    { messages => 'CALL:slow-tool:{"ms":9000}' });
is $answer->{status}, 424, '... and is no 5xx either while a tool runs';
ok wait_for(sub { $late->model->stats->{busy} == 0 }), '... and nothing goes on';
$late->stop;
$httpd->stop;
