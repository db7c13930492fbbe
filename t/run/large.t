# Much at once: tool results of 4 MB, questions of 4 MB, and clients that take them slowly.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 26;

my $mb    = 1024 * 1024;
my $httpd = Served->start(name => 'large');

# The longest run of one letter in a text.
sub run_of {
    my ($letter, $text) = @_;
    my $longest = 0;
    while ($text =~ /($letter+)/g) {
        $longest = length $1 if length $1 > $longest;
    }
    return $longest;
}

# --- a large tool result

my $call   = { messages => 'CALL:big-tool:{"bytes":' . 4 * $mb . '}' };
my $answer = $httpd->api_post('/agents/tool-agent/generate', $call);
is $answer->{status}, 200, 'generate: a tool result of 4 MB';
is length $answer->{json}{steps}[0]{toolResults}[0]{payload}{result}{text}, 4 * $mb,
    '... is in the answer';
like substr($answer->{json}{text}, 0, 40), qr/^Tool result: \{"text":"xxx/, '... and with the model';

my $stream = $httpd->stream('/agents/tool-agent/stream', $call);
my @frames = $stream->frames;
ok !$stream->cut, 'stream: a tool result of 4 MB';
like types(@frames), qr/tool-result step-finish step-start .*step-finish finish \[DONE\]$/,
    '... comes whole';
my ($result) = grep { ref $_->{json} && $_->{json}{type} eq 'tool-result' } @frames;
is length $result->{json}{payload}{result}{text}, 4 * $mb, '... to its last byte';

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
push @slow, $client->frames(60);
ok !$client->cut, 'a client that takes it slowly';
is types(@slow), types(@frames), '... gets all of it';

# --- with memory

my %memory = (memory => { thread => 'large', resource => 'r' });
my $text   = 'q' x (4 * $mb);
$answer = $httpd->api_post('/agents/memory-agent/generate', { messages => $text, %memory });
is $answer->{status}, 200, 'generate: a question of 4 MB';
is run_of('q', $answer->{json}{text}), 4 * $mb, '... is echoed';
$stream = $httpd->stream('/agents/memory-agent/stream', { messages => "s$text",
    memory => { thread => 'large-stream', resource => 'r' } });
@frames = $stream->frames(60);
ok !$stream->cut, 'stream: a question of 4 MB';
is run_of('q', text_of_frames(@frames)), 4 * $mb, '... is echoed';
like types(@frames), qr/finish \[DONE\]$/, '... to the end';
my @said = $httpd->said('large-stream');
is run_of('q', $said[0]), 4 * $mb, '... and stored';
is run_of('q', $said[1]), 4 * $mb, '... with its answer';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'small', %memory })->{status},
    200, 'the thread goes on';

# --- many words

$stream = $httpd->stream('/agents/up-agent/stream', { messages => 'WORDS:20000' });
@frames = $stream->frames(60);
is scalar(grep { ref $_->{json} && $_->{json}{type} eq 'text-delta' } @frames), 20_000,
    'a stream of 20,000 words';
$client = $httpd->ask('/agents/up-agent/stream', { messages => 'WORDS:20000' });
$client->read_head;
sleep 2;
@frames = $client->frames(60);
is text_of_frames(@frames), join(' ', map { "w$_" } 1 .. 20_000), '... taken after a pause';
ok !$client->cut, '... whole';

# --- a client that takes nothing is not waited for without end

my $before = $httpd->model->stats->{answered};
my @idle = map { my $c = $httpd->ask('/agents/up-agent/stream', { messages => 'WORDS:200000' });
    $c->read_head; $c } 1 .. 3;
my $start = time;
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'others do not wait for clients that take nothing';
cmp_ok time - $start, '<', 2, '... at all';
sleep 1;
is $httpd->model->stats->{answered}, $before, '... whose models are held up';
$_->leave for @idle;
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 5), '... and let go when they leave';

# --- no more than that

$answer = $httpd->api_post('/agents/tool-agent/generate',
    { messages => 'CALL:big-tool:{"bytes":' . 70 * $mb . '}' });
is $answer->{status}, 200, 'a tool result without measure';
like $answer->{json}{text}, qr/too large/, '... is refused, and the model told';
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    'the server goes on';
$httpd->stop;
