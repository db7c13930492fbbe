# Networks whose processes die, or leave, while they go on: another process takes them up where they
# were stored last, a call that was under way is made again with the same key, what it writes to the
# database is there once, and whoever watches gets the rest.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

# CRASH=1 (make crash): ROUNDS times at random points, and all ways
my $rounds = $ENV{CRASH} ? $ENV{ROUNDS} || 20 : 1;
my $event  = mpm() eq 'event';

plan tests => 8 + 4 + 4 + 4 + 3 + 3 + 3 * $rounds;

my $up    = Upstream->start(port => 0);
my $id    = "netcrash-$$";
my $json  = JSON::PP->new->canonical;
my $httpd = Ledger->start(name => 'netcrash', steps => 1, env => { MASTRA_TEST_KEY => 'sk-test' },
    conf => "MastraRunLease 1\nKeepAlive Off\nMastraStopLimit 1s\n"
        . "MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n",
    limits => !$event ? "StartServers 8\nMinSpareServers 6\nMaxSpareServers 12\nMaxRequestWorkers 24\n"
        : "StartServers 3\nServerLimit 6\nMinSpareThreads 1\nMaxSpareThreads 90\nThreadsPerChild 30\n"
        . "MaxRequestWorkers 90\n",
    setup => sub {
        my $self  = shift;
        my %agent = (model => 'up/mock-model', tools => [qw(write hold)], memory => { options => { lastMessages => 10 } });
        $self->agent('helper', %agent);
        Ledger::write_file("$self->{project}/workflows/flow.json", $json->encode({ id => 'flow',
            inputSchema => { type => 'object', properties => { run => { type => 'string' } } },
            outputSchema => { type => 'object' }, graph => [map { my $tool = $_;
                ({ type => 'mapping', id => "m-$tool", mapConfig => $json->encode({
                    run => { template => '${initData.run}' }, step => { value => 1 } }) },
                { type => 'tool', id => $tool, toolId => $tool }) } qw(write hold)] }));
        $self->agent('leader', %agent, agents => ['helper'], workflows => ['flow']);
        $self->agent('boss', %agent, agents => ['helper'], durable => JSON::PP::true);
    });
$httpd->expect_log(qr/AH00052|AH00051|MA300\d|MA301\d|MA320\d|MA30[234]|MA340\d/);

sub at { my ($run, $step) = @_; return $json->encode({ run => $run, step => $step }) }

sub begin {
    my ($run, $routes, %opt) = @_;
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => '/api/agents/' . ($opt{agent} // 'leader') . '/network', headers => ['Last-Event-ID' => 0],
        json => { messages => 'ROUTES:' . $json->encode($routes) . '!', runId => $run, maxSteps => 20,
            memory => { thread => "t-$run", resource => $id } });
    return $client;
}

# what has come until the connection ends
sub until_type {
    my ($client, $type) = @_;
    my @frames;
    while (my $frame = eval { $client->next_frame(30) }) {
        push @frames, $frame if ref $frame->{json};
        last if ref $frame->{json} && $frame->{json}{type} eq $type;
    }
    return @frames;
}

# All that a run has said after an event; asked again where that is cut off.
sub rest {
    my ($run, $last, %opt) = @_;
    my @frames;
    my $path = $opt{path} // 'observe';
    wait_for(sub {
        eval {
            my $client = MastraClient->new(port => $httpd->port);
            $client->send_request(POST => '/api/agents/' . ($opt{agent} // 'leader') . "/$path",
                headers => ['Last-Event-ID' => $last // 0], json => { runId => $run });
            push @frames, until_type($client, 'network-execution-event-finish') if $client->read_head->{status} == 200;
        };
        ($last) = map { $_->{id} // () } reverse @frames if @frames;
        return @frames && $frames[-1]{json}{type} eq 'network-execution-event-finish';
    }, 40);
    return @frames;
}

sub types { return map { $_->{json}{type} } @_ }
sub count { my ($type, @frames) = @_; return scalar grep { $_ eq $type } types(@frames) }
sub written { my $run = shift; return eval { $httpd->written($run) } || {} }
sub kill_children { kill KILL => $httpd->children }
sub keys_of { my %keys = map { $_->[0] => 1 } $httpd->noted($_[0]); return scalar keys %keys }

# --- a tool, one after that has written

my $run    = "$id-tool";
my $client = begin($run, [['write', 'tool', at($run, 1)], ['hold', 'tool', at($run, 2)], ['write', 'tool', at($run, 3)]]);
$httpd->hold($run, 2);
ok wait_for(sub { $httpd->calls($run, 2) }, 30), 'a network has written, and is at its second tool';
$client->read_head;
my @seen = grep { ref $_->{json} } map { $client->next_frame(30) } 1 .. 5;
kill_children();
$httpd->open_gates($run);
my @rest = rest($run, $seen[-1]{id});
is count('network-execution-event-finish', @rest), 1, '... its process dies: another goes on to the end';
is_deeply written($run), { 1 => 1, 3 => 1 }, '... what was written is there once';
is keys_of($run), 1, '... the call that was under way is made again with the same key';
is count('routing-agent-end', @seen, @rest), 3, '... each choice was made once';
my @whole = rest($run);
is_deeply [map { $_->{id} } @whole], [map { $_->{id} } @seen, @rest], '... and who watched has seen all, once';
my @said = grep { $_->{role} eq 'assistant' } @{ $httpd->api_get("/memory/threads/t-$run/messages?agentId=leader&perPage=50")
    ->{json}{messages} };
is scalar(grep { $json->encode($_) =~ /isNetwork/ } @said), 3, '... as the thread says';
is scalar(grep { $json->encode($_) =~ /"Final network answer"/ } @said), 1, '... with one answer';

# --- an agent that has written and goes on; a workflow; /recover

for my $how (['agent', 'helper', sub { 'STEPS:' . $json->encode([[['write', { run => $_[0], step => 1 }],
        ['hold', { run => $_[0], step => 1 }]]]) }], ['workflow', 'flow', sub { $json->encode({ run => $_[0] }) }]) {
    my ($kind, $name, $prompt) = @$how;
    $run = "$id-$kind";
    $httpd->hold($run, 1);
    $client = begin($run, [[$name, $kind, $prompt->($run)]]);
    ok wait_for(sub { written($run)->{1} && $httpd->calls($run, 1) }, 30), "a network's $kind has written, and goes on";
    kill_children();
    $httpd->open_gates($run);
    @rest = rest($run, 0, path => 'recover');
    is count('network-execution-event-finish', @rest), 1, '... its process dies: another goes on to the end';
    is_deeply written($run), { 1 => 1 }, '... what was written is there once';
    my ($end) = grep { $_->{json}{type} eq "$kind-execution-end" } @rest;
    like $json->encode($end->{json}{payload}{result} // ''), qr/Done|"status":"success"/, '... with its result';
}

# --- the server dies

$run = "$id-server";
$httpd->hold($run, 2);
$client = begin($run, [['write', 'tool', at($run, 1)], ['hold', 'tool', at($run, 2)], ['write', 'tool', at($run, 3)]]);
ok wait_for(sub { $httpd->calls($run, 2) }, 30), 'a network is at its tool';
$httpd->kill_all;
$httpd->open_gates($run);
$httpd->up;
is count('network-execution-event-finish', rest($run)), 1, '... its server dies, and goes on with it when it is there again';
is_deeply written($run), { 1 => 1, 3 => 1 }, '... what was written is there once';
is $httpd->api_post('/agents/leader/recover', { runId => "$id-none" })->{status}, 400,
    'what never was a network of an agent that is not durable cannot be recovered';

# --- it does not need its client, when it is durable

$run = "$id-left";
$httpd->hold($run, 1);
$client = begin($run, [['hold', 'tool', at($run, 1)], ['write', 'tool', at($run, 2)]], agent => 'boss');
ok wait_for(sub { $httpd->calls($run, 1) }, 30), 'a durable agent leads a network';
$client->leave('reset');
$httpd->open_gates($run);
is count('network-execution-event-finish', rest($run, 0, agent => 'boss')), 1, '... that goes on without its client';
is_deeply written($run), { 2 => 1 }, '... to its end';

# --- the child stops

$run = "$id-stop";
$httpd->hold($run, 1);
$client = begin($run, [['hold', 'tool', at($run, 1)], ['write', 'tool', at($run, 2)]]);
ok wait_for(sub { $httpd->calls($run, 1) }, 30), 'a network is at its tool';
$httpd->graceful;
wait_for(sub { $httpd->calls($run, 1) > 1 }, 30);
$httpd->open_gates($run);
is count('network-execution-event-finish', rest($run)), 1, '... its child stops: another goes on';
is_deeply written($run), { 2 => 1 }, '... to its end';

# --- any moment: one process, or all

for my $round (1 .. $rounds) {
    my $n     = $event ? 3 : 2;
    my @runs  = map { "$id-any-$round-$_" } 1 .. $n;
    my $steps = 4;
    my @clients;
    for my $one (@runs) {
        push @clients, begin($one, [map { $_ % 2 ? ['write', 'tool', at($one, $_)] : ['helper', 'agent', 'STEPS:'
            . $json->encode([[['write', { run => $one, step => $_ }]]])] } 1 .. $steps], agent => 'boss');
    }
    my $until = time + 20;
    my $done  = sub { my $one = shift; written($one)->{$steps} && (eval { $httpd->api_get(
        "/memory/threads/t-$one/messages?agentId=leader&perPage=50")->{body} } // '') =~ /"Final network answer"/ };
    while (time < $until && grep { !$done->($_) } @runs) {
        sleep 0.02 + rand 0.4;
        my @pids = $httpd->children;
        kill KILL => rand() < 0.7 ? $pids[rand @pids] // () : @pids;
        # a run may change hands six times in one step
        wait_for(sub { 0 == grep { !$done->($_) } @runs }, 2);
    }
    ok wait_for(sub { 0 == grep { !$done->($_) } @runs }, 60), "round $round: networks come to their ends";
    is_deeply { map { $_ => written($_) } @runs }, { map { $_ => { map { $_ => 1 } 1 .. $steps } } @runs },
        '... the ledger has each call once';
    is_deeply [map { count('network-execution-event-finish', rest($_, 0, agent => 'boss')) } @runs], [(1) x @runs],
        '... and each says so once';
}
$httpd->stop;
$up->stop;
