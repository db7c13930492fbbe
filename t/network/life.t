# Networks whose clients leave or are slow, and those that wait: over a restart, in another child,
# after a crash, decided about by several at once.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraClient;
use MastraTest;
use POSIX ();
use Served;
use Time::HiRes qw(sleep);

plan tests => 24;

my $event = mpm() eq 'event';
my $httpd = Served->start(name => 'network', $event ? (limits => <<'END') : (), conf => <<'END');
StartServers 3
ServerLimit 4
ThreadsPerChild 5
MinSpareThreads 5
MaxSpareThreads 20
MaxRequestWorkers 20
AsyncRequestWorkerFactor 20
END
MastraRunLease 3s
END
my $up = $httpd->model;
my $id = "life-$$";
my $A  = '/agents/net-leader';
my $n  = 0;

sub body {
    my ($task, %opt) = @_;
    return { messages => $task, maxSteps => 1,
        memory => { thread => "$id-" . ++$n, resource => $id }, %opt };
}

# the types of chunks
sub types { return map { ref $_->{json} ? $_->{json}{type} : () } @_ }

sub waiting {
    my ($run, $task) = @_;
    my @seen = types($httpd->stream("$A/network", body($task
            // 'ROUTE:net-delete:tool:{"path":"/x"}; go', runId => $run))->frames);
    return $seen[-1];
}

sub approve {
    my ($run, %opt) = @_;
    return $httpd->api_post("$A/approve-network-tool-call", { runId => $run, %opt });
}

# --- the client leaves

my $before = $up->stats->{cancelled};
my $client = $httpd->ask("$A/network", body('ROUTE:net-helper:agent:SLOW ' . 'word ' x 100 . '; go'));
$client->read_head;
my $frame;
do { $frame = $client->next_frame } until !$frame
    || (ref $frame->{json} && $frame->{json}{type} eq 'agent-execution-event-text-delta');
ok $frame, 'an agent speaks for a network';
$client->leave;
ok wait_for(sub { $up->stats->{cancelled} > $before }, 10), '... is stopped when the client leaves';
$before = $up->stats->{cancelled};
$client = $httpd->ask("$A/network", body('GATE ROUTE:net-helper:agent:x; go'));
$client->read_head;
$client->next_frame;
$up->gated or die 'the model was not asked';
$client->leave;
ok wait_for(sub { $up->stats->{cancelled} > $before }, 10), 'so is the model that chooses';
$client = $httpd->ask("$A/network", body('ROUTE:net-flow:workflow:{"n":1}; go'));
$client->leave;
is $httpd->api_get($A)->{status}, 200, 'nor does a workflow mind';

# --- a client that is slow gets all of it

$client = $httpd->ask("$A/network", body('ROUTE:net-helper:agent:BIG:3000000; go'));
$client->read_head;
sleep 1;
my @seen = types($client->frames);
is $seen[-1], 'network-execution-event-finish', 'a large answer comes whole';

# --- several decide

my %count;
for my $round (1 .. 3) {
    my $run = "$id-race-$round";
    waiting($run);
    my @pids;
    for my $who (1 .. 4) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $status = approve($run)->{status};
            POSIX::_exit($status == 200 ? 1 : $status == 409 ? 2 : $status == 404 ? 3 : 9);
        }
        push @pids, $pid;
    }
    for (@pids) { waitpid $_, 0; $count{ $? >> 8 }++ }
}
is $count{1}, 3, 'of several decisions about one call exactly one counts';
is $count{9} // 0, 0, '... and the others are refused';
is $httpd->api_post('/agents/net-careful/approve-network-tool-call', { runId => 'x' })->{status}, 404,
    'another agent has no such run';

# --- a restart

is waiting("$id-old"), 'tool-execution-approval', 'a network waits';
is waiting("$id-old-agent", 'ROUTE:net-careful:agent:delete it; go'), 'agent-execution-approval',
    '... one with its agent';
is waiting("$id-old-flow", 'ROUTE:net-wait:workflow:{"q":"w"}; go'), 'workflow-execution-suspended',
    '... one with its workflow';
is waiting("$id-old-ask", 'ROUTE:net-ask:tool:{"q":"w"}; go'), 'tool-execution-suspended',
    '... one for a person\'s words';
is $httpd->api_post("$A/network", body('ROUTE:net-delete:tool:{"path":"/y"}; go', runId => "$id-old",
        memory => { thread => "$id-bob", resource => "$id-bob" }))->{body} =~ /already/, 1,
    'a run id that is in use cannot be taken';
my $old = $httpd->pid;
$httpd->stop;
$httpd->up;
isnt $httpd->pid, $old, 'the server is restarted';
my $finish = qr/"type":"network-execution-event-finish"/;
like approve("$id-old")->{body}, $finish, '... the network goes on';
like approve("$id-old-agent")->{body}, qr/agent-execution-event-tool-result.*$finish/s,
    '... with its agent';
like approve("$id-old-flow", resumeData => { answer => 'a' })->{body},
    qr/workflow-execution-end.*$finish/s, '... with its workflow';
like approve("$id-old-ask", resumeData => { answer => 'a' })->{body},
    qr/"result":\{"answer":"a"\}.*$finish/s, '... with what was said';
is approve("$id-old")->{status}, 404, '... once';

# --- a crash

# All that a run has said after an event; asked again where that is cut off.
sub rest {
    my ($run, $last, %opt) = @_;
    my @frames;
    wait_for(sub {
        my $client = $httpd->client;
        my $ok = eval {
            $client->send_request(POST => "/api/agents/" . ($opt{agent} // 'net-leader') . '/' . ($opt{path} // 'observe'),
                headers => ['Last-Event-ID' => $last // 0], json => { runId => $run });
            $client->read_head->{status} == 200;
        } or return 0;
        push @frames, grep { ref $_->{json} } eval { $client->frames };
        ($last) = map { $_->{id} // () } reverse @frames if @frames;
        return @frames && $frames[-1]{json}{type} eq 'network-execution-event-finish';
    }, 60);
    return @frames;
}

SKIP: {
    skip 'several children with threads: event only', 5 if !$event;
    is waiting("$id-crash", 'ROUTE:net-careful:agent:delete PACE:1500 it; go'), 'agent-execution-approval',
        'a network waits';
    $client = $httpd->ask("$A/approve-network-tool-call", { runId => "$id-crash" });
    $client->read_head;
    do { $frame = $client->next_frame } until !$frame || (ref $frame->{json}
        && $frame->{json}{type} eq 'agent-execution-event-tool-result');
    ok $frame, '... goes on in a child';
    $httpd->expect_log(qr/exit signal Killed|MA340[23]|MA30(?:05|12)/);
    kill KILL => $_ for $httpd->children;
    my @types = types(rest("$id-crash"));
    is $types[-1], 'network-execution-event-finish', '... that is killed: another goes on to the end';
    is scalar(grep { $_ eq 'agent-execution-end' } @types), 1, '... with what was decided';
    is approve("$id-crash")->{status}, 404, '... once';
}
