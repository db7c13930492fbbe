# Runs that end before they are done, and who watches them: told when what had come of the answer is
# stored, so that whoever reads the thread then finds it; where storage is slow or fails, told all the same.
package Ends;
use strict;
use warnings FATAL => 'all';

use parent 'Ledger', 'Channel';

package main;
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Channel qw(said types);
use JSON::PP ();
use MastraClient;
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

plan tests => 6 + 2 + 3 + 3 + 3 + 2;

my $up    = Upstream->start(port => 0);
my $n     = 0;
my $httpd = Ends->start(name => 'ends', steps => 1, env => { MASTRA_TEST_KEY => 'sk-test' }, limits => Channel::limits(3),
    conf => "MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n"
        . "MastraStopLimit 5\n",
    setup => sub {
        my $self = shift;
        $self->agent('weather-agent', model => 'up/mock-model', memory => { options => { lastMessages => 10 } });
        # storage refuses what a run has said; not what it is asked
        $self->sql('hold', q(CREATE TRIGGER t_ends BEFORE INSERT ON mastra_messages FOR EACH ROW WHEN (NEW.role = 'assistant') )
            . ($self->{params} ? 'EXECUTE FUNCTION t_refuse()' : q(BEGIN SELECT RAISE(ABORT, 'held'); END)), [], 'value');
        $self->sql('free', 'DROP TRIGGER t_ends' . ($self->{params} ? ' ON mastra_messages' : ''), [], 'value');
        $self->sql('refuse', q[CREATE FUNCTION t_refuse() RETURNS trigger LANGUAGE plpgsql AS ]
            . q['BEGIN RAISE EXCEPTION ''held''; END'], [], 'value') if $self->{params};
    });
$httpd->{up} = $up;
$httpd->api_post('/tools/refuse/execute', { data => {} }) if $httpd->{params};
sub thread { return "ends-$$-" . ++$n }
sub last_stored { return ($httpd->stored($_[0]))[-1] // 'nothing' }

# A run that has said a word and no more, of its thread or of a client that streams it; who watches.
sub begin {
    my ($thread, $text, $client) = @_;
    my $watch = $httpd->watch($thread);
    if ($client) {
        $client->send_request(POST => '/api/agents/weather-agent/stream', json => { messages => $text,
            memory => { thread => $thread, resource => 'r' } });
        $client->read_head;
    }
    else {
        $httpd->say($thread, $text);
    }
    $httpd->until_frame($watch, sub { ($_[0]{payload}{text} // '') eq 'one ' });
    return $watch;
}

sub is_end { return $_[0]{type} =~ /^(?:abort|error|finish)$/ }

# --- ended by a client: the thread's messages have it at once

for (1 .. 3) {
    my $thread = thread();
    my $watch  = begin($thread, 'SILENT one two three four five six');
    $httpd->call('threads/abort', $thread);
    my @seen = $httpd->until_frame($watch, \&is_end);
    like last_stored($thread), qr/^assistant: Echo: SILENT one /, 'who hears of an abort finds what had come';
    is $seen[-1]{json}{type}, 'abort', '... which is the end';
    $watch->leave;
}

# --- left by its client while storage is busy

my $thread = thread();
my $client = MastraClient->new(port => $httpd->port);
my $watch  = begin($thread, 'SILENT one two three four five six', $client);
my @early  = $httpd->while_locked(sub { $client->leave; $httpd->rest($watch, 1.5) }, 'mastra_messages');
is_deeply [grep { /abort/ } types(@early)], [], 'while storage is busy nobody is told';
$httpd->until_frame($watch, \&is_end);
like last_stored($thread), qr/^assistant: Echo: SILENT one /, '... then it is stored, and they are';
$watch->leave;

# --- ... and does not come to its end

$thread = thread();
$client = MastraClient->new(port => $httpd->port);
$watch  = begin($thread, 'SILENT one two three four five six', $client);
$httpd->expect_log(qr/MA3014/);
my @late = $httpd->while_locked(sub { $client->leave; eval { $httpd->until_frame($watch, \&is_end, 4.6) } },
    'mastra_messages');
is +(types(@late))[-1], 'abort', 'storage that takes too long is not waited for';
ok wait_for(sub { last_stored($thread) =~ /^assistant: Echo: SILENT one / }, 30), '... and stores it in the end';
like $httpd->log, qr/MA3014/, '... which the log says';
$watch->leave;

# --- storage that fails

$thread = thread();
$watch  = begin($thread, 'SILENT one two three four five six');
is $httpd->api_post('/tools/hold/execute', { data => {} })->{status}, 200, 'storage refuses answers';
$httpd->expect_log(qr/MA3004|MA5\d\d\d|held/);
$httpd->call('threads/abort', $thread);
is +(types($httpd->until_frame($watch, \&is_end)))[-1], 'abort', '... who watches is told all the same';
is $httpd->api_post('/tools/free/execute', { data => {} })->{status}, 200, '... it takes them again';
$watch->leave;

# --- a model that breaks off

$thread = thread();
$httpd->expect_log(qr/MA3002/);
$watch = $httpd->watch($thread);
$httpd->say($thread, 'CUT one two three four five six');
my @seen = $httpd->until_frame($watch, \&is_end);
like last_stored($thread), qr/^assistant: Echo: CUT one /, 'who hears of an error finds what had come';
is $seen[-1]{json}{type}, 'error', '... which is the end';
$httpd->say($thread, 'and on');
is join('|', said($httpd->until_finish($watch))), 'user: and on|model: Echo: and on', '... and the thread goes on';
$watch->leave;

# --- a child that ends; who watches in it is sent away before

$thread = thread();
$watch  = begin($thread, 'PACE:400 one ' . join ' ', 1 .. 150);
my %old = map { $_ => 1 } $httpd->children;
$httpd->graceful;
wait_for(sub { grep { !$old{$_} } $httpd->children }, 30);
my $new = $httpd->watch($thread, client => $httpd->connection_to(sub { !$old{ $_[0] } }));
@seen = $httpd->until_frame($new, \&is_end);
like last_stored($thread), qr/^assistant: Echo: PACE:400 one /, 'who hears that a process ends finds what had come';
is $seen[-1]{json}{payload}{error}{code}, 'SERVER_STOPPING', '... which is the end';
$new->leave;
$watch->leave;
$httpd->stop;
$up->stop;
