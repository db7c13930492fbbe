# A network whose agent goes on after a decision, and whose process dies then: the network is found at
# once, its agent's own claim ends a lease later, and is waited for.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use Upstream;

plan skip_all => 'several children with threads: event only' if mpm() ne 'event';
plan tests => 6;

my $up    = Upstream->start(port => 0);
my $run   = "nested-$$";
my $json  = JSON::PP->new->canonical;
my $httpd = Ledger->start(name => 'nested', steps => 1, env => { MASTRA_TEST_KEY => 'sk-test' },
    conf => "MastraRunLease 4\nKeepAlive Off\n"
        . "MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n",
    limits => "StartServers 3\nServerLimit 6\nMinSpareThreads 1\nMaxSpareThreads 90\nThreadsPerChild 30\n"
        . "MaxRequestWorkers 90\n",
    setup => sub {
        my $self  = shift;
        my %agent = (model => 'up/mock-model', memory => { options => { lastMessages => 10 } });
        $self->tool('careful', requireApproval => JSON::PP::true, inputSchema => $Ledger::step_in,
            execute => { kind => 'uri', uri => '/tools/gate.lua' });
        $self->agent('asker', %agent, tools => ['careful']);
        $self->agent('leader', %agent, agents => ['asker'], durable => JSON::PP::true);
    });
$httpd->expect_log(qr/AH00052|AH00051|MA300\d|MA301\d|MA30[234]|MA340\d/);

sub ask {
    my ($path, %body) = @_;
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api/agents/leader/$path", headers => ['Last-Event-ID' => 0], json => { %body });
    return $client;
}

# What comes in a while, until one of a type or the end.
sub until_type {
    my ($client, $type) = @_;
    my @frames;
    my $until = time + 90;
    while (my $frame = time < $until && eval { $client->next_frame(30) }) {
        push @frames, $frame->{json} if ref $frame->{json};
        last if ref $frame->{json} && $frame->{json}{type} eq $type;
    }
    return @frames;
}

my $steps  = 'STEPS:' . $json->encode([[['careful', { run => $run, step => 1 }]]]);
my $client = ask('network', messages => 'ROUTES:' . $json->encode([['asker', 'agent', $steps]]) . '!', runId => $run,
    maxSteps => 5, memory => { thread => "t-$run", resource => $run });
$client->read_head;
my @seen = until_type($client, 'agent-execution-approval');
is $seen[-1]{type}, 'agent-execution-approval', 'the agent of a network waits';
$httpd->hold($run, 1);
$client = ask('approve-network-tool-call', runId => $run);
ok wait_for(sub { $httpd->calls($run, 1) }, 30), '... goes on, and is at its tool';
my $owner = MastraTest::child_with_port($client->socket->sockport, $httpd->children);
kill KILL => $owner;
$httpd->open_gates($run);
my @rest;
my $asked = 0;
wait_for(sub {
    my $one = ask('observe', runId => $run);
    @rest = eval { $one->read_head->{status} == 200 } && ++$asked ? until_type($one, 'network-execution-event-finish') : ();
    @rest && $rest[-1]{type} eq 'network-execution-event-finish' }, 40);
is $rest[-1]{type}, 'network-execution-event-finish', '... its process dies: another goes on';
is $asked, 1, '... which who watches hears of, wherever the network was before';
my ($end) = grep { $_->{type} eq 'agent-execution-end' } @rest;
unlike $json->encode($end // {}), qr/resumed already/, '... also with the agent';
is $httpd->effects($run)->{1}, 1, '... whose call takes effect once';
$httpd->stop;
$up->stop;
