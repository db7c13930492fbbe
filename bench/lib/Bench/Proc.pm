# Processes of the benchmark: started in a group of their own, looked at
# through /proc, stopped by id.
package Bench::Proc;

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

my %running;    # pid => 1
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

# Starts a program whose output goes to a file, or, with "stdout" and
# "stderr", to pipes.
sub start {
    my ($class, %arg) = @_;
    my (%read, %write);
    if (!$arg{log}) {
        pipe $read{$_}, $write{$_} or die "pipe: $!\n" for qw(stdout stderr);
    }
    my $self = bless {name => $arg{name}, started => time}, $class;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        %ENV = (%ENV, %{$arg{env} || {}});
        chdir $arg{dir} if $arg{dir};
        if ($arg{log}) {
            open STDOUT, '>>', $arg{log} or POSIX::_exit(127);
            open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
        }
        else {
            open STDOUT, '>&', $write{stdout} or POSIX::_exit(127);
            open STDERR, '>&', $write{stderr} or POSIX::_exit(127);
        }
        { no warnings; exec {$arg{command}[0]} @{$arg{command}}; }
        POSIX::_exit(127);
    }
    setpgrp $pid, $pid;    # whoever of the two comes first
    $running{$pid} = 1;
    @$self{qw(pid stdout stderr)} = ($pid, @read{qw(stdout stderr)});
    return $self;
}

# Waits for its end; the status.
sub finish {
    my ($self) = @_;
    waitpid $self->{pid}, 0;
    delete $running{$self->{pid}};
    return $?;
}

sub alive {
    my ($self) = @_;
    return 0 if !$running{$self->{pid}};
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
    delete $running{$self->{pid}};
    return 0;
}

sub stop {
    my ($self) = @_;
    return if !$self->alive;
    kill 'TERM', $self->{pid};
    for (1 .. 200) {
        last if !$self->alive;
        sleep 0.05;
    }
    kill 'KILL', -$self->{pid};    # its group: what it left, and itself
    $self->finish if $running{$self->{pid}};
    return;
}

sub stop_all {
    local $?;
    (bless {pid => $_}, __PACKAGE__)->stop for keys %running;
    return;
}

sub slurp {
    my ($path) = @_;
    open my $fh, '<', $path or return '';
    local $/;
    return scalar(<$fh>) // '';
}

# The fields of /proc/PID/stat from the third (state) on, by their numbers
# in proc(5).
sub stat_of {
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat");
    return if $stat !~ s/^.*\) //s;
    return (undef, undef, undef, split ' ', $stat);
}

# Process ids of the group.
sub members {
    my ($self) = @_;
    my @pids;
    opendir my $dh, '/proc' or die "/proc: $!\n";
    for my $pid (grep { /^\d+$/ } readdir $dh) {
        my @stat = stat_of($pid);
        push @pids, $pid if @stat && $stat[5] == $self->{pid};
    }
    return @pids;
}

# Seconds of CPU used by the group, those of ended children included.
sub cpu {
    my ($self) = @_;
    return $self->seconds(0) + $self->cpu_of_kernel;
}

# Those of them that were spent in the kernel.
sub cpu_of_kernel {
    my ($self) = @_;
    return $self->seconds(1);
}

sub seconds {
    my ($self, $of_kernel) = @_;
    my $sum = 0;
    for my $pid ($self->members) {
        my @stat = stat_of($pid) or next;
        $sum += $stat[14 + $of_kernel];
        $sum += $stat[16 + $of_kernel] if $pid == $self->{pid};
    }
    return $sum / $ticks;
}

# What the group holds: memory that is its own share, in KiB; threads;
# processes.
sub footprint {
    my ($self) = @_;
    my %sum = (pss => 0, threads => 0, processes => 0);
    for my $pid ($self->members) {
        my @stat = stat_of($pid) or next;
        $sum{threads} += $stat[20];
        $sum{processes}++;
        $sum{pss} += $1 if slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+)/m;
    }
    return \%sum;
}

1;
