# MastraTimeout for handlers of httpd: nothing can stop a script, but its client does not wait for it.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served;
use Time::HiRes qw(time);

my $top     = top_dir();
my $scripts = <<"END";
Alias "/scripts/" "$top/t/project/scripts/"
<Location "/scripts/">
    SetHandler lua-script
</Location>
END
my $backend = MastraHttpd->start(name => 'backend', mastra => 0, db => '', conf => $scripts);
my $behind  = sprintf 'http://127.0.0.1:%d', $backend->port;
my $secure  = MastraHttpd::free_port();
my $state   = Apache::Test::vars('t_state');
my $httpd   = Served->start(name => 'timeout', conf => $scripts . <<"END");
MastraTimeout 2s
MastraRequestLog On
ScriptAlias "/cgi/" "$top/t/project/cgi/"
ProxyPass "/behind/" "$behind/scripts/"
MastraRoute POST /lua /scripts/slow.lua cors-origin=https://a.example
MastraRoute GET /cgi-slow /cgi/slow
MastraRoute POST /proxied /behind/slow.lua
MastraRoute GET /steps /scripts/steps.lua
MastraRoute GET /none /scripts/none.lua
MastraRoute POST /asked /scripts/tell.lua middleware=/cgi/slow?5
MastraRoute POST /agent agent:mock-agent middleware=/cgi/slow?5
Listen 127.0.0.1:$secure
<VirtualHost 127.0.0.1:$secure>
    SSLEngine on
    SSLCertificateFile "$state/tls.crt"
    SSLCertificateKeyFile "$state/tls.key"
    MastraTimeout 2s
</VirtualHost>
END
$httpd->expect_log(qr/MA6(?:62|01): request \S+ was answered with 504/);
my $late = '{"error":"The answer took longer than this server allows"}';

# (answer, seconds)
sub timed {
    my $from   = time;
    my $answer = $httpd->request(@_);
    return ($answer, time - $from);
}

sub slow { my ($path, $ms, @more) = @_; return timed(POST => $path, json => { ms => $ms }, @more) }

# What takes no time may take two seconds where all are busy: it is asked for again.
sub fast {
    my @ask = @_;
    my $seen;
    wait_for(sub { $seen = request(@ask); return $seen->{status} != 504 });
    return $seen;
}

my $took;
my $answer = fast(POST => '/lua', json => { ms => 100 }, port => $httpd->port);
is "$answer->{status} $answer->{json}{waited}", '200 100', 'a script that is fast enough';

# what takes so much longer than the limit that a client which had to wait would show it
for (['/lua', 'a script'], ['/proxied', 'a server behind']) {
    my ($path, $what) = @$_;
    ($answer, $took) = slow($path, 15_000, headers => [Origin => 'https://a.example', 'X-Request-Id' => 'mine']);
    is "$answer->{status} $answer->{body}", "504 $late", "$what that takes too long";
    cmp_ok $took, '>=', 2, '... is given its time';
    cmp_ok $took, '<', 14.5, '... and not waited for';
    is $answer->{headers}{'x-request-id'}, 'mine', '... told with the id';
    is $answer->{headers}{'access-control-allow-origin'}, $path eq '/lua' ? 'https://a.example' : '*',
        '... so that pages can read it';
    is $answer->{headers}{connection}, 'close', '... on a connection that ends';
    is $answer->{headers}{'content-type'}, 'application/json', '... in the usual form';
}
($answer, $took) = timed(GET => '/cgi-slow?15');
is "$answer->{status} $answer->{body}", "504 $late", 'a CGI script that takes too long';
cmp_ok $took, '<', 14.5, '... is not waited for';
$answer = fast(GET => '/cgi-slow?0', port => $httpd->port);
is "$answer->{status} $answer->{body}", "200 after 0\n", 'one that is fast';
($answer, $took) = timed(HEAD => '/cgi-slow?5');
is "$answer->{status} $answer->{body}", '504 ', 'HEAD is answered without a body';

# --- middleware

for my $path ('/asked', '/agent') {
    ($answer, $took) = timed(POST => $path, json => { message => 'hello' });
    is "$answer->{status} $answer->{body}", "504 $late", "middleware of $path that takes too long";
}

# --- what has begun

my $asked  = time;
my $client = $httpd->client;
$client->send_request(GET => '/steps');
is $client->read_head->{status}, 200, 'a stream that has begun';
my $said = '';
$said .= ($client->next_frame || last)->{data} for 1 .. 9;
is $said, '123456789', '... goes on';
cmp_ok time - $asked, '>', 2, '... beyond the limit';
$client->leave;
$answer = fast(GET => '/none', port => $httpd->port);
is $answer->{status}, 404, 'httpd has words of its own for what is not there';

# --- where httpd must send it itself

$answer = request(POST => '/lua', json => { ms => 3000 }, tls => 1, port => $secure);
is "$answer->{status} $answer->{body}", "504 $late", 'with TLS it is told when the script answers';
$answer = fast(POST => '/lua', json => { ms => 10 }, tls => 1, port => $secure);
is $answer->{status}, 200, '... and not before its time';

ok $httpd->wait_log(qr/POST \/lua 504 \d+ms mine/, 15), 'the log says so';
is $httpd->request(GET => '/health')->{status}, 200, 'the server goes on';
$httpd->stop;
$backend->stop;
done_testing;
