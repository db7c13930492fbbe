# A durable run whose process dies when its answer is stored and its last words are not: another says
# those, once, so that whoever watches comes to the end, as it does where they were stored already.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;

plan tests => 2 * 5 + 3;

my $id    = "last-$$";
my $httpd = Ledger->start(name => 'last', steps => 1, conf => "MastraRunLease 2\nKeepAlive Off\n",
    limits => mpm() eq 'prefork' ? "StartServers 6\nMinSpareServers 3\nMaxSpareServers 8\nMaxRequestWorkers 16\n"
        : "StartServers 3\nServerLimit 3\nMinSpareThreads 1\nMaxSpareThreads 90\nThreadsPerChild 30\n"
        . "MaxRequestWorkers 90\n",
    setup => sub {
        my $self = shift;
        for my $hold (qw(words end)) {
            $self->sql("hold-$hold", $_, [], 'value') for hold($self, $hold);
            $self->sql("free-$hold", "DROP TRIGGER t_$hold" . ($self->{params} ? " ON @{[ table($hold) ]}" : ''), [],
                'value');
        }
        $self->sql('refuse', q[CREATE FUNCTION t_refuse() RETURNS trigger LANGUAGE plpgsql AS ]
            . q['BEGIN RAISE EXCEPTION ''held''; END'], [], 'value') if $self->{params};
        $self->agent('keeper', durable => JSON::PP::true);
    });
# a run that is taken up, storage that refuses, processes that die
$httpd->expect_log(qr/AH00052|AH00051|MA3009|MA301[02]|MA5\d\d\d|held/);
sub table { $_[0] eq 'words' ? 'mastra_x_events' : 'mastra_x_runs' }

# What is written is refused: the last words; the end of the run.
sub hold {
    my ($self, $what) = @_;
    my $event = $what eq 'words' ? 'INSERT' : 'UPDATE';
    my $when  = $what eq 'words' ? q(NEW.log LIKE 'a:last-%' AND NEW.frames LIKE '%"type":"finish"%')
        : q(NEW.id LIKE 'last-%' AND NEW.status = 'done');
    return "CREATE TRIGGER t_$what BEFORE $event ON @{[ table($what) ]} FOR EACH ROW WHEN ($when) "
        . ($self->{params} ? 'EXECUTE FUNCTION t_refuse()' : q[BEGIN SELECT RAISE(ABORT, 'held'); END]);
}

sub follow {
    my ($path, %more) = @_;
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api/agents/keeper/$path", headers => ['Last-Event-ID' => 0], json => { %more });
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
for my $what (qw(words end)) {
    my $run = "$id-$what";
    is $httpd->api_post("/tools/hold-$what/execute", { data => {} })->{status}, 200, "$what: storage refuses them";
    my $client = follow('stream', messages => 'one two', runId => $run) or die 'no run';
    my @said   = frames($client);
    like types(@said), qr/step-finish finish$/, '... the client has them, the log does not';
    kill KILL => $httpd->children;
    wait_for(sub { eval { $httpd->api_post("/tools/free-$what/execute", { data => {} })->{status} == 200 } }, 30);
    my ($observer, @seen);
    wait_for(sub { eval {
        my $one = follow('observe', runId => $run) or return 0;
        @seen = frames($one, 1);
        $observer = $one;
        @seen && $seen[-1]{json}{type} eq 'finish' } }, 40);
    is types(@seen), types(@said), '... its process dies: who watches has them from another';
    is_deeply [map { $_->{json}{payload}{output}{text} } $seen[-1]], [map { $_->{json}{payload}{output}{text} } $said[-1]],
        '... with the answer';
    ok $observer && !$observer->{late}, '... and the stream ends';
}

# --- what does not stream ends, too: its log is there, and empty

my $answer = $httpd->api_post('/agents/keeper/generate', { messages => 'one', runId => "$id-whole" });
is $answer->{json}{text}, 'Echo: one', 'a run that does not stream';
my $observer;
wait_for(sub { $observer = eval { follow('observe', runId => "$id-whole") } }, 20);
is types(frames($observer, 1)), '', '... says nothing to who watches';
ok !$observer->{late}, '... and that is over';
$httpd->stop;
