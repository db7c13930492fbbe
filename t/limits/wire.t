# Requests that HTTP allows and few send, and such as it does not allow: pipelines, HTTP/1.0,
# other methods, floods of headers, bodies that lie about themselves, clients that are slow.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraClient;
use MastraTest;
use Served qw(text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 65;

my $httpd = Served->start(name => 'wire', conf => <<'END');
RequestReadTimeout header=2 body=2
Timeout 120
LimitRequestFields 120
MastraBodyLimit 1M
END
my @children = $httpd->children;
my $path = '/api/agents/mock-agent/generate';
my @json = ('Content-Type' => 'application/json');

sub post {
    my ($where, $body, @headers) = @_;
    return "POST $where HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n" . join('', map { "$_\r\n" } @headers) . "\r\n$body";
}

sub said { return qq({"messages":"$_[0]"}) }

# --- pipelines

my $client = $httpd->client;
$client->send_raw(post($path, said('one')) . post('/api/agents/mock-agent/stream', said('two'))
    . "GET /api/agents/mock-agent HTTP/1.1\r\nHost: x\r\n\r\n"
    . post('/api/agents/nobody/generate', said('three')) . post($path, said('four'), 'Connection: close'));
$client->{method} = 'POST';
is $client->read_answer->{json}{text}, 'Echo: one', 'a pipeline: a whole answer';
is $client->read_head->{status}, 200, '... a stream';
is text_of_frames($client->frames), 'Echo: two', '... whole';
$client->{text} = '';
is $client->read_answer->{json}{name}, 'Mock', '... a description';
is $client->read_answer->{status}, 404, '... an error';
is $client->read_answer->{json}{text}, 'Echo: four', '... and another answer';
is $client->fill, 0, '... and its end';

# a client that says more while its answer comes
$client = $httpd->ask('/agents/up-agent/stream', { messages => 'a b c d GATE' });
$client->read_head;
$httpd->model->gated;
$httpd->model->go;
$client->next_frame;
$client->send_raw(post($path, said('later')));
is_deeply [$httpd->model->go_all, text_of_frames($client->frames)], [{}, 'Echo: a b c d GATE'], 'a request sent during a stream waits';
is $client->read_answer->{json}{text}, 'Echo: later', '... and is answered';

# many on one connection
my $ok = 0;
$client = $httpd->client;
for my $n (1 .. 40) {
    $client->send_request(POST => $n % 2 ? $path : '/api/agents/mock-agent/stream',
        json => { messages => "n$n" });
    my $answer = $client->read_answer;
    $ok++ if $answer->{status} == 200 && $answer->{body} =~ /n$n/;
    last if ($answer->{headers}{connection} // '') eq 'close';
}
is $ok, 40, 'forty answers on one connection';

# --- HTTP/1.0 and before

my $old = raw("POST $path HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
    . said('ten ') , port => $httpd->port);
like $old, qr{^HTTP/1\.[01] 200 .*"text":"Echo: ten "}s, 'HTTP/1.0: a whole answer';
unlike $old, qr/transfer-encoding/i, '... without chunks';
$old = raw("POST /api/agents/mock-agent/stream HTTP/1.0\r\nContent-Type: application/json\r\n"
    . "Content-Length: 19\r\n\r\n" . said('ten '), port => $httpd->port);
like $old, qr/\r\n\r\ndata: \{"type":"start".*data: \[DONE\]\n\n\z/s, '... a stream';
like raw("GET /api/agents\r\n\r\n", port => $httpd->port), qr/^(?:HTTP.* 400|<!DOCTYPE|\{)/,
    'HTTP/0.9 gets something';

# --- methods

for my $method (qw(PUT DELETE PATCH TRACE PROPFIND FOO)) {
    my $answer = $httpd->request($method => $path);
    is $answer->{status}, 405, "$method is not allowed";
    like $answer->{headers}{allow} // '', qr/POST/, '... but POST is' if $method ne 'TRACE';
}
is $httpd->request(OPTIONS => $path)->{status}, 204, 'OPTIONS is answered';
is $httpd->request(HEAD => '/api/agents')->{status}, 200, 'HEAD is GET without a body';
is $httpd->request(HEAD => $path)->{status}, 405, '... where there is a GET';
like raw("get /api/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", port => $httpd->port),
    qr{^HTTP/1.1 (?:40\d|501) }, 'a method in small letters is none';

# --- lines and headers

my %heads = (
    'two hundred headers'   => [join('', map { "X-N$_: 1\r\n" } 1 .. 200), qr/^400$/],
    'a header of 100 KB'    => ['X-Long: ' . 'x' x 100_000 . "\r\n", qr/^400$/],
    'a header without name' => [": x\r\n", qr/^400$/],
    'a header without end'  => ["X-A\r\n", qr/^400$/],
    'a bare CR in a header' => ["X-A: a\rb\r\n", qr/^400$/],
    'NUL in a header'       => ["X-A: a\0b\r\n", qr/^400$/],
    'two hosts'             => ["Host: a\r\nHost: b\r\n", qr/^400$/],
    'a folded header'       => ["X-A: a\r\n b\r\n", qr/^(?:200|400)$/],
    'bytes that are no text' => ["X-A: \xff\xfe\r\n", qr/^(?:200|400)$/],
    'an unknown expectation' => ["Expect: tea\r\n", qr/^(?:200|417)$/],
    'an upgrade'            => ["Connection: Upgrade\r\nUpgrade: websocket\r\n", qr/^200$/],
    'a range'               => ["Range: bytes=0-3\r\n", qr/^20[06]$/],
    'conditions'            => ["If-None-Match: *\r\nIf-Modified-Since: Mon, 01 Jan 2035 00:00:00 GMT\r\n",
        qr/^(?:200|304)$/],
);
for my $name (sort keys %heads) {
    my ($lines, $status) = @{ $heads{$name} };
    my $host   = $lines =~ /^Host/ ? '' : "Host: x\r\n";
    my $answer = eval { raw("GET /api/agents HTTP/1.1\r\n$host${lines}Connection: close\r\n\r\n",
        port => $httpd->port) } // '';
    my ($got) = $answer =~ m{^HTTP/1.1 (\d+)};
    like $got // 0, $status, $name;
}
like raw('GET /api/agents/' . 'x' x 20_000 . " HTTP/1.1\r\nHost: x\r\n\r\n", port => $httpd->port),
    qr{^HTTP/1.1 (?:414|400) }, 'a path of 20 KB';
like $httpd->request(GET => '/api/agents?' . join '&', map { "a$_=1" } 1 .. 1500)->{status},
    qr/^(?:200|400|414)$/, 'a thousand parameters';

# --- bodies that lie

my %bodies = (
    'a length and chunks'    => ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", qr/^400$/],
    'two lengths'            => ["Content-Length: 5\r\nContent-Length: 6\r\n\r\n{\"a\":", qr/^400$/],
    'a negative length'      => ["Content-Length: -1\r\n\r\n", qr/^400$/],
    'a length beyond all'    => ["Content-Length: 99999999999999999999\r\n\r\n", qr/^4\d\d$/],
    'an unknown coding'      => ["Transfer-Encoding: zip\r\n\r\n", qr/^(?:400|501)$/],
    'a chunk beyond all'     => ["Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", qr/^4\d\d$/],
    'a chunk that is longer' => ["Transfer-Encoding: chunked\r\n\r\n3\r\n{\"messages\":1}\r\n0\r\n\r\n", qr/^4\d\d$/],
    'a body over the limit'  => ["Content-Length: 2000000\r\n\r\n", qr/^413$/],
    'a body of 10 MB'        => ["Content-Length: 10485760\r\n\r\n" . 'x' x 100_000, qr/^413$/],
);
for my $name (sort keys %bodies) {
    my ($rest, $status) = @{ $bodies{$name} };
    $client = $httpd->client;
    $client->send_raw("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n$rest");
    $client->{method} = 'POST';
    my $got = eval { $client->read_head->{status} } // 0;
    like $got, $status, $name;
}
$client = $httpd->client;
$client->send_raw("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n");
$client->{method} = 'POST';
for (1 .. 160) {
    last if !$client->send_raw(sprintf "%x\r\n%s\r\n", 65536, 'y' x 65536);
}
is eval { $client->read_head->{status} }, 413, 'chunks without end';

# --- slow clients

my $start = time;
$client = $httpd->client;
$client->send_raw("GET /api/agents HTTP/1.1\r\nHo");
ok defined $client->fill, 'a head that does not come is not waited for';
cmp_ok time - $start, '<', 50, '... for long';
$start  = time;
$client = $httpd->client;
$client->send_raw("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    . "Content-Length: 100\r\n\r\n{\"mes");
$client->{method} = 'POST';
is eval { $client->read_head->{status} }, 408, 'a body that does not come is not waited for';
cmp_ok time - $start, '<', 50, '... for long';
my @idle = map { my $c = $httpd->client; $c->send_raw('POST /api'); $c } 1 .. 15;
$start = time;
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'fifteen that have begun do not keep others out';
cmp_ok time - $start, '<', 50, '... for long';
$_->leave for @idle;

# workers that wait for bodies are all taken, and come back when the time is up
my @stuck = map { my $c = $httpd->client; $c->send_raw("POST $path HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); $c }
    1 .. (mpm() eq 'prefork' ? 10 : 25);
$start = time;
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'as many bodies that do not come as there are workers do not keep others out';
cmp_ok time - $start, '<', 50, '... for long';
$_->leave for @stuck;

# a client that sends its request byte by byte
$client = $httpd->client;
my $sent = 0;
for my $byte (split //, post($path, said('slowly'), 'Connection: close')) {
    $client->send_raw($byte);
    sleep 0.002 if !(++$sent % 10);
}
$client->{method} = 'POST';
is $client->read_answer->{json}{text}, 'Echo: slowly', 'a request that comes byte by byte';

# --- none the worse

is $httpd->api_post('/agents/mock-agent/generate', { messages => 'still' })->{json}{text},
    'Echo: still', 'the server is none the worse';
unlike $httpd->log, qr/exit signal|\[mastra:error\]/, '... and its log has no complaint';
$httpd->stop;
