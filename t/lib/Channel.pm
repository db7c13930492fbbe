# A server of its own with several children that serves the demo's agents, for threads as
# channels: connections to a child of choice, subscribers, what they saw.
package Channel;
use strict;
use warnings FATAL => 'all';

use base 'MastraHttpd';

use Carp qw(croak);
use Exporter 'import';
use MastraClient;
use MastraTest ();
use Time::HiRes qw(time);
use Upstream;

our @EXPORT_OK = qw(said types runs_of);

my $agent = '/agents/weather-agent';

sub limits {
    my ($n) = @_;
    return {
        event => "StartServers $n\nServerLimit $n\nThreadsPerChild 16\nMinSpareThreads 1\n"
            . 'MaxSpareThreads ' . 16 * $n . "\nMaxRequestWorkers " . 16 * $n
            . "\nAsyncRequestWorkerFactor 50\n",
        worker => "StartServers $n\nServerLimit $n\nThreadsPerChild 16\nMinSpareThreads 1\n"
            . 'MaxSpareThreads ' . 16 * $n . "\nMaxRequestWorkers " . 16 * $n . "\n",
        prefork => "StartServers 24\nMinSpareServers 8\nMaxSpareServers 32\n"
            . "MaxRequestWorkers 48\n",
    }->{ MastraTest::mpm() };
}

# start(name => .., [children => 3,] [conf => more])
sub new {
    my ($class, %opt) = @_;
    my $up   = Upstream->start(port => 0);
    my $n    = delete $opt{children} // 3;
    my $conf = delete $opt{conf} // '';
    my $self = $class->SUPER::new(limits => limits($n), %opt,
        env  => { MASTRA_TEST_KEY => 'sk-test', MASTRA_DEMO_MODEL => 'up/mock-model' },
        conf => <<"END");
MastraEngine On
MastraProject "\@top\@/conf/demo"
MastraModelProvider mock mock
MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0
Alias "/tools/" "\@top\@/conf/demo/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
KeepAliveTimeout 30
$conf
END
    $self->{up} = $up;
    return $self;
}

sub model { $_[0]{up} }

# --- connections to a child of choice ----------------------------------------

# A connection that a child has, and will keep; { client, pid }.
sub connection {
    my ($self) = @_;
    my $client = MastraClient->new(port => $self->port);
    $client->send_request(GET => '/health');
    $client->read_answer;
    return { client => $client, pid => MastraTest::child_with_port(
        $client->socket->sockport, $self->children) };
}

# One to a child of which the test is true; dies when none turns up.
sub connection_to {
    my ($self, $test) = @_;
    my @others;
    for (1 .. 200) {
        my $connection = $self->connection;
        return $connection->{client} if $connection->{pid} && $test->($connection->{pid});
        push @others, $connection;
        @others = () if @others > 20;
    }
    croak 'no connection to such a child';
}

# One to each of the server's children, by their process ids (prefork: to some).
sub connections {
    my ($self, $n) = @_;
    my %of;
    for (1 .. 400) {
        last if keys %of >= $n;
        my $connection = $self->connection;
        $of{ $connection->{pid} } //= $connection->{client} if $connection->{pid};
    }
    croak 'not all children have a connection' if keys %of < $n;
    return %of;
}

# --- what is done with threads -----------------------------------------------

sub body { my ($thread, @more) = @_; return { resourceId => 'r', threadId => $thread, @more } }

# call(WHAT, THREAD, [client => .., agent => .., member => value ...]): the answer.
sub call {
    my ($self, $what, $thread, %opt) = @_;
    my $client = delete $opt{client};
    my $path   = '/api' . (delete $opt{agent} // $agent) . "/$what";
    my $body   = body($thread, %opt);
    return $self->request(POST => $path, json => $body) if !$client;
    $client->send_request(POST => $path, json => $body);
    return $client->read_answer;
}

sub say { my ($self, $thread, $text, %opt) = @_;
    return $self->call('send-message', $thread, message => $text, %opt) }

# A subscriber that is connected: a MastraClient, read with next_frame.
sub watch {
    my ($self, $thread, %opt) = @_;
    my $client = delete $opt{client} // MastraClient->new(port => $self->port);
    $client->send_request(POST => '/api' . ($opt{agent} // $agent) . '/threads/subscribe',
        json => body($thread));
    $client->{head} = $client->read_head;
    my $first = $client->next_frame;
    croak 'the first thing is not ": connected"' if ($first->{comment} // '') ne 'connected';
    return $client;
}

# Reads frames until one matches: all that came, that one last; dies when the time is up.
sub until_frame {
    my ($self, $client, $test, $seconds) = @_;
    my $until = time + ($seconds // 120);
    my @frames;
    while (my $frame = $client->next_frame($until - time)) {
        push @frames, $frame;
        return @frames if ref $frame->{json} && $test->($frame->{json});
    }
    croak 'the frame that was waited for did not come after ' . join ' ', types(@frames);
}

# Until so many runs have finished.
sub until_finish {
    my ($self, $client, $n, $seconds) = @_;
    my $left = $n // 1;
    return $self->until_frame($client, sub { $_[0]{type} eq 'finish' && !--$left }, $seconds);
}

# Everything else that comes within some seconds.
sub rest {
    my ($self, $client, $seconds) = @_;
    my $until = time + ($seconds // 0.5);
    my @frames;
    while (time < $until) {
        my $frame = $client->next_frame($until - time) // last;
        push @frames, $frame;
    }
    return @frames;
}

sub messages {
    my ($self, $thread) = @_;
    my $answer;
    MastraTest::wait_for(sub {
        $answer = $self->api_get("/memory/threads/$thread/messages?agentId=weather-agent&perPage=1000");
        return $answer->{status} != 503;
    });
    return @{ $answer->{json}{messages} || [] };
}

# Their texts, each with its role before it.
sub stored {
    my ($self, $thread) = @_;
    return map {
        my $message = $_;
        "$message->{role}: " . join '', map { $_->{text} // "[$_->{type}]" }
            @{ $message->{content}{parts} };
    } $self->messages($thread);
}

# --- what was seen -----------------------------------------------------------

# Types of chunks in order, repeated ones once.
sub types {
    my @types;
    for my $frame (grep { defined $_->{data} } @_) {
        my $type = ref $frame->{json} ? $frame->{json}{type} : $frame->{data};
        push @types, $type if !@types || $types[-1] ne $type;
    }
    return @types;
}

# The texts of users and models in the order in which they were seen.
sub said {
    my @said;
    for my $chunk (map { $_->{json} } grep { ref $_->{json} } @_) {
        push @said, "user: $chunk->{data}{contents}" if $chunk->{type} eq 'data-user-message';
        push @said, 'model: '
            if $chunk->{type} eq 'text-start' || $chunk->{type} eq 'text-delta' && !@said;
        $said[-1] .= $chunk->{payload}{text} if $chunk->{type} eq 'text-delta';
    }
    return @said;
}

# Ids of runs, each once, in order.
sub runs_of {
    my (%seen, @runs);
    for my $chunk (map { $_->{json} } grep { ref $_->{json} } @_) {
        push @runs, $chunk->{runId} if $chunk->{runId} && !$seen{ $chunk->{runId} }++;
    }
    return @runs;
}

1;
