# Tokens signed with a shared secret: who is let in, who is not, and what is told of it.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Token;

my $secret = 'a secret that has more than 32 bytes';
my $server = MastraHttpd->start(name => 'jwt', env => { T_SECRET => $secret },
    conf => <<'END');
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
MastraAuth jwt secret=env:T_SECRET
END

my $user = { sub => 'user-1', email => 'u@x.y', name => 'U', iat => 1_700_000_000 };
my $good = token($user, $secret);

sub status { return $server->api_get('/agents/plain-agent', headers => [@_])->{status} }

sub is_refused {
    my ($answer, $name) = @_;
    is $answer->{status}, 401, "$name is refused";
    is $answer->{body}, '{"error":"Invalid or expired token"}', '... and told nothing';
}

# --- tokens ------------------------------------------------------------------

is status(@{ bearer($good) }), 200, 'a token lets in';
is status(Authorization => $good), 200, '... without Bearer';
is status(Authorization => "bearer $good"), 401, '... not with bearer';
is status(Authorization => "Bearer  $good"), 401, '... nor with two spaces';
is status(Cookie => "mastra-token=$good"), 401, '... nor as a cookie';
is $server->api_get("/agents/plain-agent?apiKey=$good")->{status}, 200, 'apiKey= lets in';
is $server->api_get("/agents/plain-agent?x=1&apiKey=$good&y")->{status}, 200,
    '... among other parameters';
is $server->api_get('/agents/plain-agent?apiKey=%zz')->{status}, 401, '... not when it is no text';
is $server->api_get("/agents/plain-agent?apiKey=$good", headers => bearer('x'))->{status}, 401,
    'a header comes before it';
is status(Authorization => 'Bearer '), 401, 'an empty token';

my $now  = time;
my %none = (
    'no token'               => [],
    'garbage'                => bearer('x'),
    'another secret'         => bearer(token($user, 'not the secret, but as long as that is')),
    'an expired token'       => bearer(token({ %$user, exp => $now - 1 }, $secret)),
    'a token for later'      => bearer(token({ %$user, nbf => $now + 60 }, $secret)),
    'alg none'               => bearer(Token::unsigned({ alg => 'none' }, $user) . '.'),
    'another algorithm'      => bearer(token($user, $secret, { alg => 'RS256' })),
    'crit'                   => bearer(token($user, $secret, { alg => 'HS256', crit => ['x'] })),
    'names twice'            => bearer(token($user, $secret, '{"alg":"HS256","alg":"HS256"}')),
    'a list of claims'       => bearer(token([1], $secret)),
    'Basic'                  => [Authorization => 'Basic dTpw'],
    'the header of Studio'   => ['X-Mastra-Client-Type' => 'studio'],
    'that of the playground' => ['X-Mastra-Dev-Playground' => 'true'],
    'an invented secret'     => ['X-Mastra-Internal-Secret' => '0' x 64],
);
for my $name (sort keys %none) {
    is_refused($server->api_get('/agents/plain-agent', headers => $none{$name}), $name);
}
is $server->api_get('/agents')->{headers}{'www-authenticate'}, 'Bearer', 'a 401 says what is asked for';
is status(@{ bearer(token({ %$user, exp => $now + 60, nbf => $now - 60 }, $secret)) }), 200,
    'a token in its time';

# --- what is asked, and in which order -----------------------------------------

for my $path (qw(/health /api /api/auth/capabilities /api/auth/me)) {
    is $server->request(GET => $path)->{status}, 200, "$path is open";
}
for my $path (qw(/agents /agents/none /tools /memory/threads /auth/permission-patterns
    /auth/roles/x/permissions)) {
    is_refused($server->api_get($path), $path);
}
is $server->api_get('/nope')->{body}, '404 Not Found', 'what is not there is not there for anybody';
is $server->request(PUT => '/api/agents')->{status}, 405, '... nor is a method';
is_refused($server->api_post('/agents/plain-agent/generate', {}), 'a body that is not valid');
is_refused($server->api_post('/agents/plain-agent/generate', body => '{',
    headers => ['Content-Type' => 'application/json']), 'one that is no JSON');
is_refused($server->api_post('/agents/plain-agent/stream', { messages => 'x' }), 'a stream');
is $server->api_post('/agents/plain-agent/generate', {}, headers => bearer($good))->{status}, 400,
    'with a token the body counts';

# --- who is asking ---------------------------------------------------------------

sub asked {
    my ($path, @headers) = @_;
    return $server->api_get($path, headers => [@headers])->{body};
}

is asked('/auth/me'), 'null', 'nobody';
is asked('/auth/me', @{ bearer('x') }), 'null', '... nor with a bad token';
is asked('/auth/me', @{ bearer($good) }), '{"id":"user-1","email":"u@x.y","name":"U"}', 'somebody';
is asked('/auth/capabilities'), '{"enabled":true,"login":null}', 'what is offered to nobody';
is asked('/auth/capabilities', @{ bearer($good) }),
    '{"enabled":true,"login":null,"user":{"id":"user-1","email":"u@x.y","name":"U"},'
    . '"capabilities":{"user":true,"session":false,"sso":false,"rbac":false,"acl":false,'
    . '"fga":false},"access":null}', '... and to somebody';
my $other = token({ id => 'i', sub => 's', picture => 'p' }, $secret);
is asked('/auth/me', @{ bearer($other) }), '{"id":"s","avatarUrl":"p"}', 'the subject is the id';
is asked('/auth/me', @{ bearer(token({ name => 'n' }, $secret)) }), 'null',
    'who has none is shown as nobody';
is asked('/auth/roles/x/permissions', @{ bearer($good) }), '{"error":"Admin access required"}',
    'without roles there is none to ask for';
like asked('/auth/permission-patterns', @{ bearer($good) }), qr/"agents:execute"/, 'permissions';

my %session = (
    'POST /auth/logout'    => 'Logout not configured',
    'POST /auth/refresh'   => 'Session refresh not configured',
    'GET /auth/sso/login'  => 'SSO not configured',
);
for my $what (sort keys %session) {
    my ($method, $path) = split / /, $what;
    my $answer = $server->request($method, "/api$path", headers => bearer($good));
    is "$answer->{status} $answer->{body}", qq(404 {"error":"$session{$what}"}), $what;
}
my $back = $server->api_get('/auth/sso/callback?code=x');
is $back->{status}, 302, 'whoever comes back from signing in elsewhere';
like $back->{headers}{location}, qr{^http://[^/]+/\?error=sso_not_configured$}, '... is told';
my $sign_in = $server->api_post('/auth/credentials/sign-in', { email => 'a@b.c', password => 'x' });
is $sign_in->{body}, '{"error":"Invalid request body","issues":[{"field":"email","message":'
    . '"Invalid email address"}]}', 'sign-in looks at the address';
is $server->api_post('/auth/credentials/sign-in', { email => 'a@b.cc', password => 'x' })->{status},
    404, '... and is not offered';

# --- the user in the request context ---------------------------------------------

my $answer = $server->api_post('/agents/plain-agent/generate', { messages => 'x',
    requestContext => { mastra__resourceId => 'evil', user => 'evil' } }, headers => bearer($good));
is $answer->{status}, 200, 'what a client may not set is left out';

done_testing;
