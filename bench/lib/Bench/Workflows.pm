# Durable workflows, module and peer in turn: steps a second, suspending and
# resuming, what is stored, and many clients that watch one run.
package Bench::Workflows;

use strict;
use warnings;

use File::Path qw(make_path);
use JSON::PP ();
use Time::HiRes qw(sleep time);

use Bench::Proc;
use Bench::Report;
use Bench::Servers;

my @lengths = (10, 50, 100);
my $begin   = '{"inputData":{"n":0}}';
my $number  = {type => 'object', properties => {n => {type => 'number'}},
               required => ['n'], additionalProperties => JSON::PP::false};
my $worded  = {type => 'object', required => [qw(word n)], properties =>
               {word => {type => 'string'}, n => {type => 'number'}}};

sub new {
    my ($class, %arg) = @_;    # measure, servers, work, seconds, rounds
    my $self = bless {durability => 'full', %arg, count => 0},
                     $class;
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
        durability => $self->{durability},
        env => {STEPS => "@lengths", DURABILITY => $self->{durability}});
}

# --------------------------------------------------------------------- rates

sub say_rate {
    my ($what, $server, $result) = @_;
    printf STDERR "  %-16s %-7s %9.0f/s %9s ms p50 %9s ms p99%s\n", $what,
        $server->{name}, $result->{rate}, $result->{latency_p50} // '-',
        $result->{latency_p99} // '-',
        ($result->{server_us} ? sprintf ' %7.0f us CPU', $result->{server_us}
                              : '')
        . ($result->{failed} ? "  $result->{failed} FAILED" : '');
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

# What a query says of the database, its log folded back; nothing without the
# sqlite3 program.
sub ask_database {
    my ($server, $sql) = @_;
    my $db = "$server->{dir}/data/mastra.db";
    my $said = qx(sqlite3 -batch -cmd '.timeout 10000' '$db' '$sql' 2>/dev/null);
    return $? ? undef : (split /\n/, $said)[-1];
}

sub size_of {
    my ($server) = @_;
    return ask_database($server, 'PRAGMA wal_checkpoint(TRUNCATE); '
        . 'SELECT (page_count - freelist_count) * page_size FROM '
        . 'pragma_page_count, pragma_freelist_count, pragma_page_size');
}

sub events_of {
    my ($server) = @_;
    return $server->{name} ne 'module' ? 0 : ask_database(
        $server, 'SELECT coalesce(sum(length(frames)), 0) FROM mastra_x_events');
}

# Bytes that went to the disk's cache, of all processes of the server.
sub written_by {
    my ($server) = @_;
    my $sum = 0;
    for my $pid ($server->{proc}->members) {
        $sum += $1 if Bench::Proc::slurp("/proc/$pid/io")
                      =~ /^write_bytes: (\d+)/m;
    }
    return $sum;
}

# What runs of each length add to an empty database, by the step.
sub storage {
    my ($self, @names) = @_;
    my %out;
    for my $name (@names) {
        my $server = $self->start($name);
        for my $length (@lengths) {
            my $runs = 1600 / $length;
            my @before = (size_of($server), events_of($server),
                          written_by($server));
            $self->{measure}->load($server, args => [
                -c => 8, -n => $runs / 8, -t => 120, -b => $begin,
                -x => qq("result":{"n":$length}),
                "$server->{url}/api/workflows/steps-$length/start-async"]);
            sleep 1;    # logs are written a moment later
            my @after = (size_of($server), events_of($server),
                         written_by($server));
            die "the sqlite3 program is needed\n" if !defined $after[0];
            my %per = map {
                ((qw(stored events written))[$_] =>
                    ($after[$_] - $before[$_]) / ($runs * $length))
            } 0 .. 2;
            $out{$length}{$name} = [\%per];
            printf STDERR "  %-16s %-7s %6.0f bytes stored, %6.0f of them of "
                . "the log, %7.0f written\n", "$length steps", $name,
                @per{qw(stored events written)};
        }
        $self->{servers}->stop($server);
    }
    return \%out;
}

# ----------------------------------------------------------------- observers

# The run's own client: the peer shows only what is streamed.
sub stream {
    my ($self, $server, $path) = @_;
    my $client = Bench::Proc->start(
        name => 'stream', log => "$server->{dir}/stream", command => [
            "$self->{measure}{build}/bench/load", -m => 'paced', -c => 1,
            -f => 'workflow', -w => 10, -t => 60, -b => $begin,
            "$server->{url}$path"]);
    sleep 0.3;
    return $client;
}

# One run of ten steps, a second each, and those who watch it. They come in
# the first seconds, before anything is said.
sub observers {
    my ($self, $n, @names) = @_;
    my %out;
    for my $name (@names) {
        my $server = $self->start($name);
        my $base = '/api/workflows/slow';
        my $id = "observed-$$";
        my $client = $self->stream($server, "$base/stream?runId=$id");
        my $idle = $server->{proc}->footprint;
        my $result = $self->{measure}->load_with_cpu($server, args => [
            -m => 'paced', -f => 'workflow', -c => $n, -r => 2000, -w => 10,
            -t => 60, -b => '{}', "$server->{url}$base/observe?runId=$id"]);
        $client->stop;
        my $plateau = $result->{plateau};
        $result->{kib_each} = ($plateau->{pss} - $idle->{pss})
                              / $plateau->{streams}
            if $plateau && !$result->{failed};
        push @{$out{$name}}, $result;
        printf STDERR "  %-16s %-7s %9s ms lag p50 %9s ms p99%s\n",
            "$n observers", $name, map({ $_ // '-' }
                @$result{qw(lag_p50 lag_p99)}),
            $result->{failed} ? "  $result->{failed} FAILED" : '';
        push @{$self->{measure}{complaints}},
            $self->{servers}->complaints($server);
        $self->{servers}->stop($server);
    }
    return \%out;
}

# --------------------------------------------------------------------- parts

sub list_of {
    my ($name, $default) = @_;
    return grep { length } split /[\s,]+/, $ENV{$name} // $default;
}

# Those parts of "steps resume stored observers" that are wanted; attempt runs
# one, so that the others go on when it cannot be.
sub run {
    my ($self, $parts, $want, $attempt, @names) = @_;
    for my $durability ('full', 'normal') {
        next if !grep { $want->{$_} } qw(steps resume);
        local $self->{durability} = $durability;
        my @live = map { $self->start($_) } @names;
        for my $runs ($want->{steps} ? list_of('BENCH_RUNS', '1 32 256') : ()) {
            $attempt->("steps $durability, $runs runs", sub {
                $parts->{steps}{$durability}{$runs} =
                    $self->steps($runs, @live);
            });
        }
        $attempt->("resume $durability", sub {
            $parts->{resume}{$durability} = $self->resumes(@live);
        }) if $want->{resume};
        for my $server (@live) {
            push @{$self->{measure}{complaints}},
                $self->{servers}->complaints($server);
            $self->{servers}->stop($server);
        }
    }
    $attempt->('stored', sub { $parts->{stored} = $self->storage(@names) })
        if $want->{stored};
    for my $n ($want->{observers} ? list_of('BENCH_OBSERVERS', '1000') : ()) {
        $attempt->("observers $n", sub {
            $parts->{observers}{$n} = $self->observers($n, @names);
        });
    }
    return;
}

# -------------------------------------------------------------------- report

*median = \&Bench::Report::median;
*fmt    = \&Bench::Report::fmt;
*ratio  = \&Bench::Report::ratio;

sub rate_rows {
    my ($what, $durability, $by) = @_;
    my $peer = median($by->{peer}, 'rate');
    return map {
        my $rounds = $by->{$_};
        my $rate = median($rounds, 'rate');
        [$what, "$_, $durability", fmt('%.0f', $rate),
         fmt('%.1f', median($rounds, 'latency_p50')),
         fmt('%.1f', median($rounds, 'latency_p99')),
         fmt('%.0f', median($rounds, 'server_us')),
         Bench::Report::worst($rounds, 'failed'),
         fmt('%.1fx', ratio($rate, $peer))]
    } grep { $by->{$_} } qw(module peer);
}

sub tables {
    my ($r) = @_;
    my ($text, @rows) = ('');
    for my $durability (qw(full normal)) {
        my $by = $r->{steps}{$durability} || {};
        push @rows, rate_rows("steps, $_ runs", $durability, $by->{$_})
            for sort { $a <=> $b } keys %$by;
        push @rows, rate_rows('resume, 32 runs', $durability,
                              $r->{resume}{$durability} || {});
    }
    $text .= Bench::Report::table('Workflows: steps and resumes a second',
        ['what', 'server, sync', 'rate/s', 'p50 ms', 'p99 ms', 'CPU us',
         'failed', 'to peer'], @rows) if @rows;
    @rows = ();
    for my $length (sort { $a <=> $b } keys %{$r->{stored} || {}}) {
        for my $name (grep { $r->{stored}{$length}{$_} } qw(module peer)) {
            my $per = $r->{stored}{$length}{$name}[0];
            push @rows, [$length, $name,
                         map { fmt('%.0f', $per->{$_}) }
                             qw(stored events written)];
        }
    }
    $text .= Bench::Report::table('Workflows: bytes a step',
        ['steps', 'server', 'stored', 'of them log', 'written'], @rows)
        if @rows;
    @rows = ();
    for my $n (sort { $a <=> $b } keys %{$r->{observers} || {}}) {
        for my $name (grep { $r->{observers}{$n}{$_} } qw(module peer)) {
            my $rounds = $r->{observers}{$n}{$name};
            push @rows, [$n, $name, Bench::Report::worst($rounds, 'failed'),
                         map({ fmt('%.2f', median($rounds, $_)) }
                             qw(lag_p50 lag_p99 end_p99)),
                         fmt('%.1f', median($rounds, 'kib_each')),
                         fmt('%.0f', median($rounds, 'server_us'))];
        }
    }
    $text .= Bench::Report::table('Workflows: observers of one run',
        ['observers', 'server', 'failed', 'lag p50', 'lag p99', 'end p99',
         'KiB each', 'CPU us/word'], @rows) if @rows;
    return $text;
}

sub best {
    my ($by, $name) = @_;
    my ($max) = sort { $b <=> $a } grep { defined }
                map { median($_->{$name}, 'rate') } values %{$by || {}};
    return $max;
}

# As Bench::Report's: name, what is had, the limit, whether more is better, unit.
sub targets {
    my ($r) = @_;
    my @t;
    if (my $by = $r->{steps}{full}) {
        push @t, ['durable steps, synchronous=FULL', best($by, 'module'), 5000,
                  1, '/s'],
                 ['durable steps, times the peer\'s rate',
                  ratio(best($by, 'module'), best($by, 'peer')), 20, 1, 'x'];
    }
    for my $n (sort { $a <=> $b } keys %{$r->{observers} || {}}) {
        push @t, ["$n observers: failed", Bench::Report::worst(
                      $r->{observers}{$n}{module}, 'failed'), 0, 0, ''];
    }
    return @t;
}

1;
