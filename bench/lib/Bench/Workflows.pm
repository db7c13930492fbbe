# Durable workflows, module and peer in turn: steps a second, suspending and
# resuming, what is stored, and many clients that watch one run.
package Bench::Workflows;

use strict;
use warnings;

use File::Path qw(make_path);
use JSON::PP ();
use Time::HiRes qw(sleep time);

use Bench::Proc;
use Bench::Report qw();
use Bench::Servers;

my @lengths = (10, 50, 100);
my $begin   = '{"inputData":{"n":0}}';
my $number  = {type => 'object', properties => {n => {type => 'number'}},
               required => ['n'], additionalProperties => JSON::PP::false};
my $worded  = {type => 'object', required => [qw(word n)], properties =>
               {word => {type => 'string'}, n => {type => 'number'}}};

sub new {
    my ($class, %arg) = @_;    # measure, servers, work, seconds, rounds
    my $self = bless {%arg, count => 0}, $class;
    $self->{project} = "$arg{work}/flows";
    $self->write_project;
    return $self;
}

# --------------------------------------------------------------- definitions

sub write_json {
    my ($self, $path, $json) = @_;
    Bench::Servers::write_file("$self->{project}/$path",
                               JSON::PP->new->canonical->encode($json));
    return;
}

sub chain {
    my ($id, $tool, $length, $output) = @_;
    return {
        id => $id, inputSchema => $number, outputSchema => $output,
        graph => [map {
            {type => 'tool', id => "step-$_", toolId => $tool}
        } 0 .. $length - 1],
    };
}

sub write_project {
    my ($self) = @_;
    make_path(map { "$self->{project}/$_" } qw(tools workflows));
    my %tools = (
        count => {inputSchema => $number, outputSchema => $number,
                  execute => {kind => 'provider', provider => 'bench-count'}},
        tick  => {inputSchema => $number, outputSchema => $worded,
                  execute => {kind => 'provider', provider => 'bench-tick'}},
        ask   => {inputSchema => $number, outputSchema => $number,
                  resumeSchema => $number, execute => {kind => 'human'}},
    );
    $self->write_json("tools/$_.json", {id => $_, description => $_,
                                        %{$tools{$_}}}) for keys %tools;
    my @flows = (chain('slow', 'tick', 10, $worded),
                 {%{chain('wait', 'ask', 1, $number)}, graph =>
                     [{type => 'tool', id => 'ask', toolId => 'ask'}]},
                 map { chain("steps-$_", 'count', $_, $number) } @lengths);
    $self->write_json("workflows/$_->{id}.json", $_) for @flows;
    return;
}

sub start {
    my ($self, $name) = @_;
    return $self->{servers}->start(
        $name, app => 'flows', project => $self->{project},
        durability => $ENV{BENCH_DURABILITY} || 'full',
        env => {STEPS => "@lengths"});
}

# --------------------------------------------------------------------- rates

sub say_rate {
    my ($what, $server, $result) = @_;
    printf STDERR "  %-16s %-7s %9.0f/s %9s ms p50 %9s ms p99%s\n", $what,
        $server->{name}, $result->{rate}, $result->{latency_p50} // '-',
        $result->{latency_p99} // '-',
        $result->{failed} ? "  $result->{failed} FAILED" : '';
    return;
}

# Runs of ten steps, so many at once; the rate is that of steps. A server
# whose runs take long is asked for longer, or none would end in the time.
sub steps {
    my ($self, $runs, @servers) = @_;
    my %out;
    for my $round (1 .. $self->{rounds}) {
        for my $server (@servers) {
            my $slow = $server->{name} eq 'peer' ? 1 + $runs / 32 : 1;
            my $result = $self->{measure}->load_with_cpu($server, args => [
                -c => $runs, -d => $self->{seconds} * $slow,
                -W => 0.5 * $slow, -t => 120, -b => $begin,
                -x => '"result":{"n":10}',
                "$server->{url}/api/workflows/steps-10/start-async"]);
            $result->{rate} *= 10;
            $result->{server_us} /= 10 if $result->{server_us};
            push @{$out{$server->{name}}}, $result;
            say_rate("$runs runs", $server, $result);
        }
    }
    return \%out;
}

# A run that suspends, and its resuming: two requests, one round trip.
sub resumes {
    my ($self, @servers) = @_;
    my %out;
    for my $round (1 .. $self->{rounds}) {
        for my $server (@servers) {
            my $base = "/api/workflows/wait";
            my $id = "w$$-" . ++$self->{count} . '-{{conn}}-{{req}}';
            my $result = $self->{measure}->load_with_cpu($server, args => [
                -c => 32, -d => $self->{seconds}, -W => 0.5, -t => 60,
                -b => $begin, -x => '"status":"suspended"',
                -P => "$base/resume-async?runId=$id",
                -B => '{"step":"ask","resumeData":{"n":7}}',
                -X => '"result":{"n":7}',
                "$server->{url}$base/start-async?runId=$id"]);
            push @{$out{$server->{name}}}, $result;
            say_rate('resumes', $server, $result);
        }
    }
    return \%out;
}

# ------------------------------------------------------------------- storage

# Bytes of the database, its log folded back.
sub stored {
    my ($server) = @_;
    my $db = "$server->{dir}/data/mastra.db";
    system qw(sqlite3 -cmd), '.timeout 5000', $db,
           'PRAGMA wal_checkpoint(TRUNCATE)' and die "sqlite3: $?\n"
        if 0;
    return -s $db;
}

1;
