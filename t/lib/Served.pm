# A server of its own that serves t/project, with a scripted model server of its own behind it.
package Served;
use strict;
use warnings FATAL => 'all';

use base 'MastraHttpd';

use Exporter 'import';
use MastraTest ();
use Upstream;

our @EXPORT_OK = qw(text_of_frames types finish_reason);

# start(name => 'leave', [mpm =>,] [limits =>,] [db =>,] [env =>,] [conf => more,]
# [provider => options of the model's MastraModelProvider,] [script => as Upstream's])
sub new {
    my ($class, %opt) = @_;
    my $up = Upstream->start(port => 0, script => delete $opt{script});
    my $dead     = MastraHttpd::free_port();
    my $provider = delete $opt{provider} // '';
    my $conf     = delete $opt{conf} // '';
    my $self     = $class->SUPER::new(%opt,
        env  => { MASTRA_TEST_KEY => 'sk-test', %{ $opt{env} || {} } },
        conf => <<"END");
MastraEngine On
MastraProject "\@top\@/t/project"
MastraModelProvider mock mock
MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY $provider
MastraModelProvider dead openai http://127.0.0.1:$dead/v1 key=env:MASTRA_TEST_KEY
Alias "/tools/" "\@top\@/t/project/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
$conf
END
    $self->{up} = $up;
    return $self;
}

sub model { $_[0]{up} }

sub client {
    my ($self, %opt) = @_;
    return MastraClient->new(port => $self->port, %opt);
}

# Sends a request of an agent and returns the client, nothing read yet.
sub ask {
    my ($self, $path, $data, %opt) = @_;
    my $client = $self->client;
    $client->send_request(POST => "/api$path", json => $data, %opt);
    return $client;
}

# The texts of a thread's messages, each with its role before it.
sub said {
    my ($self, $thread, $agent) = @_;
    my $answer = $self->api_get("/memory/threads/$thread/messages?perPage=10000&agentId="
        . ($agent // 'memory-agent'));
    return map {
        my $message = $_;
        join ': ', $message->{role}, join '', map { $_->{text} // '' }
            grep { $_->{type} eq 'text' } @{ $message->{content}{parts} };
    } @{ $answer->{json}{messages} || [] };
}

# --- what streams say ---------------------------------------------------------

sub text_of_frames {
    return join '', map { $_->{json}{payload}{text} }
        grep { ref $_->{json} && $_->{json}{type} eq 'text-delta' } @_;
}

# The types of chunks in order, "[DONE]" for the end, repeated ones once.
sub types {
    my @types;
    for my $frame (grep { defined $_->{data} } @_) {
        my $type = ref $frame->{json} ? $frame->{json}{type} : $frame->{data};
        push @types, $type if !@types || $types[-1] ne $type;
    }
    return join ' ', @types;
}

sub finish_reason {
    my ($finish) = grep { ref $_->{json} && $_->{json}{type} eq 'finish' } @_;
    return $finish ? $finish->{json}{payload}{stepResult}{reason} : undef;
}

1;
