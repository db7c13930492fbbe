# A model that thinks for long: after 15 s of silence a comment keeps the stream from being
# closed by what lies between, and nothing but silence brings it.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(text_of_frames types);
use Time::HiRes qw(time);

plan tests => 10;

# httpd's own Timeout is shorter than the silence
my $httpd = Served->start(name => 'silence', conf => "Timeout 3\n");

my $start  = time;
my $silent = $httpd->ask('/agents/up-agent/stream', { messages => 'SILENT one two three' });
my $whole  = $httpd->ask('/agents/up-agent/generate', { messages => 'MUTE' });
my $busy   = $httpd->ask('/agents/up-agent/stream',
    { messages => join ' ', (map { "w$_" } 1 .. 36), 'PACE:500' });
is $silent->read_head->{status}, 200, 'a stream whose model falls silent';
my @frames;
while (text_of_frames(@frames) !~ /one/) {
    push @frames, $silent->next_frame // die 'the stream ended';
}
my $frame = $silent->next_frame;
ok defined $frame, '... goes on';
is $frame->{comment}, 'heartbeat', '... with a comment';
cmp_ok $frame->{at} - $start, '>', 14.9, '... after 15 s';
cmp_ok $frame->{at} - $start, '<', 30, '... and no later than the second would be';

$busy->read_head;
@frames = $busy->frames;
cmp_ok time - $start, '>', 17, 'a stream that goes on for longer than that';
is scalar(grep { exists $_->{comment} } @frames), 0, '... has none';
like types(@frames), qr/finish \[DONE\]$/, '... and ends';
ok !$whole->fill(time + 0.1), 'a whole answer has none either';
$_->leave for $silent, $whole;
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 5), 'nothing is left open';
$httpd->stop;
