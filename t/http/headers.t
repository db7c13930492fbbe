# Headers of answers, and headers that a client may not send.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

plan tests => 50;

# --- cross-origin ------------------------------------------------------------

my %cors = ('access-control-allow-origin' => '*',
    'access-control-expose-headers' => 'Content-Length,X-Requested-With');

sub has_cors {
    my ($answer, $name) = @_;
    my %got = map { $_ => $answer->{headers}{$_} } keys %cors;
    is_deeply \%got, \%cors, "$name has cross-origin headers";
}

has_cors(api_get('/agents'), 'an answer');
has_cors(api_get('/agents', headers => [Origin => 'https://a.example']), 'one with an origin');
has_cors(api_get('/agents/none'), 'an error');
has_cors(api_get('/nope'), 'an unknown path');
has_cors(request(PUT => '/api/agents'), 'a wrong method');
has_cors(api_get('/%zz'), "an error of httpd's own");
has_cors(request(GET => '/health'), '/health');
ok !exists request(GET => '/nothing-here')->{headers}{'access-control-allow-origin'},
    'what is not ours has none';

for my $path (qw(/api/agents /api/nope /api/agents/plain-agent/generate)) {
    my $answer = request(OPTIONS => $path, headers => [Origin => 'https://a.example',
        'Access-Control-Request-Method' => 'POST']);
    is $answer->{status}, 204, "OPTIONS $path";
    is $answer->{body}, '', '... has no body';
    ok !exists $answer->{headers}{'content-type'}, '... and no type';
    is $answer->{headers}{'access-control-allow-headers'}, 'Content-Type,Authorization,'
        . 'A2A-Version,x-mastra-client-type,x-mastra-dev-playground', '... allows headers';
    is $answer->{headers}{'access-control-allow-methods'}, 'GET,POST,PUT,PATCH,DELETE,OPTIONS',
        '... methods';
    is $answer->{headers}{'access-control-max-age'}, 3600, '... for an hour';
    is $answer->{headers}{vary}, 'Access-Control-Request-Headers', '... and varies';
    has_cors($answer, '... and');
}

# --- x-request-id ------------------------------------------------------------

sub request_id {
    my @given = @_;
    return api_get('/agents', headers => [map { ('X-Request-Id' => $_) } @given])
        ->{headers}{'x-request-id'};
}

like request_id(), qr/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, 'a request has an id';
isnt request_id(), request_id(), '... of its own';
is request_id('trace:7.a_b-C'), 'trace:7.a_b-C', "a client's own is kept";
isnt request_id($_), $_, '... unless it is no fit id'
    for '', 'with space', 'x' x 129, '<script>';
is request_id('x' x 128), 'x' x 128, '... or too long';

# --- headers between servers -------------------------------------------------

is request(GET => '/tools/echo.lua')->{status}, 403, 'tools are closed to visitors';
is request(GET => '/tools/echo.lua', headers => ['X-Mastra-Internal-Secret' => $_])->{status}, 403,
    '... whatever they claim' for '', 'x' x 64;

my $echo = MastraHttpd->start(name => 'intake', conf => <<'END', db => '');
MastraEngine On
MastraProject "@top@/t/project"
MastraModelProvider up openai http://127.0.0.1:9/v1
MastraModelProvider dead openai http://127.0.0.1:9/v1
<MastraTool again-tool>
    MastraDescription "Calls itself"
    MastraExecute uri uri=/api/tools/again-tool/execute
</MastraTool>
Alias /tools/ "@top@/t/project/scripts/"
Alias /open/ "@top@/t/project/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
<Location "/open/">
    SetHandler lua-script
    Require all granted
</Location>
Header always set X-Seen "%{X-Mastra-Internal-Depth}i %{X-Mastra-Internal-Other}i"
Header always echo ^X-Mastra-Internal
END
my $answer = $echo->request(POST => '/open/echo.lua', json => {}, headers => [
    'X-Mastra-Internal-Secret' => 'guess', 'x-mastra-internal-depth' => 3,
    (map { ("X-Mastra-Internal-N$_" => 1) } 1 .. 40), 'X-Mastra-Internal-Other' => 1]);
is $answer->{status}, 200, 'a request with forged headers is served';
is_deeply [grep { /^x-mastra-internal/ } keys %{ $answer->{headers} }], [],
    '... without any of them';
$answer = $echo->api_post('/tools/echo-tool/execute', { data => { a => 1 } });
is $answer->{status}, 200, 'a tool of this server is reached through its own address';
ok !exists $answer->{json}{headers}{'X-Mastra-Internal-Secret'},
    '... and never sees the secret';

# a tool whose script is the tool itself: each call is one deeper
my $input = { end => 1 };
$input = { data => $input } for 1 .. 14;
my $began = time;
$answer = $echo->api_post('/tools/again-tool/execute', $input);
cmp_ok $answer->{status}, '>=', 400, 'a tool that calls itself for ever ends with an error';
cmp_ok time - $began, '<', 55, '... soon';
SKIP: {
    skip 'workers run out before', 1 if mpm() ne 'event';
    like $echo->log, qr/nested too deep/, '... and the log says why';
}
$echo->stop;
