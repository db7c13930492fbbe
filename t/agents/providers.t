# Model providers over HTTP in their true wire forms, those that are known by name, and lists of
# models that are tried one after the other.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraHttpd;
use MastraTest;
use Served;
use Upstream;

my $json = JSON::PP->new->utf8->canonical;

# --- scripted servers: each answers what was asked for, in the form of its maker ---------

sub sse {
    my @events = @_;
    return [Upstream::sse_head(), (map { (send => Upstream::chunk($_)) } map {
            (ref $_ && $_->{type} ? "event: $_->{type}\n" : '') . 'data: ' . $json->encode($_) . "\n\n"
        } @events), send => "0\r\n\r\n"];
}

sub anthropic {
    my $request = shift;
    return undef if $request->{path} !~ m{/messages$};
    my $body   = $request->{json};
    my $last   = $body->{messages}[-1]{content};
    my $result = (grep { $_->{type} eq 'tool_result' } @$last)[0];
    my @blocks = $result ? ({ type => 'text', text => "Result: $result->{content}" })
        : $body->{tools} ? (
        { type => 'thinking', thinking => 'Which tool?', signature => 'SIG' },
        { type => 'text', text => 'Let me look. ' },
        { type => 'tool_use', id => 'toolu_1', name => 'echo-tool', input => { n => 4 } })
        : ({ type => 'thinking', thinking => 'Easy.', signature => 'SIG2' },
        { type => 'text', text => "You said: $last->[-1]{text}" });
    my $reason = $blocks[-1]{type} eq 'tool_use' ? 'tool_use' : 'end_turn';
    my %usage  = (input_tokens => 10, cache_read_input_tokens => 4, output_tokens => 1);
    my %head   = (id => 'msg_1', type => 'message', role => 'assistant', model => $body->{model});
    return Upstream::reply(200, { %head, content => \@blocks, stop_reason => $reason,
        usage => { %usage, output_tokens => 5 } }) if !$body->{stream};

    my @events = ({ type => 'message_start', message => { %head, content => [], usage => \%usage } });
    for my $i (0 .. $#blocks) {
        my $b = $blocks[$i];
        my $delta = sub { { type => 'content_block_delta', index => $i, delta => { @_ } } };
        push @events, { type => 'content_block_start', index => $i, content_block =>
              $b->{type} eq 'tool_use' ? { %$b, input => {} }
            : $b->{type} eq 'text' ? { type => 'text', text => '' }
            :                        { type => 'thinking', thinking => '', signature => '' } };
        push @events, $b->{type} eq 'tool_use' ? $delta->(type => 'input_json_delta',
                partial_json => $json->encode($b->{input}))
            : $b->{type} eq 'text' ? $delta->(type => 'text_delta', text => $b->{text})
            : ($delta->(type => 'thinking_delta', thinking => $b->{thinking}),
               $delta->(type => 'signature_delta', signature => $b->{signature}));
        push @events, { type => 'content_block_stop', index => $i };
    }
    return sse(@events, { type => 'message_delta', delta => { stop_reason => $reason },
        usage => { output_tokens => 5 } }, { type => 'message_stop' });
}

sub google {
    my $request = shift;
    return undef if $request->{path} !~ m{/models/[\w.-]+:(\w+)};
    my $stream = $1 eq 'streamGenerateContent';
    my $body   = $request->{json};
    my ($result) = map { $_->{functionResponse} // () } @{ $body->{contents}[-1]{parts} };
    my @parts = $result ? ({ text => 'Result: ' . $json->encode($result->{response}{content}) })
        : $body->{tools} ? ({ text => 'Which tool?', thought => JSON::PP::true },
        { functionCall => { name => 'echo-tool', args => { n => 4 } }, thoughtSignature => 'FSIG' })
        : ({ text => "You said: $body->{contents}[-1]{parts}[-1]{text}" });
    my $answer = { candidates => [{ content => { role => 'model', parts => \@parts },
            finishReason => 'STOP' }], modelVersion => 'gemini-x', responseId => 'r1',
        usageMetadata => { promptTokenCount => 10, candidatesTokenCount => 3,
            thoughtsTokenCount => 2, totalTokenCount => 15 } };
    return $stream ? sse($answer) : Upstream::reply(200, $answer);
}

# --- the server ---------------------------------------------------------------------------

my $anthropic = Upstream->start(port => 0, script => \&anthropic);
my $gemini = Upstream->start(port => 0, script => \&google);
my $known  = Upstream->start(port => 0);
my %url    = map { $_->[0] => "http://127.0.0.1:" . $_->[1]->port }
    ['c', $anthropic], ['g', $gemini], ['k', $known];

# several children on every MPM
my $limits = mpm() eq 'prefork' ? "StartServers 3\nMinSpareServers 3\nMaxRequestWorkers 8\n"
    : "StartServers 3\nThreadsPerChild 5\nMinSpareThreads 10\nMaxSpareThreads 20\nMaxRequestWorkers 20\n";

my $httpd = Served->start(name => 'providers', provider => 'timeout=30s', limits => $limits, env => {
        ANTHROPIC_BASE_URL => $url{c}, ANTHROPIC_API_KEY => 'ak-1',
        GOOGLE_BASE_URL => "$url{g}/v1beta", GOOGLE_API_KEY => 'gk-1',
        GROQ_BASE_URL => "$url{k}/openai/v1", GROQ_API_KEY => 'grk-1',
        map { $_ => '' } qw(MISTRAL_API_KEY MISTRAL_BASE_URL GOOGLE_GENERATIVE_AI_API_KEY
            OPENAI_API_KEY OPENAI_BASE_URL) },
    conf => <<'END');
MastraModelProvider own anthropic http://127.0.0.1:9/v1 key=env:NOBODY_SETS_THIS
<MastraAgent thinker>
    MastraName Thinker
    MastraModel anthropic/claude-sonnet-4-5
    MastraTools echo-tool
    MastraMemory On
</MastraAgent>
<MastraAgent talker>
    MastraModel anthropic/claude-sonnet-4-5
    MastraMemory On
</MastraAgent>
<MastraAgent gem>
    MastraModel google/gemini-2.5-flash
    MastraTools echo-tool
</MastraAgent>
<MastraAgent fast>
    MastraModel groq/llama-3.3-70b-versatile
</MastraAgent>
<MastraAgent poor>
    MastraModel mistral/mistral-small-latest
</MastraAgent>
<MastraAgent list>
    MastraModel dead/a up/b mock/c
</MastraAgent>
<MastraAgent pair>
    MastraModel up/a groq/b
</MastraAgent>
END
my $up = $httpd->model;
$httpd->expect_log('MA3002');

plan tests => 72;

sub generate {
    my ($agent, $said, %more) = @_;
    return $httpd->api_post("/agents/$agent/generate", { messages => $said, %more });
}

sub chunks {
    my ($agent, $said, %more) = @_;
    my $client = $httpd->stream("/agents/$agent/stream", { messages => $said, %more });
    return map { $_->{json} } grep { ref $_->{json} } $client->frames;
}

# --- Anthropic ----------------------------------------------------------------------------

my $answer = generate('thinker', 'give four back');
is $answer->{status}, 200, 'Anthropic answers';
like $answer->{json}{text}, qr/^Result: .*"input":\{"n":4\}/, '... after a tool call';
is $answer->{json}{usage}{inputTokens}, 28, '... with usage of both steps';
is $answer->{json}{usage}{cachedInputTokens}, 8, '... what came from the cache counted';
my ($first, $second) = $anthropic->requests;
is $first->{path}, '/v1/messages', 'a base URL without a path gets one';
is $first->{headers}{'x-api-key'}, 'ak-1', '... the key goes with it';
is_deeply $first->{json}{tools}[0]{name}, 'echo-tool', '... and the tools';
is $first->{json}{max_tokens}, 64000, '... with the model\'s own ceiling';
is_deeply $second->{json}{messages}[1]{content}, [
    { type => 'thinking', thinking => 'Which tool?', signature => 'SIG' },
    { type => 'text', text => 'Let me look. ' },
    { type => 'tool_use', id => 'toolu_1', name => 'echo-tool', input => { n => 4 } },
], 'what was thought goes back signed';
is $second->{json}{messages}[2]{content}[0]{tool_use_id}, 'toolu_1', '... before the result';
my $parts = $answer->{json}{response}{dbMessages}[0]{content}{parts};
is_deeply $parts->[0]{providerMetadata}, { anthropic => { signature => 'SIG' } },
    'the signature is kept with the thought';
is $answer->{json}{providerMetadata}{anthropic}{usage}{output_tokens}, 5,
    'what the provider said is told';

$anthropic->reset;
my @seen = chunks('thinker', 'give four back');
is_deeply [map { $_->{type} } @seen], [qw(start step-start reasoning-start reasoning-delta
        reasoning-delta reasoning-end text-start text-delta text-end
        tool-call-input-streaming-start tool-call-delta tool-call-input-streaming-end tool-call
        tool-result step-finish step-start text-start text-delta text-end step-finish finish)],
    'the chunks of a stream';
my ($signed) = grep { $_->{type} eq 'reasoning-delta' && $_->{payload}{providerMetadata} } @seen;
is_deeply $signed->{payload}, { id => 0, text => '', providerMetadata =>
    { anthropic => { signature => 'SIG' } } }, '... with the signature';

generate('talker', 'one', memory => { thread => "p-$$", resource => 'r' });
$anthropic->reset;
generate('talker', 'two', memory => { thread => "p-$$", resource => 'r' });
my ($again) = $anthropic->requests;
is_deeply [map { [$_->{role}, map { $_->{type} } @{ $_->{content} }] } @{ $again->{json}{messages} }],
    [['user', 'text'], ['assistant', 'thinking', 'text'], ['user', 'text']],
    'a thread remembers thoughts with their signatures';

# --- Google -------------------------------------------------------------------------------

$answer = generate('gem', 'give four back');
like $answer->{json}{text}, qr/^Result: .*"input":\{"n":4\}/, 'Google answers after a tool call';
is $answer->{json}{usage}{reasoningTokens}, 4, '... with its thoughts counted';
($first, $second) = $gemini->requests;
is $first->{path}, '/v1beta/models/gemini-2.5-flash:generateContent', '... at the model\'s path';
is $first->{headers}{'x-goog-api-key'}, 'gk-1', '... with the second variable\'s key';
is $second->{json}{contents}[1]{parts}[-1]{thoughtSignature}, 'FSIG', '... signed calls go back so';
@seen = chunks('gem', 'give four back');
is_deeply [grep { !/delta|start|end/ } map { $_->{type} } @seen],
    [qw(tool-call tool-result step-finish step-finish finish)], 'a stream of it';
is_deeply [map { $_->{payload}{providerMetadata} } grep { $_->{type} eq 'tool-call' } @seen],
    [{ google => { thoughtSignature => 'FSIG' } }], '... with the signature of its call';

# --- known by name ------------------------------------------------------------------------

is generate('fast', 'hi')->{json}{text}, 'Echo: hi', 'a provider that is known by name';
($first) = $known->requests;
is $first->{path}, '/openai/v1/chat/completions', '... where its variable says';
is $first->{headers}{authorization}, 'Bearer grk-1', '... with its key';
$answer = generate('poor', 'hi');
is $answer->{status}, 424, 'without a key nothing is sent';
like $answer->{json}{error}, qr/'mistral' has no API key/, '... and that is said';

my $list = $httpd->api_get('/agents/providers')->{json}{providers};
my %by   = map { $_->{id} => $_ } @$list;
is scalar(keys %by), scalar @$list, 'providers are listed once';
is_deeply [sort keys %{ $by{groq} }], [sort qw(id name label description envVar connected docUrl models)],
    '... in the API\'s form';
is $by{groq}{connected}, true, '... those with a key as connected';
is $by{mistral}{connected}, false, '... and those without as not';
is_deeply $by{google}{envVar}, [qw(GOOGLE_GENERATIVE_AI_API_KEY GOOGLE_API_KEY)],
    '... with their variables';
is_deeply [@{ $by{groq}{models} }[0, 1]], ['llama-3.3-70b-versatile', 'b'],
    '... models of agents first';
is $by{own}{connected}, true, 'one of the configuration is there too';
is_deeply $by{own}{models}, [], '... without models that nobody knows';
ok !$by{gemini} && !$by{together}, 'other names of the same are not listed';

# --- a model for one request --------------------------------------------------------------

is generate('mock-agent', 'hi', model => 'groq/other')->{json}{text}, 'Echo: hi',
    'a request names its model';
is +($known->requests)[-1]{json}{model}, 'other', '... which is asked';
$answer = generate('mock-agent', 'hi', model => 'nobody/x');
is $answer->{status}, 400, 'one that there is not';
like $answer->{json}{error}, qr/nobody\/x/, '... is named';

# --- lists --------------------------------------------------------------------------------

$up->reset;
$answer = generate('list', 'hi');
is $answer->{json}{text}, 'Echo: hi', 'the next model answers when one cannot be reached';
is scalar($up->requests), 1, '... asked once';
is $answer->{json}{response}{modelMetadata}{modelId}, 'b', '... and is told of';
like $httpd->wait_log('MA3006', 5), qr/dead\/a failed, up\/b is asked: .*MODEL_UNREACHABLE/,
    '... as is the failure, in the log';

@seen = chunks('list', 'hi');
is_deeply [map { $_->{type} } @seen],
    [qw(start step-start text-start text-delta text-delta text-end step-finish finish)],
    'a stream shows none of it';
is $seen[-1]{payload}{metadata}{modelMetadata}{modelId}, 'b', '... but which model it was';

$up->reset;
$known->reset;
is generate('pair', 'FAIL500')->{status}, 502, 'when all fail, the last one\'s failure counts';
is_deeply [scalar $up->requests, scalar $known->requests], [1, 1], '... each was asked once';
$up->reset;
generate('pair', 'FAIL500', modelSettings => { maxRetries => 1 });
is scalar($up->requests), 2, '... or as often as the request says';

@seen = chunks('pair', 'CUT one two three four five');
is_deeply [grep { !/delta|start|end/ } map { $_->{type} } @seen], [qw(error step-finish finish)],
    'what was begun is not begun again by another';
is generate('list', 'hi', model => 'dead/x')->{status}, 502,
    'a request that names a model means that one';

# --- changes at run time, for all children ------------------------------------------------

sub described {
    my $d = $httpd->api_get("/agents/$_[0]")->{json};
    return ("$d->{provider}/$d->{modelId}", $d->{modelList});
}

# what each of many requests, by whichever child, says
sub everywhere {
    my $agent = shift;
    my %said = map { (described($agent))[0] => 1 } 1 .. 20;
    return join ' ', sort keys %said;
}

is_deeply [map { [@$_{qw(maxRetries enabled)}, $_->{model}] } @{ (described('pair'))[1] }],
    [[0, true, { modelId => 'a', provider => 'up', modelVersion => 'v2' }],
     [0, true, { modelId => 'b', provider => 'groq', modelVersion => 'v2' }]], 'a list is described';
my @ids = map { $_->{id} } @{ (described('pair'))[1] };
is_deeply $httpd->api_post('/agents/pair/models/reorder', { reorderedModelIds => [$ids[1]] })->{json},
    { message => 'Model list reordered' }, 'a list is reordered';
is everywhere('pair'), 'groq/b', '... in every child';
is_deeply [map { $_->{id} } @{ (described('pair'))[1] }], [reverse @ids], '... by its ids';
is_deeply $httpd->api_post("/agents/pair/models/$ids[1]", { enabled => false, maxRetries => 3,
    model => { provider => 'mock', modelId => 'm' } })->{json},
    { message => 'Model updated in model list' }, 'an entry is changed';
is_deeply +(described('pair'))[1][0], { id => $ids[1], enabled => false, maxRetries => 3,
    model => { modelId => 'm', provider => 'mock', modelVersion => 'v2' } }, '... in all of it';
is everywhere('pair'), 'up/a', '... and not asked while it is off';
is $httpd->api_post("/agents/pair/models/nope", {})->{status}, 404, 'an entry that is not there';
is $httpd->api_post('/agents/fast/models/reorder', { reorderedModelIds => [] })->{status}, 400,
    'an agent without a list';
is $httpd->api_post('/agents/nobody/model', { provider => 'mock', modelId => 'x' })->{status}, 404,
    'no agent';
is $httpd->api_post('/agents/pair/model', { provider => 'nobody', modelId => 'x' })->{status}, 400,
    'no provider';
is $httpd->api_post('/agents/pair/model', { provider => 'mock' })->{status}, 400, 'no model';

is_deeply $httpd->api_post('/agents/pair/model', { provider => 'mock', modelId => 'x' })->{json},
    { message => 'Agent model updated' }, 'one model instead of the list';
is everywhere('pair'), 'mock/x', '... in every child';
is +(described('pair'))[1], undef, '... the list is gone';
is generate('pair', 'hi')->{json}{response}{modelMetadata}{modelProvider}, 'mock', '... it answers';
my ($all) = grep { $_->{id} eq 'pair' } values %{ $httpd->api_get('/agents')->{json} };
is $all->{modelId}, 'x', '... and is listed';

my @before = $httpd->children;
$httpd->graceful;
$httpd->replaced(\@before);
is everywhere('pair'), 'mock/x', 'a graceful restart keeps it';
is_deeply $httpd->api_post('/agents/pair/model/reset', {})->{json},
    { message => 'Agent model reset to original' }, 'it is taken back';
is everywhere('pair'), 'up/a', '... in every child';
is_deeply [map { $_->{id} } @{ (described('pair'))[1] }], \@ids, '... with the list as it was';

$_->stop for $httpd, $anthropic, $gemini, $known;
