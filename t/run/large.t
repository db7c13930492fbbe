# Much at once: tool results of 4 MB, questions of 4 MB, and clients that take them slowly.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 25;

my $mb    = 1024 * 1024;
# what the model makes of a tool's answer is short
my $httpd = Served->start(name => 'large', script => sub {
    my $request = shift;
    my $last = ($request->{json} || {})->{messages}[-1] || {};
    return [Upstream::sse_head(), (Upstream::sse_data({ choices => [{ index => 0,
        delta => { content => 'f' x 100_000 } }] })) x 400] if $last->{content} eq 'FLOOD';
    return undef if ($last->{role} // '') ne 'tool' || length $last->{content} < 1000;
    $last->{content} = 'long, and ends so: ' . substr $last->{content}, -30;
    return undef;
});

# How often a text has so many of one letter in a row.
sub runs_of {
    my ($letter, $n, $text) = @_;
    return scalar grep { length == $n } $text =~ /($letter+)/g;
}

# --- a large tool result

my $call   = { messages => 'CALL:big-tool:{"bytes":' . 4 * $mb . '}' };
# the model server reads what is large slowly, and all the more so on a busy machine
my @patient = (timeout => 300);
my $answer  = $httpd->api_post('/agents/tool-agent/generate', $call, @patient);
is $answer->{status}, 200, 'generate: a tool result of 4 MB';
ok runs_of('x', 4 * $mb, $answer->{body}), '... is in the answer';
like $answer->{body}, qr/"text":"Tool result: long, and ends so: x+\\"\}"/, '... and with the model';

my $stream = $httpd->stream('/agents/tool-agent/stream', $call, @patient);
my @frames = $stream->frames(300);
ok !$stream->cut, 'stream: a tool result of 4 MB';
like types(@frames), qr/tool-result step-finish step-start .*step-finish finish \[DONE\]$/,
    '... comes whole';
my ($result) = grep { ref $_->{json} && $_->{json}{type} eq 'tool-result' } @frames;
is runs_of('x', 4 * $mb, $result->{data}), 1, '... to its last byte';

# --- a client that takes it slowly

my $client = $httpd->ask('/agents/tool-agent/stream', $call);
$client->read_head;
sleep 1;
my @slow;
for (1 .. 20) {
    my $frame = $client->next_frame or last;
    push @slow, $frame;
    sleep 0.1;
}
push @slow, $client->frames(300);
ok !$client->cut, 'a client that takes it slowly';
is types(@slow), types(@frames), '... gets all of it';

# --- with memory

my %memory = (memory => { thread => 'large', resource => 'r' });
# an event of the model's stream may have 4 MB
my $size = 3 * $mb;
my $text = 'q' x $size;
$answer = $httpd->api_post('/agents/memory-agent/generate', { messages => $text, %memory }, @patient);
is $answer->{status}, 200, 'generate: a question of 3 MB';
ok runs_of('q', $size, $answer->{body}), '... is echoed';
$stream = $httpd->stream('/agents/memory-agent/stream', { messages => "s$text",
    memory => { thread => 'large-stream', resource => 'r' } }, @patient);
@frames = $stream->frames(300);
ok !$stream->cut, 'stream: a question of 3 MB';
my ($delta) = grep { ref $_->{json} && $_->{json}{type} eq 'text-delta'
    && length $_->{data} > $size } @frames;
is runs_of('q', $size, $delta ? $delta->{data} : ''), 1, '... is echoed';
like types(@frames), qr/finish \[DONE\]$/, '... to the end';
my $stored = $httpd->api_get('/memory/threads/large-stream/messages?agentId=memory-agent', @patient)->{body};
cmp_ok runs_of('q', $size, $stored), '>=', 2, '... and stored with its answer';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'small', %memory }, @patient)->{status},
    200, 'the thread goes on';

# --- many words

$stream = $httpd->stream('/agents/up-agent/stream', { messages => 'WORDS:20000' });
@frames = $stream->frames(300);
is scalar(grep { ref $_->{json} && $_->{json}{type} eq 'text-delta' } @frames), 20_000,
    'a stream of 20,000 words';
$client = $httpd->ask('/agents/up-agent/stream', { messages => 'WORDS:20000' });
$client->read_head;
sleep 2;
@frames = $client->frames(300);
is text_of_frames(@frames), join(' ', map { "w$_" } 1 .. 20_000), '... taken after a pause';
ok !$client->cut, '... whole';

# --- a client that takes nothing is not waited for without end

my @idle = map { my $c = $httpd->ask('/agents/up-agent/stream', { messages => 'FLOOD' });
    $c->read_head; $c } 1 .. 2;
my $start = time;
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'others do not wait for clients that take nothing';
cmp_ok time - $start, '<', 30, '... at all';
sleep 1;
is $httpd->model->stats->{busy}, 2, '... whose models are held up';
$_->leave for @idle;
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 5), '... and let go when they leave';

# --- no more than that

$answer = $httpd->api_post('/agents/tool-agent/generate',
    { messages => 'CALL:big-tool:{"bytes":' . 70 * $mb . '}' }, @patient);
is $answer->{status}, 200, 'a tool result without measure';
like $answer->{body}, qr/too large/, '... is refused, and the model told';
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'the server goes on';
$httpd->stop;
