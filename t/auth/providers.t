# The other providers, several of them in order, and what httpd itself asks them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use MIME::Base64 qw(encode_base64);
use Token;

my $secret = 'a secret that has more than 32 bytes';
my $module_dir = do {
    open my $fh, '<', top_dir() . '/t/conf/modules.conf' or die "modules.conf: $!";
    join('', <$fh>) =~ m{(\S+)/mod_mime\.so} ? $1 : die 'where are modules?';
};

my $base = <<'END';
MastraEngine On
MastraModelProvider mock mock
<MastraAgent a>
    MastraName A
    MastraInstructions Hello
    MastraModel mock/echo
</MastraAgent>
END

sub server {
    my ($conf, %env) = @_;
    return MastraHttpd->start(name => 'providers', conf => $base . $conf,
        env => { T_TOKEN => 'token-of-alice-1', T_OTHER => 'token-of-bob-123', T_SECRET => $secret, %env });
}

sub me {
    my ($server, @headers) = @_;
    return $server->api_get('/auth/me', headers => [@headers])->{body};
}

# --- fixed tokens, and several providers ---------------------------------------

my $server = server(<<'END');
MastraAuth simple token=env:T_TOKEN user=alice role=admin
MastraAuth simple token=env:T_OTHER user=bob
MastraAuth jwt secret=env:T_SECRET
END
is me($server, @{ bearer('token-of-alice-1') }), '{"id":"alice","name":"alice"}', 'a fixed token';
is me($server, @{ bearer('token-of-bob-123') }), '{"id":"bob","name":"bob"}', '... another one';
is me($server, @{ bearer(token({ sub => 'carol' }, $secret)) }), '{"id":"carol"}', '... a signed one';
is me($server, @{ bearer($_) }), 'null', "not $_"
    for 'token-of-alice-', 'token-of-alice-12', 'Token-of-alice-1', 'env:T_TOKEN';
is $server->api_get('/agents/a?apiKey=token-of-alice-1')->{status}, 200, 'a fixed token as apiKey=';
unlike $server->log, qr/token-of-alice/, 'no token is in the log';
$server->stop;

$server = server("MastraAuth simple token=env:T_TOKEN\n", T_TOKEN => 'short');
like $server->log, qr/MA640: line 1 of MastraAuth: its token has fewer than 16 characters/,
    'a short token is remarked upon';
is $server->api_get('/agents/a', headers => bearer('short'))->{status}, 200, '... and works';
$server->stop;

# --- whoever httpd knows -------------------------------------------------------

my $basic = 'Basic ' . encode_base64('dora:pw', '');
$server = MastraHttpd->new(name => 'providers', conf => <<"END" . $base . <<'END');
LoadModule auth_basic_module $module_dir/mod_auth_basic.so
LoadModule authn_file_module $module_dir/mod_authn_file.so
LoadModule authz_user_module $module_dir/mod_authz_user.so
END
MastraAuth httpd
MastraRole _default agents:read
<Location /api/agents>
    AuthType Basic
    AuthName t
    AuthUserFile "@dir@/users"
    Require valid-user
</Location>
<Location /api/auth>
    AuthType Basic
    AuthName t
    AuthUserFile "@dir@/users"
    Require mastra-permission agents:read
</Location>
END
open my $users, '>', $server->dir . '/users' or die "users: $!";
print $users 'dora:{SHA}' . Token::encode_base64_sha1('pw') . "\n";
close $users;
$server->up;
is $server->api_get('/agents/a')->{status}, 401, 'httpd asks for its own credentials';
is $server->api_get('/agents/a', headers => [Authorization => $basic])->{status}, 200,
    '... and whom it knows is let in';
is $server->api_get('/tools', headers => [Authorization => $basic])->{status}, 401,
    'where httpd does not ask, nobody is known';
is me($server, Authorization => $basic), '{"id":"dora","name":"dora","roles":[],"permissions":["agents:read"]}',
    'a permission is asked after httpd knew the user';
my $preflight = $server->request(OPTIONS => '/api/agents/a', headers => [Origin => 'https://a.example',
    'Access-Control-Request-Method' => 'GET']);
is $preflight->{status}, 204, 'a preflight comes before all that';
ok !$preflight->{headers}{'access-control-allow-credentials'},
    'what browsers send by themselves is not for pages of others';
is $preflight->{headers}{'access-control-allow-origin'}, '*', '... which read what all may read';
$server->stop;

# --- a path of this server -----------------------------------------------------

$server = server(<<'END');
MastraAuth uri uri=/who/who.lua
Alias /who/ "@top@/t/project/scripts/"
<Location /who/>
    SetHandler lua-script
    Require mastra-internal
</Location>
END
is me($server, @{ bearer('name:erik') }), '{"id":"erik","name":"GET /api/auth/me"}',
    'a script says who it is, and sees what is asked';
is $server->api_get('/agents/a?apiKey=name:erik')->{status}, 200, '... by a token of the query, too';
is $server->api_get('/agents/a', headers => bearer('nobody'))->{status}, 401, '... or that it is nobody';
is $server->api_post('/agents/a/generate', { messages => 'hello' }, headers => bearer('name:erik'))
    ->{json}{text}, 'Echo: hello', 'a body is left for the route';
is $server->request(GET => '/who/who.lua', headers => bearer('name:erik'))->{status}, 403,
    'visitors do not reach the script';
$server->expect_log(qr/MA643: .* its answer is neither 401 nor 200 with a JSON object/);
for my $case (qw(status:500 text:hello text:[1] text: status:404)) {
    is $server->api_get('/agents/a', headers => bearer($case))->{status}, 503,
        "an answer of no use ($case) lets nobody in";
}
is $server->api_get('/agents/a', headers => bearer('long:100000'))->{status}, 503, '... nor a huge one';
$server->stop;

# --- httpd asks us -------------------------------------------------------------

$server = server(<<'END');
MastraAuth jwt secret=env:T_SECRET
MastraRole reader agents:read
<Location /private>
    AuthType mastra
    Require mastra-permission agents:read
</Location>
<Location /permitted>
    AuthType mastra
    Require mastra-permission agents:execute agents:read
</Location>
<Location /bare>
    Require mastra-permission agents:read
</Location>
END
for my $path (qw(private permitted bare)) {
    open my $fh, '>', $server->dir . "/htdocs/$path" or die "$path: $!";
    print $fh 'there';
    close $fh;
}
{
    my $reader = bearer(token({ sub => 'r', role => 'reader' }, $secret));
    my $other  = bearer(token({ sub => 'o' }, $secret));
    is $server->request(GET => '/permitted', headers => $reader)->{status}, 200, 'a permission';
    is $server->request(GET => '/permitted', headers => $other)->{status}, 403, '... that others lack';
    is $server->request(GET => '/permitted')->{status}, 401, '... and nobody has';
    is $server->request(GET => '/bare', headers => $reader)->{status}, 200, 'without AuthType, too';
    is $server->request(GET => '/bare')->{status}, 403, '... where nobody is asked for a token';
}
done_testing;
