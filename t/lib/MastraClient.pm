# A small HTTP/1.1 client on a plain socket: it shows a streamed answer piece by piece with the
# time of each, can leave in the middle, and can send what a decent client would not.
package MastraClient;
use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->allow_nonref->canonical;
# what is larger is not decoded: it takes minutes
my $decoded_max = 2_000_000;

# new(port => N, [tls => 1,] [timeout => SECONDS]): a connection. What is read is waited for as long
# as that, a minute unless told.
sub new {
    my ($class, %opt) = @_;
    my $self = bless { timeout => 60, in => '', %opt }, $class;
    my %to = (PeerAddr => $opt{host} || '127.0.0.1', PeerPort => $opt{port}, Proto => 'tcp');
    if ($opt{tls}) {
        require IO::Socket::SSL;
        $self->{socket} = IO::Socket::SSL->new(%to, SSL_verify_mode => 0);
    }
    else {
        $self->{socket} = IO::Socket::INET->new(%to);
    }
    croak "connect to $to{PeerAddr}:$to{PeerPort}: $!" if !$self->{socket};
    $self->{socket}->autoflush(1);
    return $self;
}

sub socket { return $_[0]{socket} }

# Sends bytes as they are.
sub send_raw {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $at, $at;
        return 0 if !defined $n;
        $at += $n;
    }
    return 1;
}

# send_request(METHOD, PATH, body => BYTES | json => DATA, headers => [NAME => VALUE, ...])
sub send_request {
    my ($self, $method, $path, %opt) = @_;
    my @headers = @{ $opt{headers} || [] };
    my %given   = map { lc $_ => 1 } @headers[grep { !($_ % 2) } 0 .. $#headers];
    my $body    = $opt{body};
    if (exists $opt{json}) {
        $body = $json->encode($opt{json});
        push @headers, 'Content-Type' => 'application/json' if !$given{'content-type'};
    }
    push @headers, Host => "127.0.0.1:$self->{port}" if !$given{host};
    push @headers, 'Content-Length' => length $body
        if defined $body && !$given{'content-length'} && !$given{'transfer-encoding'};

    my $head = "$method $path HTTP/1.1\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    $self->{method} = $method;
    return $self->send_raw("$head\r\n" . ($body // ''));
}

# More bytes into the buffer; 0 at the end of the connection, undef when the time is up.
sub fill {
    my ($self, $until) = @_;
    $until //= time + $self->{timeout};
    my $socket = $self->{socket};
    my $ready  = $self->{tls} && $socket->pending;
    if (!$ready) {
        my $left = $until - time;
        return undef if $left <= 0 || !IO::Select->new($socket)->can_read($left);
    }
    my $n = sysread $socket, $self->{in}, 65536, length $self->{in};
    return defined $n ? $n : 0;
}

# Status line and headers: { status, headers => { lower case name => value } }.
sub read_head {
    my ($self, $timeout) = @_;
    my $until = time + ($timeout // $self->{timeout});
    while ($self->{in} !~ /\r\n\r\n/) {
        my $n = $self->fill($until);
        croak defined $n ? 'connection closed before an answer' : 'no answer in time' if !$n;
    }
    $self->{in} =~ s/\A(.*?)\r\n\r\n//s;
    my ($line, @lines) = split /\r\n/, $1;
    my ($status) = $line =~ m{^HTTP/1\.[01] (\d{3})} or croak "not HTTP: $line";
    return $self->read_head($timeout) if $status == 100 || $status == 102 || $status == 103;

    my %headers;
    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or croak "bad header: $_";
        $name = lc $name;
        $headers{$name} = exists $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    $self->{framing} =
          $self->{method} eq 'HEAD' || $status == 204 || $status == 304 ? { left => 0 }
        : ($headers{'transfer-encoding'} // '') =~ /chunked/i ? { chunked => 1, left => 0 }
        : defined $headers{'content-length'} ? { left => $headers{'content-length'} }
        :                                      { toend => 1 };
    $self->{framing}{done} = 1 if !grep { $self->{framing}{$_} } qw(chunked toend left);
    return { status => $status, headers => \%headers };
}

# The next piece of the body as the network gave it; '' at its end; undef when the time is up;
# dies when the connection ends first. "cut" tells such an end beforehand.
sub read_piece {
    my ($self, $timeout) = @_;
    my $until = time + ($timeout // $self->{timeout});
    my $f     = $self->{framing};
    while (1) {
        return '' if $f->{done};
        my $piece = $self->take;
        return $piece if length $piece;
        next if $f->{done};
        my $n = $self->fill($until);
        return undef if !defined $n;
        next if $n;
        if ($f->{toend}) {
            $f->{done} = 1;
            next;
        }
        $self->{cut} = $f->{done} = 1;
        return '';
    }
}

# What the buffer holds of the body.
sub take {
    my $self = shift;
    my $f    = $self->{framing};
    if ($f->{toend}) {
        return substr $self->{in}, 0, length $self->{in}, '';
    }
    if ($f->{chunked} && !$f->{left}) {
        $self->{in} =~ s/\A\r\n// if $f->{inside};
        return '' if $f->{inside} && $self->{in} =~ /\A\r?\z/;
        $self->{in} =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n// or return '';
        $f->{left}   = hex $1;
        $f->{inside} = 1;
        if (!$f->{left}) {
            $self->{in} =~ s/\A(?:[^\r\n]+\r\n)*\r\n//;
            $f->{done} = 1;
            return '';
        }
    }
    my $piece = substr $self->{in}, 0, $f->{left}, '';
    $f->{left} -= length $piece;
    $f->{done} = 1 if !$f->{chunked} && !$f->{left};
    return $piece;
}

# The whole answer: { status, headers, body, json (when it is), cut, seconds }.
sub read_answer {
    my ($self, $timeout) = @_;
    my $start  = time;
    my $until  = $start + ($timeout // $self->{timeout});
    my $answer = $self->read_head($timeout);
    my $body   = '';
    while (1) {
        my $piece = $self->read_piece($until - time);
        croak 'the answer did not end in time' if !defined $piece;
        last if $piece eq '';
        $body .= $piece;
    }
    $answer->{body} = $body;
    $answer->{cut}  = $self->{cut} ? 1 : 0;
    $answer->{seconds} = time - $start;
    $answer->{json} = eval { $json->decode($body) }
        if length $body < $decoded_max && ($answer->{headers}{'content-type'} // '') =~ m{^application/(?:[\w.]+\+)?json};
    return $answer;
}

# The next frame of a stream, { at => TIME, data => TEXT, json => DATA } or { at, comment };
# undef at the end, and when the time is up (then "late" says so).
sub next_frame {
    my ($self, $timeout) = @_;
    my $until = time + ($timeout // $self->{timeout});
    $self->{late} = 0;
    my $end = ($self->{separator} //= "\n\n");
    $self->{text} //= '';
    my $at = index $self->{text}, $end;
    while ($at < 0) {
        my $piece = $self->read_piece($until - time);
        if (!defined $piece) {
            $self->{late} = 1;
            return undef;
        }
        return undef if $piece eq '';
        my $seen = length($self->{text}) - length $end;
        $self->{text} .= $piece;
        $self->{arrived} = time;
        $at = index $self->{text}, $end, $seen > 0 ? $seen : 0;
    }
    my $block = substr $self->{text}, 0, $at + length $end, '';
    substr $block, $at, length $end, '';
    my %frame = (at => $self->{arrived});
    if ($end eq "\x1e") {
        $frame{data} = $block;
    }
    else {
        my @lines = split /\n/, $block;
        my @data  = map { /^data: ?(.*)/s ? $1 : () } @lines;
        $frame{data}    = join "\n", @data if @data;
        $frame{comment} = join "\n", map { /^: ?(.*)/s ? $1 : () } @lines if !@data;
        ($frame{event}) = map { /^event: ?(.*)/s ? $1 : () } @lines;
        delete $frame{event} if !defined $frame{event};
        ($frame{id}) = map { /^id: ?(.*)/s ? $1 : () } @lines;
        delete $frame{id} if !defined $frame{id};
    }
    $frame{json} = decoded($frame{data}) if defined $frame{data};
    return \%frame;
}

# Of a large frame only its type.
sub decoded {
    my $data = shift;
    return eval { $json->decode($data) } if length $data < $decoded_max;
    return $data =~ /\A\{"type":"([\w-]+)"/ ? { type => $1 } : undef;
}

# All frames up to the end of the stream.
sub frames {
    my ($self, $timeout) = @_;
    my $until = time + ($timeout // $self->{timeout});
    my @frames;
    while (my $frame = $self->next_frame($until - time)) {
        push @frames, $frame;
    }
    croak 'the stream did not end in time' if $self->{late};
    return @frames;
}

# Goes away without a word; "reset" by RST, as a killed client's host does.
sub leave {
    my ($self, $how) = @_;
    setsockopt $self->{socket}, IO::Socket::SOL_SOCKET(), IO::Socket::SO_LINGER(), pack 'ii', 1, 0
        if ($how // '') eq 'reset';
    close $self->{socket};
}

sub cut { return $_[0]{cut} ? 1 : 0 }

1;
