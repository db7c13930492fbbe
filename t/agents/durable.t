# Durable runs of agents: they go on when their client leaves and when their process dies, from the
# last step that was kept, and whoever watches gets the rest.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

plan tests => 43;

my $up    = Upstream->start(port => 0);
my $id    = "durable-$$";
my $httpd = Ledger->start(name => 'durable', env => { MASTRA_TEST_KEY => 'sk-test' },
    conf => "MastraRunLease 3\nMastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n",
    limits => mpm() eq 'prefork' ? "StartServers 6\nMinSpareServers 3\nMaxSpareServers 8\nMaxRequestWorkers 16\n"
        : "StartServers 3\nMinSpareThreads 10\nMaxSpareThreads 40\nThreadsPerChild 10\nMaxRequestWorkers 40\n"
        . "AsyncRequestWorkerFactor 20\n",
    setup => sub {
        my $self = shift;
        my $input = { type => 'object', properties => { run => { type => 'string' }, step => { type => 'integer' } } };
        $self->tool('careful', inputSchema => $input, requireApproval => JSON::PP::true,
            execute => { kind => 'uri', uri => '/tools/ledger.lua?slow=1' });
        mkdir "$self->{project}/agents";
        agent($self, 'keeper', durable => JSON::PP::true, tools => [qw(slow careful)],
            memory => { options => { lastMessages => 10 } });
        agent($self, 'plain', tools => ['slow']);
    });
$httpd->expect_log(qr/AH00052|AH00051|MA30(?:09|12|05|07|02)/);

sub agent {
    my ($self, $key, %definition) = @_;
    mkdir "$self->{project}/agents/$key";
    Ledger::write_file("$self->{project}/agents/$key/agent.json", JSON::PP->new->canonical->encode({
        name => $key, instructions => 'x', model => 'up/mock-model', %definition }));
}

sub begin {
    my ($run, $text, %more) = @_;
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => '/api/agents/keeper/stream', headers => ['Last-Event-ID' => 0],
        json => { messages => $text, runId => $run, %more });
    $client->{head} = $client->read_head;
    return $client;
}

sub call { my ($tool, $run, $more) = @_;
    return ($more // '') . qq( CALL:$tool:{"run":"$run","step":1}) }

# Frames until one of a type, that one last; at once what has come when the connection ends.
sub until_type {
    my ($client, $type) = @_;
    my $until = time + 30;
    my @frames;
    while (time < $until) {
        my $frame = eval { $client->next_frame(1) };
        last if !$frame && !$client->{late};
        push @frames, $frame if $frame && ref $frame->{json};
        last if $frame && ref $frame->{json} && $frame->{json}{type} eq $type;
    }
    return @frames;
}

# All that a run has said and says, after an id; asked again where that is cut off.
sub rest {
    my ($run, $last, $path) = @_;
    my @frames;
    my $until = time + 40;
    while (time < $until) {
        my $ok = eval {
            my $client = MastraClient->new(port => $httpd->port);
            $client->send_request(POST => '/api/agents/keeper/' . ($path // 'observe'), headers =>
                ['Last-Event-ID' => $last // 0], json => { runId => $run });
            return 0 if $client->read_head->{status} != 200;
            push @frames, until_type($client, 'finish');
            1;
        };
        ($last) = map { $_->{id} // () } reverse @frames if @frames;
        return @frames if $ok && @frames && $frames[-1]{json}{type} eq 'finish';
        sleep 0.3;
    }
    return @frames;
}

sub chunk_types { return map { $_->{json}{type} } @_ }
sub ids { return map { $_->{id} // 'none' } @_ }
# what was said after the last beginning of a step
sub text {
    my $text = '';
    for my $chunk (map { $_->{json} } @_) {
        $text = '' if $chunk->{type} eq 'step-start';
        $text .= $chunk->{payload}{text} if $chunk->{type} eq 'text-delta';
    }
    return $text;
}
sub keys_of { my %keys = map { $_->[0] => 1 } $httpd->noted($_[0]); return scalar keys %keys }
sub kill_children { kill KILL => $httpd->children }
sub finished { return scalar grep { $_ eq 'finish' } chunk_types(@_) }

# --- undisturbed

my @seen = until_type(begin("$id-calm", 'one two three'), 'finish');
is text(@seen), 'Echo: one two three', 'a durable agent answers';
is scalar(grep { /^0-\d+$/ } ids(@seen)), scalar @seen, '... each event with an id';
my @again = rest("$id-calm");
is_deeply [ids(@again)], [ids(@seen)], '... which can be seen again';
is text(@again), text(@seen), '... all of it';
is_deeply [ids(rest("$id-calm", $seen[3]{id}))], [ids(@seen[4 .. $#seen])], '... or from an event on';
is_deeply [ids(rest("$id-calm", undef, 'recover'))], [ids(@seen)], '... also by who wants it recovered';
is $httpd->api_post('/agents/keeper/stream', { messages => 'x', runId => "$id-calm" })->{status}, 409,
    'an id is used once';
is $httpd->api_post('/agents/keeper/recover', { runId => "$id-none" })->{status}, 404,
    'what never was cannot be recovered';
my $answer = $httpd->api_post('/agents/plain/recover', { runId => "$id-calm" });
is $answer->{status}, 400, 'nor can an agent that is not durable';
like $answer->{json}{error}, qr/Only durable agents/, '... as it says';
is $httpd->api_post('/agents/keeper/generate', { messages => 'hi' })->{json}{text}, 'Echo: hi',
    'it need not stream';

# --- the client leaves

my $client = begin("$id-left", 'PACE:100 one two three four five six');
@seen = until_type($client, 'text-delta');
$client->leave('reset');
@again = rest("$id-left", $seen[-1]{id});
is text(@seen, @again), 'Echo: PACE:100 one two three four five six', 'a run goes on without its client, which gets the rest';

# --- killed in the middle of a tool

$client = begin("$id-tool", call('slow', "$id-tool", 'PACE:20'));
@seen = until_type($client, 'tool-call');
ok wait_for(sub { $httpd->noted("$id-tool") }, 10), 'a tool is called';
kill_children();
@again = rest("$id-tool", $seen[-1]{id});
is finished(@again), 1, '... the process dies: another goes on';
is keys_of("$id-tool"), 1, '... with the same key for the call';
like text(@again), qr/^Tool result: .*"step":1/, '... and the model hears what came of it';
my @whole = rest("$id-tool");
is_deeply [ids(@whole)], [ids(@seen, @again)], '... who watched has seen all, once';
is scalar(grep { $_ eq 'start' } chunk_types(@whole)), 1, '... of one run';

# --- killed while the model speaks

$client = begin("$id-word", call('note', "$id-word", 'PACE:150') =~ s/note/slow/r);
@seen = until_type($client, 'text-delta');
is scalar($httpd->noted("$id-word")), 1, 'a tool is called once';
kill_children();
@again = rest("$id-word", $seen[-1]{id});
is finished(@again), 1, '... the process dies while the model speaks: another asks again';
is scalar($httpd->noted("$id-word")), 1, '... but calls no tool that has answered';
like text(@again), qr/^Tool result: .*"step":1.*\}$/, '... and the answer is whole';

# --- again and again, and one child of several

$client = begin("$id-often", call('slow', "$id-often", 'PACE:60'));
until_type($client, 'tool-call');
for (1 .. 3) {
    sleep 0.2 + rand 0.5;
    kill_children();
    sleep 1;
}
@again = rest("$id-often");
is finished(@again), 1, 'a run whose processes are killed again and again ends';
is keys_of("$id-often"), 1, '... its call has one key';

# --- the whole server, recovered by a client

$client = begin("$id-all", call('slow', "$id-all", 'PACE:40'));
until_type($client, 'tool-call');
$httpd->kill_all;
$httpd->up;
@again = rest("$id-all", undef, 'recover');
is finished(@again), 1, 'after the death of the whole server a client recovers a run';
is keys_of("$id-all"), 1, '... its call has one key';

# --- a thread, and who watches it

my %memory = (memory => { thread => "$id-t", resource => 'r' });
sub watch {
    my ($last) = @_;
    my $watcher = MastraClient->new(port => $httpd->port);
    $watcher->send_request(POST => '/api/agents/keeper/threads/subscribe', headers => ['Last-Event-ID' => $last],
        json => { threadId => "$id-t", resourceId => 'r' });
    $watcher->read_head;
    return $watcher;
}
watch(0)->leave;
$client = begin("$id-thread", call('slow', "$id-thread", 'PACE:40'), %memory);
@seen = until_type($client, 'tool-call');
like $seen[-1]{id}, qr/^[1-9]\d*-\d+$/, 'a run of a thread has the ids of the thread';
ok wait_for(sub { $httpd->noted("$id-thread") }, 10), '... its tool is called';
kill_children();
@again = rest("$id-thread", $seen[-1]{id});
is finished(@again), 1, '... the process dies: another goes on';
is keys_of("$id-thread"), 1, '... with the same key for the call';
my @messages;
ok wait_for(sub { @messages = eval { @{ $httpd->api_get("/memory/threads/$id-t/messages?agentId=keeper")->{json}{messages} } };
    @messages >= 2 }, 20), '... and stores what was said';
is_deeply [map { $_->{role} } @messages], [qw(user assistant)], '... once';
my $watcher = watch($seen[-1]{id});
is finished(until_type($watcher, 'finish')), 1, 'who watches the thread sees the rest';
$httpd->api_post('/agents/keeper/send-message', { threadId => "$id-t", resourceId => 'r', message => 'after that' });
like text(until_type($watcher, 'finish')), qr/after that/, '... and the next run';
$watcher->leave;

# --- a person decides

@seen = until_type(begin("$id-ask", call('careful', "$id-ask", 'PACE:40')), 'tool-call-approval');
is $seen[-1]{json}{type}, 'tool-call-approval', 'a durable run waits for a person';
my $listed = $httpd->api_get('/agents/keeper/suspended-runs')->{json};
is_deeply [map { $_->{runId} } @{ $listed->{runs} }], ["$id-ask"], '... as the list says';
is $httpd->api_post('/agents/keeper/recover', { runId => "$id-ask" })->{status}, 409,
    '... and cannot be recovered meanwhile';
$client = MastraClient->new(port => $httpd->port);
$client->send_request(POST => '/api/agents/keeper/approve-tool-call', json => { runId => "$id-ask",
    toolCallId => $listed->{runs}[0]{toolCalls}[0]{toolCallId} });
ok wait_for(sub { $httpd->noted("$id-ask") }, 10), '... approved, its tool is called';
kill_children();
@again = rest("$id-ask", $seen[-1]{id});
is finished(@again), 1, '... the process dies: the decision holds in another';
is keys_of("$id-ask"), 1, '... with the same key for the call';
is $httpd->api_get('/agents/keeper/suspended-runs')->{json}{total}, 0, '... and nothing waits any more';

# --- a graceful restart

$client = begin("$id-stop", call('slow', "$id-stop", 'PACE:200'));
@seen = until_type($client, 'tool-call');
$httpd->restart;
@again = rest("$id-stop", $seen[-1]{id});
is finished(@again), 1, 'a restart does not end a run';
is keys_of("$id-stop"), 1, '... nor double its call';
$httpd->stop;
