# A path of this server decides what users may; and tokens in cookies, which browsers send whoever
# makes them do so.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Token;

my $secret = 'a secret that has more than 32 bytes';

sub server {
    my ($conf, @more) = @_;
    return MastraHttpd->start(name => 'authorize', @more, env => { T_SECRET => $secret }, conf => <<"END");
MastraEngine On
MastraModelProvider mock mock
<MastraAgent a>
    MastraName A
    MastraInstructions Hello
    MastraModel mock/echo
</MastraAgent>
Alias /may/ "\@top\@/t/project/scripts/"
<Location /may/>
    SetHandler lua-script
    Require mastra-internal
</Location>
$conf
END
}

sub of { return token({ sub => $_[0], name => "\x{e9} /\"\n%" }, $secret) }

sub execute {
    my ($server, @headers) = @_;
    return $server->api_post('/agents/a/generate', { messages => 'hi' }, headers => [@headers]);
}

# --- a path decides --------------------------------------------------------------

my $server = server("MastraAuth jwt secret=env:T_SECRET authorize=/may/may.lua\nMastraAuthPublic /api/tools\n"
    . "MastraRoute POST /own/:x agent:a\nMastraRoute POST /open/:x agent:a auth=off\n");
$server->expect_log(qr/MA644: .* its answer is neither 2xx nor 401 or 403, but 500/);
is execute($server, @{ bearer(of('one')) })->{status}, 200, 'a user that the path lets in';
my $answer = execute($server, @{ bearer(of('visitor')) });
is "$answer->{status} $answer->{body}", '403 {"error":"Access denied"}', 'one that it does not';
is $server->api_get('/agents/a', headers => bearer(of('visitor')))->{status}, 200, '... may do something else';
is execute($server, @{ bearer(of('visitor')) }, 'X-Mastra-User' => '%7B%22sub%22%3A%22one%22%7D',
    'X-Mastra-Permission' => 'agents:read')->{status}, 403, 'headers of the client do not get there';
is execute($server, @{ bearer(of('odd')) })->{status}, 503, 'an answer of no use lets nobody in';
is execute($server)->{status}, 401, 'it is not asked about nobody';
is $server->api_get('/tools', headers => bearer(of('odd')))->{status}, 200, '... nor about public paths';
is $server->api_post('/agents/a/generate', { messages => 7 }, headers => bearer(of('visitor')))->{status}, 403,
    '... and before the body is read';
for (['own', one => 200], ['own', visitor => 403], ['own', odd => 503], ['open', odd => 200]) {
    my ($path, $user, $status) = @$_;
    is $server->request(POST => "/$path/x", json => { messages => 'hi' }, headers => bearer(of($user)))->{status},
        $status, "/$path/ and $user: $status";
}
$server->stop;

# --- cookies ---------------------------------------------------------------------

$server = server("MastraAuth jwt secret=env:T_SECRET cookie=session\nMastraCorsOrigin https://app.example\n"
    . "MastraCorsCredentials On\n");
my $token  = of('one');
my @cookie = (Cookie => "a=b; session=$token; c");
my $own    = 'http://127.0.0.1:' . $server->port;

is execute($server, @cookie)->{status}, 200, 'a token in a cookie';
is execute($server, Cookie => qq(session="$token"))->{status}, 200, '... in quotes';
is execute($server, Cookie => $_)->{status}, 401, "not $_" =~ s/\Q$token\E/TOKEN/r
    for "xsession=$token", "session=", "session", "x=session=$token", "session=\"\"", "session=$token.";
is execute($server, @cookie, @{ bearer('x') })->{status}, 401, 'a header comes before it';
my @cases = (
    [200, 'a page of this origin', Origin => $own, 'Sec-Fetch-Site' => 'same-origin'],
    [200, '... told by the host alone', Origin => $own],
    [200, '... behind a proxy', Origin => 'https://public.example', 'X-Forwarded-Host' => 'public.example'],
    [200, '... behind a proxy that says nothing', Origin => 'https://public.example', 'Sec-Fetch-Site' => 'same-origin'],
    [200, 'a user by hand', 'Sec-Fetch-Site' => 'none'],
    [200, 'an origin that is named', Origin => 'https://app.example', 'Sec-Fetch-Site' => 'cross-site'],
    [401, 'any other', Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site'],
    [401, '... in an old browser', Origin => 'https://evil.example'],
    [401, '... that claims to be behind a proxy', Origin => 'https://evil.example',
        'Sec-Fetch-Site' => 'cross-site', 'X-Forwarded-Host' => 'evil.example'],
    [401, '... of the same site', Origin => 'http://x.127.0.0.1', 'Sec-Fetch-Site' => 'same-site'],
    [401, '... without a name', Origin => 'null'],
    [401, '... that hides it', 'Sec-Fetch-Site' => 'cross-site'],
);
for (@cases) {
    my ($status, $name, @headers) = @$_;
    is execute($server, @cookie, @headers)->{status}, $status, $name;
    is execute($server, @{ bearer($token) }, @headers)->{status}, 200, '... with a token of its own'
        if $status != 200;
}
is $server->api_get('/agents/a', headers => [@cookie, Origin => 'https://evil.example'])->{status}, 200,
    'what changes nothing is not in question';
like $server->log, qr/jwt is not asked who this is: the request comes from a page of another origin/,
    'the log says why';
unlike $server->log, qr/\Q$token\E/, '... and shows no token';
$server->stop;

$server = server("MastraAuth jwt secret=env:T_SECRET cookie=session\n");
is $server->request(OPTIONS => '/api/agents', headers => [Origin => 'https://a.example'])
    ->{headers}{'access-control-allow-origin'}, '*', 'pages of any origin get none of what a cookie gives';
$server->stop;
done_testing;
