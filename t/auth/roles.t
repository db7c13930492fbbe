# What roles may do, which paths are protected, and how that is told.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Token;

my $secret = 'a secret that has more than 32 bytes';
my $base   = <<'END';
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
END

sub server {
    return MastraHttpd->start(name => 'roles', conf => $base . $_[0], env => { T_SECRET => $secret });
}

sub with { return bearer(token({ sub => 'u', @_ }, $secret)) }

# --- roles -----------------------------------------------------------------------

my $server = server(<<'END');
MastraAuth jwt secret=env:T_SECRET
MastraRole admin *
MastraRole viewer *:read
MastraRole operator agents:execute agents:read
MastraRole operator memory:*
END

my %path = (
    'agents:read'    => [GET => '/agents'],
    'agents:execute' => [POST => '/agents/plain-agent/generate', json => { messages => 'x' }],
    'tools:read'     => [GET => '/tools'],
    'tools:execute'  => [POST => '/tools/add-one-tool/execute', json => { data => { n => 1 } }],
    'memory:read'    => [GET => '/memory/threads?agentId=weather-agent&resourceId=r'],
    'memory:write'   => [POST => '/memory/threads?agentId=weather-agent', json => { resourceId => 'r' }],
    'memory:delete'  => [DELETE => '/memory/threads/none?agentId=weather-agent'],
);
my %may = (
    admin    => [sort keys %path],
    viewer   => [qw(agents:read memory:read tools:read)],
    operator => [qw(agents:execute agents:read memory:delete memory:read memory:write)],
    stranger => [],
);

sub ask {
    my ($headers, $permission) = @_;
    my ($method, $path, @rest) = @{ $path{$permission} };
    return $server->request($method, "/api$path", headers => [@$headers], @rest);
}

for my $role (sort keys %may) {
    my @got;
    for my $permission (sort keys %path) {
        my $answer = ask(with(role => $role), $permission);
        push @got, $permission if $answer->{status} != 403;
        is $answer->{body}, qq({"error":"Forbidden","message":"Missing required permission: $permission"}),
            "$role is told that $permission is missing" if $answer->{status} == 403;
    }
    is_deeply \@got, $may{$role}, "$role may @got";
}
is ask(with(), 'agents:read')->{status}, 403, 'who has no role may nothing';
is ask(with(roles => ['x', 'viewer']), 'agents:read')->{status}, 200, 'one of several roles is enough';
is ask(with(role => 'x viewer'), 'agents:read')->{status}, 200, '... also with spaces between them';
is ask(with(role => { viewer => 1 }), 'agents:read')->{status}, 403, '... not in other forms';
is $server->api_post('/agents/plain-agent/generate', {}, headers => with(role => 'viewer'))->{status},
    400, 'a body is looked at before permissions';
is $server->api_post('/agents/plain-agent/generate', {})->{status}, 401, '... and after the caller';

my $me = $server->api_get('/auth/me', headers => with(role => 'operator'));
is $me->{body}, '{"id":"u","roles":["operator"],"permissions":["agents:execute","agents:read","memory:*"]}',
    'a user sees their permissions';
my $can = $server->api_get('/auth/capabilities', headers => with(role => 'viewer'))->{json};
ok $can->{capabilities}{rbac}, 'clients learn that there are roles';
is_deeply $can->{access}, { roles => ['viewer'], permissions => ['*:read'] }, '... and what they give';
is $server->api_get('/auth/roles/viewer/permissions', headers => with(role => 'admin'))->{body},
    '{"roleId":"viewer","permissions":["*:read"]}', 'who may do everything may see it of others';
is $server->api_get('/auth/roles/viewer/permissions', headers => with(role => 'viewer'))->{body},
    '{"error":"Admin access required"}', '... and nobody else';
$server->stop;

$server = server(<<'END');
MastraAuth jwt secret=env:T_SECRET roles=app_metadata.roles
MastraRole _default tools:read
MastraRole viewer agents:read
END
is ask(with(app_metadata => { roles => ['viewer'] }), 'agents:read')->{status}, 200,
    'the claim with the roles can be named';
is ask(with(role => 'viewer'), 'agents:read')->{status}, 403, '... and no other counts';
is ask(with(), 'tools:read')->{status}, 200, 'who has none of the roles has the default';
is ask(with(app_metadata => { roles => ['viewer'] }), 'tools:read')->{status}, 403, '... nobody else';
$server->stop;

$server = server("MastraAuth jwt secret=env:T_SECRET roles=https://app.example/roles\nMastraRole viewer *:read\n");
is ask(with('https://app.example/roles' => ['viewer']), 'agents:read')->{status}, 200,
    'claims may have names with dots';
$server->stop;

# --- protected and public --------------------------------------------------------

$server = server(<<'END');
MastraAuth jwt secret=env:T_SECRET
MastraAuthPublic /api/tools /api/agents/plain-agent/*
MastraRole viewer *:read
END
sub open_to_all { return $server->request(GET => $_[0])->{status} }
is open_to_all('/api/tools'), 200, 'a public path';
is open_to_all('/api/tools/add-one-tool'), 401, '... is that path alone';
is open_to_all('/api/agents/plain-agent/tools/x'), 404, '... unless it ends with a star';
is open_to_all('/api/agents/plain-agent'), 401, '... which begins behind the slash';
is open_to_all($_), 401, "$_ does not help" for '/api/agents', '/api/agents/weather-agent';
isnt open_to_all($_), 200, "nor does $_" for '/api/tools/../agents', '/api/tools/..%2fagents',
    '/api//tools', '/api/agents/plain-agent/../weather-agent', '/api/tools/./../agents',
    '/api/agents/plain-agent/%2e%2e/weather-agent', '/api/agents/plain-agent%2f..%2fweather-agent';
is $server->api_post('/agents/plain-agent/generate', { messages => 'x' })->{status}, 200,
    'what is public needs no permission either';
$server->stop;

$server = server(<<'END');
MastraAuth jwt secret=env:T_SECRET
MastraAuthProtected ^/api/agents/[^/]+ ^/api/memory
END
is open_to_all('/api/agents'), 200, 'only what is named is protected';
is open_to_all($_), 401, "... $_ is" for '/api/agents/plain-agent', '/api/%61gents/plain-agent',
    '/api/memory/threads';
$server->stop;

# --- what is refused -------------------------------------------------------------

my @bad = (
    ['MastraAuth', qr/MastraAuth takes a provider and its options, or None/],
    ['MastraAuth ldap', qr/MastraAuth ldap: there is no such provider; there are jwt, jwks/],
    ['MastraAuth jwt', qr/MastraAuth jwt: it needs secret=env:NAME/],
    ['MastraAuth jwt secret=abc', qr/secret= must be env:NAME: a secret stands in the environment/],
    ['MastraAuth jwt secret=env:T_MISSING', qr/the environment has no T_MISSING, which secret= asks for/],
    ['MastraAuth jwt secret=env:T_SECRET url=https://x/', qr/there is no option url=https:\/\/x\/; it has secret/],
    ['MastraAuth jwt secret=env:T_SECRET issuer=', qr/issuer= has no value/],
    ['MastraAuth jwt secret=env:T_SECRET algorithms=RS256', qr/names some that do not go with these keys/],
    ['MastraAuth jwt secret=env:T_SECRET algorithms=none', qr/there is no algorithm none/],
    ['MastraAuth jwt secret=env:T_SECRET skew=1h', qr/skew= may be 10min at most/],
    ['MastraAuth jwks', qr/it needs url=/],
    ['MastraAuth jwks url=http://id.example/keys', qr/url= must be https, but for loopback/],
    ['MastraAuth jwks url=ftp://x/', qr/is no address of keys/],
    ['MastraAuth jwks url=https://x/ algorithms=HS256', qr/names some that do not go with these keys/],
    ['MastraAuth jwks url=https://x/ stale=1s', qr/stale= must not be shorter than refresh=/],
    ['MastraAuth auth0', qr/it needs domain=/],
    ['MastraAuth auth0 domain=a/b', qr/domain= is no name: a\/b/],
    ['MastraAuth simple', qr/it needs token=env:NAME/],
    ['MastraAuth httpd claim=x', qr/claim= must be NAME:VARIABLE/],
    ['MastraAuth httpd x=1', qr/there is no option x=1; it has authorize claim roles/],
    ['MastraAuth uri', qr/it needs uri=, a path of this server/],
    ['MastraAuth uri uri=/api/x', qr/MastraAuth: \/api\/x is below \/api, where it would ask itself/],
    ['MastraAuthProtected "("', qr/MastraAuthProtected \(: this is no regular expression/],
    ['MastraAuthPublic api/x', qr/a path begins with a slash/],
    ['MastraAuthPublic /api/*/x', qr/a star can only be at its end/],
    ['MastraRole', qr/MastraRole takes a role and the permissions/],
    ['MastraRole r agents', qr/MastraRole r: agents is no permission such as agents:execute/],
    ["MastraAuth jwt secret=env:T_SECRET\nMastraRole r agents:", qr/agents: is no permission/],
    ['MastraAuthOwner sub', qr/httpd\.conf:\d+: MastraAuthOwner: it is about users/],
    ["<Location /x>\nRequire mastra-permission\n</Location>", qr/Require mastra-permission takes permissions/],
    ["<Location /x>\nRequire mastra-permission agents:*\n</Location>", qr/agents:\* is no permission/],
);
for (@bad) {
    my ($conf, $why) = @$_;
    my ($status, $said) = MastraHttpd->new(name => 'roles-bad', conf => $base . "$conf\n",
        env => { T_SECRET => $secret })->configtest;
    ok $status, "refused: $conf" or next;
    like $said, $why, '... with a reason';
}

# --- virtual hosts ---------------------------------------------------------------

my $port = MastraHttpd::free_port();
$server = server(<<"END");
MastraAuth jwt secret=env:T_SECRET
MastraRole viewer agents:read
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    MastraAuth None
</VirtualHost>
END
is $server->api_get('/agents')->{status}, 401, 'a server';
is request(GET => '/api/agents', port => $port)->{status}, 200, '... whose virtual host asks nobody';
is request(GET => '/api/auth/capabilities', port => $port)->{body}, '{"enabled":false,"login":null}',
    '... and says so';
done_testing;
