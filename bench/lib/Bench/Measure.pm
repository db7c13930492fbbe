# What is measured: each function runs one part on servers in turn, A B A B,
# and gives what the load client and /proc said, round by round.
package Bench::Measure;

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(sleep time);

use Bench::Proc;

my $message = 'Hello there, how are you today?';
my $words   = 7;    # of "Echo: $message", each in a frame of its own

# What is asked, by part: agent, verb, and whether it remembers.
my %turns = (
    'generate'        => ['plain',  'generate', 0],
    'stream'          => ['plain',  'stream',   0],
    'generate-memory' => ['keeper', 'generate', 1],
    'stream-memory'   => ['keeper', 'stream',   1],
);

sub new {
    my ($class, %arg) = @_;    # servers, build, seconds, rounds, say
    return bless {%arg}, $class;
}

sub say_ {
    my ($self, @what) = @_;
    print STDERR @what, "\n";
    return;
}

# ----------------------------------------------------------------- requests

# Whether it is the upstream that answers, in its own words.
sub is_upstream {
    my ($server) = @_;
    return $server->{name} =~ /^(?:direct|proxy)$/;
}

sub body_of {
    my ($server, $verb, $memory, $text) = @_;
    if (is_upstream($server)) {
        return JSON::PP->new->canonical->encode({
            model    => 'echo',
            stream   => $verb eq 'stream' ? JSON::PP::true : JSON::PP::false,
            messages => [
                {role => 'system', content => 'You are a helpful assistant.'},
                {role => 'user', content => $text},
            ],
        });
    }
    return JSON::PP->new->canonical->encode({
        messages => $text,
        $memory
            ? (memory => {thread => 'bench-{{conn}}', resource => 'bench'})
            : (),
    });
}

# Arguments of the load client that ask for a turn.
sub ask_turn {
    my ($server, $part, $text) = @_;
    my ($agent, $verb, $memory) = @{$turns{$part}};
    my $direct = is_upstream($server);
    my $path = $direct ? '/v1/chat/completions' : "/api/agents/$agent/$verb";
    return (
        '-b' => body_of($server, $verb, $memory, $text // $message),
        $verb eq 'stream' ? ('-f' => $direct ? 'openai' : 'mastra')
            : ('-x' => ($direct ? '"content":"' : '"text":"')
                       . "Echo: $message"),
        "$server->{url}$path",
    );
}

# What the floor answers in a turn's place is what this server answers.
sub remember_answers {
    my ($self, $server) = @_;
    $self->{servers}->remember_answers(
        $server, body_of($server, 'generate', 0, $message));
    return;
}

# Runs the load client; what it says. At the plateau of a paced run the
# server is looked at.
sub load {
    my ($self, $server, %arg) = @_;
    my $proc = Bench::Proc->start(
        name => 'load', command => ["$self->{build}/bench/load", @{$arg{args}}]);
    my $plateau;
    while (defined(my $line = readline $proc->{stderr})) {
        if ($line =~ /^PLATEAU (\d+)/) {
            sleep 1;
            $plateau = {%{$server->{proc}->footprint}, streams => $1}
                if $server->{proc};
        }
        else {
            print STDERR "    $line";
        }
    }
    my $said = readline $proc->{stdout};
    my @before = times;
    $proc->finish;
    my @after = times;
    die "the load client failed\n" if !$said;
    my $result = JSON::PP::decode_json($said);
    $result->{load_cpu} = $after[2] + $after[3] - $before[2] - $before[3];
    $result->{plateau} = $plateau if $plateau;
    return $result;
}

# The same, with the CPU that server and upstream took.
sub load_with_cpu {
    my ($self, $server, %arg) = @_;
    my %proc = (
        server   => $server->{proc},
        upstream => $server->{upstream} && $server->{upstream}{proc},
    );
    my $look = sub {
        my %sum = map { $_ => $proc{$_}->cpu } grep { $proc{$_} } keys %proc;
        $sum{server_kernel} = $proc{server}->cpu_of_kernel if $proc{server};
        return %sum;
    };
    my %before = $look->();
    my $result = $self->load($server, %arg);
    my %after = $look->();
    $result->{"${_}_cpu"} = $after{$_} - $before{$_} for keys %before;
    my $count = $result->{words} || $result->{answers};
    for my $who (qw(server upstream load server_kernel)) {
        my $cpu = $result->{"${who}_cpu"};
        $result->{"${who}_us"} = 1e6 * $cpu / $count if defined $cpu && $count;
    }
    return $result;
}

sub note {
    my ($self, $part, $server, $result) = @_;
    my $rate = $result->{rate};
    my ($p50, $p99) = map { $_ // '-' }
        @$result{defined $rate ? qw(latency_p50 latency_p99)
                               : qw(lag_p50 lag_p99)};
    $self->say_(sprintf '  %-16s %-7s %9s %9s ms p50 %9s ms p99%s%s',
        $part, $server->{name},
        defined $rate ? sprintf '%.0f/s', $rate : "$result->{conns} x",
        $p50, $p99,
        $result->{server_us} ? sprintf ' %7.0f us CPU', $result->{server_us} : '',
        $result->{failed} ? "  $result->{failed} FAILED" : '');
    return;
}

# ------------------------------------------------------------------- parts

# From the start of the process to the first answer, new database included.
sub startup {
    my ($self, @names) = @_;
    my %out;
    for my $round (1 .. $self->{rounds} + 2) {
        for my $name (@names) {
            next if $name =~ /^(?:peer|traced)$/ && $round > $self->{rounds};
            my $server = $self->{servers}->start($name);
            push @{$out{$name}}, {ready_ms => 1000 * $server->{ready}};
            $self->say_(sprintf '  %-16s %-7s %9.1f ms', 'startup', $name,
                        1000 * $server->{ready});
            $self->{servers}->stop($server);
        }
    }
    return \%out;
}

# GET of an agent; the floor answers the same bytes. The two are near each
# other, so that more and shorter rounds tell more.
sub get {
    my ($self, @servers) = @_;
    my %out;
    for my $round (1 .. 2 * $self->{rounds} - 1) {
        for my $server (@servers) {
            my $result = $self->load_with_cpu($server, args => [
                -c => 16, -d => $self->{seconds} * 2 / 3, -W => 0.3,
                "$server->{url}/api/agents/plain"]);
            push @{$out{$server->{name}}}, $result;
            $self->note('get', $server, $result);
        }
    }
    return \%out;
}

# Turns with an agent, closed loop. First some that are not counted: they fill
# the threads to the ten messages that are recalled, and warm what compiles as
# it runs.
sub turn {
    my ($self, $part, @servers) = @_;
    my %out;
    my $stream = $part =~ /^stream/;
    for my $round (1 .. $self->{rounds}) {
        for my $server (@servers) {
            my @ask = ask_turn($server, $part);
            unshift @ask, -w => $words if $stream;
            $self->load($server, args => [-c => 32, -n => 10, -t => 60, @ask])
                if $round == 1;
            my $result = $self->load_with_cpu($server, args => [
                -c => 32, -d => $self->{seconds}, -W => 0.5, -t => 60, @ask]);
            push @{$out{$server->{name}}}, $result;
            $self->note($part, $server, $result);
        }
    }
    return \%out;
}

# One at a time: what a turn takes longer than the upstream asked directly.
sub latency {
    my ($self, @servers) = @_;
    my %out;
    for my $round (1 .. $self->{rounds}) {
        for my $part (qw(generate stream)) {
            for my $server (@servers) {
                my $result = $self->load($server, args => [
                    -c => 1, -d => $self->{seconds} / 2, -W => 0.3, -t => 30,
                    ask_turn($server, $part)]);
                push @{$out{$part}{$server->{name}}}, $result;
                $self->note("latency $part", $server, $result);
            }
        }
    }
    return \%out;
}

# One run of paced streams on a server that has seen a few requests.
sub paced {
    my ($self, $server, $n, $ramp, $count) = @_;
    $self->load($server, args => [-c => 4, -n => 5, -t => 20,
                                  ask_turn($server, 'stream')]);
    sleep 0.5;
    my $idle = $server->{proc} && $server->{proc}->footprint;
    my $result = $self->load_with_cpu($server, args => [
        -m => 'paced', -c => $n, -r => 1000 * $ramp, -w => $count,
        -t => $ramp + 2 * $count + 30,
        ask_turn($server, 'stream', "PACE n=$count ms=1000")]);
    return $result if !$idle;
    @$result{qw(idle after)} = ($idle, $server->{proc}->footprint);
    my $plateau = $result->{plateau};
    $result->{kib_per_stream} =
        ($plateau->{pss} - $idle->{pss}) / $plateau->{streams} if $plateau;
    $result->{complaints} = [$self->{servers}->complaints($server)];
    push @{$self->{complaints}}, @{$result->{complaints}};
    return $result;
}

# N streams at a word a second. Each run has a fresh server, whose memory
# before it is what the streams' memory is counted from.
sub streams {
    my ($self, $n, @names) = @_;
    my %out;
    my $rounds = $n == 5000 ? $self->{rounds} : $self->{rounds} - 1 || 1;
    my $ramp  = $n < 1000 ? 1 : $n / 1000;
    my $paced = $n < 1000 ? 15 : 20;
    for my $round (1 .. $rounds) {
        for my $name (@names) {
            next if $round > 1 && $name ne 'module';
            my $server = $self->{servers}->start($name);
            my $result = $self->paced($server, $n, $ramp, $paced);
            push @{$out{$name}}, $result;
            $self->note('streams', $server, $result);
            $self->{servers}->stop($server);
        }
    }
    return \%out;
}

1;
