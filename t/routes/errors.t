# Limits, and what is said of errors: by us, by hooks, by MastraOnError.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP qw(decode_json);
use MastraTest;
use Served qw(text_of_frames types finish_reason);
use Time::HiRes qw(time);

plan tests => 52;

my $top    = top_dir();
my $common = <<"END";
Alias "/scripts/" "$top/t/project/scripts/"
<Location "/scripts/">
    SetHandler lua-script
    Require mastra-internal
</Location>
MastraRoute POST /ask agent:up-agent
MastraRoute POST /text agent:up-agent as=text
MastraRoute POST /tell /scripts/tell.lua
MastraBodyLimit 2000
END
my @errors = (qr/MA3002/, qr/MA601/, qr/MA660/, qr/MA600/, qr/lua/);

# --- by us
my $brief = Served->start(name => 'brief', conf => $common . "MastraTimeout 2s\n");
$brief->expect_log($_) for @errors;
my $start  = time;
my $answer = $brief->api_post('/agents/up-agent/generate', { messages => 'MUTE' });
is $answer->{status}, 504, 'an answer that takes too long';
cmp_ok time - $start, '<', 40, '... ends in time';
is $brief->request(POST => '/ask', json => { messages => 'MUTE' })->{status}, 504,
    '... that of a route, too';
my $slow = $brief->api_post('/tools/slow-tool/execute', { data => { ms => 5000 } });
is $slow->{status}, 504, '... and that of a tool';
my @frames = $brief->stream('/agents/up-agent/stream',
    { messages => 'PACE:300 ' . join ' ', map { "w$_" } 1 .. 10 })->frames;
like text_of_frames(@frames), qr/w10/, 'a stream may take longer';
$brief->stop;

# all others have time: a model that is not there is asked for up to two seconds
my $plain = Served->start(name => 'limits', conf => $common);
$plain->expect_log($_) for @errors;
@frames = $plain->stream('/agents/up-agent/stream', { messages => 'CUT one two three four' })
    ->frames;
like types(@frames), qr/error step-finish finish \[DONE\]$/, 'one that fails says so and ends';
is finish_reason(@frames), 'error', '... with that reason';
for ('/api/agents/up-agent/generate', '/ask', '/tell') {
    $answer = $plain->request(POST => $_, json => { messages => 'x' x 2000 });
    is $answer->{status}, 413, "$_: a body that is too large";
    is $answer->{json}{error}, 'Request body too large', '... in plain words';
    is $plain->request(POST => $_, headers => ['Transfer-Encoding' => 'chunked',
        'Content-Type' => 'application/json'],
        body => sprintf("%x\r\n%s\r\n0\r\n\r\n", 2001, 'x' x 2001))->{status}, 413,
        '... also when it is not announced';
}
$answer = $plain->api_get('/agents/none', headers => ['X-Request-Id' => 'err-404']);
is $answer->{headers}{'x-request-id'}, 'err-404', 'an error has an id';
ok $plain->wait_log(qr/request err-404 was answered with 404: Agent with id none not found/),
    '... that the log has, too';
$plain->api_post('/agents/up-agent/generate', { messages => 7 },
    headers => ['X-Request-Id' => 'err-400']);
ok $plain->wait_log(qr/request err-400 was answered with 400: Invalid request body/),
    '... also what does not fit a schema';
$answer = $plain->api_post('/agents/dead-agent/generate', { messages => 'hi' },
    headers => ['X-Request-Id' => 'err-502']);
is $answer->{status}, 502, 'an error behind us';
ok $plain->wait_log(qr/MA3002: run \S+ of agent dead-agent/), '... is in the log';
for my $bad ('', 'a b', 'x' x 129, "a\tb", '<script>', "\xff") {
    isnt $plain->request(GET => '/api/agents', headers => ['X-Request-Id' => $bad])
        ->{headers}{'x-request-id'}, $bad, 'an id that is not fit is not kept';
}
$plain->stop;

# --- by MastraOnError
my $httpd = Served->start(name => 'onerror', conf => $common . <<"END");
MastraOnError /scripts/mend.lua
END
$httpd->expect_log($_) for @errors;
$answer = $httpd->api_get('/agents/none', headers => ['X-Request-Id' => 'mend-1']);
is $answer->{status}, 410, 'somebody else says what an error is';
is $answer->{headers}{'content-type'}, 'application/problem+json', '... in its form';
is $answer->{json}{title}, 'mended', '... in its words';
my $told = $answer->{json}{told};
is $told->{error}{status}, 404, '... told of the status';
is $told->{error}{message}, 'Agent with id none not found', '... the message';
is $told->{error}{code}, 'AGENT_NOT_FOUND', '... the code';
is $told->{error}{id}, 'mend-1', '... the id';
is $told->{error}{answer}{error}, 'Agent with id none not found', '... what would be said';
is $told->{request}{path}, '/api/agents/none', '... and of the request';
is $told->{request}{route}, '/agents/:agentId', '... its route';
is $answer->{json}{secret}, undef, '... but not our secret';
is $answer->{headers}{'x-request-id'}, 'mend-1', '... with our headers';
is $httpd->request(GET => '/scripts/mend.lua')->{status}, 403, '... which nobody else can ask';
$answer = $httpd->api_post('/agents/dead-agent/generate', { messages => 'hi' });
is $answer->{json}{told}{error}{status}, 502, 'an error of a run';
is $answer->{status}, 502, '... has the status that was said';
$answer = $httpd->request(POST => '/text', json => { messages => 'FAIL401' });
is $answer->{json}{title}, 'mended', 'an error before a stream has begun';
@frames = $httpd->stream('/agents/up-agent/stream', { messages => 'FAIL401' })->frames;
like types(@frames), qr/error step-finish finish \[DONE\]$/, 'one behind that is a chunk';
is $httpd->api_post('/agents/up-agent/generate', { messages => 7 })->{status}, 400,
    'what does not fit a schema is told by us';
$answer = $httpd->request(POST => '/tell', json => { messages => 'x' x 2000 });
is $answer->{json}{told}{error}{status}, 413, 'a large body';
$httpd->stop;

# --- by a path that cannot
my $broken = Served->start(name => 'nobody', conf => $common . "MastraOnError /nowhere\n");
$broken->expect_log($_) for @errors;
$answer = $broken->api_get('/agents/none');
is $answer->{json}{error}, 'Agent with id none not found', 'nothing is there: what we would say';
ok $broken->wait_log(qr{MA660: /nowhere could not be asked what to say of an error: status 404}),
    '... and a line in the log';
$answer = $broken->api_post('/agents/dead-agent/generate', { messages => 'hi' });
is $answer->{status}, 502, '... of a run, too';
$broken->stop;
my $late = Served->start(name => 'late', conf => $common . <<"END");
MastraOnError /later/x
MastraSelfURL http://127.0.0.1:@{[ MastraHttpd::free_port() ]}
END
$late->expect_log($_) for @errors;
$answer = $late->api_get('/agents/none');
is $answer->{json}{error}, 'Agent with id none not found', 'nobody to ask: what we would say';
ok $late->wait_log(qr{MA660: /later/x could not be asked}), '... and a line in the log';
is $late->api_get('/agents')->{status}, 200, '... and the server goes on';
$late->stop;
