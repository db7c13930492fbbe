# A durable run whose process dies when its answer is stored and its last words are not: another says
# those, once, so that whoever watches comes to the end, as it does where they were stored already. The
# same where the run's thread is a channel, which has its log, and of runs that fail and that are ended.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Upstream;

plan tests => 2 * 2 * 5 + 2 * 4 + 2 + 3;

my $id    = "last-$$";
my $up    = Upstream->start(port => 0);
my $httpd = Ledger->start(name => 'last', steps => 1, Ledger::with_model($up, 2),
    setup => sub {
        my $self = shift;
        for my $hold (qw(words end)) {
            $self->sql("hold-$hold", $_, [], 'value') for hold($self, $hold);
            $self->sql("free-$hold", "DROP TRIGGER t_$hold" . ($self->{params} ? " ON @{[ table($hold) ]}" : ''), [],
                'value');
        }
        $self->sql('refuse', q[CREATE FUNCTION t_refuse() RETURNS trigger LANGUAGE plpgsql AS ]
            . q['BEGIN RAISE EXCEPTION ''held''; END'], [], 'value') if $self->{params};
        $self->agent($_->[0], model => $_->[1], durable => JSON::PP::true,
            memory => { options => { lastMessages => 10 } }) for ['keeper', 'mock/echo'], ['slow', 'up/mock-model'];
    });
# a run that is taken up, storage that refuses, processes that die
$httpd->expect_log(qr/AH00052|AH00051|MA300[29]|MA301[02]|MA5\d\d\d|held/);
sub table { $_[0] eq 'words' ? 'mastra_x_events' : 'mastra_x_runs' }

# What is written is refused: the last words; the end of the run.
sub hold {
    my ($self, $what) = @_;
    my $event = $what eq 'words' ? 'INSERT' : 'UPDATE';
    my $when  = $what eq 'words' ? q[NEW.log LIKE 'a:last-%' AND (NEW.frames LIKE '%"type":"finish"%' ]
        . q[OR NEW.frames LIKE '%"type":"error"%' OR NEW.frames LIKE '%"type":"abort"%')]
        : q(NEW.id LIKE 'last-%' AND NEW.status = 'done');
    # the child that is asked may still think that it has the one that another child dropped: SQLite looks
    # again only where it need not complain
    return 'CREATE TRIGGER ' . ($self->{params} ? '' : 'IF NOT EXISTS ')
        . "t_$what BEFORE $event ON @{[ table($what) ]} FOR EACH ROW WHEN ($when) "
        . ($self->{params} ? 'EXECUTE FUNCTION t_refuse()' : q[BEGIN SELECT RAISE(ABORT, 'held'); END]);
}

sub follow {
    my ($path, %more) = @_;
    my $agent  = delete $more{agent} // 'keeper';
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api/agents/$agent/$path", headers => ['Last-Event-ID' => 0], json => { %more });
    return $client->read_head->{status} == 200 ? $client : ();
}

# Up to finish, or to the end of the stream, which comes in time.
sub frames {
    my ($client, $to_end) = @_;
    my @frames;
    while (my $frame = eval { $client->next_frame(30) }) {
        push @frames, $frame if ref $frame->{json};
        last if !$to_end && ref $frame->{json} && $frame->{json}{type} eq 'finish';
    }
    return @frames;
}

sub types { join ' ', map { $_->{json}{type} } @_ }

$httpd->api_post('/tools/refuse/execute', { data => {} }) if $httpd->{params};
sub hold_back {
    my ($what) = @_;
    my $answer = $httpd->api_post("/tools/hold-$what/execute", { data => {} });
    die $answer->{body} if $answer->{status} != 200;
    return 200;
}

sub kill_all {
    my ($what) = @_;
    kill KILL => $httpd->children;
    wait_for(sub { eval { $httpd->api_post("/tools/free-$what/execute", { data => {} })->{status} == 200 } }, 30);
}

# All that who observes the run sees, when it has come to such an end.
sub observed {
    my ($run, $end, $agent) = @_;
    my ($observer, @seen);
    wait_for(sub { eval {
        my $one = follow('observe', runId => $run, agent => $agent) or return 0;
        @seen = frames($one, 1);
        $observer = $one;
        @seen && $seen[-1]{json}{type} eq $end } }, 40);
    return ($observer, @seen);
}

# A thread that somebody watches is a channel.
sub watch {
    my ($run, $agent) = @_;
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api/agents/$agent/threads/subscribe", json => { threadId => "t-$run", resourceId => $id });
    $client->read_head;
    $client->next_frame(30);
    return $client;
}

sub thread_of { my $run = shift; return (memory => { thread => "t-$run", resource => $id }) }

sub answers {
    my ($run, $agent) = @_;
    my $messages = $httpd->api_get("/memory/threads/t-$run/messages?agentId=$agent")->{json}{messages};
    return map { my $m = $_; map { $_->{text} // () } @{ $m->{content}{parts} } } grep { $_->{role} eq 'assistant' } @$messages;
}

for my $channel (0, 1) {
    for my $what (qw(words end)) {
        my $run   = "$id-$what-$channel";
        my $watch = $channel && watch($run, 'keeper');
        is hold_back($what), 200, "$what: storage refuses them" . ($channel ? ', the thread is a channel' : '');
        my $client = follow('stream', messages => 'one two', runId => $run, $channel ? thread_of($run) : ())
            or die 'no run';
        my @said = frames($client);
        like types(@said), qr/step-finish finish$/, '... the client has them, the log does not';
        kill_all($what);
        my ($observer, @seen) = observed($run, 'finish');
        is types(@seen), types(@said), '... its process dies: who watches has them from another';
        is_deeply [map { $_->{json}{payload}{output}{text} } $seen[-1]], [map { $_->{json}{payload}{output}{text} } $said[-1]],
            '... with the answer';
        ok $observer && !$observer->{late}, '... and the stream ends';
    }
}

# --- runs of a channel that do not come to their end

sub cut_short {
    my ($end, $text, $cut) = @_;
    my $run   = "$id-$end";
    my $watch = watch($run, 'slow');
    is hold_back('words'), 200, "$end: storage refuses it";
    my $client = follow('stream', messages => $text, runId => $run, agent => 'slow', thread_of($run)) or die 'no run';
    while (my $frame = $client->next_frame(30)) {
        last if ref $frame->{json} && ($frame->{json}{payload}{text} // '') eq 'one ';
    }
    $cut->("t-$run");
    wait_for(sub { answers($run, 'slow') }, 30);
    kill_all('words');
    my ($observer, @seen) = observed($run, $end, 'slow');
    like types(@seen), qr/^start step-start text-start (?:text-delta )+(?:text-end )?$end$/,
        '... its process dies: who watches has it from another';
    ok $observer && !$observer->{late}, '... and the stream ends';
    like join('|', answers($run, 'slow')), qr/^Echo: \w+ one [^|]*$/, '... what had come is stored once';
    return $run;
}

cut_short('error', 'CUT one two three four five six', sub { });
my $over = cut_short('abort', 'SILENT one two three four five six', sub {
    $httpd->api_post('/agents/slow/threads/abort', { resourceId => $id, threadId => shift }) });
my $answer = $httpd->api_post('/agents/slow/generate', { messages => 'and on', thread_of($over) });
is $answer->{json}{text}, 'Echo: and on', '... and the thread goes on';
is scalar(grep { /and on/ } answers($over, 'slow')), 1, '... with one answer';

# --- what does not stream ends, too: its log is there, and empty

$answer = $httpd->api_post('/agents/keeper/generate', { messages => 'one', runId => "$id-whole" });
is $answer->{json}{text}, 'Echo: one', 'a run that does not stream';
my $observer;
wait_for(sub { $observer = eval { follow('observe', runId => "$id-whole") } }, 20);
is types(frames($observer, 1)), '', '... says nothing to who watches';
ok !$observer->{late}, '... and that is over';
$httpd->stop;
$up->stop;
