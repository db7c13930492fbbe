# The database's file is locked by another program, or may not be written any more, while runs go on.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Outage;
use Time::HiRes qw(sleep time);

plan tests => 2 * $Outage::CHECKS + 1, need { 'once is enough' => sub { database() eq 'sqlite3' && mpm() eq 'event' } };

# --- a file that another program has locked

my $httpd = Outage::start(name => 'gone-locked');
my @pids = $httpd->children;
my $at    = begin('locked');
$httpd->while_locked(sub {
    $httpd->open_gates(keys %$at);
    check_errors('a locked file', 'locked', 1);
});
check_after('a locked file', 'locked', $at, @pids);

$httpd->stop;

# --- a folder that the server may not write, with new processes

$httpd = Outage::start(name => 'gone-closed', db => '', conf => <<'END');
DBDriver sqlite3
DBDParams "@state@/db/mastra.db"
END
my $dir   = $httpd->dir . '/state/db';
my $owner = (stat "$dir/mastra.db")[4];
$at   = begin('closed');
closed(1);
kill KILL => $httpd->children;
wait_for(sub { my @now = $httpd->children; scalar @now }, 20);
check_errors('a closed folder', 'closed', 0);
closed(0);
check_after('a closed folder', 'closed', $at);
ok -s "$dir/mastra.db", 'the file is where it was';
$httpd->stop;

sub closed {
    my ($shut) = @_;
    # the server's user may be the file's owner, and then opens it again, unless it is another's
    chown $shut ? (0, 0) : ($owner, -1), $dir, glob "$dir/*" if !$>;
    chmod $shut ? 0444 : 0644, glob "$dir/*";
    chmod $shut ? 0555 : 0755, $dir;
}
