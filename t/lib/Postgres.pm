# A PostgreSQL server of its own for the tests: a new cluster in a temporary folder, reached
# over a socket there and no network. Started by root it runs as another user, as it must.
package Postgres;
use strict;
use warnings FATAL => 'all';

use File::Path qw(remove_tree);
use File::Temp ();
use POSIX ();
use Time::HiRes qw(sleep);

my $database = 'mastra';

sub start {
    my $class = shift;
    my ($bin) = reverse sort { ($a =~ /(\d+)/)[0] <=> ($b =~ /(\d+)/)[0] }
        glob '/usr/lib/postgresql/*/bin';
    die "PostgreSQL is not installed (make test-deps)\n" if !$bin;

    my $dir  = File::Temp::tempdir('mastra-pg.XXXXXX', DIR => place());
    my $self = bless { bin => $bin, dir => $dir, owner => $$ }, $class;
    $self->{user} = (grep { defined getpwnam $_ } qw(postgres nobody))[0] if !$>;
    chmod 0755, $dir;
    chown +(getpwnam $self->{user})[2, 3], $dir if $self->{user};

    $self->run_as('initdb', '-D', "$dir/data", '-U', $database, '-A', 'trust', '-E', 'UTF8',
        '--locale=C', '--no-sync');
    $self->up;
    $self->run_as('createdb', '-h', $dir, '-U', $database, $database);
    return $self;
}

# In memory, where there is room for the databases of a suite: a disk that is busy, or slow to delete
# thousands of files, is not what is tested. SOAK measures, and does so on the disk.
sub place {
    my $shared = '/dev/shm';
    return '/tmp' if $ENV{SOAK} || !-d $shared || !-w _;
    my ($free) = (split ' ', (`df -Pk $shared 2>/dev/null` =~ /\n(.*)/)[0] // '')[3];
    return ($free // 0) > 2_000_000 ? $shared : '/tmp';
}

# What DBDParams takes.
sub params { my $self = shift; return "host=$self->{dir} user=$database dbname=$database" }

sub up {
    my $self = shift;
    $self->run_as('pg_ctl', '-D', "$self->{dir}/data", '-l', "$self->{dir}/log", '-w', '-s',
        '-o', "-c listen_addresses='' -c unix_socket_directories='$self->{dir}'", 'start');
    $self->{running} = 1;
}

# As the administrator would (fast), or as a crash would (immediate).
sub down {
    my ($self, $mode) = @_;
    $self->run_as('pg_ctl', '-D', "$self->{dir}/data", '-w', '-s', '-m', $mode || 'fast', 'stop');
    $self->{running} = 0;
}

sub restart {
    my ($self, $mode) = @_;
    $self->down($mode);
    $self->up;
}

# Runs one statement; a list of rows, columns separated by "|".
sub sql {
    my ($self, $statement) = @_;
    return psql("host=$self->{dir} user=$database dbname=$database", $statement);
}

# The same for whoever knows the parameters only, as a test file does.
sub psql {
    my ($params, $statement) = @_;
    open my $fh, '-|', 'psql', $params, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c',
        $statement or die "psql: $!";
    chomp(my @rows = <$fh>);
    close $fh or die "psql: $statement failed\n";
    return @rows;
}

sub run_as {
    my ($self, $program, @args) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        chdir '/';
        open STDOUT, '>', '/dev/null';
        if ($self->{user}) {
            my ($uid, $gid) = (getpwnam $self->{user})[2, 3];
            $( = $) = "$gid $gid";
            $< = $> = $uid;
        }
        $ENV{LC_ALL} = 'C';
        exec "$self->{bin}/$program", @args or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    die "$program failed, see $self->{dir}/log\n" if $?;
}

sub stop {
    my $self = shift;
    return if $$ != $self->{owner} || !$self->{dir};
    $self->down('immediate') if $self->{running};
    remove_tree($self->{dir});
    delete $self->{dir};
}

sub DESTROY { local ($@, $?, $!); eval { $_[0]->stop } }

1;
