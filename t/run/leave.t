# A client that leaves: its model call is cancelled at once, its tool's too, and what the
# model had said by then is kept in the thread.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(text_of_frames);
use Time::HiRes qw(sleep time);

my $httpd = Served->start(name => 'leave');
my $up    = $httpd->model;

my %memory = (memory => { thread => 'left', resource => 'r' });
my @cases = (
    # [what is asked of whom, as stream?, what has to be there before the client leaves, name]
    ['up-agent', 'MUTE', 1, undef, 'a stream before the model answers'],
    ['up-agent', 'GATE one two three four', 1, qr/one/, 'a stream between two words'],
    ['up-agent', 'SILENT one two three four', 1, qr/one/, 'a stream whose model is silent'],
    ['up-agent', 'MUTE', 0, undef, 'a whole answer before the model answers'],
    ['up-agent', 'GATE', 0, undef, 'a whole answer that is slow'],
);

plan tests => 2 * 2 * @cases + 14;

# The connection of the model call is gone soon after the client's. With nothing to be sent only a
# heartbeat would find out, every 15 s: so it is by the client's own good-bye.
sub cancelled {
    my ($name) = @_;
    my $start = time;
    ok wait_for(sub { $up->stats->{cancelled} }, 5), "$name: the model call is cancelled";
    my $took = time - $start;
    cmp_ok $took, '<', 14, "$name: ... at once" or diag "after $took s";
}

for my $how ('close', 'reset') {
    for my $case (@cases) {
        my ($agent, $said, $stream, $before, $name) = @$case;
        $up->reset;
        my $path   = "/agents/$agent/" . ($stream ? 'stream' : 'generate');
        my $client = $httpd->ask($path, { messages => $said });
        wait_for(sub { $up->stats->{busy} });
        if ($before) {
            $client->read_head;
            if ($said =~ /GATE/) {
                $up->gated;
                $up->go for 1 .. 3;
            }
            my @frames;
            while (text_of_frames(@frames) !~ $before) {
                push @frames, $client->next_frame // die "$name: the stream ended";
            }
        }
        $client->leave($how);
        cancelled("$how: $name");
    }
}

# --- a thread keeps what was said

$up->reset;
my $client = $httpd->ask('/agents/memory-agent/stream',
    { messages => 'SILENT one two three four', %memory });
$client->read_head;
my @frames;
while (text_of_frames(@frames) !~ /one/) {
    push @frames, $client->next_frame // die 'the stream ended';
}
$client->leave;
ok wait_for(sub { $httpd->said('left') == 2 }), 'a thread has question and answer';
my ($question, $answer) = $httpd->said('left');
is $question, 'user: SILENT one two three four', '... the question whole';
like $answer, qr/^assistant: Echo: SILENT one/, '... and what had come of the answer';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'again', %memory })->{status},
    200, '... and goes on';
is_deeply [map { Upstream::text_of($_->{content}) } grep { $_->{role} ne 'system' }
        @{ ($up->requests)[-1]{json}{messages} }],
    ['SILENT one two three four', $answer =~ s/^assistant: //r, 'again'],
    '... with the model told of it';

$up->reset;
$client = $httpd->ask('/agents/memory-agent/generate',
    { messages => 'MUTE', memory => { thread => 'mute', resource => 'r' } });
wait_for(sub { $up->stats->{busy} });
$client->leave;
ok wait_for(sub { $httpd->said('mute') == 1 }), 'a question without answer is kept alone';
$up->reset;
$client = $httpd->ask('/agents/memory-agent/generate',
    { messages => 'GATE', memory => { thread => 'slow', resource => 'r' } });
wait_for(sub { $up->stats->{busy} });
$client->leave;
cancelled('a whole answer with memory');
sleep 0.3;
is_deeply [$httpd->said('slow')], ['user: GATE'], '... of which nothing had come';

# --- while a tool runs

$up->reset;
$client = $httpd->ask('/agents/tool-agent/stream', { messages => 'CALL:slow-tool:{"ms":3000}' });
$client->read_head;
@frames = ();
while (Served::types(@frames) !~ /tool-call$/) {
    push @frames, $client->next_frame // die 'the stream ended';
}
$client->leave;
sleep 0.5;
is scalar($up->requests), 1, 'a client that leaves during a tool';
sleep 3.5;
is scalar($up->requests), 1, '... leaves no run that goes on';

# --- nothing is left

is $httpd->api_post('/agents/up-agent/generate', { messages => 'hi' })->{status}, 200,
    'the server goes on';
ok wait_for(sub { $up->stats->{busy} == 0 }), 'no model call is open';
unlike $httpd->log, qr/\[mastra:error\]/, 'and the log has no error';
$httpd->stop;
