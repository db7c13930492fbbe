# What is asked before a handler: local paths and functions of other modules, in their order.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP qw(decode_json);
use MastraTest;
use Sample;
use Served;

plan tests => 60;

my $top   = top_dir();
my $httpd = Served->start(name => 'middleware', env => { WORD => 'open sesame open sesame' },
    conf => <<"END");
MastraRequestLog On
MastraAuth simple token=env:WORD user=ann
MastraAuthPublic /api/agents* /api/tools* /api/memory*
ScriptAlias "/cgi/" "$top/t/project/cgi/"
Alias "/scripts/" "$top/t/project/scripts/"
<Location "/scripts/">
    SetHandler lua-script
    Require mastra-internal
</Location>
<Location "/closed/">
    Require all denied
</Location>
MastraMiddleware path=/api/* /scripts/gate.lua?a
MastraMiddleware path=/api/agents/:id/generate /scripts/gate.lua?b
MastraMiddleware path=/told/* /cgi/tell
MastraMiddleware path=/broken/closed /closed/x
MastraMiddleware path=/broken/script /scripts/none.lua
MastraRoute GET /free/:name /tools/tell.lua auth=off middleware=/scripts/gate.lua?c,/scripts/gate.lua?d
Alias /stamp.txt "$top/t/project/scripts/tell.lua"
MastraMiddleware path=/stamped/* /stamp.txt
MastraRoute GET /stamped/:name /tools/tell.lua auth=off
MastraRoute GET /plain /tools/tell.lua auth=off
MastraRoute POST /told/:name /tools/tell.lua auth=off
MastraRoute GET /broken/closed /tools/tell.lua auth=off
MastraRoute GET /broken/script /tools/tell.lua auth=off
<MastraTool context-tool>
    MastraExecute sql "statement=SELECT ? AS color, ? AS seats, ? AS n" params=["context:color","context:plan.seats","n"] result=row
</MastraTool>
<MastraAgent chosen-agent>
    MastraName Chosen
    MastraModel "up/{{choice || 'mock-model'}}"
    MastraInstructions "Your color is {{color}}, your plan {{plan.name}}."
</MastraAgent>
END
my $up   = $httpd->model;
my $ask  = sub { my ($gate, $body, @more) = @_;
    return $httpd->api_post('/agents/up-agent/generate', { messages => 'hi', %{ $body || {} } },
        headers => ['X-Gate' => $gate, @more]) };

# --- going on
my $answer = $ask->('', undef, 'X-Mastra-Client-Type' => 'js', 'X-Mastra-Cloud' => 'true',
    'X-Mastra-Dev-Playground' => 'yes', 'X-Mastra-Internal-Tenant' => 'forged',
    Authorization => 'Bearer open sesame open sesame');
is $answer->{status}, 200, 'a request goes on';
is $answer->{headers}{'x-gate-saw'}, 'GET POST /api/agents/up-agent/generate',
    '... after a GET that tells what it is about';
is $answer->{headers}{'x-gate-user'}, 'ann', '... and who asks';
is $answer->{headers}{'x-gate-client'}, 'js', '... with the headers of the request';
is $answer->{headers}{'x-gate-cloud'}, 'true', '... all';
is $answer->{headers}{'x-gate-playground'}, 'yes', '... three';
is $answer->{headers}{'x-gate-forged'}, undef, '... but none of ours';
is $answer->{headers}{'x-gate-body'}, 0, '... and without the body';
is $answer->{headers}{'x-order'}, 'ab', '... in the order of the configuration';
is $answer->{headers}{'x-mastra-context-order'}, undef, '... which the client is not told';
is $answer->{headers}{'content-type'}, 'application/json', '... with its own type';
my @frames = $httpd->stream('/agents/up-agent/stream', { messages => 'hi' })->frames;
is $frames[-1]{data}, '[DONE]', 'a stream goes on, too';
is $httpd->api_get('/agents')->{headers}{'x-order'}, 'a', 'a pattern that fits, another does not';
is $httpd->request(GET => '/health')->{headers}{'x-order'}, undef, 'what needs no caller has none';
is $httpd->request(GET => '/plain')->{headers}{'x-order'}, undef, '... nor what does not fit';
is $httpd->request(GET => '/free/x')->{headers}{'x-order'}, 'cd', 'those of a route';
is $httpd->request(GET => '/free/x', headers => ['X-Gate' => 'stop'])->{status}, 403,
    '... which may answer, too';
is $httpd->request(GET => '/api/nothing')->{headers}{'x-order'}, undef, 'no route, no middleware';

is $httpd->request(GET => '/stamped/x', headers => ['If-None-Match' => '*'])
    ->{status}, 200, 'a file that is there lets all pass';

# --- the request context
my $tell = sub { my ($gate, $context, $tool) = @_;
    return $httpd->api_post("/tools/$tool/execute", { data => { n => 1 },
        requestContext => $context }, headers => ['X-Gate' => $gate]) };
is $tell->('', { color => 'red' }, 'context-tool')->{json}{color}, 'red',
    'the client\'s value reaches a statement';
is $tell->('', { color => 'red' }, 'context-tool')->{headers}{'x-gate-color'}, 'red',
    '... and the middleware';
my $row = $tell->('context', { color => 'red' }, 'context-tool')->{json};
is $row->{color}, 'green', 'the middleware\'s wins';
is $row->{seats}, '3', '... values may be JSON, and deep';
is $row->{n}, '1', '... beside the input';
$up->reset;
$httpd->api_post('/agents/chosen-agent/generate', { messages => 'hi',
    requestContext => { color => 'red', choice => 'other-model' } },
    headers => ['X-Gate' => 'context']);
my ($sent) = $up->requests;
my $prompt = $sent->{json};
is $prompt->{messages}[0]{content}, 'Your color is green, your plan gold.',
    'it reaches instructions';
is $prompt->{model}, 'other-model', '... and the choice of a model';
is $httpd->api_post('/agents/chosen-agent/generate', { messages => 'hi' })->{status}, 200,
    '... which has a default';
$answer = $httpd->api_post('/tools/context-tool/execute?requestContext=' .
    'eyJjb2xvciI6ImJsdWUifQ', { data => { n => 1 } });
is $answer->{json}{color}, 'blue', 'a context of the query, in base64';
$answer = $httpd->api_post('/tools/context-tool/execute?requestContext=' .
    '%7B%22color%22%3A%22pink%22%7D', { data => { n => 1 } });
is $answer->{json}{color}, 'pink', '... or as JSON';
is $httpd->api_post('/tools/context-tool/execute?requestContext=nonsense',
    { data => { n => 1 } })->{json}{issues}[0]{field}, 'requestContext', '... and what is neither is refused';

# --- reserved keys
my $mine = sub { my ($gate, $thread, $resource) = @_;
    return $httpd->api_post('/agents/memory-agent/generate', { messages => 'mine',
        memory => { thread => $thread, resource => $resource } },
        headers => ['X-Gate' => $gate]) };
is $mine->('resource', 'thread-1', 'somebody')->{status}, 200, 'a resource that the server sets';
my $thread = $httpd->api_get('/memory/threads/thread-1?agentId=memory-agent')->{json};
is $thread->{resourceId}, 'tenant-1', '... is the thread\'s, whatever the client says';
is $httpd->api_get('/memory/threads/thread-1?agentId=memory-agent',
    headers => ['X-Gate' => 'resource'])->{status}, 200, '... who may read it';
$mine->('', 'thread-2', 'other');
is $httpd->api_get('/memory/threads/thread-2?agentId=memory-agent',
    headers => ['X-Gate' => 'resource'])->{status}, 403, '... but not another\'s';
is $mine->('thread', 'thread-3', 'somebody')->{status}, 200, 'a thread that the server sets';
is_deeply [$httpd->said('thread-of-tenant-1')]->[0], 'user: mine', '... is the one';
is $httpd->api_get('/memory/threads/thread-3?agentId=memory-agent')->{status}, 404,
    '... the other is not made';
is $httpd->api_get('/memory/threads/thread-1?agentId=memory-agent',
    headers => ['X-Gate' => 'thread'])->{status}, 403, '... and no other is shown';

# --- answering
$answer = $ask->('stop');
is $answer->{status}, 403, 'it answers instead';
is $answer->{body}, '{"stopped":true}', '... in its words';
is $answer->{headers}{'content-type'}, 'application/json', '... with its type';
is $answer->{headers}{location}, '/elsewhere', '... its headers';
ok $answer->{headers}{'x-request-id'}, '... and ours';
$answer = $ask->(401);
is $answer->{status}, 401, 'a status alone is an answer';
is $answer->{json}{error}, 'Invalid or expired token', '... with words of ours';
is $ask->('', { messages => 7 })->{status}, 400, 'checks come behind it';

# --- failing
$httpd->expect_log($_) for qr/MA600/, qr/lua:/, qr/lua_/, qr/AH01630/;
$answer = $ask->('fail');
is $answer->{status}, 500, 'a script that fails is an error';
is $answer->{json}{error}, 'Internal Server Error', '... in plain words';
ok $httpd->wait_log(qr/MA600.*$answer->{json}{errorId}.*gate\.lua/), '... and in the log';
is $ask->('large')->{status}, 500, 'an answer that is too large';
is $httpd->request(GET => '/broken/closed')->{status}, 500, 'a path that is closed';
isnt $httpd->request(GET => '/broken/script')->{status}, 200, 'a script that is not there';
my $posted = $httpd->request(POST => '/told/x', body => 'for the handler');
is $posted->{json}{body}, 'for the handler', 'a script that reads its input leaves the body';
is $posted->{headers}{'x-told'}, 'yes', '... and the handler\'s header counts';

# --- the log of requests
my $id = $httpd->request(GET => '/api/agents', headers => ['X-Request-Id' => 'log-me-1'])
    ->{headers}{'x-request-id'};
is $id, 'log-me-1', 'a fit id is kept';
like $httpd->wait_log(qr/log-me-1$/), qr/GET \/api\/agents 200 \d+ms log-me-1$/,
    '... and in the log of requests';
isnt $httpd->request(GET => '/api/agents', headers => ['X-Request-Id' => 'x' x 200])
    ->{headers}{'x-request-id'}, 'x' x 200, 'one that is too long is not';
unlike $httpd->request(GET => '/api/agents', headers => ['X-Request-Id' => 'a b"<c>'])
    ->{headers}{'x-request-id'}, qr/[ "<]/, '... nor one with odd characters';
$httpd->request(GET => '/plain', headers => ['X-Request-Id' => 'log-me-2']);
ok $httpd->wait_log(qr/GET \/plain 200 \d+ms log-me-2/), 'routes are there, too';
$httpd->request(GET => '/api/nothing', headers => ['X-Request-Id' => 'log-me-3']);
ok $httpd->wait_log(qr/GET \/api\/nothing 404 \d+ms log-me-3/), '... and what is not';
$httpd->stop;
