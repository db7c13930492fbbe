# What test files share: requests to the suite's server, its processes and its log.
package MastraTest;
use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use Exporter 'import';
use JSON::PP ();
use MastraClient;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
    request api_get api_post api_put api_patch api_delete stream raw
    expect_log log_size log_since wait_log wait_for
    server_port top_dir mpm database server_pid child_pids
    true false null
);

sub true  { JSON::PP::true }
sub false { JSON::PP::false }
sub null  { undef }

# Seconds. What is waited for comes soon or never, but a machine may have much else to do: so
# nothing is waited for shorter than this.
my $patience = 60;

sub needed {
    my $name = shift;
    return $ENV{$name} // croak "$name is not set: run this by make check TESTS=$0";
}

sub server_port { needed('MASTRA_PORT') }
sub top_dir     { needed('MASTRA_TOP') }
sub mpm         { $ENV{MPM} || 'event' }
sub database    { $ENV{DB}  || 'sqlite3' }

# request(METHOD, PATH, [json => DATA | body => BYTES,] [headers => [..],] [port =>,] [tls =>,]
# [timeout =>]): { status, headers, body, json, cut, seconds } over a connection of its own.
sub request {
    my ($method, $path, %opt) = @_;
    my $client = connection(\%opt);
    push @{ $opt{headers} }, Connection => 'close';
    $client->send_request($method, $path, %opt);
    return $client->read_answer($opt{timeout});
}

sub connection {
    my $opt = shift;
    my %to  = (port => $opt->{port} // server_port());
    for (qw(tls timeout host)) {
        $to{$_} = $opt->{$_} if defined $opt->{$_};
    }
    return MastraClient->new(%to);
}

# Paths under /api: api_get('/agents'), api_post('/agents/x/generate', { messages => 'hi' }).
sub api_get    { my $path = shift; return request(GET    => "/api$path", @_) }
sub api_delete { my ($path, @opt) = body_first(@_); return request(DELETE => "/api$path", @opt) }
sub api_post   { my ($path, @opt) = body_first(@_); return request(POST   => "/api$path", @opt) }
sub api_put    { my ($path, @opt) = body_first(@_); return request(PUT    => "/api$path", @opt) }
sub api_patch  { my ($path, @opt) = body_first(@_); return request(PATCH  => "/api$path", @opt) }

sub body_first {
    my ($path, @rest) = @_;
    return ($path, @rest % 2 ? (json => @rest) : @rest);
}

# stream(PATH, DATA, [separator => "\x1e",] ...): a MastraClient whose head has been read
# (->{head}), for next_frame, frames and leave.
sub stream {
    my ($path, $data, %opt) = @_;
    my $client = connection(\%opt);
    $client->{separator} = $opt{separator} if defined $opt{separator};
    my $method = delete $opt{method} // 'POST';
    $client->send_request($method, "/api$path", %opt, $method eq 'GET' ? () : (json => $data));
    $client->{head} = $client->read_head($opt{timeout});
    return $client;
}

# Sends bytes as they are and returns all that comes back until the server closes.
sub raw {
    my ($bytes, %opt) = @_;
    my $client = connection(\%opt);
    $client->send_raw($bytes);
    my $until = time + ($opt{timeout} // $patience);
    while (1) {
        my $n = $client->fill($until);
        croak 'the server did not close in time' if !defined $n;
        last if !$n;
    }
    return $client->{in};
}

# --- the log -----------------------------------------------------------------

sub error_log { needed('MASTRA_LOGS') . '/error_log' }
sub log_size  { return -s error_log() || 0 }

# From here on, error lines that match are expected; all others fail the suite at its end.
sub expect_log {
    my $pattern = shift;
    open my $fh, '>>', needed('MASTRA_LOGS') . '/expected' or die "expected: $!";
    print $fh log_size(), "\t$pattern\n";
    close $fh or die "expected: $!";
}

sub log_since {
    my $offset = shift;
    open my $fh, '<', error_log() or return '';
    seek $fh, $offset, 0;
    local $/;
    return <$fh> // '';
}

# Waits until the log has a matching line after the offset; the line, or undef.
sub wait_log {
    my ($offset, $pattern, $seconds) = @_;
    my $line;
    wait_for(sub { ($line) = grep { /$pattern/ } split /\n/, log_since($offset) }, $seconds);
    return $line;
}

# Calls until it is true, every 50 ms; its value, or undef when it never is. "at most" is for a test
# that holds up others meanwhile, and goes on in either case.
sub wait_for {
    my ($condition, $seconds, $at_most) = @_;
    my $until = time + ($at_most || ($seconds // 0) > $patience ? $seconds : $patience);
    while (1) {
        my $value = $condition->();
        return $value if $value;
        return undef if time > $until;
        sleep 0.05;
    }
}

# --- processes ---------------------------------------------------------------

sub server_pid { return pid_in(needed('MASTRA_LOGS') . '/httpd.pid') }

sub pid_in {
    my $file = shift;
    open my $fh, '<', $file or return 0;
    my $pid = <$fh> // '';
    return $pid =~ /^(\d+)/ ? $1 : 0;
}

# The processes whose parent is the given one (default: the suite's server).
sub child_pids {
    my $parent = shift // server_pid();
    my @children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh> // next;
        my ($pid, $state, $ppid) = $line =~ /^(\d+) \(.*\) (\S) (\d+)/s or next;
        push @children, $pid if $ppid == $parent && $state ne 'Z';
    }
    return sort { $a <=> $b } @children;
}

# Which of some processes has the other end of a local port.
sub child_with_port {
    my ($port, @pids) = @_;
    my %inode;
    open my $tcp, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    while (my $line = <$tcp>) {
        my @f = split ' ', $line;
        $inode{ $f[9] } = 1 if $f[2] =~ /:([0-9A-F]+)$/ && hex($1) == $port;
    }
    for my $pid (@pids) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $to = readlink $fd // next;
            return $pid if $to =~ /^socket:\[(\d+)\]/ && $inode{$1};
        }
    }
    return undef;
}

1;
