# A server that is restarted or stopped gracefully while agents speak: streams and whole answers
# end as they would; at MastraStopLimit what is left is told so, stored, and counted in the log.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(finish_reason text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 34;

my $limits = { event => "StartServers 2\nThreadsPerChild 8\nMinSpareThreads 2\n"
        . "MaxSpareThreads 16\nMaxRequestWorkers 16\nServerLimit 6\nAsyncRequestWorkerFactor 20\n",
    prefork => "StartServers 4\nMinSpareServers 4\nMaxSpareServers 12\nMaxRequestWorkers 24\n" };

# a server of tools that never answers
my $silent_tools = Upstream->start(port => 0, script => sub { return [hang => 1] });

sub start {
    my ($limit) = @_;
    return Served->start(name => 'stop', limits => $limits->{ mpm() }, conf => <<"END");
MastraStopLimit $limit
<MastraTool silent-tool>
    MastraDescription "Never answers"
    MastraExecute http url=http://127.0.0.1:@{[ $silent_tools->port ]}/
</MastraTool>
<MastraAgent silent-agent>
    MastraInstructions "You are tested."
    MastraModel up/mock-model
    MastraTools silent-tool
</MastraAgent>
END
}

sub memory { return (memory => { thread => $_[0], resource => 'r' }) }

# What the children that are gone have counted: whole, good-byes, cut, left.
sub counted {
    my ($httpd) = @_;
    my @sum = (0, 0, 0, 0);
    my $log = $httpd->log;
    while ($log =~ /stopped answering: (\d+) \D+(\d+) \D+(\d+) cut, (\d+) left/g) {
        my @now = ($1, $2, $3, $4);
        $sum[$_] += $now[$_] for 0 .. 3;
    }
    return "@sum";
}

# --- a graceful restart, answers shorter than the limit

my $httpd  = start(20);
my @before = $httpd->children;
my $words  = 'GATE one two three four five six seven eight nine ten';
my @open   = map { $httpd->ask('/agents/memory-agent/stream',
    { messages => $words, memory("stream-$_") }) } 1 .. 3;
push @open, my $whole = $httpd->ask('/agents/memory-agent/generate',
    { messages => 'GATE', memory('whole') });
$httpd->model->gated(4) or die 'the model was not asked';
$httpd->graceful;
ok wait_for(sub {
    my %old = map { $_ => 1 } @before;
    return grep { !$old{$_} } $httpd->children;
}), 'a graceful restart starts new children';
is eval { $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status} }, 200,
    '... by whom new requests are answered';
# a child of prefork looks from time to time whether it is to stop
wait_for(sub {
    my $open = 0;
    $open += $_ for $httpd->log =~ /is stopping: (\d+) answers? may go on/g;
    return $open == 4;
});
$httpd->model->go_all;
for my $n (1 .. 3) {
    $open[$n - 1]->read_head;
    my @frames = $open[$n - 1]->frames;
    is text_of_frames(@frames), "Echo: $words", "... stream $n comes to its end";
    is types(@frames[-1, -1]), '[DONE]', '... whole';
}
is $whole->read_answer->{json}{text}, 'Echo: GATE', '... and so does a whole answer';
ok $httpd->replaced(\@before, 15), '... then the old children leave';
is counted($httpd), '4 0 0 0', '... having counted them';
is_deeply [$httpd->said('stream-1')], ["user: $words", "assistant: Echo: $words"],
    '... and all is stored';
is_deeply [$httpd->said('whole')], ['user: GATE', 'assistant: Echo: GATE'], '... of both kinds';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'more', memory('whole') })
    ->{status}, 200, 'and a thread goes on in the new ones';
$httpd->stop;

# --- answers longer than the limit

$httpd  = start(1);
@before = $httpd->children;
my $long   = $httpd->ask('/agents/memory-agent/stream',
    { messages => 'SILENT one two three four', memory('long') });
my $silent = $httpd->ask('/agents/memory-agent/stream', { messages => 'MUTE', memory('silent') });
$whole = $httpd->ask('/agents/memory-agent/generate', { messages => 'MUTE', memory('whole') });
my $tool = $httpd->ask('/agents/silent-agent/generate', { messages => 'CALL:silent-tool:{}' });
$_->read_head for $long, $silent;
my @frames;
while (text_of_frames(@frames) !~ /one/) {
    push @frames, $long->next_frame // die 'the stream ended';
}
wait_for(sub { $httpd->model->stats->{busy} == 3 && $silent_tools->requests })
    or die 'neither the model nor the tool was asked';
my $start = time;
$httpd->graceful;
push @frames, $long->frames;
like types(@frames), qr/text-delta error finish \[DONE\]$/, 'past the limit a stream is told';
ok !$long->cut, '... and ends properly';
is finish_reason(@frames), 'error', '... with an error';
my ($error) = grep { ref $_->{json} && $_->{json}{type} eq 'error' } @frames;
is $error->{json}{payload}{error}{message}, 'The server is restarting', '... that says why';
like types($silent->frames), qr/error finish \[DONE\]$/, 'one that had said nothing, too';
my $answer = $whole->read_answer;
is $answer->{status}, 503, 'a whole answer becomes a 503';
is $answer->{headers}{'retry-after'}, 1, '... that may be asked for again';
is_deeply $answer->{json}, { error => 'The server is restarting' }, '... with the reason';
is $tool->read_answer->{status}, 424, '... unless a tool was called already';
cmp_ok time - $start, '<', 40, '... all of it in time';
ok $httpd->replaced(\@before, 15), 'the old children leave';
is counted($httpd), '0 4 0 0', '... having counted what they ended';
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 3), 'no model call goes on';
my @said = $httpd->said('long');
like $said[1] // '', qr/^assistant: Echo: SILENT one/, 'what had come of the answer is stored';
is_deeply [$httpd->said('silent')], ['user: MUTE'], '... and the question in any case';
$httpd->stop;

# --- a graceful stop, and one at once

$httpd = start(10);
$long  = $httpd->ask('/agents/memory-agent/stream',
    { messages => 'GATE a b c d', memory('last') });
$long->read_head;
$httpd->model->gated;
$httpd->graceful_stop;
$httpd->model->go_all;
is text_of_frames($long->frames), 'Echo: GATE a b c d', 'a graceful stop lets a stream end';
is $httpd->wait_exit(15), 0, '... and stops';
$httpd->stop;

$httpd = start(120);
$long  = $httpd->ask('/agents/memory-agent/stream', { messages => 'SILENT a b c', memory('cut') });
$long->read_head;
@frames = map { $long->next_frame } 1 .. 4;
$start  = time;
kill TERM => $httpd->pid;
is $httpd->wait_exit, 0, 'told to stop at once, it does';
cmp_ok time - $start, '<', 60, '... at once, and not at the limit';
$httpd->up;
like +($httpd->said('cut'))[1] // '', qr/^assistant: Echo: SILENT/,
    '... and what had come of an answer is there after the next start';
$httpd->stop;
