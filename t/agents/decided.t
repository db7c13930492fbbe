# Calls that change the database and were made before their process died: one that was approved cannot
# be declined any more, and a run that is ended says what the call came to.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Upstream;

plan tests => 6 + 2 * 5;

my $up    = Upstream->start(port => 0);
my $id    = "decided-$$";
my $json  = JSON::PP->new->canonical;
my $httpd = Ledger->start(name => 'decided', steps => 1, Ledger::with_model($up, 2),
    setup => sub {
        my $self  = shift;
        my %agent = (model => 'up/mock-model', memory => { options => { lastMessages => 10 } });
        $self->sql('asked', 'INSERT INTO t_ledger (run, step) VALUES (?, CAST(? AS INTEGER))',
            ['run', 'step'], 'row', inputSchema => $Ledger::step_in, requireApproval => JSON::PP::true);
        $self->agent('asker', %agent, tools => ['asked']);
        $self->agent('keeper', %agent, durable => JSON::PP::true, tools => [qw(write hold)]);
    });
$httpd->expect_log(qr/AH00052|AH00051|MA300\d|MA301\d|MA320\d|MA30[234]/);

sub steps { return 'STEPS:' . $json->encode([@_]) }
sub thread_of { my $run = shift; return (memory => { thread => "t-$run", resource => $id }) }
sub written { my $run = shift; return eval { $httpd->written($run) } || {} }
sub kill_children { kill KILL => $httpd->children }

# --- declined when it was made

my $run  = "$id-asked";
my $args = { run => $run, step => 1 };
my $call = $httpd->api_post('/agents/asker/generate', { runId => $run, thread_of($run),
    messages => 'PACE:4000 ' . steps([['asked', $args]]) })->{json}{suspendPayload}{toolCallId};
my $decision = { runId => $run, toolCallId => $call };
my $client   = MastraClient->new(port => $httpd->port);
$client->send_request(POST => '/api/agents/asker/approve-tool-call', json => $decision);
ok wait_for(sub { written($run)->{1} }, 30), 'a call that was approved has written';
kill_children();
my $answer;
wait_for(sub {
    $answer = eval { $httpd->api_post('/agents/asker/decline-tool-call-generate', $decision) };
    return $answer && ($answer->{status} == 200 || $answer->{json}{toolInvocation}) }, 30);
is $answer->{status}, 409, '... its process dies: it cannot be declined any more';
is $answer->{json}{toolInvocation}{state}, 'result', '... which says that it was made';
is $answer->{json}{toolInvocation}{toolCallId}, $call, '... by its id';
wait_for(sub { $answer = eval { $httpd->api_post('/agents/asker/approve-tool-call-generate', $decision) };
    $answer && $answer->{status} !~ /^(?:409|503)$/ }, 60);
is $answer->{json}{text}, 'Done', '... it is approved again, and the run comes to its end';
is_deeply written($run), { 1 => 1 }, '... what it wrote is there once';

# --- ended when it was made, another call of the step is still under way

sub calls_of {
    my ($run) = @_;
    my $messages = eval { $httpd->api_get("/memory/threads/t-$run/messages?agentId=keeper")->{json}{messages} } || [];
    return { map { ($_->{toolName} => $_->{state}) } map { $_->{toolInvocation} // () }
        map { @{ $_->{content}{parts} } } grep { $_->{role} eq 'assistant' } @$messages };
}

for my $dies (0, 1) {
    $run = "$id-cut-$dies";
    my $watch = MastraClient->new(port => $httpd->port);
    $watch->send_request(POST => '/api/agents/keeper/threads/subscribe',
        json => { threadId => "t-$run", resourceId => $id });
    $watch->read_head;
    $httpd->hold($run, 1);
    $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => '/api/agents/keeper/stream', json => { runId => $run, thread_of($run),
        messages => steps([['write', { run => $run, step => 1 }], ['hold', { run => $run, step => 1 }]]) });
    ok wait_for(sub { written($run)->{1} && $httpd->calls($run, 1) }, 30), 'a call has written, the step goes on';
    kill_children() if $dies;
    wait_for(sub { $answer = eval { $httpd->api_post('/agents/keeper/threads/abort',
        { threadId => "t-$run", resourceId => $id }) }; $answer && $answer->{status} == 200 }, 30);
    is $answer->{json}{aborted}, true, ($dies ? '... its process dies, ' : '... ') . 'it is ended';
    ok wait_for(sub { (calls_of($run)->{write} // '') eq 'result' }, 30), '... and says what the call came to';
    $httpd->open_gates($run);
    ok wait_for(sub { !$httpd->owners->{$run} }, 30), '... it is over';
    is_deeply [calls_of($run), written($run)], [{ write => 'result', hold => 'call' }, { 1 => 1 }],
        '... and what was written is there once';
}
$httpd->stop;
$up->stop;
