# Agents and tools asked in C by another module: by threads that wait, and with callbacks.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;
use Time::HiRes qw(time);

my $each = 67;
plan tests => 2 * $each;

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->start(order => $order);
    $httpd->expect_log($_) for qr/MA600/, qr/MA601/, qr/MA3002/, qr/MA3003/, qr/MA650/;

    # --- generate
    my ($said) = $httpd->ask('generate', { messages => 'hello' }, id => 'plain');
    is $said->{rv}, 'ok', $says->('an agent is asked in C');
    is $said->{status}, 200, $says->('... and answers');
    is $said->{json}{text}, 'Echo: hello', $says->('... as over HTTP');
    ($said) = $httpd->ask('generate', { messages => 'hello' }, id => 'nobody');
    is $said->{status}, 404, $says->('no such agent');
    is $said->{json}{error}, 'Agent with id nobody not found', $says->('... in the words of HTTP');
    ($said) = $httpd->ask('generate', { messages => 7 }, id => 'plain');
    is $said->{status}, 400, $says->('a body that HTTP refuses is refused');
    is_deeply $said->{json}, $httpd->api_post('/agents/plain/generate', { messages => 7 })->{json},
        $says->('... with the same issues');
    ($said) = $httpd->ask('generate', '{nope', id => 'plain');
    is $said->{status}, 400, $says->('what is not JSON is refused');
    is $said->{json}{issues}[0]{field}, 'body', $says->('... as over HTTP');
    ($said) = $httpd->ask('generate', { messages => 'FAIL500' }, id => 'plain');
    cmp_ok $said->{status}, '>=', 400, $says->('a failure of the model is an answer');
    ok $said->{json}{error}, $says->('... with a reason');

    ($said) = $httpd->ask('generate', { messages => 'use the tool',
        requestContext => { color => 'red', mastra__resourceId => 'x' } },
        id => 'native', context => '{"shape":"round"}', resource => 'me');
    my $tool = $said->{json}{toolResults}[0]{payload}{result};
    is_deeply $tool->{context}, { color => 'red', shape => 'round' },
        $says->('request contexts reach tools') or diag explain $said;
    is $tool->{agent}, 'native', $says->('... of the agent');
    ($said) = $httpd->ask('generate', { messages => 'remember',
        memory => { thread => "t-$order", resource => 'other' } }, id => 'native', resource => 'me');
    is $httpd->api_get("/memory/threads/t-$order?agentId=native")->{json}{resourceId}, 'me',
        $says->('memory belongs to the resource that the module names');

    # --- time and depth
    my $start = time;
    ($said) = $httpd->ask('generate', { messages => 'never' }, id => 'native', timeout => 1500);
    is $said->{rv}, 'timeup', $says->('a call ends when its time is over');
    ok time - $start < 50, $says->('... at once');
    ok $httpd->reached(cancelled => 1), $says->('... and so does what it had begun');
    ($said) = $httpd->ask('generate', { messages => 'hello' }, id => 'plain', depth => 9);
    is $said->{status}, 508, $says->('calls are not nested too deep');
    my $leaver = MastraTest::connection({ port => $httpd->port });
    $leaver->send_request(POST => '/sample/generate?id=threaded&timeout=60000',
        body => '{"messages":"slowly"}');
    my $begun = $httpd->counts->{begun};
    ok $httpd->reached(begun => 3), $says->('a call for a client');
    $leaver->leave;
    ok $httpd->reached(cancelled => 2, 5), $says->('... ends when that leaves');

    # --- stream
    my @lines = $httpd->ask('stream', { messages => 'hello' }, id => 'plain');
    $said = pop @lines;
    is $said->{rv}, 'ok', $says->('a stream is asked for in C');
    is "$said->{status} $said->{len}", '200 0', $says->('... and ends well');
    is $lines[0]{type}, 'start', $says->('... from a start');
    is $lines[-1]{type}, 'finish', $says->('... to a finish');
    is join('', map { $_->{payload}{text} } grep { $_->{type} eq 'text-delta' } @lines),
        'Echo: hello', $says->('... over words');
    ($said) = $httpd->ask('few', { messages => 'one two three four' }, id => 'plain');
    is $said->{rv}, 'aborted', $says->('a callback that has enough ends it');
    @lines = $httpd->ask('stream', { messages => 'hello' }, id => 'nobody');
    is scalar(@lines), 1, $says->('no chunks from nobody');
    is $lines[0]{status}, 404, $says->('... but an answer');
    @lines = $httpd->ask('stream', { messages => 'flood' }, id => 'threaded');
    is pop(@lines)->{rv}, 'ok', $says->('a large stream comes');
    is length(join '', map { $_->{payload}{text} } grep { $_->{type} eq 'text-delta' } @lines),
        12000 * 20, $says->('... whole');

    # --- tools
    ($said) = $httpd->ask('tool', { text => 'hi' }, id => 'tell', context => '{"a":1}',
        resource => 'me');
    is $said->{status}, 200, $says->('a tool is called in C');
    is_deeply $said->{json}{input}, { text => 'hi' }, $says->('... with its input');
    is_deeply $said->{json}{context}, { a => 1 }, $says->('... the request context');
    is $said->{json}{resource}, 'me', $says->('... and the resource');
    ($said) = $httpd->ask('tool', { text => 7 }, id => 'tell');
    is $said->{json}{error}, JSON::PP::true, $says->('its input is checked');
    is +($httpd->ask('tool', {}, id => 'nothing'))[0]{status}, 404, $says->('no such tool');
    ($said) = $httpd->ask('tool', { do => 'fail' }, id => 'odd');
    is "$said->{rv} $said->{status}", 'ok 422', $says->('a tool that fails is an answer');

    ($said) = $httpd->ask('tool', {}, id => 'ask');
    is $said->{json}{text}, 'Echo: from a tool', $says->('a tool asks an agent');
    my @clients = map { MastraTest::connection({ port => $httpd->port }) } 1 .. 6;
    $_->send_request(POST => '/api/tools/ask/execute', json => { data => {} }) for @clients;
    my @bodies = map { $_->read_answer->{json} } @clients;
    is scalar(grep { ($_->{text} // '') eq 'Echo: from a tool'
            || $_->{error} =~ /^generate: Resource temporarily/ } @bodies), 6,
        $says->('many that do so get an answer or a refusal') or diag explain \@bodies;

    ($said) = $httpd->ask('agents');
    is join(' ', sort keys %{ $said->{json} }), 'native nested plain threaded',
        $says->('agents are listed');
    is_deeply $said->{json}, $httpd->api_get('/agents')->{json}, $says->('... as over HTTP');

    # --- callbacks
    ($said, my $more) = $httpd->ask('async', { messages => 'hello' }, id => 'plain', op => 'generate');
    is $said->{rv}, 'ok', $says->('a call with callbacks');
    is $said->{json}{text}, 'Echo: hello', $says->('... answers');
    is $more->{deadlock}, 1, $says->('... on the event loop, where nobody may wait');
    ($said) = $httpd->ask('async', { text => 'hi' }, id => 'tell', op => 'tool');
    is $said->{json}{input}{text}, 'hi', $says->('a tool with callbacks');
    ($said) = $httpd->ask('async', { messages => 'hello' }, id => 'nobody', op => 'generate');
    is $said->{status}, 404, $says->('an answer without work comes by callback, too');
    ($said, $more) = $httpd->ask('async', { messages => 'hello you' }, id => 'plain', op => 'stream');
    is "$said->{rv} $said->{len}", 'ok 0', $says->('a stream with callbacks');
    cmp_ok $more->{chunks}, '>', 5, $says->('... gives chunks');
    ($said, $more) = $httpd->ask('async', { messages => 'a b c d e f g h' }, id => 'plain',
        op => 'stream', pause => 4);
    is $said->{rv}, 'ok', $says->('a stream that was paused ends');
    cmp_ok $more->{whilePaused}, '<', $more->{chunks} - 3, $says->('... having stood still');
    ($said, $more) = $httpd->ask('async', { messages => 'slowly' }, id => 'threaded',
        op => 'stream', cancel => 1500);
    is $said->{rv}, 'aborted', $says->('a call is cancelled');
    ok $httpd->reached(cancelled => 3), $says->('... down to the model');
    ($said, $more) = $httpd->ask('async', { messages => 'a b c d e f' }, id => 'plain',
        op => 'stream', stop => 4);
    is "$said->{rv} $more->{chunks}", 'aborted 4', $says->('a callback that has enough ends it');
    $start = time;
    ($said) = $httpd->ask('async', { messages => 'never' }, id => 'native', op => 'generate',
        timeout => 400);
    is $said->{rv}, 'timeup', $says->('a call with callbacks has a time limit');
    ok time - $start < 50, $says->('... that is kept');

    # --- what cannot be asked
    for (['version', 'einval'], ['size', 'einval'], ['context', 'einval'], ['id', 'einval'],
        ['server', 'enotimpl']) {
        ($said) = $httpd->ask('odd', { messages => 'hello' }, id => 'plain', what => $_->[0]);
        is $said->{rv}, $_->[1], $says->("odd $_->[0]");
    }
    ok $httpd->wait_log(qr/MA650.*compiled for version 2\.0.*has 1\.0/),
        $says->('another version is told to the log');
    ok $httpd->wait_log(qr/MA650.*struct of 8 bytes/), $says->('... and another size');

    # --- many, which nobody waits for
    my $done = $httpd->counts->{done};
    my ($open) = $httpd->ask('open', { messages => 'hello' }, id => 'plain', n => 500);
    is $open->{begun}, 500, $says->('many calls may be open');
    ok $httpd->reached(done => $done + 500), $says->('... and all end');
    ($open) = $httpd->ask('open', { messages => 'SLOW words of many and still more' }, id => 'plain', n => 2000);
    is $open->{begun}, 1024, $says->('but not any number');
    ok $httpd->reached(done => $done + 1524, 30), $says->('... and these end');
    is $httpd->request(GET => '/sample/counts')->{status}, 200, $says->('and all is well');
    $httpd->stop;
}
