# Routes of the configuration lead to handlers of httpd, told what the server knows and nobody
# else can say.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP qw(decode_json);
use MastraTest;
use Served;
use Token;

plan tests => 64;

my $top     = top_dir();
my $scripts = <<"END";
Alias "/scripts/" "$top/t/project/scripts/"
<Location "/scripts/">
    SetHandler lua-script
</Location>
END
my $backend = MastraHttpd->new(name => 'backend', mastra => 0, db => '', conf => $scripts);
$backend->up;
my $behind = sprintf 'http://127.0.0.1:%d', $backend->port;
my $httpd  = Served->start(name => 'targets', env => { WORD => 'open sesame' },
    conf => $scripts . <<"END");
MastraAuth simple token=env:WORD user=ann
ScriptAlias "/cgi/" "$top/t/project/cgi/"
ProxyPass "/behind/" "$behind/scripts/"
MastraRoute GET /hello/:name /scripts/tell.lua auth=off
MastraRoute POST /hello/:name /scripts/tell.lua?fixed=1 auth=off
MastraRoute ALL /any/:a/and/:b /scripts/tell.lua auth=off
MastraRoute GET /files/* /scripts/tell.lua auth=off
MastraRoute GET /files/exact /scripts/tell.lua?exact auth=off
MastraRoute GET /in/*/out /scripts/tell.lua auth=off
MastraRoute POST /cgi-hello/:name /cgi/tell auth=off
MastraRoute POST /proxied/:name /behind/tell.lua auth=off
MastraRoute GET /steps /behind/steps.lua auth=off
MastraRoute GET /steps-here /scripts/steps.lua auth=off
MastraRoute POST /mine /scripts/tell.lua
MastraRoute POST /agents-list /api/agents auth=off
MastraRoute GET /agents-list /api/agents auth=off
MastraRoute GET /nowhere /scripts/none.lua auth=off
MastraRoute GET /teapot /scripts/tell.lua?status=410 auth=off
MastraRoute GET /there.txt /scripts/tell.lua auth=off
END
open my $file, '>', $httpd->dir . '/htdocs/there.txt' or die $!;
print $file "a file\n";
close $file;

# --- parameters, methods, stars
my $answer = $httpd->request(GET => '/hello/w%C3%B6rld%20%26?x=1');
my $seen   = $answer->{json};
is $answer->{status}, 200, 'a route';
is $seen->{told}{MASTRA_PARAM_name}, "w\x{f6}rld &", '... with its parameter, decoded';
is_deeply decode_json($seen->{told}{MASTRA_PARAMS} =~ s/([^\x00-\x7f])/sprintf '\\u%04x', ord $1/ger),
    { name => "w\x{f6}rld &" }, '... and as JSON';
is $seen->{args}, 'x=1', '... and its query string';
is $seen->{told}{MASTRA_ROUTE}, '/hello/:name', '... told which route it is';
is $seen->{told}{MASTRA_REQUEST_ID}, $answer->{headers}{'x-request-id'}, '... and its id';
is $seen->{told}{MASTRA_API_URL}, sprintf('http://127.0.0.1:%d/api', $httpd->port),
    '... and where agents are';
is $answer->{headers}{'x-told'}, 'yes', '... answers with its own headers';
ok $answer->{headers}{'access-control-expose-headers'}, '... and ours';
$answer = $httpd->request(POST => '/hello/bob?x=1', body => "a=b\nc",
    headers => ['Content-Type' => 'application/x-thing', 'X-Request-Id' => 'id-1']);
is $answer->{json}{args}, 'fixed=1&x=1', 'a query string of the target stays';
is $answer->{json}{body}, "a=b\nc", '... the body arrives as it was';
is $answer->{json}{headers}{'content-type'}, 'application/x-thing', '... with its type';
is $answer->{headers}{'x-request-id'}, 'id-1', '... and the id that the client gave';
my $big = join '', map { "line $_\n" } 1 .. 100_000;
is $httpd->request(POST => '/hello/bob', body => $big)->{json}{body}, $big, 'a large body';
is $httpd->request(POST => '/hello/bob', body => "5\r\nsome \r\n4\r\nmore\r\n0\r\n\r\n",
    headers => ["Transfer-Encoding" => "chunked"])->{json}{body},
    'some more', 'a body of unknown length';
is $httpd->request(POST => '/hello/bob', body => 'x' x 5_000_000)->{status}, 413,
    'a body that is too large';
is $httpd->request(PUT => '/hello/bob', body => 'x')->{status}, 405, 'another method';
$seen = $httpd->request($_ => '/any/1/and/2', body => 'z')->{json}
    and is "$seen->{method} $seen->{told}{MASTRA_PARAM_a} $seen->{told}{MASTRA_PARAM_b}",
        "$_ 1 2", "ALL is $_, too" for qw(PUT DELETE PATCH);
is $httpd->request(GET => '/files/a/b.c')->{json}{told}{MASTRA_PARAM_REST}, 'a/b.c',
    'a star at the end is the rest';
is $httpd->request(GET => '/files')->{json}{told}{MASTRA_PARAM_REST}, '', '... or nothing';
is $httpd->request(GET => '/files/exact')->{json}{args}, 'exact', '... unless there is a name';
is $httpd->request(GET => '/in/any/out')->{status}, 200, 'a star between is one segment';
is $httpd->request(GET => '/in/a/b/out')->{status}, 404, '... and no more';
is $httpd->request(GET => '/there.txt')->{body}, "a file\n", 'what the host has comes first';
is $httpd->request(GET => '/nowhere')->{status}, 404, 'a target that is not there';
is $httpd->request(GET => '/teapot')->{status}, 410, 'a status of the target';
is $httpd->request(HEAD => '/hello/bob')->{status}, 200, 'HEAD';

# --- who it is
is $httpd->request(POST => '/mine', body => '{}')->{status}, 401, 'a route is protected';
is $httpd->request(POST => '/mine', body => '{}',
    headers => [Authorization => 'Bearer wrong'])->{status}, 401, '... not by just any token';
$seen = $httpd->request(POST => '/mine', headers => [Authorization => 'Bearer open sesame'],
    json => { requestContext => { color => 'red', user => 'me', mastra__resourceId => 'x' } },
)->{json};
is decode_json($seen->{told}{MASTRA_USER})->{id}, 'ann', 'the handler is told who it is';
is $seen->{told}{MASTRA_USER_ID}, 'ann', '... and their id';
my $context = decode_json($seen->{told}{MASTRA_REQUEST_CONTEXT});
is $context->{color}, 'red', '... the request context';
is $context->{user}{id}, 'ann', '... whose user the client cannot set';
isnt $context->{mastra__resourceId}, 'x', '... nor reserved keys';
is decode_json($seen->{headers}{'x-mastra-internal-user'})->{id}, 'ann', '... by headers, too';
is decode_json($seen->{headers}{'x-mastra-internal-request-context'})->{color}, 'red',
    '... that a proxied server can read';
is $httpd->request(POST => '/mine', headers => [Authorization => 'Bearer open sesame'],
    json => { requestContext => { a => 'x' x 8000 } })->{status}, 413,
    'a request context that no header can hold';
$seen = $httpd->request(GET => '/hello/x?requestContext=eyJjb2xvciI6ImJsdWUifQ%3D%3D')->{json};
is decode_json($seen->{told}{MASTRA_REQUEST_CONTEXT})->{color}, 'blue',
    'a request context of the query, in base64';

# --- forgery
$seen = $httpd->request(POST => '/hello/x', body => 'x', headers => [
    'X-Mastra-Internal-User' => '{"id":"root"}', 'x-mastra-internal-params' => '{"name":"y"}',
    'X-MASTRA-INTERNAL-Secret' => 'guess', 'X-Mastra-Internal-Anything' => 1,
    'X-Mastra-Context-Role' => 'admin', 'X-Mastra-Other' => 'stays' ])->{json};
is $seen->{headers}{'x-mastra-internal-user'}, undef, 'a forged user is removed';
is $seen->{headers}{'x-mastra-internal-params'}, '{"name":"x"}', '... parameters are replaced';
is $seen->{headers}{'x-mastra-internal-anything'}, undef, '... anything of our names is removed';
is $seen->{headers}{'x-mastra-internal-secret'}, undef, '... also the secret';
is $seen->{headers}{'x-mastra-context-role'}, undef, '... and values of a request context';
is $seen->{headers}{'x-mastra-other'}, 'stays', '... nothing else';
is $seen->{told}{MASTRA_USER}, undef, '... and nobody is told of';

# --- CGI
my $said = $httpd->request(POST => '/cgi-hello/bob?q=1', body => 'to the script');
is $said->{headers}{'x-told'}, 'by cgi', 'a CGI script';
like $said->{body}, qr/^MASTRA_PARAM_name=bob$/m, '... has parameters';
like $said->{body}, qr/^QUERY_STRING=q=1$/m, '... the query string';
like $said->{body}, qr/^body=to the script$/m, '... and the body';

# --- mod_proxy
$seen = $httpd->request(POST => '/proxied/bob', body => 'far away', headers => [
    'X-Mastra-Internal-User' => '{"id":"root"}'])->{json};
is $seen->{body}, 'far away', 'a proxied server gets the body';
is $seen->{headers}{'x-mastra-internal-params'}, '{"name":"bob"}', '... parameters';
is $seen->{headers}{'x-mastra-internal-user'}, undef, '... and no forged user';
ok $seen->{headers}{'x-request-id'}, '... and the id of the request';

# --- streams
for ('/steps', '/steps-here') {
    my $client = $httpd->client;
    $client->send_request(GET => $_);
    $client->read_head;
    my $first = $client->next_frame;
    my $next  = $client->next_frame;
    is "$first->{data} $next->{data}", '1 2', "$_: frame by frame";
    ok !$client->{framing}{done}, '... as they are said, in two minutes';
    $client->leave;
    ok +(/here/ ? $httpd : $backend)->wait_log(qr/nobody listens after step \d+/),
        '... and ended when nobody listens';
}

# --- the API itself
is $httpd->request(GET => '/agents-list')->{status}, 401, 'the API behind a route is protected';
ok $httpd->request(GET => '/agents-list', headers => [Authorization => 'Bearer open sesame'])
    ->{json}{'mock-agent'}, '... and answers';
is $httpd->request(OPTIONS => '/hello/x')->{status}, 204, 'a preflight';
$httpd->stop;
$backend->stop;
