# A database that goes away while the server runs: PostgreSQL restarted, a file that may not be
# written any more, a full disk. Clear errors meanwhile, no crash, and nothing to restart after.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Postgres;
use Served qw(finish_reason text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 47, need { 'once is enough' => sub { database() eq 'sqlite3' } };

sub memory { return (memory => { thread => $_[0], resource => 'r' }) }

# An answer that says what is wrong, in JSON, in time.
sub clear_error {
    my ($name, $request, $status) = @_;
    my $start  = time;
    my $answer = $request->();
    like $answer->{status}, $status, "$name: an error";
    like $answer->{json}{error} // $answer->{body}, qr/^Storage (?:is busy, try again|failed)$/,
        '... in clear words';
    cmp_ok time - $start, '<', 40, '... in time';
    return $answer;
}

sub works {
    my ($httpd, $name) = @_;
    my $ok = wait_for(sub { $httpd->api_post('/agents/memory-agent/generate',
        { messages => 'back', memory('back') })->{status} == 200 }, 15);
    ok $ok, "$name: works again, with nothing restarted";
}

# --- PostgreSQL, stopped and started

my $pg    = Postgres->start;
my $httpd = Served->start(name => 'away-pgsql', db => $pg->params);
my @pids  = $httpd->children;
# AH00636: mod_dbd's own pool, in a child that starts meanwhile
$httpd->expect_log('MA302|MA303|MA304|MA3001|MA3002|MA3004|MA3302|AH00636');
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'one', memory('t') })->{status},
    200, 'PostgreSQL: a thread';
my $during = $httpd->ask('/agents/memory-agent/stream',
    { messages => 'a b c d e f g h GATE', memory('during') });
$during->read_head;
$httpd->model->gated;
$httpd->model->go for 1 .. 3;
$during->next_frame for 1 .. 4;

$pg->restart;
$httpd->model->go_all;
my @frames = $during->frames;
is text_of_frames(@frames) =~ /h GATE/ && finish_reason(@frames), 'stop',
    'PostgreSQL: a stream goes on over a restart';
is_deeply [$httpd->said('during')], ['user: a b c d e f g h GATE',
    'assistant: Echo: a b c d e f g h GATE'], '... and is stored';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'two', memory('t') })->{status},
    200, '... threads go on';
is scalar(my @said = $httpd->said('t')), 4, '... with all that was said';

$pg->restart('immediate');
works($httpd, 'PostgreSQL, after a crash');

$pg->down;
my $answer = clear_error('PostgreSQL away, generate', sub {
    $httpd->api_post('/agents/memory-agent/generate', { messages => 'lost', memory('t') }) },
    qr/^503$/);
is $answer->{headers}{'retry-after'}, 1, '... that may be asked for again';
clear_error('PostgreSQL away, a list', sub {
    $httpd->api_get('/memory/threads?agentId=memory-agent&resourceId=r') }, qr/^503$/);
clear_error('PostgreSQL away, a stream', sub {
    $httpd->request(POST => '/api/agents/memory-agent/stream',
        json => { messages => 'lost', memory('t') }) }, qr/^503$/);
is $httpd->api_post('/agents/up-agent/generate', { messages => 'hi' })->{status}, 200,
    '... what needs no memory is answered';
$pg->up;
works($httpd, 'PostgreSQL');
is scalar(@said = $httpd->said('t')), 4, '... and what was refused is not there';

# the question is stored, then the database goes: the answer cannot be kept, and the client is told
$during = $httpd->ask('/agents/memory-agent/stream',
    { messages => 'a b c d GATE', memory('half') });
$during->read_head;
$httpd->model->gated;
$httpd->model->go for 1 .. 3;
$during->next_frame for 1 .. 4;
$pg->down;
$httpd->model->go_all;
@frames = $during->frames;
like types(@frames), qr/text-end .*error .*finish \[DONE\]$/,
    'PostgreSQL away at the end of a stream: an error is told';
is finish_reason(@frames), 'error', '... and no good finish';
$pg->up;
works($httpd, 'PostgreSQL');
is_deeply [$httpd->said('half')], ['user: a b c d GATE'], '... the question is there';
my %now = map { $_ => 1 } $httpd->children;
is_deeply [grep { !$now{$_} } @pids], [], 'PostgreSQL: no child was lost';
$httpd->stop;
$pg->stop;

# --- a file that may not be written any more

$httpd = Served->start(name => 'away-readonly', db => '', conf => <<'END', limits => mpm() eq 'prefork'
DBDriver sqlite3
DBDParams "@state@/db/mastra.db"
END
    ? "StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\nMaxRequestWorkers 4\n" : undef);
# AH00636: mod_dbd's own pool, in a child that starts meanwhile
$httpd->expect_log('MA302|MA303|MA304|MA3001|MA3002|MA3004|MA3302|AH00636');
my $dir   = $httpd->dir . '/state/db';
my $owner = (stat "$dir/mastra.db")[4];
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'one', memory('t') })->{status},
    200, 'a file: a thread';
closed($dir, 1);
# new children open the file anew
my @before = $httpd->children;
kill KILL => @before;
$httpd->replaced(\@before) or die 'the children stay';
clear_error('a file that is closed, generate', sub {
    $httpd->api_post('/agents/memory-agent/generate', { messages => 'no', memory('t') }) },
    qr/^50[03]$/);
clear_error('a file that is closed, a new thread', sub {
    $httpd->api_post('/memory/threads?agentId=memory-agent', { resourceId => 'r' }) }, qr/^50[03]$/);
is $httpd->api_post('/agents/up-agent/generate', { messages => 'hi' })->{status}, 200,
    '... what needs no memory is answered';
closed($dir, 0);
works($httpd, 'a file that is open again');
is scalar(@said = $httpd->said('t')), 2, '... with what it had';
$httpd->stop;

sub closed {
    my ($dir, $shut) = @_;
    # the server's user may be the file's owner, and then opens it again, unless it is another's
    if (!$>) {
        chown $shut ? (0, 0) : ($owner, -1), $dir, glob "$dir/*";
    }
    chmod $shut ? 0444 : 0644, glob "$dir/*";
    chmod $shut ? 0555 : 0755, $dir;
}

# --- a full disk

SKIP: {
    my $full = Served->new(name => 'away-full', db => '', conf => <<'END');
DBDriver sqlite3
DBDParams "@state@/full/mastra.db"
END
    my $disk = $full->dir . '/state/full';
    mkdir $disk or die "$disk: $!";
    skip 'only root can make a disk that is small', 13
        if $> || system("mount -t tmpfs -o size=1m,mode=0777 none '$disk' 2>/dev/null");
    my $mounted = Mount->new($disk);
    $full->expect_log('MA302|MA303|MA304|MA3001|MA3002|MA3004|MA3302');
    $full->up;
    my @there = $full->children;
    my ($kept, $refused) = (0, undef);
    for my $n (1 .. 40) {
        my $got = $full->api_post('/agents/memory-agent/generate',
            { messages => "$n" . 'x' x 20_000, memory("f$n") });
        if ($got->{status} != 200) {
            $refused = $got;
            last;
        }
        $kept++;
    }
    cmp_ok $kept, '>', 2, 'a small disk takes something';
    like $refused->{status}, qr/^50[03]$/, '... until it is full';
    like $refused->{json}{error}, qr/^Storage (?:failed|is busy)/, '... which is said';
    ok $full->wait_log(qr/full/i), '... and why is in the log';
    clear_error('a full disk, save', sub {
        $full->api_post('/memory/save-messages?agentId=memory-agent', { messages => [{
            id => 'm', role => 'user', threadId => 'f1', resourceId => 'r', type => 'v2',
            createdAt => '2026-01-01T00:00:00.000Z', content => { format => 2,
            parts => [{ type => 'text', text => 'y' x 200_000 }] } }] }) }, qr/^50[03]$/);
    is scalar(my @first = $full->said('f1')), 2, 'what was stored can be read';
    is $full->api_post('/agents/up-agent/generate', { messages => 'hi' })->{status}, 200,
        'what needs no memory is answered';
    my %left = map { $_ => 1 } $full->children;
    is_deeply [grep { !$left{$_} } @there], [], 'no child was lost';
    system("mount -o remount,size=20m '$disk'");
    works($full, 'a disk that has room again');
    is scalar(grep { my @kept = $full->said("f$_"); @kept == 2 } 1 .. $kept), $kept,
        '... with all that was acknowledged';
    unlike $full->log, qr/malformed|corrupt/i, '... in a sound database';
    $full->stop;
}

package Mount;
sub new { my ($class, $dir) = @_; return bless { dir => $dir, owner => $$ }, $class }
sub DESTROY { my $self = shift; system('umount', '-l', $self->{dir}) if $$ == $self->{owner} }
