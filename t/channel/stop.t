# Runs that belong to no connection when the server restarts gracefully or stops: they may end,
# up to the limit; what waits is taken up by the children that come after.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types);
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 14;

my $httpd = Channel->start(name => 'stop', children => 2, conf => 'MastraStopLimit 60');
my $n = 0;
sub thread { return "stop-$$-" . ++$n }

# For the children that come from now on.
sub set_limit {
    my ($seconds) = @_;
    my $file = $httpd->dir . '/httpd.conf';
    open my $in, '<', $file or die "$file: $!";
    my $conf = do { local $/; <$in> } =~ s/^MastraStopLimit \K\d+/$seconds/mr;
    open my $out, '>', $file or die "$file: $!";
    print $out $conf;
    close $out or die "$file: $!";
}

# --- a graceful restart lets a run end

my $thread = thread();
my @old = $httpd->children;
$httpd->say($thread, 'GATE a b');
$httpd->model->gated or die 'the model was not asked';
set_limit(5);
$httpd->graceful;
wait_for(sub {
    my %old = map { $_ => 1 } @old;
    return grep { !$old{$_} } $httpd->children;
});
$httpd->model->go_all;
ok wait_for(sub { join('|', $httpd->stored($thread)) =~ /\|assistant: Echo: GATE a b\z/ }),
    'a run without any connection ends in spite of a graceful restart';
ok $httpd->replaced(\@old), '... and then its child goes';

# --- ... within its limit

$thread = thread();
@old    = $httpd->children;
my $watch = $httpd->watch($thread);
$httpd->say($thread, 'PACE:400 ' . join ' ', 1 .. 400);
$httpd->call('queue-message', $thread, message => 'for the next');
$httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq '2 ' });
$httpd->graceful;
my $start  = time;
my @frames = eval { $watch->frames(120) };
cmp_ok time - $start, '<', 100, 'a long run is cut';
is join(' ', (types(@frames))[-1]), '[DONE]', 'its subscriber is sent away in order';
ok $httpd->replaced(\@old), '... and its child goes';
ok wait_for(sub { join('|', $httpd->stored($thread)) =~ /\|assistant: Echo: for the next\z/ }),
    'what waited is answered by the new children';
like join('|', $httpd->stored($thread)), qr/assistant: Echo: PACE:400 1 2 /,
    '... and what the run had said is stored';
my %count;
$count{$_}++ for $httpd->stored($thread);
is_deeply [grep { $count{$_} != 1 } keys %count], [], '... all once';

# --- told to stop

$thread = thread();
$watch  = $httpd->watch($thread);
$httpd->say($thread, 'SILENT c d e f g h');
$httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'c ' });
$start = time;
kill TERM => $httpd->pid;
is $httpd->wait_exit, 0, 'told to stop, the server does';
cmp_ok time - $start, '<', 50, '... soon';
$httpd->{stopped} = 0;
$httpd->up;
like +($httpd->stored($thread))[-1], qr/^assistant: Echo: SILENT c/, 'what had come is stored';
$watch = $httpd->watch($thread);
$httpd->say($thread, 'and on');
is join('|', said($httpd->until_finish($watch))), 'user: and on|model: Echo: and on',
    'the thread goes on after the start';
ok wait_for(sub {
    my @sockets = glob $httpd->dir . '/state/mastra/bus/*';
    return @sockets <= (() = $httpd->children) + 2;
}), 'no sockets of the dead are left behind';
$watch->leave;
$httpd->stop;
is_deeply [glob $httpd->dir . '/state/mastra/bus/*'], [], '... and none in the end';
