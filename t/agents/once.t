# Tools of kind sql that agents call, and processes that die around them: what a call changes in the
# database and that it was made are one transaction, so that the ledger has each call once.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

# CRASH=1 (make crash): ROUNDS times at random points
my $rounds = $ENV{CRASH} ? $ENV{ROUNDS} || 20 : 1;

plan tests => 4 * 3 + 3 + 3 + 2 * $rounds;

# what is said with HOLD stands at a gate behind its calls, the first time
my $held;
my $up    = Upstream->start(port => 0, script => sub {
    my $asked    = $_[0]{json} || {};
    my @messages = @{ $asked->{messages} || [] };
    return undef if !@messages || $messages[-1]{role} ne 'tool' || $held
        || !grep { Upstream::text_of($_->{content}) =~ /^HOLD/ } @messages;
    $held = 1;
    return [gate => 1, @{ Upstream::answer($_[0], {}) }];
});
my $id    = "once-$$";
my $json  = JSON::PP->new->canonical;
my $httpd = Ledger->start(name => 'once', steps => 1, Ledger::with_model($up, 1),
    setup => sub {
        my $self  = shift;
        my %agent = (model => 'up/mock-model', tools => [qw(write hold slowly)],
            memory => { options => { lastMessages => 10 } });
        # long enough for a process to die in it
        $self->sql('slowly', 'INSERT INTO t_ledger (run, step) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL '
            . 'SELECT n + 1 FROM c WHERE n < 200000) SELECT ?, CAST(? AS INTEGER) + 0 * max(n) FROM c',
            ['run', 'step'], 'row', inputSchema => $Ledger::step_in);
        $self->sql('asked', 'INSERT INTO t_ledger (run, step) VALUES (?, CAST(? AS INTEGER))', ['run', 'step'],
            'row', inputSchema => $Ledger::step_in, requireApproval => JSON::PP::true);
        $self->sql('notes', 'SELECT run, place FROM mastra_x_calls', [], 'rows');
        $self->agent('helper', %agent);
        Ledger::write_file("$self->{project}/workflows/both.json", $json->encode({ id => 'both',
            inputSchema => { type => 'object', properties => { run => { type => 'string' } } },
            outputSchema => { type => 'object' }, graph => [map { my $tool = $_;
                ({ type => 'mapping', id => "m-$tool", mapConfig => $json->encode({
                    run => { template => '${initData.run}' }, step => { value => 1 } }) },
                { type => 'tool', id => $tool, toolId => $tool }) } qw(write hold)] }));
        $self->agent('keeper', %agent, durable => { maxSteps => 30 }, agents => ['helper'], workflows => ['both']);
        $self->agent('asker', %agent, tools => ['asked']);
        $self->workflow('flow', { type => 'mapping', id => 'm', mapConfig => $json->encode({
            prompt => { template => '${initData.prompt}' } }) }, { type => 'agent', id => 'a', agentId => 'helper' });
    });
$httpd->expect_log(qr/AH00052|AH00051|MA300\d|MA301\d|MA320\d|MA30[234]/);

sub steps { return 'STEPS:' . $json->encode([@_]) }
sub at { my ($run, $step) = @_; return { run => $run, step => $step } }

sub begin {
    my ($run, $text) = @_;
    $httpd->{clients}{$run} = my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => '/api/agents/keeper/stream', json => { messages => $text, runId => $run,
        memory => { thread => "t-$run", resource => $id } });
}

sub written { my $run = shift; return eval { $httpd->written($run) } || {} }

sub answered {
    my ($run) = @_;
    my $messages = eval { $httpd->api_get("/memory/threads/t-$run/messages?agentId=keeper")->{json}{messages} } || [];
    return grep { $_->{role} eq 'assistant' && $json->encode($_) =~ /"Done"/ } @$messages;
}

sub kill_children { kill KILL => $httpd->children }

sub kill_one {
    my @pids = $httpd->children or return;
    kill KILL => $pids[rand @pids];
}

# --- after the commit: another call of the step is still under way

sub after_commit {
    my ($what, $run, $begin, $over) = @_;
    $httpd->hold($run, 1);
    $begin->();
    ok wait_for(sub { written($run)->{1} && $httpd->calls($run, 1) }, 30), "$what: it has written, the step goes on";
    kill_children();
    $httpd->open_gates($run);
    ok wait_for($over, 60), '... its process dies, it comes to its end';
    is_deeply written($run), { 1 => 1 }, '... what it wrote is there once';
}

my $run = "$id-own";
after_commit('a durable agent', $run, sub { begin("$id-own", steps([['write', at($run, 1)], ['hold', at($run, 1)]])) },
    sub { answered($run) });
$run = "$id-sub";
after_commit('an agent\'s agent', $run, sub { begin($run, steps([['agent-helper', { prompt =>
    steps([['write', at($run, 1)], ['hold', at($run, 1)]]) }]])) }, sub { answered($run) });
$run = "$id-both";
after_commit('an agent\'s workflow', $run, sub { begin($run, steps([['workflow-both', { inputData => { run => $run } }]])) },
    sub { answered($run) });
$run = "$id-flow";
after_commit('an agent in a workflow', $run, sub {
    $httpd->api_post("/workflows/flow/create-run?runId=$run", {});
    $httpd->api_post("/workflows/flow/start?runId=$run", { inputData => {
        prompt => steps([['write', at($run, 1)], ['hold', at($run, 1)]]) } });
}, sub { ($httpd->view('flow', $run)->{status} // '') eq 'success' });

# --- a run that a person's decision took up: its state is not stored before its end

$run = "$id-asked";
my $body = { runId => $run, messages => 'HOLD ' . steps([['asked', at($run, 1)]]),
    memory => { thread => "t-$run", resource => $id } };
my $call = $httpd->api_post('/agents/asker/generate', $body)->{json}{suspendPayload}{toolCallId};
my $decision = { runId => $run, toolCallId => $call };
my $client   = MastraClient->new(port => $httpd->port);
$client->send_request(POST => '/api/agents/asker/approve-tool-call', json => $decision);
ok wait_for(sub { written($run)->{1} }, 30), 'a call that was approved has written';
$up->gated or die 'the model was not asked for its answer';
kill_children();
my $answer;
wait_for(sub { $answer = eval { $httpd->api_post('/agents/asker/approve-tool-call-generate', $decision) };
    $answer && $answer->{status} !~ /^(?:409|503)$/ }, 60);
is $answer->{json}{text}, 'Done', '... its process dies, it is approved again';
is_deeply written($run), { 1 => 1 }, '... what it wrote is there once';

# --- statements that fail change nothing, and are no end

$run = "$id-bad";
begin($run, steps([['write', at($run, 1)], ['write', at($run, 1)]], [['write', at($run, 2)]], [['write', at($run, 2)]]));
ok wait_for(sub { answered($run) }, 30), 'a run writes the same more than once';
is_deeply written($run), { 1 => 2, 2 => 2 }, '... each call counts';
# an answer is stored before the run is over
my @notes;
wait_for(sub {
    @notes = grep { $_->{run} !~ /-flow$/ } @{ $httpd->api_post('/tools/notes/execute', { data => {} })->{json} };
    return !@notes;
});
is_deeply \@notes, [], '... and agents keep nothing of it when they are over';

# --- any moment: one process, or all

for my $round (1 .. $rounds) {
    my $n     = mpm() eq 'prefork' ? 2 : 4;
    my @runs  = map { "$id-any-$round-$_" } 1 .. $n;
    my $steps = $ENV{CRASH} ? 6 : 4;
    for my $one (@runs) {
        begin($one, steps(map { [['write', at($one, $_)], ['slowly', at($one, 100 + $_)]] } 1 .. $steps));
    }
    my $until = time + 60;
    while (time < $until && grep { !answered($_) } @runs) {
        sleep 0.05 + rand 0.6;
        rand() < 0.7 ? kill_one() : kill_children();
        # a run may change hands six times in one step
        wait_for(sub { 0 == grep { !answered($_) } @runs }, 2);
    }
    ok wait_for(sub { 0 == grep { !answered($_) } @runs }, 60), "round $round: runs come to their ends";
    is_deeply { map { $_ => written($_) } @runs },
        { map { $_ => { map { $_ => 1, 100 + $_ => 1 } 1 .. $steps } } @runs }, '... the ledger has each call once';
}
$httpd->stop;
$up->stop;
