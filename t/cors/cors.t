# Pages of other origins: defaults with and without authentication, lists, credentials, off.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

my $base = <<'END';
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
END
my $auth = "MastraAuth simple token=env:T_TOKEN\n";

sub server {
    return MastraHttpd->start(name => 'cors', conf => $base . $_[0],
        env => { T_TOKEN => 'a token of some length' });
}

my @names = qw(access-control-allow-credentials access-control-allow-headers
    access-control-allow-methods access-control-allow-origin access-control-expose-headers
    access-control-max-age vary);

# What an answer says to a browser.
sub cors {
    my ($server, $method, $path, $origin, @more) = @_;
    my $headers = $server->request($method, $path,
        headers => [$origin ? (Origin => $origin) : (), @more])->{headers};
    return { map { exists $headers->{$_} ? ($_ => $headers->{$_}) : () } @names };
}

my $usual   = 'Content-Type,Authorization,A2A-Version,x-mastra-client-type,x-mastra-dev-playground';
my $methods = 'GET,POST,PUT,PATCH,DELETE,OPTIONS';
my $expose  = 'Content-Length,X-Requested-With';
my @asks    = ('Access-Control-Request-Method' => 'POST', 'Access-Control-Request-Headers' => 'x-a');

# --- with authentication ---------------------------------------------------------

my $server = server($auth);
is_deeply cors($server, GET => '/health', 'https://a.example'),
    { 'access-control-allow-credentials' => 'true', 'access-control-allow-origin' => 'https://a.example',
      'access-control-expose-headers' => $expose, vary => 'Origin' }, 'an origin is named back';
is_deeply cors($server, GET => '/health'), { 'access-control-allow-credentials' => 'true',
    'access-control-expose-headers' => $expose, vary => 'Origin' }, 'none when there is none';
is_deeply cors($server, OPTIONS => '/api/agents', 'https://a.example', @asks),
    { 'access-control-allow-credentials' => 'true', 'access-control-allow-origin' => 'https://a.example',
      'access-control-allow-headers' => $usual, 'access-control-allow-methods' => $methods,
      'access-control-expose-headers' => $expose, 'access-control-max-age' => 3600,
      vary => 'Origin,Access-Control-Request-Headers' }, 'a preflight needs no token';
is cors($server, GET => '/api/agents', 'https://a.example')->{'access-control-allow-origin'},
    'https://a.example', 'a 401 can be read';
is cors($server, GET => '/api/nope', 'https://a.example')->{vary}, 'Origin', '... and a 404';
is cors($server, GET => '/api/%zz', 'https://a.example')->{vary}, 'Origin', "... and httpd's own errors";
$server->stop;

# --- configured ------------------------------------------------------------------

$server = server($auth . <<'END');
MastraCorsOrigin https://good.example http://localhost:3000
MastraCorsMethods GET POST
MastraCorsHeaders X-Custom
MastraCorsExpose X-Exp
MastraCorsCredentials On
MastraCorsMaxAge 600
END
my $mine = { 'access-control-allow-credentials' => 'true',
    'access-control-expose-headers' => "$expose,X-Exp", vary => 'Origin' };
is_deeply cors($server, GET => '/health', 'https://good.example'),
    { %$mine, 'access-control-allow-origin' => 'https://good.example' }, 'an origin of the list';
is_deeply cors($server, GET => '/health', 'http://localhost:3000'),
    { %$mine, 'access-control-allow-origin' => 'http://localhost:3000' }, '... another one';
is_deeply cors($server, GET => '/health', $_), $mine, "not $_"
    for 'https://bad.example', 'https://good.example.evil', 'http://good.example', 'null',
    'https://good.example:8443', 'https://GOOD.example';
is_deeply cors($server, GET => '/health'), $mine, 'no origin';
my $preflight = { %$mine, 'access-control-allow-headers' => "$usual,X-Custom",
    'access-control-allow-methods' => 'GET,POST', 'access-control-max-age' => 600,
    vary => 'Origin,Access-Control-Request-Headers' };
is_deeply cors($server, OPTIONS => '/api/agents', 'https://good.example', @asks),
    { %$preflight, 'access-control-allow-origin' => 'https://good.example' }, 'a preflight';
is_deeply cors($server, OPTIONS => '/api/agents', 'https://bad.example', @asks), $preflight,
    '... of another origin';
is $server->request(OPTIONS => '/api/agents', headers => [Origin => 'https://bad.example', @asks])
    ->{status}, 204, '... is answered all the same';
is_deeply cors($server, GET => '/api/agents', 'https://good.example'),
    { %$mine, 'access-control-allow-origin' => 'https://good.example' }, 'a 401';
$server->stop;

$server = server('MastraCorsOrigin https://good.example');
is_deeply cors($server, GET => '/health', 'https://good.example'),
    { 'access-control-allow-origin' => 'https://good.example', vary => 'Origin',
      'access-control-expose-headers' => $expose }, 'a list brings no credentials with it';
$server->stop;

$server = server("MastraCorsOrigin *\nMastraCorsCredentials On");
is cors($server, GET => '/health', 'https://a.example')->{'access-control-allow-origin'},
    'https://a.example', 'with credentials a star names the origin';
$server->stop;

$server = server("${auth}MastraCorsCredentials Off");
is_deeply cors($server, GET => '/health', 'https://a.example'),
    { 'access-control-allow-origin' => '*', 'access-control-expose-headers' => $expose },
    'without them it is a star';
$server->stop;

# --- off, and virtual hosts --------------------------------------------------------

my $port = MastraHttpd::free_port();
$server = server(<<"END");
MastraCors Off
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    MastraCors On
    MastraCorsMaxAge 5min
</VirtualHost>
END
is_deeply cors($server, GET => '/api/agents', 'https://a.example'), {}, 'off says nothing';
my $answer = $server->request(OPTIONS => '/api/agents');
is $answer->{status}, 204, '... OPTIONS is answered';
is $answer->{headers}{allow}, 'GET, HEAD, OPTIONS', '... with the methods there are';
is $server->request(OPTIONS => '/api/nope')->{status}, 404, '... or that nothing is there';
is request(OPTIONS => '/api/agents', port => $port)->{headers}{'access-control-max-age'}, 300,
    'a virtual host has its own';
$server->stop;

# --- what is refused ---------------------------------------------------------------

my @bad = (
    (map { ["MastraCorsOrigin $_", qr/MastraCorsOrigin \Q$_\E: this is no origin such as/] }
        'a.example', 'https://', 'https://a.example/', 'https://*.a.example', 'https://u@a.example'),
    ['MastraCorsOrigin https://A.example', qr/browsers write origins in small letters/],
    ['MastraCorsMethods GET,POST', qr/MastraCorsMethods GET,POST: this is no name of a header or a method/],
    ['MastraCorsHeaders "X Y"', qr/this is no name of a header or a method/],
    (map { ["MastraCorsMaxAge $_", qr/MastraCorsMaxAge must be a time up to a day/] } 'long', '2d', '-1'),
    ["MastraAuth httpd\nMastraCorsCredentials On",
        qr/MastraCorsCredentials On: with any origin, every page could act as the user/],
);
for (@bad) {
    my ($conf, $why) = @$_;
    my ($status, $said) = MastraHttpd->new(name => 'cors-bad', conf => $base . "$conf\n")->configtest;
    ok $status, "refused: $conf" or next;
    like $said, $why, '... with a reason';
}
done_testing;
