# A path may have words of its own about pages of other origins: <Location>.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

my $server = MastraHttpd->start(name => 'places', env => { T_TOKEN => 'a token of some length' }, conf => <<'END');
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
MastraAuth simple token=env:T_TOKEN
MastraCorsOrigin https://app.example
MastraCorsMaxAge 600
<Location /api/tools>
    MastraCorsOrigin https://tools.example
    MastraCorsMethods GET
    MastraCorsCredentials On
</Location>
<Location /api/tools/double-tool>
    MastraCorsHeaders X-Double
    MastraCorsExpose X-Twice
    MastraCorsMaxAge 5
</Location>
<Location /api/agents>
    MastraCorsOrigin *
    Require ip 192.0.2.1
</Location>
<Location /api/memory>
    MastraCors Off
</Location>
MastraRoute POST /hooks/:name agent:plain-agent auth=off
MastraRoute POST /closed/:name agent:plain-agent
MastraRoute GET /shop/:name agent:plain-agent auth=off cors-origin=https://a.example,https://b.example cors-methods=GET cors-headers=X-Shop cors-expose=X-Cart cors-credentials=on cors-max-age=5min
MastraRoute POST /shop/:name agent:plain-agent cors-origin=*
MastraRoute DELETE /shop/:name agent:plain-agent cors=off
MastraRoute PUT /shop/:name agent:plain-agent
MastraRoute ALL /any/:name agent:plain-agent auth=off cors-origin=*
<Location /shop>
    MastraCorsOrigin https://place.example
</Location>
<Location /hooks>
    MastraCorsOrigin https://hooks.example
    MastraCorsMethods POST
</Location>
END

# What an answer says to a browser.
sub cors {
    my ($method, $path, $origin, @more) = @_;
    my $answer = $server->request($method, $path, headers => [$origin ? (Origin => $origin) : (), @more]);
    my $headers = $answer->{headers};
    return { status => $answer->{status},
        map { /^access-control-(.*)/ ? ($1 => $headers->{$_}) : () } sort keys %$headers };
}

my $expose  = 'Content-Length,X-Requested-With';
my $headers = 'Content-Type,Authorization,A2A-Version,x-mastra-client-type,x-mastra-dev-playground';

is_deeply cors(GET => '/health', 'https://app.example'), { status => 200, 'expose-headers' => $expose,
    'allow-origin' => 'https://app.example' }, 'what the server says';
is_deeply cors(GET => '/health', 'https://tools.example'), { status => 200, 'expose-headers' => $expose },
    '... of another origin';
is_deeply cors(GET => '/api/tools', 'https://tools.example'), { status => 401, 'expose-headers' => $expose,
    'allow-origin' => 'https://tools.example', 'allow-credentials' => 'true' }, 'what a path says';
is_deeply cors(GET => '/api/tools', 'https://app.example'), { status => 401, 'expose-headers' => $expose,
    'allow-credentials' => 'true' }, '... in place of the server';
is_deeply cors(OPTIONS => '/api/tools/x', 'https://tools.example'), { status => 204, 'expose-headers' => $expose,
    'allow-origin' => 'https://tools.example', 'allow-credentials' => 'true', 'allow-headers' => $headers,
    'allow-methods' => 'GET', 'max-age' => 600 }, '... in a preflight, with the rest of the server\'s';
is_deeply cors(OPTIONS => '/api/tools/double-tool', 'https://tools.example'), { status => 204,
    'expose-headers' => "$expose,X-Twice", 'allow-origin' => 'https://tools.example', 'allow-credentials' => 'true',
    'allow-headers' => "$headers,X-Double", 'allow-methods' => 'GET', 'max-age' => 5 },
    'a path in a path has the words of both';
is_deeply cors(GET => '/api/agents', 'https://x.example'), { status => 403, 'expose-headers' => $expose,
    'allow-origin' => '*' }, "httpd's own refusal has those of the path, too";
is_deeply cors(OPTIONS => '/api/agents', 'https://x.example'), { status => 204, 'expose-headers' => $expose,
    'allow-origin' => '*', 'allow-headers' => $headers, 'allow-methods' => 'GET,POST,PUT,PATCH,DELETE,OPTIONS',
    'max-age' => 600 }, '... and a preflight comes before it';
is_deeply cors(GET => '/api/memory/threads', 'https://app.example'), { status => 401 }, 'none where it is off';
is cors(OPTIONS => '/api/memory/threads', 'https://app.example')->{'allow-methods'}, undef, '... in a preflight, too';
is_deeply cors(OPTIONS => '/hooks/x', 'https://hooks.example'), { status => 204, 'expose-headers' => $expose,
    'allow-origin' => 'https://hooks.example', 'allow-headers' => $headers, 'allow-methods' => 'POST',
    'max-age' => 600 }, 'a route of the configuration has its own';
is_deeply cors(POST => '/hooks/x', 'https://hooks.example'), { status => 400, 'expose-headers' => $expose,
    'allow-origin' => 'https://hooks.example' }, '... in answers';
is_deeply cors(POST => '/hooks/x', 'https://app.example'), { status => 400, 'expose-headers' => $expose },
    '... in place of the server\'s';
is_deeply cors(POST => '/closed/x', 'https://app.example'), { status => 401, 'expose-headers' => $expose,
    'allow-origin' => 'https://app.example' }, '... which another route has';
sub before { my $method = shift; return cors(OPTIONS => @_, 'Access-Control-Request-Method' => $method) }
is_deeply before(GET => '/shop/x', 'https://b.example'), { status => 204, 'expose-headers' => "$expose,X-Cart",
    'allow-origin' => 'https://b.example', 'allow-headers' => "$headers,X-Shop", 'allow-methods' => 'GET',
    'allow-credentials' => 'true', 'max-age' => 300 }, 'a line of a route has words of its own';
is_deeply cors(GET => '/shop/x', 'https://a.example'), { status => 400, 'expose-headers' => "$expose,X-Cart",
    'allow-origin' => 'https://a.example', 'allow-credentials' => 'true' }, '... in answers';
is cors(GET => '/shop/x', 'https://place.example')->{'allow-origin'}, undef, '... in place of those of the path';
is_deeply before(POST => '/shop/x', 'https://x.example'), { status => 204, 'expose-headers' => $expose,
    'allow-origin' => '*', 'allow-headers' => $headers, 'allow-methods' => 'GET,POST,PUT,PATCH,DELETE,OPTIONS',
    'max-age' => 600 }, '... and the same path with another method has others';
is_deeply cors(POST => '/shop/x', 'https://x.example'), { status => 401, 'expose-headers' => $expose,
    'allow-origin' => '*' }, '... in answers, too';
is_deeply cors(DELETE => '/shop/x', 'https://a.example'), { status => 401 }, '... or none';
is before(DELETE => '/shop/x', 'https://a.example')->{'allow-methods'}, undef, '... in a preflight, too';
is before(PUT => '/shop/x', 'https://place.example')->{'allow-origin'}, 'https://place.example',
    'a line without words has those of the path';
is cors(OPTIONS => '/any/x', 'https://x.example')->{'allow-origin'}, '*', 'a route of all methods needs none named';
is_deeply cors(OPTIONS => '/nothing/x', 'https://app.example')->{'allow-methods'}, undef,
    'what is nobody\'s is not answered for';
$server->stop;

# --- what browsers send by themselves ---------------------------------------------

$server = MastraHttpd->start(name => 'places', conf => <<'END');
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
MastraAuth httpd
<Location /api/tools>
    MastraCorsCredentials On
</Location>
END
is_deeply cors(GET => '/api/tools', 'https://x.example'), { status => 401, 'expose-headers' => $expose,
    'allow-origin' => '*' }, 'a path cannot give it to pages of any origin';
$server->stop;

for (['MastraCorsOrigin https://x/', qr/this is no origin/], ['MastraCorsMaxAge 2d', qr/up to a day/],
    ['MastraCorsHeaders a,b', qr/no name of a header/]) {
    my ($rc, $text) = MastraHttpd->new(name => 'places', conf => "<Location /x>\n$_->[0]\n</Location>\n")->configtest;
    isnt $rc, 0, $_->[0];
    like $text, $_->[1], '... is refused';
}
for (['cors=no', qr/it must be on or off/], ['cors-origin=https://x/', qr/cors-origin=.*this is no origin/],
    ['cors-headers=', qr/it needs a value/], ['cors-max-age=2d', qr/up to a day/], ['cors-colour=red', qr/there is no option/],
    ['cors-credentials=on', qr/cors-origin= must name origins/]) {
    my ($rc, $text) = MastraHttpd->new(name => 'places', conf => "MastraEngine On\nMastraAuth httpd\n"
        . "MastraRoute GET /x /y $_->[0]\n")->configtest;
    isnt $rc, 0, $_->[0];
    like $text, $_->[1], '... is refused';
}
done_testing;
