# The child that works for a thread dies, or sleeps past its lease: who watches is told, what
# waits is answered by others, once.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types runs_of);
use MastraTest;
use Time::HiRes qw(sleep);

plan tests => 28;

my $httpd = Channel->start(name => 'crash', conf => 'MastraRunLease 4');
$httpd->expect_log(qr/MA3007|MA3001|AH00052|AH00051/);
my $n = 0;
sub thread { return "crash-$$-" . ++$n }

# Subscribers in several children, with a run going on in the first of them. A child of prefork has
# room for one connection: there it goes on in a child without subscribers.
my $alone = mpm() eq 'prefork';

sub scene {
    my ($thread) = @_;
    # the call of the scene before this one stands at a gate until its child has woken up
    wait_for(sub { $httpd->model->stats->{busy} == 0 }) or die 'the model is still asked';
    my %client = $httpd->connections($alone ? 2 : 3);
    my %watch  = map { $_ => $httpd->watch($thread, client => $client{$_}) } keys %client;
    my ($owner) = sort keys %watch;
    my $sender;
    if ($alone) {
        ($sender, $owner) = @{ $httpd->connection }{qw(client pid)};
    }
    else {
        $sender = $httpd->connection_to(sub { $_[0] == $owner });
    }
    my $answer = $httpd->say($thread, 'GATE one two three four five six seven eight nine ten',
        client => $sender);
    $httpd->model->gated or die 'the model was not asked';
    $httpd->model->go for 1 .. 4;
    my %seen = map { $_ => [$httpd->until_frame($watch{$_},
        sub { ($_[0]{payload}{text} // '') eq 'two ' })] } keys %watch;
    my $into   = $httpd->say($thread, 'into', client => $httpd->connection_to(sub { $_[0] != $owner }));
    my $behind = $httpd->call('queue-message', $thread, message => 'behind');
    return { owner => $owner, sender => $sender, watch => \%watch, seen => \%seen, run => $answer->{json}{runId},
        others => [grep { $_ != $owner } keys %watch], behind => $behind->{json}{runId},
        into => $into->{json}{runId} };
}

sub check_others {
    my ($scene, $what) = @_;
    my @all;
    for my $pid (@{ $scene->{others} }) {
        my @frames = $httpd->until_finish($scene->{watch}{$pid}, 2);
        push @all, [map { $_->{data} } @frames];
        my ($error) = grep { $_->{json}{type} eq 'error' } @frames;
        is $error->{json}{payload}{error}{code}, 'RUN_LOST', "$what: a subscriber is told";
        is $error->{json}{runId}, $scene->{run}, '... of the run';
        is join('|', grep { /^user|Echo/ } said(@frames)),
            'user: into|model: Echo: into|user: behind|model: Echo: behind',
            '... and sees what waited being answered';
        is +(runs_of(@frames))[-1], $scene->{behind}, '... by the run that was named';
    }
    is_deeply $all[1], $all[0], '... the same in each child';
}

# --- killed

my $thread = thread();
my $scene  = scene($thread);
is $scene->{into}, $scene->{run}, 'a message goes into the run of another child';
kill KILL => $scene->{owner};
check_others($scene, 'killed');
my @stored = $httpd->stored($thread);
is_deeply [@stored], ['signal: GATE one two three four five six seven eight nine ten',
    'signal: into', 'assistant: Echo: into', 'signal: behind', 'assistant: Echo: behind'],
    'each question is there once, and each answer';
is_deeply [$httpd->rest($scene->{watch}{ $scene->{others}[0] }, 1)], [], 'and that was all';
ok wait_for(sub { my @children = $httpd->children; @children >= 3 }, 10), 'a new child comes';
$_->leave for values %{ $scene->{watch} };

# --- asleep past its lease

$thread = thread();
$scene  = scene($thread);
$httpd->freeze($scene->{owner});
check_others($scene, 'asleep');
kill CONT => $scene->{owner};
SKIP: {
    skip 'a child of prefork that works has no subscribers', 2 if $alone;
    my @late = eval { $httpd->until_finish($scene->{watch}{ $scene->{owner} }, 2) };
    is join('|', grep { /^user|Echo: (?:into|behind)/ } said(@late)),
        'user: into|model: Echo: into|user: behind|model: Echo: behind',
        'subscribers of the one that wakes up see the same';
    is scalar(grep { ($_->{json}{payload}{error}{code} // '') eq 'RUN_LOST' } @late), 1,
        '... and are told that the run was lost';
}
sleep 2;    # it writes nothing, however long one waits
@stored = $httpd->stored($thread);
is_deeply [@stored], ['signal: GATE one two three four five six seven eight nine ten',
    'signal: into', 'assistant: Echo: into', 'signal: behind', 'assistant: Echo: behind'],
    '... and it has written nothing more';
$_->leave for values %{ $scene->{watch} };

# --- all at once

$thread = thread();
$scene  = scene($thread);
$httpd->kill_all;
$httpd->up;
my $watch = $httpd->watch($thread);
ok wait_for(sub { join('|', $httpd->stored($thread)) =~ /\|assistant: Echo: behind\z/ }),
    'after the death of the whole server what waited is answered';
my %count;
$count{$_}++ for $httpd->stored($thread);
is_deeply [grep { $count{$_} != 1 } keys %count], [], '... once';
$httpd->say($thread, 'still there');
my @last = $httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'there' });
like join('|', said(@last)), qr/user: still there\|model: Echo: still there/,
    '... and the thread goes on';
$httpd->stop;
