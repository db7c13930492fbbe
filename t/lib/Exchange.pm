# A server of its own with mod_exchange, which answers through the exchange interface as the
# query says: n words, ms apart, of size bytes each; see t/modules/mod_exchange.c.
package Exchange;
use strict;
use warnings FATAL => 'all';

use base 'MastraHttpd';

use File::Basename qw(dirname);
use MastraClient;
use MastraTest ();

# start(hold => 'park', [limits =>,] [mpm =>,] [conf => more,] [stop => SECONDS,])
sub start {
    my ($class, %opt) = @_;
    my $module = dirname(MastraTest::needed('MODULE')) . '/mod_exchange.so';
    my $hold   = delete $opt{hold} // 'park';
    my $stop   = delete $opt{stop} // 2;
    my $conf   = delete $opt{conf} // '';
    return $class->SUPER::start(
        name => 'exchange', db => '', limits => limits($opt{mpm} // MastraTest::mpm()), %opt,
        conf => <<"END");
LoadModule exchange_module "$module"
ExchangeHold $hold
ExchangeStopLimit $stop
LogLevel exchange:debug
LogFormat "%s %B %X %D %U?%q" exchange
CustomLog "\@dir\@/access_log" exchange
<Location /x>
    SetHandler exchange
    Require all granted
</Location>
$conf
END
}

sub limits {
    my $mpm = shift;
    return "StartServers 4\nMinSpareServers 4\nMaxSpareServers 8\nMaxRequestWorkers 8\n"
        if $mpm eq 'prefork';
    my $limits = "StartServers 1\nThreadsPerChild 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
        . "MaxRequestWorkers 16\n";
    return $mpm eq 'event' ? $limits . "AsyncRequestWorkerFactor 50\n" : $limits;
}

sub client {
    my ($self, %opt) = @_;
    return MastraClient->new(port => $self->port, %opt);
}

# Sends a request and returns the client, its head not yet read.
sub ask {
    my ($self, $path, %opt) = @_;
    my $client = $self->client;
    $client->send_request(GET => $path, %opt);
    return $client;
}

# What happened so far, over all children: begun, gone, drained, stopped, released, refused;
# open and capacity of the child that answers.
sub counts {
    my $self = shift;
    my %counts = split ' ', $self->request(GET => '/x/counts')->{body};
    return \%counts;
}

# Waits until each exchange that was begun has been released; true when they are.
sub settled {
    my ($self, $seconds) = @_;
    return MastraTest::wait_for(sub {
        my $counts = $self->counts;
        return $counts->{begun} == $counts->{released};
    }, $seconds);
}

sub access_log {
    my $self = shift;
    open my $fh, '<', $self->dir . '/access_log' or return '';
    local $/;
    return <$fh> // '';
}

# The numbers of the words in a body, in the order in which they came.
sub words { return $_[0] =~ /"seq":(\d+)/g }

1;
