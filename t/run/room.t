# More runs than there is room for: 503 with Retry-After, at once; and no deadlock of agents whose
# tools are scripts of the same server, however few workers it has.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use POSIX ();
use Served qw(text_of_frames types);
use Time::HiRes qw(sleep time);

plan tests => 29;

# A client that has its answer may be quicker with the next question than the worker that gave it.
sub asked {
    my ($httpd, $agent, $said) = @_;
    my $answer;
    wait_for(sub { $answer = $httpd->api_post("/agents/$agent/generate", { messages => $said });
        return $answer->{status} != 503 });
    return $answer;
}

# --- event: as many as the MPM takes

my $httpd = Served->start(name => 'room', mpm => 'event', limits => "StartServers 1\n"
    . "ThreadsPerChild 4\nMinSpareThreads 1\nMaxSpareThreads 4\nMaxRequestWorkers 4\n"
    . "AsyncRequestWorkerFactor 2\n");
like $httpd->log, qr/room for 8 open answers/, 'event: capacity is said at the start';
my @open = map { $httpd->ask('/agents/up-agent/stream', { messages => 'SILENT a b c d' }) } 1 .. 8;
is join(' ', map { $_->read_head->{status} } @open), join(' ', (200) x 8), 'event: 8 streams';
my $start  = time;
my $answer = $httpd->api_post('/agents/up-agent/stream', { messages => 'one more' });
is $answer->{status}, 503, 'event: one more is a 503';
is $answer->{headers}{'retry-after'}, 1, '... with Retry-After';
ok ref $answer->{json} && length $answer->{json}{error}, '... and a body in JSON'
    or diag $answer->{body};
cmp_ok time - $start, '<', 30, '... at once';
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 503,
    'a whole answer, too';
is $httpd->api_get('/agents')->{status}, 200, '... but what needs no run is answered';
$_->leave for splice @open, 0, 4;
ok wait_for(sub { $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}
    == 200 }, 5), 'event: there is room again when clients leave';
$_->leave for @open;
$httpd->stop;

# --- event, tools of this server: all workers are taken by callers

$httpd = Served->start(name => 'room-tools', mpm => 'event', limits => "StartServers 1\n"
    . "ThreadsPerChild 2\nMinSpareThreads 1\nMaxSpareThreads 2\nMaxRequestWorkers 2\n"
    . "AsyncRequestWorkerFactor 50\n");
@open = map { $httpd->ask('/agents/tool-agent/generate',
    { messages => 'CALL:slow-tool:{"ms":300}' }) } 1 .. 8;
my @answers = map { $_->read_answer } @open;
is join(' ', map { $_->{status} } @answers), join(' ', (200) x 8),
    'event: eight runs with tools, two workers';
is scalar(grep { $_->{json}{text} =~ /"waited":300/ } @answers), 8, '... all get their results';
$httpd->stop;

# --- prefork with two workers

my $two = "StartServers 2\nMinSpareServers 2\nMaxSpareServers 2\nMaxRequestWorkers 2\n";
$httpd = Served->start(name => 'room-prefork', mpm => 'prefork', limits => $two);
like $httpd->log, qr/room for 1 open answers in all.*one of 2 workers/,
    'prefork: capacity is said at the start';
$answer = asked($httpd, 'tool-agent', 'CALL:echo-tool:{"a":1}');
is $answer->{status}, 200, 'prefork: two workers do for a run and its tool';
like $answer->{json}{text}, qr/"a":1/, '... which gives its result';
$answer = asked($httpd, 'tool-agent', 'weather in two cities');
is scalar(@{ $answer->{json}{steps}[0]{toolResults} }), 2, '... and for two tools side by side';
my $stream;
wait_for(sub {
    $stream = $httpd->stream('/agents/tool-agent/stream', { messages => 'CALL:echo-tool:{"a":2}' });
    return $stream->{head}{status} != 503;
});
like types($stream->frames), qr/tool-result .* finish \[DONE\]$/, '... in streams, too';
$start = time;
# each in a process of its own, as a connection that is not closed at once holds a worker
my @asking = map {
    open(my $fh, '-|') // die "fork: $!" or do {
        my $got = eval { $httpd->api_post('/agents/tool-agent/generate',
            { messages => 'CALL:slow-tool:{"ms":200}' }) } || { status => 0 };
        print "$got->{status} ", $got->{headers}{'retry-after'} // '-', "\n";
        close STDOUT;
        POSIX::_exit(0);
    };
    $fh;
} 1 .. 6;
my %status;
for (map { scalar <$_> } @asking) {
    my ($got, $after) = split;
    $status{$got}++;
    $status{retry}++ if $got == 503 && $after ne '-';
}
cmp_ok $status{200} // 0, '>=', 1, 'prefork: of six at once some are answered';
is +($status{200} // 0) + ($status{503} // 0), 6, '... the others are asked to come again';
is $status{503} // 0, $status{retry} // 0, '... with Retry-After';
cmp_ok time - $start, '<', 50, '... and none hangs';
ok wait_for(sub { $httpd->api_post('/agents/tool-agent/generate',
    { messages => 'CALL:echo-tool:{"a":3}' })->{status} == 200 }, 5), '... then there is room again';

# an agent that asks an agent, with a tool in it
$answer = asked($httpd, 'tool-agent', 'CALL:nested-tool:{"messages":"hello"}');
ok $answer->{status} == 200, 'prefork: a nested agent finds no worker, which its caller is told'
    or diag $answer->{body};
like $answer->{body}, qr/Echo: hello|tool-error|503|busy|unavailable/i, '... or finds one';
$httpd->stop;

$httpd = Served->start(name => 'room-four', mpm => 'prefork', limits =>
    "StartServers 4\nMinSpareServers 4\nMaxSpareServers 4\nMaxRequestWorkers 4\n");
$answer = $httpd->api_post('/agents/tool-agent/generate',
    { messages => 'CALL:nested-tool:{"messages":"hello"}' });
is $answer->{status}, 200, 'prefork: with four workers it does';
like $answer->{body}, qr/Echo: hello/, '... and answers';
$httpd->stop;

# --- an agent whose tool asks the same agent, for ever

$httpd = Served->start(name => 'room-deep', script => sub {
    my $request = shift;
    my $last = ($request->{json} || {})->{messages}[-1] || {};
    return undef if ($last->{role} // '') ne 'user';
    my $call = { index => 0, id => "call_$request->{n}", type => 'function',
        function => { name => 'self-tool', arguments => '{"messages":"deeper"}' } };
    my %base = (id => 'x', object => 'chat.completion.chunk');
    return [Upstream::sse_head(),
        Upstream::sse_data({ %base, choices => [{ index => 0, delta => { tool_calls => [$call] } }] }),
        Upstream::sse_data({ %base, choices => [{ index => 0, delta => {},
            finish_reason => 'tool_calls' }] }),
        Upstream::sse_end()];
}, conf => <<'END');
<MastraTool self-tool>
    MastraDescription "Asks the agent that calls it"
    MastraExecute uri uri=/api/agents/self-agent/stream
</MastraTool>
<MastraAgent self-agent>
    MastraName Self
    MastraInstructions "You are tested."
    MastraModel up/mock-model
    MastraTools self-tool
</MastraAgent>
END
$start  = time;
$stream = $httpd->stream('/agents/self-agent/stream', { messages => 'deeper' });
like types($stream->frames), qr/^start .*tool-(?:error|result) .*finish \[DONE\]$/,
    'an agent that asks itself for ever is stopped';
cmp_ok $httpd->model->stats->{answered}, '<', 25, '... before long';
# each level's answer holds that of the next one, up to 16 MiB
cmp_ok time - $start, '<', 55, '... and in time';
is $httpd->api_post('/agents/mock-agent/generate', { messages => 'hi' })->{status}, 200,
    '... and others are served';
$httpd->stop;
