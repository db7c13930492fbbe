# Request bodies: what is read, what is refused, and with which words.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraClient;
use MastraHttpd;
use MastraTest;

my $path = '/agents/plain-agent/generate';
my @json = (headers => ['Content-Type' => 'application/json']);

sub issue {
    my ($answer, $field, $message, $name) = @_;
    is $answer->{status}, 400, $name;
    is_deeply $answer->{json}, { error => 'Invalid request body',
        issues => [{ field => $field, message => $message }] }, '... and why';
}

my $absent = 'Invalid input: expected object, received undefined';
my @refused = (
    ['{bad', 'body', "Expected property name or '}' in JSON at position 1 (line 1 column 2)",
        'a broken object'],
    ['', 'root', $absent, 'no body'],
    ['[]', 'root', 'Invalid input: expected object, received array', 'an array'],
    ['"x"', 'root', 'Invalid input: expected object, received string', 'a string'],
    ['null', 'root', 'Invalid input: expected object, received null', 'null'],
    ['{"messages":"x"', 'body',
        "Expected ',' or '}' after property value in JSON at position 15 (line 1 column 16)",
        'an object without end'],
    ["{\"messages\":\"a\nb\"}", 'body',
        'Bad control character in string literal in JSON at position 14 (line 1 column 15)',
        'a line break in a string'],
);

plan tests => 2 * @refused + 32;

for (@refused) {
    my ($body, $field, $message, $name) = @$_;
    issue(api_post($path, body => $body, @json), $field, $message, "$name is refused");
}

for my $type ('text/plain', '', 'application/x-www-form-urlencoded') {
    issue(api_post($path, body => '{"messages":"x"}', headers => ['Content-Type' => $type]),
        'root', $absent, "JSON as \"$type\" is no body");
}
issue(request(POST => "/api$path"), 'root', $absent, 'neither a type nor a body');
is api_post($path, body => '{"messages":"x"}',
    headers => ['Content-Type' => 'application/json; charset=utf-8'])->{status}, 200,
    'a charset does no harm';
is api_post($path, body => '{"messages":"x"}',
    headers => ['Content-Type' => 'Application/JSON'])->{status}, 200, 'nor do capitals';

my $answer = api_post($path, body => "{\"messages\":\"a\xff\"}", @json);
is $answer->{status}, 400, 'invalid UTF-8 is refused';
is $answer->{json}{issues}[0]{field}, 'body', '... as JSON that is not valid';
$answer = api_post($path, body => '{"messages":' . '[' x 5000 . ']' x 5000 . '}', @json);
is $answer->{status}, 400, 'deep nesting is refused';
is api_post('/agents/none/generate', body => '{bad', @json)->{status}, 400,
    'a body is looked at before the path';
is request(PUT => '/api/agents', body => '{bad', @json)->{status}, 405,
    '... but not before the method';

# --- sizes -------------------------------------------------------------------

my $large = { error => 'Request body too large' };
my $body  = '{"messages":"' . 'x' x 4718592 . '"}';
$answer = api_post($path, body => $body, @json);
is $answer->{status}, 413, 'a body over the limit is refused';
is_deeply $answer->{json}, $large, '... in JSON';

my $client = MastraClient->new(port => server_port());
$client->send_request(POST => "/api$path", headers => ['Content-Type' => 'application/json',
    'Content-Length' => 4718593, Expect => '100-continue']);
$answer = $client->read_answer;
is $answer->{status}, 413, '... by its announced length, before any of it came';

$client = MastraClient->new(port => server_port());
$client->send_request(POST => "/api$path", headers => ['Content-Type' => 'application/json',
    'Transfer-Encoding' => 'chunked']);
my $sent = 1;
for (1 .. 160) {
    $sent &&= $client->send_raw(sprintf "%x\r\n%s\r\n", 32768, 'y' x 32768);
}
$answer = eval { $client->read_answer } || { status => 0 };
is $answer->{status}, 413, '... and while its chunks come';
is $answer->{headers}{connection}, 'close', '... and the connection is closed';

my $text = "z" x 200_000;
is api_post($path, { messages => $text })->{status}, 200, 'a large one is taken';
like request(GET => '/health', headers => ['Content-Length' => 'x'])->{status}, qr/^400$/,
    'a length that is no number is refused';

# keep-alive survives what was refused early
$client = MastraClient->new(port => server_port());
$client->send_request(POST => '/api/nope', json => { a => 'b' x 1000 });
is $client->read_answer->{status}, 404, 'an unknown path does not read the body';
$client->send_request(GET => '/health');
is $client->read_answer->{status}, 200, '... and the next request is understood';
$client = MastraClient->new(port => server_port());
$client->send_request(POST => "/api$path", headers => ['Content-Type' => 'application/json',
    'Transfer-Encoding' => 'chunked'], body => "5\r\n{\"mes\r\nb\r\nsages\":\"x\"}\r\n0\r\n\r\n");
is $client->read_answer->{status}, 200, 'chunks are put together';
$client->send_request(GET => '/health');
is $client->read_answer->{status}, 200, '... and the connection goes on';

$answer = raw("POST /api$path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n");
like $answer, qr{^HTTP/1.1 400 }, 'broken chunks are refused';
$answer = raw("POST /api$path HTTP/1.1\r\nHost: x\r\n"
    . join('', map { "X-Flood-$_: 1\r\n" } 1 .. 200) . "Connection: close\r\n\r\n");
like $answer, qr{^HTTP/1.1 400 }, 'a flood of headers is refused';

# --- a slow client -----------------------------------------------------------

my $slow = MastraHttpd->start(name => 'slow', db => '', conf => <<'END');
MastraEngine On
MastraBodyLimit 2K
RequestReadTimeout header=5 body=1
<MastraAgent mini>
    MastraName Mini
    MastraInstructions "Be small."
    MastraModel mock/echo
</MastraAgent>
END
$client = MastraClient->new(port => $slow->port);
$client->send_request(POST => '/api/agents/mini/generate', headers => [
    'Content-Type' => 'application/json', 'Content-Length' => 100]);
$client->send_raw('{"messages":');
$answer = $client->read_answer;
is $answer->{status}, 408, 'a body that does not come is not waited for';
is_deeply $answer->{json}, { error => 'The request body did not arrive in time' }, '... in JSON';
$client = MastraClient->new(port => $slow->port);
$client->send_request(POST => '/api/agents/mini/generate', headers => [
    'Content-Type' => 'application/json', 'Content-Length' => 100]);
$client->send_raw('{"messages":');
$client->leave;
is $slow->api_post('/agents/mini/generate', { messages => 'x' x 1900 })->{status}, 200,
    'a client that leaves in its body does no harm';
is $slow->api_post('/agents/mini/generate', { messages => 'x' x 2100 })->{status}, 413,
    'the limit is configured';
$slow->stop;
