# A second httpd with a configuration of its own, for tests that restart, kill or fill a server.
package MastraHttpd;
use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use File::Path qw(make_path);
use IO::Socket::INET;
use List::Util qw(min);
use MastraLog;
use Postgres ();
use MastraTest ();
use POSIX ();
use Socket qw(INADDR_LOOPBACK PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR sockaddr_in);
use Time::HiRes qw(sleep time);

my $made = 0;

# new(name => 'kill', conf => TEXT, [mpm => 'prefork',] [limits => TEXT,] [env => {},]
# [first => TEXT that stands before all modules,] [mastra => 0 for a server without it,]
# [db => 'sqlite3', a file ending in .db, or parameters of PostgreSQL, or '' for none]): writes the
# configuration.
# In conf, @port@, @state@ (a folder the children may write) and @top@ stand for their values.
sub new {
    my ($class, %opt) = @_;
    my $logs = MastraTest::needed('MASTRA_LOGS');
    my $dir  = sprintf '%s/%s-%d-%d', $logs, $opt{name} || 'private', $$, ++$made;
    my $self = bless { mpm => MastraTest::mpm(), %opt, dir => $dir, owner => $$ }, $class;
    make_path("$dir/state", "$dir/htdocs");
    if (!$>) {
        my ($uid, $gid) = (getpwnam MastraTest::needed('MASTRA_USER'))[2, 3];
        chown $uid, $gid, "$dir/state";
    }
    $self->{port} //= free_port();
    $self->write_conf($opt{conf});
    return $self;
}

sub start {
    my ($class, %opt) = @_;
    my $self = $class->new(%opt);
    $self->up;
    return $self;
}

# A port that is nobody else's as long as this process lives: it stays bound, which keeps out all but
# those who ask for SO_REUSEADDR, as httpd does, and nobody gets it here a second time. Below those
# that the kernel gives to clients.
my @reserved;

sub free_port {
    for (1 .. 1000) {
        my $port = 30_000 + int rand 2700;
        socket my $socket, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
        bind $socket, sockaddr_in($port, INADDR_LOOPBACK) or next;
        setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1 or die "setsockopt: $!";
        push @reserved, $socket;
        return $port;
    }
    die 'no free port';
}

my %limits = (
    event   => "StartServers 1\nThreadsPerChild 10\nMinSpareThreads 5\nMaxSpareThreads 20\n"
             . "MaxRequestWorkers 20\nAsyncRequestWorkerFactor 20\n",
    worker  => "StartServers 1\nThreadsPerChild 10\nMinSpareThreads 5\nMaxSpareThreads 20\n"
             . "MaxRequestWorkers 20\n",
    prefork => "StartServers 2\nMinSpareServers 1\nMaxSpareServers 4\nMaxRequestWorkers 8\n",
);

sub write_conf {
    my ($self, $conf) = @_;
    my $top = MastraTest::top_dir();
    open my $in, '<', "$top/t/conf/modules.conf" or die "modules.conf: $!";
    my $text = ($self->{first} // '') . join '', map { s/mpm_\w+?_module (\S*)mod_mpm_\w+\.so/mpm_$self->{mpm}_module $1mod_mpm_$self->{mpm}.so/r } <$in>;
    my $dbd = $self->dbd_conf;
    my $user = $> ? '' : sprintf "User %s\nGroup #%d\n", $ENV{MASTRA_USER},
        (getpwnam $ENV{MASTRA_USER})[3];
    $text .= <<"END";
${user}ServerName 127.0.0.1
Listen 127.0.0.1:$self->{port}
ServerRoot "$self->{dir}"
DefaultRuntimeDir "$self->{dir}/state"
DocumentRoot "$self->{dir}/htdocs"
TypesConfig "$top/t/conf/mime.types"
PidFile "$self->{dir}/httpd.pid"
ErrorLog "$self->{dir}/error_log"
LogLevel info mastra:debug
GracefulShutdownTimeout 5
Timeout 20
@{[ $self->{limits} // $limits{ $self->{mpm} } ]}
<Directory />
    Require all denied
</Directory>
<Directory "$top">
    Require all granted
</Directory>
$dbd
END
    my %words = (port => $self->{port}, state => "$self->{dir}/state", top => $top,
        dir => $self->{dir}, user => $ENV{MASTRA_USER});
    $text .= ($conf // '') =~ s/@(\w+)@/$words{$1} \/\/ croak "\@$1\@ is unknown"/ger;
    $text =~ s{^LoadModule mastra_module.*\n|(?<=LogLevel info) mastra:debug}{}mg
        if !($self->{mastra} // 1);
    open my $out, '>', "$self->{dir}/httpd.conf" or die "httpd.conf: $!";
    print $out $text;
    close $out or die "httpd.conf: $!";
}

sub dbd_conf {
    my $self = shift;
    my $db = $self->{db} // MastraTest::database();
    return '' if !$db;
    $self->{file} = $db eq 'sqlite3' ? "$self->{dir}/state/mastra.db" : $db =~ /\.db$/ ? $db : undef;
    return "DBDriver sqlite3\nDBDParams \"$self->{file}\"\n" if $self->{file};
    $self->{params} = $db eq 'pgsql' ? database_of_its_own() : $db;
    return "DBDriver pgsql\nDBDParams \"$self->{params}\"\n";
}

# A database for one server: what others have stored, and their processes, stay out of it.
my $databases = 0;

sub database_of_its_own {
    my $params = $ENV{MASTRA_DBPARAMS};
    my $name   = join '_', 'test', $$, ++$databases;
    Postgres::psql($params, "CREATE DATABASE $name");
    return $params =~ s/\bdbname=\S+/dbname=$name/r;
}

sub port { $_[0]{port} }
sub dir  { $_[0]{dir} }
sub database_file { $_[0]{file} }

sub command {
    my ($self, @args) = @_;
    return (MastraTest::needed('HTTPD'), '-d', $self->{dir}, '-f', "$self->{dir}/httpd.conf",
        @args);
}

# (exit status, what it printed) of the server's own check of its configuration.
sub configtest {
    my $self = shift;
    my $pid  = open(my $fh, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $self->set_env;
        exec $self->command('-t') or POSIX::_exit(127);
    }
    local $/;
    my $said = <$fh> // '';
    close $fh;
    return ($? >> 8, $said);
}

sub set_env {
    my $self = shift;
    my %env  = %{ $self->{env} || {} };
    $ENV{$_} = $env{$_} for keys %env;
}

# Whether a process has a port open for clients, be it one that was killed and is not gone yet.
sub listening {
    my $port = shift;
    open my $tcp, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    return scalar grep { /^\s*\d+: \S+:([0-9A-F]{4}) \S+ 0A / && hex($1) == $port } <$tcp>;
}

sub up {
    my $self = shift;
    MastraTest::wait_for(sub { !listening($self->{port}) }) or croak "port $self->{port} is taken";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setsid();
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$self->{dir}/error_log";
        open STDERR, '>&', \*STDOUT;
        $self->set_env;
        exec $self->command('-DFOREGROUND') or POSIX::_exit(127);
    }
    $self->{pid}     = $pid;
    $self->{stopped} = 0;
    my $up = MastraTest::wait_for(sub {
        return -1 if waitpid($pid, POSIX::WNOHANG()) == $pid;
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port},
            Proto => 'tcp') && MastraTest::pid_in("$self->{dir}/httpd.pid") == $pid;
    });
    if (!$up || $up eq '-1') {
        $self->{pid} = 0 if $up;
        $self->stop;
        croak "httpd did not start:\n" . $self->log;
    }
    # it has a port before it has children
    my $n = $self->start_servers;
    MastraTest::wait_for(sub { (() = $self->children) >= $n })
        or croak "httpd has not made $n children:\n" . $self->log;
    return $self;
}

# How many children it begins with.
sub start_servers {
    my $self = shift;
    open my $fh, '<', "$self->{dir}/httpd.conf" or die "httpd.conf: $!";
    my %said = (startservers => 1);
    /^\s*(StartServers|ServerLimit|MaxRequestWorkers|ThreadsPerChild)\s+(\d+)/i and $said{ lc $1 } = $2
        while <$fh>;
    my $per_child = $self->{mpm} eq 'prefork' ? 1 : $said{threadsperchild} || 25;
    return min($said{startservers}, $said{serverlimit} // (),
        $said{maxrequestworkers} ? int($said{maxrequestworkers} / $per_child) || 1 : ());
}

sub pid      { $_[0]{pid} }
sub children { my $self = shift; return MastraTest::child_pids($self->{pid}) }

# --- requests, as MastraTest's -----------------------------------------------

sub request  { my $self = shift; return MastraTest::request(@_, port => $self->{port}) }
sub api_get  { my $self = shift; return MastraTest::api_get(@_, port => $self->{port}) }
sub api_post { my $self = shift; return MastraTest::api_post(@_, port => $self->{port}) }
sub stream   { my $self = shift; return MastraTest::stream(@_, port => $self->{port}) }

# --- its log -----------------------------------------------------------------

sub log_file { return "$_[0]{dir}/error_log" }

sub log {
    my ($self, $offset) = @_;
    open my $fh, '<', $self->log_file or return '';
    seek $fh, $offset || 0, 0;
    local $/;
    return <$fh> // '';
}

sub wait_log {
    my ($self, $pattern, $seconds) = @_;
    my $line;
    MastraTest::wait_for(sub { ($line) = grep { /$pattern/ } split /\n/, $self->log }, $seconds);
    return $line;
}

sub expect_log {
    my ($self, $pattern) = @_;
    open my $fh, '>>', "$self->{dir}/expected" or die "expected: $!";
    print $fh -s $self->log_file || 0, "\t$pattern\n";
    close $fh or die "expected: $!";
}

# --- signals -----------------------------------------------------------------

sub graceful { my $self = shift; kill USR1 => $self->{pid} }
sub restart  { my $self = shift; kill HUP  => $self->{pid} }

# Waits until the children of before are gone; true when they are.
sub replaced {
    my ($self, $before, $seconds) = @_;
    my %old = map { $_ => 1 } @$before;
    return MastraTest::wait_for(sub {
        my @now = $self->children;
        return @now && !grep { $old{$_} } @now;
    }, $seconds);
}

# Stops a child as a debugger would, but not while it has the database's lock: then all others
# would wait for it, with SQLite.
sub freeze {
    my ($self, $pid) = @_;
    for my $round (1 .. 20) {
        kill STOP => $pid;
        my $answer = eval { $self->request(POST => '/api/memory/threads?agentId=weather-agent',
            json => { threadId => "freeze-$$-$pid-$round", resourceId => 'freeze' }, timeout => 2) };
        return if $answer && $answer->{status} == 200;
        kill CONT => $pid;
        sleep 0.02;
    }
    croak "process $pid always has the database's lock";
}

sub graceful_stop { my $self = shift; kill WINCH => $self->{pid} }

# Waits for the parent to leave; its status, or undef after so many seconds.
sub wait_exit {
    my ($self, $seconds) = @_;
    my $pid    = $self->{pid} or return 0;
    my $status;
    MastraTest::wait_for(sub {
        return 0 if waitpid($pid, POSIX::WNOHANG()) != $pid;
        $status = $?;
        $self->{pid} = 0;
        return 1;
    }, $seconds);
    return $status;
}

# Ends the parent and all its children at once, also such as are just being made.
sub kill_all {
    my $self = shift;
    kill KILL => -$self->{pid};
    $self->wait_exit;
}

# Waits until no thread of the server is at work. The event MPM of httpd 2.4 cuts its workers'
# connections at a stop, and reads one that a worker is just freeing: those of the last answers
# shall be over. A server that streams is never at rest, so that the wait has an end.
sub settle {
    my $self  = shift;
    my $until = time + 2;
    my $rest  = 0;
    while ($rest < 3 && time < $until) {
        sleep 0.02;
        $rest = (grep { working($_) } $self->children) ? 0 : $rest + 1;
    }
}

# Whether a thread of a process runs, or would if it had a processor.
sub working {
    my $pid = shift;
    for my $stat (glob "/proc/$pid/task/*/stat") {
        open my $fh, '<', $stat or next;
        return 1 if (<$fh> // '') =~ /^\d+ \(.*\) [RD] /s;
    }
    return 0;
}

# Ends the server and hands what its log should not hold to the suite.
sub stop {
    my $self = shift;
    return if $$ != $self->{owner} || $self->{stopped}++;
    if ($self->{pid}) {
        $self->settle;
        kill TERM => $self->{pid};
        if (!defined $self->wait_exit) {
            $self->kill_all;
            $self->note("httpd had to be killed: it did not stop in a minute\n");
        }
    }
    $self->note(MastraLog::unexpected($self->log_file, "$self->{dir}/expected"));
}

sub note {
    my ($self, @lines) = @_;
    return if !@lines;
    open my $fh, '>>', MastraTest::needed('MASTRA_LOGS') . '/unexpected' or die "unexpected: $!";
    print $fh map { "$0: $_" } @lines;
    close $fh;
}

sub DESTROY { local ($@, $?, $!); eval { $_[0]->stop } }

1;
