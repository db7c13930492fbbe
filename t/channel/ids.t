# Ids of events: for those who ask, in each kind of stream, and going on after one of them in
# whichever child, replayed and then live. Many who watch one run see the same bytes.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said);
use IO::Select;
use MastraClient;
use MastraTest;
use Time::HiRes qw(time);

my $event = mpm() eq 'event';
plan tests => $event ? 34 : 33;

my $httpd = Channel->start(name => 'ids', children => 3);
my $id    = "ids-$$";
my $flow  = '/workflows/agent-workflow';
my $topic = join ' ', 'PACE:60', map { "w$_" } 1 .. 16;

# A stream that asks for ids after one of them; sse => 0: records.
sub asked {
    my ($path, $json, $last, %opt) = @_;
    my $client = $opt{client} // MastraClient->new(port => $httpd->port);
    my $sse    = $opt{sse} // 1;
    $client->{separator} = "\x1e" if !$sse;
    $client->send_request(POST => "/api$path", json => $json, headers => [
        Accept => $sse ? 'text/event-stream' : '*/*', defined $last ? ('Last-Event-ID' => $last) : ()]);
    $client->{head} = $client->read_head;
    return $client;
}

sub chunks { return grep { ref $_->{json} } @_ }
sub data_of { return map { $_->{data} } chunks(@_) }

# Frames until so many have come.
sub some {
    my ($client, $n) = @_;
    my $until = time + 60;
    my @frames;
    while (@frames < $n && time < $until) {
        my $frame = $client->next_frame or last;
        push @frames, $frame if ref $frame->{json};
    }
    return @frames;
}

sub types { return join ' ', map { $_->{json}{type} =~ s/^workflow-//r } chunks(@_) }

# --- a workflow: its client is cut off and goes on elsewhere

my $first = asked("$flow/stream?runId=$id-a", { inputData => { topic => $topic } }, 0);
my @seen  = some($first, 8);
is scalar(grep { ($_->{id} // '') =~ /^1-\d+$/ } @seen), 8, 'a workflow\'s stream has ids for those who ask';
$first->leave('reset');
my @rest = asked("$flow/observe?runId=$id-a", undef, $seen[-1]{id})->frames;
is types(@rest) =~ /^start/, '', 'who comes back is not told what was seen';
is((chunks(@rest))[-1]{json}{type}, 'workflow-finish', '... but the rest, up to the end');
my @all = asked("$flow/observe?runId=$id-a", undef, '')->frames;
is_deeply [data_of(@seen), data_of(@rest)], [data_of(@all)], '... nothing twice, nothing lost';
is_deeply [map { $_->{id} } @seen, chunks(@rest)], [map { $_->{id} } chunks(@all)], '... under the same ids';
my @plain = asked("$flow/observe?runId=$id-a", undef, undef)->frames;
is_deeply [data_of(@plain)], [data_of(@all)], 'who does not ask sees the same';
is scalar(grep { exists $_->{id} } @plain), 0, '... without ids';
is api_like("$flow/observe?runId=$id-a", 'abc'), 400, 'what is no id is refused';
is api_like("$flow/observe?runId=$id-a", '7-1'), 400, '... as is one of a part that never was';
is api_like("$flow/observe?runId=$id-a", '1-99999999999999999999'), 400, '... or one that is no number';

sub api_like {
    my ($path, $last) = @_;
    return $httpd->request(POST => "/api$path", headers => ['Last-Event-ID' => $last])->{status};
}

# --- records

@all = asked("$flow/observe?runId=$id-a", undef, '0', sse => 0)->frames;
like $all[0]{data}, qr/^\{"eventId":"1-1","type":"workflow-start"/, 'a record has its id as a member';
is_deeply [map { my %c = %{ $_->{json} }; delete $c{eventId}; \%c } @all],
    [map { $_->{json} } asked("$flow/observe?runId=$id-a", undef, undef, sse => 0)->frames],
    '... and nothing else that is new';
@rest = asked("$flow/observe?runId=$id-a&lastEventId=$all[4]{json}{eventId}", undef, undef, sse => 0)->frames;
is_deeply [map { $_->{json}{eventId} } @rest], [map { $_->{json}{eventId} } @all[5 .. $#all]],
    'the query can say it, too';

# --- segments: a run that was suspended and resumed

my $wait = '/workflows/suspend-workflow';
@seen = asked("$wait/stream?runId=$id-s", { inputData => { reason => 'why' } }, 0, sse => 0)->frames;
is $seen[-1]{json}{payload}{workflowStatus}, 'suspended', 'a run waits';
my @more = asked("$wait/resume-stream?runId=$id-s", { resumeData => { approved => true } }, 0, sse => 0)->frames;
like $more[0]{json}{eventId}, qr/^2-\d+$/, '... and says more in a part of its own';
@rest = asked("$wait/observe?runId=$id-s", undef, $seen[1]{json}{eventId}, sse => 0)->frames;
is_deeply [map { $_->{json}{eventId} } @rest], [map { $_->{json}{eventId} } @seen[2 .. $#seen], @more],
    '... which follows the first for who comes back';
@rest = asked("$wait/observe?runId=$id-s", undef, $more[0]{json}{eventId}, sse => 0)->frames;
is_deeply [data_of(@rest)], [map { $_->{data} } @more[1 .. $#more]], '... also in the middle of it';
@rest = asked("$wait/time-travel-stream?runId=$id-s", { step => 'ask-human', inputData => { reason => 'x' } }, 0,
    sse => 0)->frames;
like $rest[0]{json}{eventId}, qr/^3-\d+$/, 'so does one that is sent back';

# --- the run of an agent, and its thread

my $A      = '/agents/weather-agent';
my $thread = "$id-t";
my $body   = { messages => 'PACE:100 ' . join(' ', map { "v$_" } 1 .. 60), runId => "$id-run", memory => { thread => $thread, resource => 'r' } };
my %client = $httpd->connections($event ? 3 : 2);
$httpd->watch($thread)->leave;
my $owner  = asked("$A/stream", $body, 0);
@seen = some($owner, 6);
is scalar(grep { ($_->{id} // '') =~ /^\d+-\d+$/ } @seen), 6, 'a run of an agent has ids for those who ask';
for my $pid (sort keys %client) {
    my $client = asked("$A/observe", { runId => "$id-run" }, $seen[3]{id}, client => $client{$pid});
    my @frames = some($client, 4);
    is_deeply [data_of(@frames[0, 1])], [data_of(@seen[4, 5])], 'another goes on after one of them, in each child';
    $client->leave;
}
SKIP: {
    skip 'of each child: event only', 1 if !$event;
    is scalar(keys %client), 3, '... of three';
}
my @whole = (@seen, $owner->frames);
is_deeply [map { $_->{id} } chunks(@whole)], [sort { (split /-/, $a)[1] <=> (split /-/, $b)[1] }
    map { $_->{id} } chunks(@whole)], '... in order';
is scalar(grep { exists $_->{id} } asked("$A/stream", { %$body, messages => 'hi', runId => "$id-r2" }, undef)->frames),
    0, 'who does not ask gets none';

# a subscriber leaves while runs go on and others begin
sub subscriber {
    my ($last) = @_;
    my $client = asked("$A/threads/subscribe", { resourceId => 'r', threadId => "$id-u" }, $last);
    return $client;
}
# who comes when a run is over is not told of it: this one is there before
my ($sub, $still) = (subscriber(0), subscriber(0));
$httpd->say("$id-u", "PACE:50 one two three four five six");
@seen = some($sub, 6);
$sub->leave('reset');
$httpd->until_finish($still);
for my $text ('second', 'third') {
    $httpd->say("$id-u", $text);
    $httpd->until_finish($still);
}
$sub  = subscriber($seen[-1]{id});
@rest = $httpd->until_finish($sub, 3);
is_deeply [grep { /user/ } said(@rest)], ['user: second', 'user: third'], 'a subscriber that comes back is told of runs that it missed';
my ($begun) = $seen[0]{json}{runId};
like join('', map { $_->{json}{payload}{text} // '' } grep { $_->{json}{type} eq 'text-delta' && $_->{json}{runId} eq $begun }
    chunks(@seen, @rest)), qr/^Echo: PACE:50 one two three four five six$/, '... and of the rest of the one that it saw';
$httpd->say("$id-u", 'fourth');
is_deeply [grep { /user/ } said($httpd->until_finish($sub))], ['user: fourth'], '... and then of what comes';
$sub->leave;
$still->leave;
$sub = subscriber((chunks(@rest))[-1]{id});
is_deeply [grep { /user/ } said($httpd->until_finish($sub))], ['user: fourth'], '... from the end of one run on, too';
$sub->leave;

# --- many who watch one run

my $many = $event ? 100 : 12;
$topic = join ' ', 'PACE:80', map { "m$_" } 1 .. 40;
$owner = asked("$flow/stream?runId=$id-many", { inputData => { topic => $topic } }, undef, sse => 0);
some($owner, 3);
my @watchers;
for my $n (1 .. $many) {
    my $client = MastraClient->new(port => $httpd->port);
    $client->send_request(POST => "/api$flow/observe?runId=$id-many", headers => [Connection => 'close']);
    push @watchers, $client;
}
my %open = map { $_->socket => $_ } @watchers;
my $until = time + 120;
while (%open && time < $until) {
    for my $socket (IO::Select->new(map { $_->socket } values %open)->can_read(1)) {
        my $n = sysread $socket, $open{$socket}{in}, 65536, length $open{$socket}{in};
        delete $open{$socket} if !$n;
    }
}
is scalar(keys %open), 0, "$many watch one run to its end";
my %bodies;
my $bad = 0;
for my $client (@watchers) {
    $bad += $client->read_head->{status} != 200;
    my $text = '';
    while (defined(my $piece = $client->read_piece(1))) {
        last if $piece eq '';
        $text .= $piece;
    }
    $bodies{$text}++;
}
is $bad, 0, '... all of them';
is scalar(keys %bodies), 1, '... and see the same bytes';
like((keys %bodies)[0], qr/workflow-finish.*\x1e\z/s, '... up to the end');
is((keys %bodies)[0] =~ tr/\x1e//, 3 + $owner->frames, '... as who began it');

$httpd->stop;
