# The disk is full while runs go on: no file may grow beyond the log of the database.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Outage;
use POSIX ();

plan tests => $Outage::CHECKS + 2, need { 'once is enough' => sub { database() eq 'sqlite3' && mpm() eq 'event' } };

my $httpd = Outage::start(name => 'gone-full');
my @pids  = $httpd->children;
my $at    = begin('full');
is $httpd->api_post('/tools/fill/execute', { data => {} })->{status}, 200, 'the disk has room';
limit(-s $httpd->database_file . '-wal');
$httpd->open_gates(keys %$at);
check_errors('a full disk', 'full', 1);
limit('unlimited');
check_after('a full disk', 'full', $at, @pids);
unlike $httpd->log, qr/malformed|corrupt/i, '... in a sound database';
$httpd->stop;


# Only a process's own user may do this to it, where root has less than all rights.
sub limit {
    my ($bytes) = @_;
    for my $pid ($httpd->pid, $httpd->children) {
        my $child = fork // die "fork: $!";
        if (!$child) {
            if (!$> && $pid != $httpd->pid) {
                my ($uid, $gid) = (getpwnam $ENV{MASTRA_USER})[2, 3];
                $( = $) = "$gid $gid";
                POSIX::setuid($uid);
            }
            exec 'prlimit', "--pid=$pid", "--fsize=$bytes:" or POSIX::_exit(127);
        }
        waitpid $child, 0;
        die "prlimit failed for $pid" if $?;
    }
}
