# What this suite does otherwise than Apache::TestRun: it runs as root too, runs C programs
# beside the test files, counts what ran, and reads the error log at the end.
package MastraRun;
use strict;
use warnings FATAL => 'all';

use base 'Apache::TestRun';

use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use TAP::Harness;
use MastraLog;

# Apache::Test refuses to run as root and leaves with status 0. httpd started by root serves
# from children that run as another user, so root is fine where that user can read the tree.
sub check_runtime_user {
    my $self = shift;
    return 1 if $>;
    my $vars = $self->{test_config}{vars};
    die "User $vars->{user} cannot reach $vars->{t_dir}\n"
        if !reachable($vars->{user}, $vars->{t_dir});
    return 1;
}

sub reachable {
    my ($user, $dir) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my ($uid, $gid) = (getpwnam $user)[2, 3];
        $( = $) = "$gid $gid";
        $< = $> = $uid;
        # not exit: the parent's END blocks are not this process's business
        require POSIX;
        POSIX::_exit(-r $dir && -x $dir ? 0 : 1);
    }
    waitpid $pid, 0;
    return !$?;
}

# The words between @ signs in t/conf/*.in, beside Apache::Test's own.
sub new_test_config {
    my $self   = shift;
    my $config = $self->SUPER::new_test_config(@_);
    my $vars   = $config->{vars};

    $vars->{"port$_"} = $vars->{port} + $_ for 1 .. 9;
    $vars->{upstream_port} = $vars->{port3};
    $vars->{mpm}           = $ENV{MPM} || 'event';
    $vars->{state}         = "$vars->{t_state}/server";
    $vars->{dbdriver}      = $ENV{DB} || 'sqlite3';
    $vars->{dbparams}      = $self->{dbparams} || "$vars->{state}/mastra.db";
    refuse_others($vars);
    return $config;
}

# Apache::Test would take whatever listens there for its own, set nothing up, and let each test
# fail in a way that tells nothing.
sub refuse_others {
    my $vars = shift;
    my $pid  = -e $vars->{t_pid_file} ? do { local (@ARGV, $/) = $vars->{t_pid_file}; <> } : 0;
    return if ($pid && kill 0 => $pid) || grep { /^-?-?(clean|help|stop)/ } @ARGV;
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $vars->{port}, Proto => 'tcp') or return;
    die "Port $vars->{port} is taken, perhaps by the tests of another checkout: set TESTPORT\n";
}

# Not in the object: Apache::Test writes that to a file, and whoever reads it would have a server to
# stop.
my $postgres;

sub pre_configure {
    my $self = shift;
    return if ($ENV{DB} || '') ne 'pgsql' || grep { /^-?-?(clean|help)$/ } @ARGV;
    require Postgres;
    $postgres = Postgres->start;
    $self->{dbparams} = $postgres->params;
}

sub configure {
    my $self = shift;
    $self->SUPER::configure(@_);

    my $vars = $self->{test_config}{vars};
    remove_tree($vars->{state});
    make_path($vars->{state});
    chown +(getpwnam $vars->{user})[2, 3], $vars->{state} if !$>;
    remove_tree($vars->{t_logs}, { keep_root => 1 });

    make_certificate("$vars->{t_state}/tls");

    $ENV{MASTRA_TEST_KEY} = 'sk-test';
    $ENV{MASTRA_TOP}      = $self->{top};
    $ENV{MASTRA_PORT}     = $vars->{port};
    $ENV{MASTRA_USER}     = $vars->{user};
    $ENV{MASTRA_LOGS}     = $vars->{t_logs};
    $ENV{MASTRA_UPSTREAM} = $vars->{upstream_port};
    $ENV{MASTRA_DBPARAMS} = $vars->{dbparams};
    $ENV{PERL5LIB}        = join ':', "$self->{top}/t/lib", $ENV{PERL5LIB} // ();
}

# A key and a certificate for 127.0.0.1, good for the day.
sub make_certificate {
    my $base = shift;
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        . "-addext subjectAltName=IP:127.0.0.1 -keyout '$base.key' -out '$base.crt' 2>/dev/null")
        and die "openssl made no certificate\n";
}

# Programs are given by path; test files lie one folder deep. What has no folder of its own
# to be named by (t/client/node_modules) is not searched.
sub split_test_args {
    my $self = shift;
    my @rest;
    $self->{programs} = [];
    for my $arg (@{ $self->{argv} }) {
        if (-f $arg && -x _ && $arg !~ /\.t$/) {
            push @{ $self->{programs} }, $arg;
        }
        else {
            push @rest, $arg;
        }
    }
    $self->{argv} = \@rest;
    $self->SUPER::split_test_args(@_);
}

sub chosen_tests {
    my $self  = shift;
    my @named = (@{ $self->{programs} }, @{ $self->{tests} });
    return @named if @named;
    my @files = sort glob 't/*/*.t';
    # what needs no server comes first, and only once per suite
    my @early = grep { m{^t/(?:guard|harness)/} } @files;
    my @later = grep { !m{^t/(?:guard|harness)/} } @files;
    my @units = split ' ', $ENV{UNIT} // '';
    return (@units, @early, @later) if !$ENV{SERVER_TESTS_ONLY};
    return ((grep { on_postgres($_) } @units), @later);
}

# The programs that test storage do so on PostgreSQL too, on one of their own.
sub on_postgres {
    my $file = shift;
    return ($ENV{DB} || '') eq 'pgsql' && $file =~ m{/t/unit/(?:store|run)/};
}

sub run_tests {
    my $self = shift;
    return $self->SUPER::run_tests(@_) if !$self->{opts}{'run-tests'};

    my @tests = $self->chosen_tests;
    if (!@tests) {
        print "No tests were found\n";
        $self->{failed} = 1;
        return;
    }
    $ENV{HTTPD_TEST_SUBTESTS} = "@{ $self->{subtests} || [] }";
    delete $ENV{HTTPD_TEST_SUBTESTS} if !@{ $self->{subtests} || [] };
    my $harness = TAP::Harness->new({
        verbosity => $self->{opts}{verbose} ? 1 : 0,
        timer     => 1,
        failures  => 1,
        comments  => 1,
        exec      => sub {
            my ($h, $file) = @_;
            return [$^X, '-w', $file] if $file =~ /\.t$/;
            return [on_postgres($file) ? 't/lib/with-postgres' : (), "./$file"];
        },
    });
    my $total = $harness->runtests(@tests);
    $self->note_results($total, scalar $self->again($harness, $total), scalar @tests);
}

# With AGAIN=2 up to two files that failed are run once more, and what they say then counts: a whole
# suite, with other passes beside it on a small machine, is not thrown away for one test that waits
# too short. Such files are named at the end, for they have to be mended. More failures than that are
# no accident.
sub again {
    my ($self, $harness, $total) = @_;
    my %failed = map { $_ => 1 } broken($total);
    my @files  = sort keys %failed;
    return undef if !@files || @files > ($ENV{AGAIN} || 0);
    print "Once more, as they failed: @files\n";
    my $second = $harness->runtests(@files);
    my %still  = map { $_ => 1 } broken($second);
    $self->{unsteady} = [grep { !$still{$_} } @files];
    return $second;
}

# files with a failed assertion, and those that died or planned wrongly
sub broken {
    my $total = shift;
    return ($total->failed, $total->parse_errors, $total->exit, $total->wait);
}

sub note_results {
    my ($self, $total, $second, $files) = @_;

    # a file that dies or plans wrongly has failed, whatever its assertions said
    my $last    = $second // $total;
    my %counted = map { $_ => 1 } $last->failed;
    my %others  = map { $_ => 1 } grep { !$counted{$_} } broken($last);

    $self->{passed}   = $total->passed - $total->skipped + $total->failed - $last->failed;
    $self->{failures} = $last->failed + keys %others;
    $self->{failed}   = 1 if $self->{failures} || !$self->{passed};
    $self->{label} = join ', ', $ENV{MPM} || 'event', $ENV{DB} || 'sqlite3';
    $self->write_results($files);
}

sub write_results {
    my ($self, $files) = @_;
    my $dir = $ENV{RESULTS} or return;
    make_path($dir);
    (my $name = $self->{label}) =~ s/\W+/-/g;
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    printf $fh "%d %d %d %s\n", $self->{passed}, $self->{failures}, $files, $self->{label};
    close $fh or die "$dir/$name: $!";
    $self->write_unsteady("$dir.unsteady");
}

sub write_unsteady {
    my ($self, $path) = @_;
    my @files = splice @{ $self->{unsteady} || [] } or return;
    open my $fh, '>>', $path or die "$path: $!";
    print $fh map { "$_ ($self->{label})\n" } @files;
    close $fh or die "$path: $!";
}

# A crash after the answer, or a sanitizer's report, fails no test file by itself: the log has it.
sub stop {
    my $self = shift;
    my $rc   = $self->SUPER::stop(@_);
    $postgres->stop if $postgres;
    return $rc if !$self->{opts}{'stop-httpd'};

    my $logs = $self->{test_config}{vars}{t_logs};
    my @bad  = MastraLog::unexpected("$logs/error_log", "$logs/expected");
    if (open my $fh, '<', "$logs/unexpected") {
        push @bad, <$fh>;
    }
    if (@bad) {
        splice @bad, 50 if @bad > 50;
        print "Unexpected in the error logs in $logs:\n", map { "  $_" } @bad;
        if (defined $self->{passed}) {
            $self->{failures}++;
            $self->write_results(0);
        }
    }
    exit 1 if @bad || $self->{failed};
    return $rc;
}

1;
