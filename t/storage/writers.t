# Many writers in several children, all at once: no request fails, none waits for long, and what
# was acknowledged is there. SOAK=60 (make soak) does it for a minute.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use POSIX ();
use Served;
use Time::HiRes qw(time);

plan tests => 6;

my $seconds = $ENV{SOAK} || 4;
my $writers = 32;
my $limits  = {
    event => "StartServers 4\nThreadsPerChild 16\nMinSpareThreads 64\nMaxSpareThreads 64\n"
        . "MaxRequestWorkers 64\nAsyncRequestWorkerFactor 4\n",
    prefork => "StartServers 48\nMinSpareServers 48\nMaxSpareServers 48\nMaxRequestWorkers 48\n",
};
my $httpd = Served->start(name => 'writers', limits => $limits->{ mpm() }, conf => <<'END');
<MastraAgent keeper>
    MastraName Keeper
    MastraInstructions "Remember."
    MastraModel mock/echo
    MastraMemory lastMessages=5
</MastraAgent>
# without keep-alive each request may meet another child
KeepAlive Off
END
my @children;
ok wait_for(sub { (@children = $httpd->children) >= 4 }), 'several children serve';

my $until = time + $seconds;
my @open  = map { writer("writer-$_", $until) } 1 .. $writers;
my ($answers, $worst, @failed, %expected) = (0, 0);
for my $writer (@open) {
    my $fh = $writer->{from};
    while (my $line = <$fh>) {
        if ($line =~ /^(\d+) ([\d.]+)$/) {
            $expected{ $writer->{thread} } = $1;
            $answers += $1;
            $worst = $2 if $2 > $worst;
        }
        else {
            chomp $line;
            push @failed, "$writer->{thread}: $line";
        }
    }
    waitpid $writer->{pid}, 0;
}
diag sprintf '%d writers, %d children, %s: %d answers in %d s, worst wait %.0f ms', $writers,
    scalar(@children), database(), $answers, $seconds, 1000 * $worst;
is_deeply \@failed, [], 'no request failed';
cmp_ok $answers, '>', $writers, 'there were answers';
# a machine that is busy with other things makes all of them wait
my $mean = $writers * $seconds / $answers;
cmp_ok $worst, '<', $ENV{SOAK} ? 1 : 5 + 20 * $mean, 'no request waited for long';

my @wrong;
for my $thread (sort keys %expected) {
    my @said = $httpd->said($thread, 'keeper');
    push @wrong, "$thread: " . @said . " messages of $expected{$thread} answers"
        if @said != 2 * $expected{$thread};
    for my $i (0 .. $#said) {
        my $words = join '', $i % 2 ? 'assistant: Echo: ' : 'user: ', 'q', 1 + int($i / 2);
        push @wrong, "$thread: $said[$i] in place of $words" if $said[$i] ne $words;
    }
}
splice @wrong, 10 if @wrong > 10;
is_deeply \@wrong, [], 'each thread has its messages, in order';
$httpd->stop;
unlike $httpd->log, qr/\[mastra:(?:error|warn)\](?!.*MA201)/, 'the log has no complaint';

# Asks again and again; prints failures, in the end how many answers and the longest wait.
sub writer {
    my ($thread, $until) = @_;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $from;
        my ($n, $worst) = (0, 0);
        while (time < $until || $n < 2) {
            my $start = time;
            my $said  = 'q' . ($n + 1);
            my %asked = (messages => $said, memory => { thread => $thread, resource => 'w' });
            my $wrong = eval { $n % 2 ? whole(\%asked) : streamed(\%asked) } // "died: $@";
            if ($wrong) {
                print $to $wrong =~ s/\n/ /gr, "\n";
                last;
            }
            $n++;
            my $took = time - $start;
            $worst = $took if $took > $worst;
        }
        print $to "$n $worst\n";
        close $to;
        POSIX::_exit(0);
    }
    close $to;
    return { pid => $pid, from => $from, thread => $thread };
}

# What is wrong with an answer, '' when nothing is.
sub whole {
    my $asked  = shift;
    my $answer = $httpd->api_post('/agents/keeper/generate', $asked);
    return "$answer->{status} $answer->{body}" if $answer->{status} != 200;
    return $answer->{json}{text} eq "Echo: $asked->{messages}" ? '' : "said $answer->{json}{text}";
}

sub streamed {
    my $asked  = shift;
    my $stream = $httpd->stream('/agents/keeper/stream', $asked, headers => [Connection => 'close']);
    return "stream: $stream->{head}{status}" if $stream->{head}{status} != 200;
    my $types = Served::types($stream->frames);
    return $types =~ /text-end step-finish finish \[DONE\]$/ ? '' : "stream: $types";
}
