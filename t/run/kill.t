# A child that is killed in the middle of streams: other children go on, no message that was
# acknowledged is lost. Then the whole server, at once, many times.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use POSIX ();
use Served qw(text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 14;

my $limits = { event => "StartServers 2\nThreadsPerChild 8\nMinSpareThreads 2\n"
        . "MaxSpareThreads 16\nMaxRequestWorkers 16\nAsyncRequestWorkerFactor 20\n",
    prefork => "StartServers 10\nMinSpareServers 10\nMaxSpareServers 12\nMaxRequestWorkers 24\n" };

sub memory { return (memory => { thread => $_[0], resource => 'r' }) }

my $httpd = Served->start(name => 'kill', limits => $limits->{ mpm() });

# --- one child

my $words = 'GATE one two three four five six seven eight nine ten';
my %open;
for my $n (1 .. 8) {
    $open{$n} = $httpd->ask('/agents/memory-agent/stream', { messages => $words, memory("s$n") });
    $open{$n}->read_head;
}
my %child = map { my $n = $_; $n => MastraTest::child_with_port($open{$n}->socket->sockport,
    $httpd->children) } keys %open;
my $victim = $child{1};
ok $victim, 'a child answers';
my %hit = map { $_ => 1 } grep { $child{$_} == $victim } keys %open;
$httpd->model->gated(8) or die 'the model was not asked';
$httpd->model->go for 1 .. 4;
wait_for(sub { $open{1}->next_frame->{data} =~ /two/ });
kill KILL => $victim;
$httpd->replaced([$victim]) or die 'the child lives';
$httpd->model->go_all;

my (@cut, @whole);
for my $n (sort keys %open) {
    my @frames = eval { $open{$n}->frames };
    push @{ $open{$n}->cut ? \@cut : \@whole }, $n;
    $open{$n}{text} = text_of_frames(@frames);
    $open{$n}{ended} = types(@frames[-1, -1]) if @frames;
}
is join(' ', @cut), join(' ', sort keys %hit), 'streams of a killed child break';
is join(' ', grep { $open{$_}{text} !~ /ten/ } @whole), '', '... and the others come to their end';
ok wait_for(sub { eval { $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })
    ->{status} } == 200 }), 'the server goes on';
is join(' ', grep { my @said = $httpd->said("s$_"); @said != 2 || $said[1] !~ /ten/ } @whole), '',
    'whole answers are stored';
is join(' ', grep { ($httpd->said("s$_"))[0] ne "user: $words" } @cut), '',
    'of broken ones the question is';
my $thread = "s$cut[0]";
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'go on', memory($thread) })
    ->{status}, 200, '... and their threads go on';
is +($httpd->said($thread))[-1], 'assistant: Echo: go on', '... as if nothing had been';

# --- the whole server, while many write

my (%told, %asked);
my $rounds = 3;
for my $round (1 .. $rounds) {
    my @writers = map { writer("k$round-$_") } 1 .. 6;
    my $before = $httpd->model->stats->{answered};
    wait_for(sub { $httpd->model->stats->{answered} > $before + 20 });
    sleep rand 1;
    $httpd->kill_all;
    for my $writer (@writers) {
        my @done = read_all($writer->{from});
        waitpid $writer->{pid}, 0;
        $told{ $writer->{thread} } = \@done;
    }
    $httpd->up;
}
my $told = 0;
my (@lost, @doubled, @torn);
for my $thread (sort keys %told) {
    my @said = $httpd->said($thread);
    my %count;
    $count{$_}++ for @said;
    for my $text (@{ $told{$thread} }) {
        $told++;
        push @lost, "$thread: $text" if !$count{"user: $text"} || !$count{"assistant: Echo: $text"};
    }
    push @doubled, map { "$thread: $_" } grep { $count{$_} > 1 } sort keys %count;
    push @torn, map { "$thread: $_" } grep { !/^(?:user: |assistant: Echo: )\w/ } @said;
}
note "$told answers were acknowledged before $rounds kills";
cmp_ok $told, '>', 10, 'answers were acknowledged before the server was killed';
is_deeply \@lost,    [], '... and each is there with its question';
is_deeply \@doubled, [], '... once';
is_deeply \@torn,    [], '... and none is half';
is $httpd->api_post('/agents/memory-agent/generate', { messages => 'still', memory('k1-1') })
    ->{status}, 200, 'all goes on';
$httpd->stop;
unlike $httpd->log, qr/malformed|corrupt/, 'the database is sound';

# A process that asks again and again, and prints each question that was answered whole.
sub writer {
    my ($thread) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $from;
        $to->autoflush(1);
        for my $n (1 .. 10_000) {
            my $ok = eval {
                my $answer;
                if ($n % 2) {
                    $answer = $httpd->api_post('/agents/memory-agent/generate',
                        { messages => "q$n", memory($thread) });
                    $answer->{status} == 200 && !$answer->{cut};
                }
                else {
                    my $stream = $httpd->stream('/agents/memory-agent/stream',
                        { messages => "q$n", memory($thread) });
                    grep { ref $_->{json} && $_->{json}{type} eq 'finish' } $stream->frames;
                }
            };
            last if !$ok;
            print $to "q$n\n";
        }
        POSIX::_exit(0);
    }
    close $to;
    return { pid => $pid, from => $from, thread => $thread };
}

sub read_all {
    my ($fh) = @_;
    chomp(my @lines = <$fh>);
    return @lines;
}
