# A thread as a channel: messages run the agent, whoever subscribed sees it; into the run, behind
# it, instead of it; signals; persons' decisions; what is refused.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types runs_of);
use MastraTest;

plan tests => 110;

my $httpd = Channel->start(name => 'thread', children => 1);
my $n     = 0;
$httpd->expect_log(qr/MA601|MA3002/);
sub thread { return "thread-$$-" . ++$n }
sub finish { return $_[0]{type} eq 'finish' }

# --- one message

my $thread = thread();
my $watch  = $httpd->watch($thread);
is $watch->{head}{status}, 200, 'a thread is subscribed to before it is there';
is $watch->{head}{headers}{'content-type'}, 'text/event-stream', '... as an event stream';
my $answer = $httpd->say($thread, 'hello there');
is $answer->{status}, 200, 'a message is sent';
is $answer->{json}{accepted}, true, '... and accepted';
my $signal = $answer->{json}{signal};
is_deeply [@$signal{qw(type tagName contents __isCreatedSignal)}],
    ['user', 'user', 'hello there', true], '... as a signal';
my @seen = $httpd->until_finish($watch);
is join(' ', types(@seen)), 'start data-user-message step-start text-start text-delta text-end '
    . 'step-finish finish', 'the subscriber sees the run';
is join('|', said(@seen)), 'user: hello there|model: Echo: hello there', '... whole';
is_deeply [runs_of(@seen)], [$answer->{json}{runId}], '... by the id that was given';
my ($data) = map { $_->{json} } grep { $_->{json}{type} eq 'data-user-message' } @seen;
is $data->{data}{id}, $signal->{id}, 'the message has the id that was given';
is $data->{transient}, true, '... and is marked as transient';
my ($end) = map { $_->{json} } grep { $_->{json}{type} eq 'finish' } @seen;
ok !exists $end->{payload}{messages}, 'the finish has no messages';
ok !exists $end->{payload}{output}{steps}, '... and no steps';
ok $end->{payload}{response}, '... but a response';
is join('|', $httpd->stored($thread)), 'signal: hello there|assistant: Echo: hello there',
    'both are stored';
is +($httpd->messages($thread))[0]{id}, $signal->{id}, '... the message by its id';
is_deeply [$httpd->rest($watch, 0.5)], [], 'then the stream is silent';
my $late = $httpd->watch($thread);
is_deeply [$httpd->rest($late, 0.5)], [], 'a run that is over is not shown again';
$httpd->say($thread, 'second');
is join('|', said($httpd->until_finish($_))), 'user: second|model: Echo: second',
    'all subscribers see the next' for $watch, $late;
$late->leave;

# --- late, into the run, behind it

# A message whose answer stands still behind so many words.
sub say_until {
    my ($words, $text, %opt) = @_;
    my $answer = $httpd->say($thread, $text, %opt);
    $httpd->model->gated or die 'the model was not asked';
    $httpd->model->go for 1 .. $words;
    return $answer;
}

$answer = say_until(1, 'GATE a b c');
@seen   = $httpd->until_frame($watch, sub { $_[0]{type} eq 'text-delta' });
$late   = $httpd->watch($thread);
my $into = $httpd->say($thread, 'into');
my $next = $httpd->call('queue-message', $thread, message => { contents => 'behind' });
is $into->{json}{runId}, $answer->{json}{runId}, 'a message goes into the run that is active';
isnt $next->{json}{runId}, $answer->{json}{runId}, 'a queued one gets one of its own';
$httpd->model->go_all;
@seen = (@seen, $httpd->until_finish($watch, 2));
is join('|', said(@seen)), 'user: GATE a b c|model: Echo: GATE a b c|user: into|model: Echo: into|'
    . 'user: behind|model: Echo: behind', 'in their order';
is_deeply [runs_of(@seen)], [$answer->{json}{runId}, $next->{json}{runId}], '... by two runs';
is_deeply [map { $_->{json} } $httpd->until_finish($late, 2)], [map { $_->{json} } @seen],
    'who subscribes in the middle sees the run from its beginning';
my ($step) = map { $_->{json} } grep { $_->{json}{type} eq 'step-finish' } @seen;
is $step->{payload}{stepResult}{reason}, 'other', 'the step that was interrupted says so';
is $step->{payload}{stepResult}{isContinued}, true, '... and goes on';
ok $step->{payload}{stepResult}{messageId}, '... with another message';
is join('|', ($httpd->stored($thread))[-6 .. -1]),
    'signal: GATE a b c|assistant: Echo: GATE a b c|signal: into|assistant: Echo: into|'
    . 'signal: behind|assistant: Echo: behind', 'all is stored in that order';
$late->leave;

# --- abort

$answer = say_until(2, 'GATE d e f g');
$httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'GATE ' });
$httpd->call('queue-message', $thread, message => 'after it');
is $httpd->call('threads/abort', $thread, expectedRunId => 'other')->{json}{aborted}, false,
    'a run that is not the one that is meant is left alone';
is $httpd->call('threads/abort', $thread)->{json}{aborted}, true, 'a run is aborted';
@seen = $httpd->until_frame($watch, sub { $_[0]{type} eq 'abort' });
is $seen[-1]{json}{type}, 'abort', '... at once, while its model says nothing';
@seen = $httpd->until_finish($watch);
is join('|', said(@seen)), 'user: after it|model: Echo: after it', '... and what waits goes on';
like join('|', $httpd->stored($thread)), qr/signal: GATE d e f g\|assistant: Echo: GATE \|signal/,
    'what had come is stored';
is $httpd->call('threads/abort', $thread)->{json}{aborted}, false, 'nothing more to abort';
is $httpd->call('threads/abort', thread())->{json}{aborted}, false, '... nor where nothing was';
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 3), 'no model call goes on';

# --- errors

$answer = $httpd->say($thread, 'FAIL500');
@seen   = $httpd->until_frame($watch, sub { $_[0]{type} eq 'error' });
is join(' ', types(@seen)), 'start data-user-message step-start error', 'a failure is told';
is_deeply [$httpd->rest($watch, 0.3)], [], '... last';
$httpd->say($thread, 'and on');
is join('|', said($httpd->until_finish($watch))), 'user: and on|model: Echo: and on',
    'the thread goes on';
$watch->leave;

# --- signals

$thread = thread();
$watch  = $httpd->watch($thread);
my @signals = (
    [{ type => 'reactive', contents => 'x', attributes => { k => '<' } }, 'data-signal',
        'Echo: <system-reminder k="&lt;">x</system-reminder>'],
    [{ type => 'state', contents => 'x' }, 'data-signal', 'Echo: <state>x</state>'],
    [{ type => 'user-message', contents => 'x' }, 'data-user-message', 'Echo: x'],
    [{ type => 'notification', tagName => 'my-tag', contents => 'x' }, 'data-signal',
        'Echo: <my-tag>x</my-tag>'],
);
for (@signals) {
    my ($given, $type, $text) = @$_;
    is $httpd->call('signals', $thread, signal => $given)->{status}, 200,
        "a signal of type $given->{type}";
    @seen = $httpd->until_finish($watch);
    is +(grep { ref $_->{json} } @seen)[1]{json}{type}, $type, '... is shown';
    is join('', map { $_->{json}{payload}{text} // '' }
        grep { $_->{json}{type} eq 'text-delta' } @seen), $text, '... and seen by the model';
}
$httpd->call('signals', $thread, signal => { type => 'user', contents => 'gone', transient => true });
$httpd->until_finish($watch);
unlike join('|', $httpd->stored($thread)), qr/signal: gone/, 'a transient one is not stored';

my $kept = $httpd->say($thread, 'only kept', ifIdle => { behavior => 'persist' });
is $kept->{json}{runId}, $kept->{json}{signal}{id}, 'a message that only is to be stored';
is join(' ', types($httpd->until_finish($watch))), 'start data-user-message finish',
    '... is shown without a run';
is +($httpd->stored($thread))[-1], 'signal: only kept', '... and stored';
$httpd->say($thread, 'dropped', ifIdle => { behavior => 'discard' });
is_deeply [$httpd->rest($watch, 0.3)], [], 'one for active runs only is dropped';
$answer = say_until(1, 'GATE z', ifIdle => { attributes => { idle => 'yes' },
    streamOptions => { instructions => 'Be it.' } });
is_deeply $answer->{json}{signal}{attributes}, { idle => 'yes' }, 'attributes by what the thread does';
$httpd->until_frame($watch, sub { $_[0]{type} eq 'text-delta' });
$httpd->say($thread, 'stored beside', ifActive => { behavior => 'persist' });
$httpd->say($thread, 'dropped too', ifActive => { behavior => 'discard' });
$httpd->model->go_all;
@seen = $httpd->until_finish($watch);
like join('|', said(@seen)), qr{^model: (?:Echo: )?<user idle="yes">GATE z</user>$},
    '... seen by the model; nothing else comes into the run';
like join('|', $httpd->stored($thread)), qr/signal: stored beside/, 'but what is to be stored is';
my ($asked) = grep { ($_->{json}{messages}[0]{content} // '') =~ /Be it/ } $httpd->model->requests;
ok $asked, 'options of the run are used';
$httpd->say($thread, [{ type => 'text', text => 'look' },
    { type => 'file', data => 'aGVsbG8=', mediaType => 'image/png' }]);
@seen = $httpd->until_finish($watch);
is_deeply $seen[1]{json}{data}{contents}[1],
    { type => 'file', data => 'aGVsbG8=', mediaType => 'image/png' }, 'files come along';
$watch->leave;

# --- a stream's run is the thread's, too

$thread = thread();
$watch  = $httpd->watch($thread);
my $memory = { thread => $thread, resource => 'r' };
my $stream = $httpd->stream("/agents/weather-agent/stream",
    { messages => 'GATE stream', memory => $memory });
$httpd->model->gated;
$httpd->model->go;
@seen = $httpd->until_frame($watch, sub { $_[0]{type} eq 'text-delta' });
my $run = (runs_of(@seen))[0];
is $httpd->say($thread, 'into the stream')->{json}{runId}, $run,
    'a message goes into the run of a stream';
$httpd->model->go_all;
my $all = join '|', said($stream->frames);
is $all, 'model: Echo: GATE stream|user: into the stream|model: Echo: into the stream',
    '... whose client sees it';
is join('|', said(@seen, $httpd->until_finish($watch))), $all, '... as does the subscriber';
$stream = $httpd->stream("/agents/weather-agent/stream-until-idle",
    { messages => 'GATE leaves soon', memory => $memory });
$httpd->model->gated;
$httpd->model->go for 1 .. 2;
$httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'GATE ' });
$stream->leave;
is +($httpd->until_frame($watch, sub { $_[0]{type} eq 'abort' }))[-1]{json}{type}, 'abort',
    'a stream that its client leaves is aborted';
ok wait_for(sub { join('|', $httpd->stored($thread)) =~ /\|assistant: Echo: GATE [^|]*\z/ }),
    '... and what had come is stored';
$httpd->api_post('/agents/weather-agent/generate', { messages => 'quiet', memory => $memory });
is_deeply [$httpd->rest($watch, 0.3)], [], 'what is generated without a stream is not shown';

# --- observing

$answer = say_until(1, 'GATE observe me');
$httpd->until_frame($watch, sub { $_[0]{type} eq 'text-delta' });
my $whole = $httpd->stream('/agents/weather-agent/observe', { runId => $answer->{json}{runId} });
my $part  = $httpd->stream('/agents/weather-agent/observe',
    { runId => $answer->{json}{runId}, offset => 3 });
$httpd->model->go_all;
my @whole = $whole->frames;
is join('|', said(@whole)), 'user: GATE observe me|model: Echo: GATE observe me',
    'a run is observed from its beginning';
is $whole[-1]{data}, '[DONE]', '... to its end';
is_deeply [map { $_->{data} } $part->frames], [map { $_->{data} } @whole[3 .. $#whole]],
    '... or from a chunk on';
my $none = $httpd->stream('/agents/weather-agent/observe', { runId => 'never-was' });
is $none->{head}{status}, 200, 'a run that is not known';
is $none->next_frame(0.5), undef, '... says nothing';
$none->leave;
$watch->leave;

# --- persons decide

$thread = thread();
$watch  = $httpd->watch($thread);
sub ask {
    my ($id) = @_;
    $httpd->say($id, 'delete it');
    return $httpd->until_frame($watch, sub { $_[0]{type} eq 'tool-call-approval' });
}
sub call_of { return $_[-1]{json}{payload}{toolCallId} }

@seen = ask($thread);
my $call = call_of(@seen);
my $waits = $httpd->watch($thread);
is_deeply [map { $_->{json} } $httpd->until_frame($waits, sub { $_[0]{type} eq 'tool-call-approval' })],
    [map { $_->{json} } @seen], 'who subscribes to a run that waits sees it from its beginning';
$waits->leave;
is $httpd->say($thread, 'meanwhile')->{json}{runId}, (runs_of(@seen))[0],
    'a message waits with the run';
my @rivals = map { $httpd->connection->{client} } 1 .. 3;
$_->send_request(POST => '/api/agents/weather-agent/send-tool-approval', json =>
    { resourceId => 'r', threadId => $thread, toolCallId => $call, approved => true }) for @rivals;
my @status = sort map { $_->read_answer->{status} } @rivals;
is $status[0], 200, 'one of several decisions at once is taken';
is scalar(grep { $_ == 200 } @status), 1, '... one only';
@seen = $httpd->until_finish($watch);
is join(' ', types(@seen)), 'tool-result data-user-message step-finish step-start text-start '
    . 'text-delta text-end step-finish finish', 'the run goes on, with what came meanwhile';
is join('|', said(@seen)), 'user: meanwhile|model: Echo: meanwhile', '... answered';
is $httpd->call('send-tool-approval', $thread, toolCallId => $call, approved => true)->{status},
    500, 'a decision about nothing is refused';

$call = call_of(ask($thread));
$answer = $httpd->call('send-tool-approval', $thread, toolCallId => $call, approved => false,
    resumeData => { approved => false, reason => 'no way' });
is $answer->{json}{toolCallId}, $call, 'a call is declined';
@seen = $httpd->until_finish($watch);
is $seen[0]{json}{type}, 'tool-output-denied', '... and does not run';
is $seen[0]{json}{payload}{approval}{reason}, 'no way', '... for the reason given';

@seen = ask($thread);
$httpd->call('queue-message', $thread, message => 'go on');
is $httpd->call('threads/abort', $thread)->{json}{aborted}, true, 'a run that waits is aborted';
@seen = $httpd->until_finish($watch);
is $seen[0]{json}{type}, 'abort', '... which is told';
is join('|', said(@seen)), 'user: go on|model: Echo: go on', '... and the next message has its turn';
is $httpd->api_get("/agents/weather-agent/suspended-runs?threadId=$thread")->{json}{total}, 0,
    '... and it waits no more';

@seen = ask($thread);
$stream = $httpd->stream('/agents/weather-agent/approve-tool-call',
    { runId => (runs_of(@seen))[0], toolCallId => call_of(@seen) });
my @both = map { $_->{json}{type} } grep { ref $_->{json} } $stream->frames;
is_deeply [map { $_->{json}{type} } $httpd->until_finish($watch)], \@both,
    'a decision with a stream is seen by subscribers as well';
$watch->leave;

# --- ids that clients choose, and others have taken

$thread = thread();
my $foreign = thread();
my $taken   = "taken-$$";
$watch  = $httpd->watch($thread);
say_until(1, 'GATE p q');
$httpd->until_frame($watch, sub { $_[0]{type} eq 'text-delta' });
$httpd->call('queue-message', $thread, message => { id => $taken, contents => 'too late' });
$httpd->call('queue-message', $thread, message => 'in time');
is $httpd->call('signals', $foreign, resourceId => 'other',
    signal => { type => 'user', id => $taken, contents => 'first' })->{status}, 200,
    'a message brings its id';
wait_for(sub { $httpd->stored($foreign) == 2 });
$httpd->model->go_all;
@seen = $httpd->until_finish($watch, 2);
my ($failed) = map { $_->{json} } grep { $_->{json}{type} eq 'error' } @seen;
is $failed->{payload}{error}{code}, 'EXISTS', '... which another resource had to come first with';
is scalar(grep { $_->{json}{type} eq 'error' } @seen), 1, '... told once';
is +(said(@seen))[-1], 'model: Echo: in time', '... and what waits behind it goes on';
$answer = $httpd->call('signals', $thread,
    signal => { type => 'user', id => $taken, contents => 'again' });
is_deeply [$answer->{status}, $answer->{json}], [409, { error => 'A message with this id belongs '
    . 'to another resource' }], 'one that is stored already is refused at once';
is_deeply [$httpd->stored($foreign)], ['signal: first', 'assistant: Echo: first'],
    '... and stays as it is';
$watch->leave;

# --- agents without memory

$thread = thread();
$watch  = $httpd->watch($thread, agent => '/agents/plain-agent');
$httpd->say($thread, 'no memory', agent => '/agents/plain-agent');
like join('|', said($httpd->until_finish($watch))), qr/^user: no memory\|model: /,
    'an agent without memory has channels, too';
$watch->leave;

# --- what is refused

$thread = thread();
$httpd->say($thread, 'mine');
wait_for(sub { $httpd->stored($thread) });
my $issue = { error => 'Invalid request body', issues => [{ field => 'root', message => 'Invalid input' }] };
my $other = { error => 'Access denied: thread belongs to a different resource' };
my $agents = '/agents/weather-agent';
my $to     = { resourceId => 'r', threadId => $thread };
my @cases  = (
    ["$agents/send-message", { %$to, message => 5 }, 400, $issue],
    ["$agents/send-message", { message => 'x' }, 400, $issue],
    ["$agents/send-message", { threadId => 't', message => 'x' }, 400, $issue],
    ["$agents/send-message", { %$to, message => [{ type => 'image' }] }, 400, $issue],
    ["$agents/send-message", { %$to, message => 'x', ifActive => { behavior => 'y' } }, 400, $issue],
    ["$agents/send-message", { %$to, message => 'x', ifIdle => { behavior => 'deliver' } }, 400, $issue],
    ["$agents/signals", { %$to, signal => { type => 'x', contents => 'y' } }, 400, $issue],
    ["$agents/signals", { %$to, signal => { type => 'state', contents => 'y', transient => true } },
        400, $issue],
    ["$agents/send-message", { %$to, message => { contents => 'x', attributes => { '1 2' => 'x' } } },
        400, { error => 'Invalid signal XML attribute name: 1 2' }],
    ["$agents/send-message", { %$to, resourceId => 'x', message => 'y' }, 403, $other],
    ["$agents/threads/abort", { %$to, resourceId => 'x' }, 403, $other],
    ["$agents/threads/subscribe", { %$to, resourceId => 'x' }, 403, $other],
    ["$agents/send-message", { runId => 'none', message => 'x' }, 500,
        { error => 'No active agent run found for signal target' }],
    ["/agents/none/send-message", { %$to, message => 'x' }, 404,
        { error => 'Agent with id none not found' }],
    ["/agents/none/threads/subscribe", $to, 404, { error => 'Agent with id none not found' }],
    ["$agents/threads/subscribe", {}, 400, { error => 'Invalid request body', issues => [{
        field => 'threadId', message => 'Invalid input: expected string, received undefined' }] }],
);
for (@cases) {
    my ($path, $body, $status, $json) = @$_;
    my $got = $httpd->api_post($path, $body);
    is_deeply [$got->{status}, $got->{json}], [$status, $json],
        "$path refuses " . JSON::PP->new->canonical->encode($body);
}
$httpd->stop;
