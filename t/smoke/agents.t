# An agent answers, streams, calls a tool and remembers, whatever the MPM and the database.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Time::HiRes qw(time);
use Upstream;

plan tests => 27;

sub text {
    return join '', map { $_->{json}{payload}{text} }
        grep { ref $_->{json} && $_->{json}{type} eq 'text-delta' } @_;
}

# --- the demo

my $agents = api_get('/agents');
is $agents->{status}, 200, 'agents are listed';
is_deeply [sort keys %{ $agents->{json} }], [qw(network-agent plain-agent weather-agent)], '... by their ids';

my $answer = api_post('/agents/plain-agent/generate', { messages => 'Hello there' });
is $answer->{status}, 200, 'an agent answers';
is $answer->{json}{text}, 'Echo: Hello there', '... what its model says';

$answer = api_post('/agents/weather-agent/generate', { messages => 'weather' });
is $answer->{json}{text}, 'Tool result: {"city":"Paris","tempC":21,"conditions":"sunny"}',
    'a script of this server is a tool';
is request(POST => '/tools/weather.lua', json => { city => 'Rome' })->{status}, 403,
    '... that nobody else may call';

my $stream = stream('/agents/plain-agent/stream', { messages => 'one two' });
is $stream->{head}{status}, 200, 'an agent streams';
like $stream->{head}{headers}{'content-type'}, qr{^text/event-stream}, '... events';
my @frames = grep { defined $_->{data} } $stream->frames;
is $frames[0]{json}{type}, 'start', '... from a start';
is text(@frames), 'Echo: one two', '... over words';
is $frames[-2]{json}{type}, 'finish', '... to a finish';
is $frames[-1]{data}, '[DONE]', '... and an end';
ok !$stream->cut, '... that is whole';

# --- a model over HTTP

my $up = Upstream->start;
my @up = (port => server_port() + 1);

$answer = api_post('/agents/up-agent/generate', { messages => 'Hello' }, @up);
is $answer->{json}{text}, 'Echo: Hello', 'a remote model is asked';
is(($up->requests)[-1]{headers}{authorization}, 'Bearer sk-test', '... with its key');

$stream = stream('/agents/up-agent/stream', { messages => 'a b c GATE' }, @up);
my @words = eval { $up->follow($stream, 5) };
ok scalar @words, 'a remote model streams, and each word comes at its time' or diag $@;
is text(@words), 'Echo: a b c GATE', '... with all of them';

$up->reset;
$stream = stream('/agents/up-agent/stream', { messages => 'SILENT one two three four' }, @up);
ok +(grep { defined $_ && text($_) } map { $stream->next_frame } 1 .. 4),
    'a stream that then falls silent';
$stream->leave;
ok wait_for(sub { $up->stats->{cancelled} == 1 }, 10), '... is cancelled when its client leaves';

# --- memory

my $thread = "smoke-$$-" . int time;
my %memory = (memory => { thread => $thread, resource => 'smoke' });
api_post('/agents/memory-agent/generate', { messages => 'My name is Bob', %memory }, @up);
$up->reset;
api_post('/agents/memory-agent/generate', { messages => 'Who am I?', %memory }, @up);
is_deeply [map { Upstream::text_of($_->{content}) } grep { $_->{role} ne 'system' }
        @{ ($up->requests)[-1]{json}{messages} }],
    ['My name is Bob', 'Echo: My name is Bob', 'Who am I?'], 'the model is told what was said';
my $messages = api_get("/memory/threads/$thread/messages?agentId=memory-agent", @up);
is $messages->{status}, 200, 'a thread can be read';
is scalar(@{ $messages->{json}{messages} }), 4, '... with all its messages';

# --- what lies between

$answer = api_post('/agents/mock-agent/generate', { messages => 'Hello' },
    port => server_port() + 4, tls => 1);
is $answer->{json}{text}, 'Echo: Hello', 'an agent answers over TLS';
$stream = stream('/agents/mock-agent/stream', { messages => 'Hello' }, port => server_port() + 2,
    headers => ['Accept-Encoding' => 'gzip, br']);
is $stream->{head}{headers}{'content-encoding'}, undef, 'a stream is not compressed';
is text($stream->frames), 'Echo: Hello', '... and whole';

# --- errors

$answer = api_post('/agents/nobody/generate', { messages => 'Hello' });
is $answer->{status}, 404, 'an unknown agent is not found';
$answer = request(POST => '/api/agents/plain-agent/generate', body => '{"messages":',
    headers => ['Content-Type' => 'application/json']);
is $answer->{status}, 400, 'half a body is refused';
