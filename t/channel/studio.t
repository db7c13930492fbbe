# Studio's chat: its requests in their order, as its pages make them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types runs_of);
use MastraClient;
use MastraTest;
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);

plan tests => 35;

my $httpd   = Channel->start(name => 'studio', children => 2);
my $agent   = 'weather-agent';
my $thread  = sprintf '637dd65d-a651-4bed-88c2-%012x', $$;
my $context = 'requestContext=' . encode_base64('{}', '') =~ s/=/%3D/gr;
my @studio  = ('X-Mastra-Client-Type' => 'studio', 'X-Mastra-Dev-Playground' => 'true');
my $of      = "agentId=$agent";

sub get { return $httpd->request(GET => "/api$_[0]", headers => [@studio]) }

sub post {
    my ($what, $data) = @_;
    return $httpd->request(POST => "/api/agents/$agent/$what", json => $data, headers => [@studio]);
}

sub body { return { resourceId => $agent, threadId => $thread, @_ } }

sub subscribe {
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api/agents/$agent/threads/subscribe", json => body(),
        headers => [@studio]);
    $client->{head} = $client->read_head;
    return $client;
}

# What its composer sends.
my $sent = 0;
sub say {
    my ($text, @more) = @_;
    my $id = 'client-set-' . ++$sent;
    return (post('send-message', body(message => { contents => $text,
        metadata => { clientMessageId => $id } }, ifIdle => { streamOptions => { maxSteps => 15,
        modelSettings => { maxRetries => 2 }, requestContext => {} } }, @more)), $id);
}

sub page {
    return get("/memory/threads/$thread/messages?$of&perPage=40&orderBy="
        . '%7B%22field%22%3A%22createdAt%22%2C%22direction%22%3A%22DESC%22%7D'
        . "&includeSystemReminders=true&$context");
}

# --- the page of a chat that is not there yet

my @load = (
    ["/agents?$context", 200], ["/agents/$agent?$context", 200],
    ["/memory/status?$of&$context", 200], ["/memory/config?$of&$context", 200],
    ["/memory/threads/$thread?$of&$context", 404], ['/agents/providers', 200],
    ["/memory/threads/$thread/working-memory?$of&resourceId=$agent&$context", 200],
    ["/memory/threads?resourceId=$agent&$of&$context", 200],
);
for (@load) {
    my ($path, $status) = @$_;
    is get($path)->{status}, $status, "the page asks for $path";
}
is get("/memory/status?$of&$context")->{json}{result}, true, '... and finds a memory';

my $watch = subscribe();
is $watch->{head}{status}, 200, 'it subscribes to the thread';
is $watch->{head}{headers}{'content-type'}, 'text/event-stream', '... as an event stream';
is $watch->next_frame->{comment}, 'connected', '... that begins at once';

# --- a message

my ($answer, $id) = say('What is the weather?');
is $answer->{status}, 200, 'a message is sent';
is $answer->{json}{accepted}, true, '... and accepted';
is $answer->{json}{signal}{metadata}{clientMessageId}, $id, '... with the id that the page gave it';
my @seen = $httpd->until_finish($watch);
my ($echo) = map { $_->{json} } grep { $_->{json}{type} eq 'data-user-message' } @seen;
is $echo->{data}{metadata}{clientMessageId}, $id, 'the subscription shows it by that id';
my %types = map { $_ => 1 } types(@seen);
is join(' ', grep { !$types{$_} } qw(start step-start tool-call tool-result text-delta step-finish
    finish)), '', '... and the whole run';
is_deeply [runs_of(@seen)], [$answer->{json}{runId}], '... by the id in the answer';

my $list = get("/memory/threads?resourceId=$agent&$of&$context")->{json};
is_deeply [map { $_->{id} } @{ $list->{threads} }], [$thread], 'the thread is in the list';
is get("/memory/threads/$thread?$of&$context")->{status}, 200, '... and there';
my $page = page();
is $page->{status}, 200, 'its messages are read';
my @messages = @{ $page->{json}{messages} };
is_deeply [map { $_->{role} } @messages], [qw(signal assistant)], '... the newest page, in order';
is $messages[0]{content}{metadata}{signal}{metadata}{clientMessageId}, $id,
    '... with the page\'s id';

# --- while the run goes on: another message, another window, reloading, stopping

# A message whose answer stands still behind its second word.
sub say_slowly {
    my ($text) = @_;
    say("GATE $text");
    $httpd->model->gated or die 'the model was not asked';
    $httpd->model->go for 1 .. 2;
    return $httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'GATE ' });
}

say_slowly('a b c d');
my $second = subscribe();
$second->next_frame;
($answer) = say('more');
$httpd->model->go_all;
my $text = 'user: GATE a b c d|model: Echo: GATE a b c d|user: more|model: Echo: more';
is join('|', said($httpd->until_finish($second))), $text, 'a second window sees the run from its '
    . 'beginning';
like join('|', said($httpd->until_finish($watch))), qr/user: more\|model: Echo: more$/,
    '... and the first what came';
$second->leave;

say_slowly('e f g h');
$watch->leave;
$watch = subscribe();
$watch->next_frame;
$httpd->model->go_all;
is join('|', said($httpd->until_finish($watch))), 'user: GATE e f g h|model: Echo: GATE e f g h',
    'a page that is loaded again shows the run that goes on';

say('SILENT i j k l m n');
$httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'i ' });
is post('threads/abort', body())->{json}{aborted}, true, 'the stop button ends a run';
is +(types($httpd->until_frame($watch, sub { $_[0]{type} eq 'abort' })))[-1], 'abort',
    '... which the page hears';
ok wait_for(sub { page()->{json}{messages}[-1]{role} eq 'assistant' }, 3),
    '... and what had come is there';

# --- nobody watches

say_slowly('o p');
$watch->leave;
$httpd->model->go_all;
ok wait_for(sub { join('', map { $_->{text} // '' }
    @{ page()->{json}{messages}[-1]{content}{parts} }) eq 'Echo: GATE o p' }, 5),
    'a run goes on when its page is closed';

# --- a tool that asks

$watch = subscribe();
$watch->next_frame;
say('delete it');
@seen = $httpd->until_frame($watch, sub { $_[0]{type} eq 'tool-call-approval' });
my $call = $seen[-1]{json}{payload}{toolCallId};
ok $call, 'a tool asks for approval in the chat';
$answer = post('send-tool-approval', body(toolCallId => $call, approved => true));
is $answer->{status}, 200, '... it is given';
is_deeply $answer->{json}, { accepted => true, runId => (runs_of(@seen))[0], toolCallId => $call },
    '... which is acknowledged';
@seen = $httpd->until_finish($watch);
is $seen[0]{json}{type}, 'tool-result', '... and the tool runs';
is get("/agents/$agent/suspended-runs?threadId=$thread&resourceId=$agent")->{json}{total}, 0,
    'nothing waits in the end';
$watch->leave;
$httpd->stop;
