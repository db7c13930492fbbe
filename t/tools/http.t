# Tools of kind http: what is sent, what comes back, what goes wrong, and where they may not go.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Time::HiRes qw(time);
use Upstream;

plan tests => 71;

# --- a server of tools -------------------------------------------------------

sub text {
    my ($status, $type, $body, @headers) = @_;
    return [send => Upstream::head($status, 'Content-Type' => $type,
        'Content-Length' => length $body, @headers) . $body];
}

my $server = Upstream->start(port => 0, script => sub {
    my $request = shift;
    my ($what)  = $request->{path} =~ m{^/(\w+)};
    my %answers = (
        echo     => sub { Upstream::reply(200, { map { $_ => $request->{$_} }
                        qw(method path json headers) }) },
        plain    => sub { text(200, 'text/plain', 'just words') },
        number   => sub { text(200, 'text/plain', '42') },
        none     => sub { [send => Upstream::head(204)] },
        empty    => sub { text(200, 'application/json', '') },
        broken   => sub { text(200, 'application/json', '{"a":') },
        created  => sub { Upstream::reply(201, { id => 7 }) },
        wrong    => sub { Upstream::reply(400, { error => 'no such city' }) },
        fault    => sub { Upstream::reply(500, { message => 'it fell over' }) },
        silent   => sub { text(503, 'text/html', '<html>busy</html>') },
        slow     => sub { [wait => 3, @{ Upstream::reply(200, {}) }] },
        drip     => sub { [send => Upstream::head(200, 'Content-Type' => 'application/json',
                        'Content-Length' => 100), map { (send => '{', wait => 0.3) } 1 .. 20] },
        cut      => sub { [send => Upstream::head(200, 'Content-Type' => 'application/json',
                        'Content-Length' => 100) . '{"a":', cut => 1] },
        large    => sub { text(200, 'application/json', '"' . 'x' x (17 * 1024 * 1024) . '"') },
        moved    => sub { text(302, 'text/plain', '', Location => '/echo?moved=1') },
        deep     => sub { text(200, 'application/json', '[' x 5000 . ']' x 5000) },
        latin    => sub { text(200, 'application/json', "\"\xe9\"") },
    );
    return ($answers{ $what // '' } || sub { undef })->();
});
my $at   = 'http://127.0.0.1:' . $server->port;
my $dead = MastraHttpd::free_port();

sub tool {
    my ($name, $execute, $schema) = @_;
    $schema //= '{"type":"object"}';
    return "<MastraTool $name>\nMastraDescription T\nMastraInputSchema '$schema'\n"
        . "MastraExecute http $execute\n</MastraTool>\n";
}

my @paths = qw(plain number none empty broken created wrong fault silent cut large moved deep latin);
my $httpd = MastraHttpd->start(name => 'tools', db => '', env => { TOOL_KEY => 'k-123' }, conf =>
    "MastraEngine On\nMastraModelProvider mock mock\n"
    . join('', map { tool($_, "url=$at/$_") } @paths)
    . tool('post', "url=$at/echo")
    . tool('put', "method=PUT url=$at/echo")
    . tool('get', "method=GET url=$at/echo?fixed=1")
    . tool('query', "method=POST input=query url=$at/echo")
    . tool('item', "method=GET url=$at/echo/{id}/of/{place}")
    . tool('slow', "url=$at/slow timeout=500")
    . tool('drip', "url=$at/drip timeout=1000")
    . tool('dead', "url=http://127.0.0.1:$dead/x")
    . tool('nowhere', 'url=http://no-such-host.invalid/x')
    . tool('chosen', "method=GET url=http://{host}/echo")
    . <<"END");
<MastraTool headed>
    MastraDescription "Sends headers"
    MastraInputSchema '{"type":"object"}'
    MastraExecute http 'url=$at/echo' 'headers={"X-Key":"env:TOOL_KEY","X-Fixed":"a b"}'
</MastraTool>
<MastraTool person>
    MastraDescription "Asks a person"
    MastraInputSchema '{"type":"object"}'
    MastraExecute human
</MastraTool>
END

sub call {
    my ($tool, $data, %more) = @_;
    return $httpd->api_post("/tools/$tool/execute", { data => $data // {}, %more });
}

sub fails {
    my ($tool, $status, $words, $name, $data) = @_;
    $httpd->expect_log(qr/MA\d+/);
    my $start  = time;
    my $answer = call($tool, $data);
    is $answer->{status}, $status, $name or diag $answer->{body};
    like $answer->{json}{error} // '', $words, '... and its message says so';
    cmp_ok time - $start, '<', 40, '... soon';
}

# --- what is sent ------------------------------------------------------------

my $got = call('post', { a => 1, b => "\x{e9}" })->{json};
is $got->{method}, 'POST', 'POST unless the definition says otherwise';
is_deeply $got->{json}, { a => 1, b => "\x{e9}" }, '... the input is the body';
is $got->{headers}{'content-type'}, 'application/json', '... as JSON';
is $got->{headers}{accept}, 'application/json', '... and JSON is asked for';
like $got->{headers}{'idempotency-key'} // '', qr/\S/, '... with a key against doing it twice';
is call('put', { a => 1 })->{json}{method}, 'PUT', 'another method';
$got = call('get', { q => 'a b&c=d', n => 2 })->{json};
is $got->{path}, '/echo?fixed=1&n=2&q=a%20b%26c%3Dd', 'GET: the input goes to the query';
is $got->{json}, undef, '... and nowhere else';
is call('query', { q => 'x' })->{json}{path}, '/echo?q=x', 'POST with input=query does so, too';
is call('item', { id => 'a/b?c#d', place => "\x{e9}", more => 1 })->{json}{path},
    '/echo/a%2Fb%3Fc%23d/of/%C3%A9?more=1', 'fields in the path are escaped, the rest is the query';
for my $dots ('.', '..') {
    fails('item', 400, qr/place|path/, "a field that is \"$dots\" would change the path",
        { id => $dots, place => 'x' });
}
is call('item', { id => '..a', place => '...' })->{json}{path}, '/echo/..a/of/...',
    'other dots do no harm';
$got = call('headed')->{json}{headers};
is $got->{'x-key'}, 'k-123', 'a header from the environment';
is $got->{'x-fixed'}, 'a b', '... and a fixed one';
$got = call('post', {}, requestContext => { tenant => "t\r\nX-Evil: 1", list => [1] })->{json}{headers};
is $got->{'x-mastra-context-tenant'}, 't  X-Evil: 1', 'the request context, on one line';
is $got->{'x-evil'}, undef, '... makes no headers of its own';
is $got->{'x-mastra-context-list'}, undef, '... and no lists';

# --- what comes back ---------------------------------------------------------

is call('plain')->{body}, '"just words"', 'a text that is no JSON is a string';
is call('number')->{body}, '42', 'JSON is JSON, whatever its type says';
is call('none')->{body}, 'null', 'no content is null';
is call('empty')->{body}, 'null', 'an empty body, too';
is_deeply call('created')->{json}, { id => 7 }, '201 is fine';

# --- what goes wrong: no 5xx once the tool was reached -----------------------

fails('broken',  422, qr/not JSON/,              'an answer that is half JSON');
fails('deep',    422, qr/not JSON/,              'an answer that is too deep');
fails('latin',   422, qr/not JSON/,              'an answer that is no UTF-8');
fails('wrong',   422, qr/no such city/,          'a tool that says no');
fails('fault',   422, qr/it fell over/,          'a tool that fails');
fails('silent',  422, qr/status 503/,            'a tool that says nothing useful');
fails('slow',    422, qr/too long/,              'a tool that is slow');
fails('drip',    422, qr/too long/,              'a tool that drips');
fails('cut',     422, qr/broke off/,             'a tool whose answer breaks off');
fails('large',   422, qr/too large/,             'a tool that says too much');
fails('moved',   422, qr/status 302/,            'a redirect, which nobody follows');
fails('dead',    502, qr/cannot be reached/,     'a tool that is not there');
fails('nowhere', 502, qr/cannot be reached/,     'a host that is not there');

# --- where the input may not lead --------------------------------------------

fails('chosen', 403, qr/not allowed/, 'an address of the host itself',
    { host => '127.0.0.1:' . $server->port });

# --- a person is asked in runs only --------------------------------------------

$httpd->expect_log(qr/MA\d+/);
my $answer = call('person');
is $answer->{status}, 409, 'a tool of kind human, called without a run';
like $answer->{json}{error}, qr/waits for a person/, '... and why';
$httpd->stop;
