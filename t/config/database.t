# Where databases are, who may write them, and what is said when nobody can.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

plan tests => 22;

my $agent = <<'END';
MastraEngine On
<MastraAgent keeper>
    MastraName Keeper
    MastraInstructions "Remember."
    MastraModel mock/echo
    MastraMemory lastMessages=5
</MastraAgent>
END
my %memory = (memory => { thread => 't1', resource => 'r1' });
my $threads = '/memory/threads?agentId=keeper&resourceId=r1';

# --- none --------------------------------------------------------------------

my $httpd = MastraHttpd->start(name => 'temporary', db => '', conf => $agent);
ok $httpd->wait_log(qr/MA623: there is no DBDriver/), 'without DBDriver there is a warning';
is $httpd->api_post('/agents/keeper/generate', { messages => 'hi', %memory })->{status}, 200,
    '... and agents work';
is $httpd->api_get($threads)->{json}{total}, 1, '... and remember';
my @before = $httpd->children;
$httpd->graceful;
$httpd->replaced(\@before);
is $httpd->api_get($threads)->{json}{total}, 1, '... over a graceful restart';
my @files = glob $httpd->dir . '/state/mastra/temporary-*';
ok scalar @files, '... in the runtime directory';
my ($mode, $uid) = (stat $httpd->dir . '/state/mastra')[2, 4];
is $mode & 0777, 0700, '... which nobody else may read';
is $uid, $> || (getpwnam $ENV{MASTRA_USER})[2], '... and the user of the children owns';
$httpd->stop;
is_deeply [glob $httpd->dir . '/state/mastra/temporary-*'], [], '... and is gone in the end';

# --- sqlite3 -----------------------------------------------------------------

$httpd = MastraHttpd->start(name => 'relative', db => '',
    conf => "${agent}DBDriver sqlite3\nDBDParams state/new/mastra.db\n"
          . "MastraDurability normal\nMastraDbConnections 2\n"
          # mod_dbd, too, looks for the file, from where httpd was started
          . "LogLevel dbd:emerg\n");
is $httpd->api_post('/agents/keeper/generate', { messages => 'hi', %memory })->{status}, 200,
    'a path is relative to ServerRoot';
ok -s $httpd->dir . '/state/new/mastra.db', '... and its directory is made';
is +(stat $httpd->dir . '/state/new/mastra.db')[4], $> || (getpwnam $ENV{MASTRA_USER})[2],
    '... for the user of the children';
is +(stat $httpd->dir . '/state/new/mastra.db')[2] & 0777, 0600, '... alone';
$httpd->stop;
$httpd->up;
is $httpd->api_get($threads)->{json}{total}, 1, 'what was said is there after a restart';
$httpd->stop;

sub refuses {
    my ($name, $prepare, $sentence) = @_;
    my $refused = MastraHttpd->new(name => 'refused', db => '',
        conf => "${agent}DBDriver sqlite3\nDBDParams \"\@state\@/closed/mastra.db\"\n"
              . "LogLevel dbd:emerg\n");
    mkdir $refused->dir . '/state/closed';
    $prepare->($refused->dir . '/state/closed');
    $refused->expect_log('MA62|AH00020');
    ok !eval { $refused->up; 1 }, "$name stops the start";
    like $refused->log, $sentence, '... and the log says why';
    chmod 0755, $refused->dir . '/state/closed';
    $refused->stop;
}

refuses('a directory that is not writable', sub { chmod 0555, $_[0] },
    qr/MA622: the sqlite3 database \S+ cannot be used: user \S+ \(\d+\) cannot write the directory/);
refuses('a file that is not writable', sub {
        my ($dir) = @_;
        open my $fh, '>', "$dir/mastra.db" or die $!;
        close $fh;
        chmod 0444, "$dir/mastra.db";
        chown +(getpwnam $ENV{MASTRA_USER})[2, 3], $dir if !$>;
    }, qr/MA622: .*cannot write the file/);
refuses('a file that is no database', sub {
        my ($dir) = @_;
        open my $fh, '>', "$dir/mastra.db" or die $!;
        print $fh 'This is no database, and it never was one.' x 100;
        close $fh;
        chown +(getpwnam $ENV{MASTRA_USER})[2, 3], $dir, "$dir/mastra.db" if !$>;
    }, qr/MA622: the sqlite3 database \S+ cannot be used: /);

$httpd = MastraHttpd->new(name => 'pgsql', db => '', conf => $agent
    . "DBDriver pgsql\nDBDParams \"host=127.0.0.1 port=1 dbname=x connect_timeout=2\"\n"
    . "LogLevel dbd:emerg\n");
$httpd->expect_log('MA622|AH00020');
ok !eval { $httpd->up; 1 }, 'a server that does not answer stops the start';
like $httpd->log, qr/MA622: the pgsql database cannot be used: /, '... and the log says so';
unlike $httpd->log, qr/MA622: .*dbname=x/, '... without its parameters';
$httpd->stop;
