# Channels over several children: whoever is connected to whichever child sees the same, in the
# same order and at once; messages from all sides are answered once; one child ends the other's
# run; large and slow ones.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types runs_of);
use MastraClient;
use MastraTest;
use POSIX ();
use Time::HiRes qw(sleep);

plan tests => 22;

my $httpd    = Channel->start(name => 'children');
my $children = 3;
my $n        = 0;
sub thread { return "children-$$-" . ++$n }

sub data_of { return map { $_->{data} } grep { defined $_->{data} } @_ }

# Reads all subscribers, until each has seen so many runs finish. The model says a word when all have
# the last one: what one child says does not wait in another for what comes next.
my %watch;

sub together {
    my ($finishes, $words) = @_;
    my %frames;
    for my $word (1 .. $words) {
        $httpd->model->gated or die "the model does not come to word $word";
        $httpd->model->go;
        push @{ $frames{$_} }, $httpd->until_frame($watch{$_}, sub { $_[0]{type} eq 'text-delta' })
            for keys %watch;
    }
    push @{ $frames{$_} }, $httpd->until_finish($watch{$_}, $finishes) for keys %watch;
    return %frames;
}

# --- the same for all

my $thread = thread();
my %client = $httpd->connections($children);
%watch = map { $_ => $httpd->watch($thread, client => $client{$_}) } keys %client;
is scalar(keys %watch), $children, 'there is a subscriber in each of several children';
$httpd->say($thread, 'GATE one two three');
$httpd->model->gated or die 'the model was not asked';
$httpd->say($thread, 'into');
$httpd->call('queue-message', $thread, message => 'behind');
my %seen = together(2, 5);
pass('each word is in all children before the next is said');
my ($first, @others) = sort keys %seen;
is join('|', said(@{ $seen{$first} })), 'user: GATE one two three|model: Echo: GATE one two three|'
    . 'user: into|model: Echo: into|user: behind|model: Echo: behind', 'one sees all';
is_deeply [data_of(@{ $seen{$_} })], [data_of(@{ $seen{$first} })], '... and so does another'
    for @others;

# --- from the middle of a run on, in each child

my %more  = $httpd->connections($children);
$httpd->say($thread, 'GATE four five six');
$httpd->model->gated;
$httpd->model->go for 1 .. 3;
$httpd->until_frame($watch{$first}, sub { ($_[0]{payload}{text} // '') eq 'four ' });
my @whole = map { $httpd->watch($thread, client => $_) } values %more;
$httpd->model->go_all;
my @texts = map { join '|', said($httpd->until_finish($_)) } @whole;
is_deeply \@texts, [('user: GATE four five six|model: Echo: GATE four five six') x $children],
    'who comes late to any child sees the run from its beginning';
$_->leave for @whole;
$httpd->until_finish($watch{$_}) for @others;
$httpd->until_finish($watch{$first});

# --- from all sides at once

my $senders = 6;
my $each    = 8;
my @pids;
my @pipes;
for my $sender (1 .. $senders) {
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        for my $i (1 .. $each) {
            my $answer = $httpd->call($i % 2 ? 'send-message' : 'queue-message', $thread,
                message => "m$sender-$i");
            print $to "$answer->{status} $answer->{json}{runId} $answer->{json}{signal}{id}\n";
        }
        close $to;
        POSIX::_exit(0);
    }
    close $to;
    push @pids,  $pid;
    push @pipes, $from;
}
my %run_of;
my $refused = 0;
for my $pipe (@pipes) {
    while (my $line = <$pipe>) {
        my ($status, $run, $id) = split ' ', $line;
        $refused += $status != 200;
        $run_of{$id} = $run;
    }
}
waitpid $_, 0 for @pids;
is $refused, 0, 'messages are sent from all sides at once';
is scalar(keys %run_of), $senders * $each, '... all accepted';
my %order;
for my $pid (keys %watch) {
    my $left = keys %run_of;
    my @frames = $httpd->until_frame($watch{$pid},
        sub { $_[0]{type} eq 'data-user-message' && !--$left }, 300);
    push @frames, $httpd->until_finish($watch{$pid});
    $order{$pid} = [map { "$_->{json}{data}{id} $_->{json}{runId}" }
        grep { ref $_->{json} && $_->{json}{type} eq 'data-user-message' } @frames];
}
is_deeply [sort map { (split ' ')[0] } @{ $order{$first} }], [sort keys %run_of],
    'each is taken once';
is_deeply $order{$_}, $order{$first}, '... in the same order for all' for @others;
is_deeply [grep { my ($id, $run) = split ' '; $run_of{$id} ne $run } @{ $order{$first} }], [],
    '... by the run that was named';
my @stored = grep { $_->{role} eq 'signal' } $httpd->messages($thread);
is_deeply [map { $_->{id} } @stored[-$senders * $each .. -1]],
    [map { (split ' ')[0] } @{ $order{$first} }], '... and stored in that order';

# --- ended from another child

my %side   = $httpd->connections($children);
my ($near, $far) = keys %side;
$httpd->say($thread, 'SILENT seven eight nine ten eleven', client => $side{$near});
$httpd->until_frame($watch{$_}, sub { ($_[0]{payload}{text} // '') eq 'seven ' }) for keys %watch;
is $httpd->call('threads/abort', $thread, client => $side{$far})->{json}{aborted}, true,
    'the run of one child is ended from another';
for my $pid (keys %watch) {
    my @end = $httpd->until_frame($watch{$pid}, sub { $_[0]{type} eq 'abort' });
    is scalar(grep { $_->{json}{type} eq 'abort' } @end), 1, '... which each subscriber hears';
}
like +($httpd->stored($thread))[-1], qr/^assistant: Echo: SILENT seven/, '... what had come is stored';
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }), '... and the model is left alone';
$_->leave for values %watch;

# --- much, and slowly read

$thread = thread();
%client = $httpd->connections($children);
%watch  = map { $_ => $httpd->watch($thread, client => $client{$_}) } keys %client;
my $words = 12_000;
$httpd->say($thread, "WORDS:$words");
sleep 3;    # nobody reads
my @lengths = map {
    my @frames = $httpd->until_finish($watch{$_}, 1, 300);
    my $text = (said(@frames))[-1];
    $text eq 'model: ' . join(' ', map { "w$_" } 1 .. $words) ? 'whole' : length $text;
} keys %watch;
is_deeply \@lengths, [('whole') x $children], 'who reads slowly gets all of a long run';
$httpd->say($thread, 'BIG:600000');
@lengths = map { length((said($httpd->until_finish($watch{$_}, 1, 300)))[-1]) } keys %watch;
is_deeply \@lengths, [(600_007) x $children], '... and chunks too large for a datagram';
$_->leave for values %watch;

$httpd->stop;
unlike $httpd->log, qr/MA3007|MA3009|MA3010/, 'nobody was taken for dead';
