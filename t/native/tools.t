# Tools and models that another module brings, loaded before and after mod_mastra.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;
use Time::HiRes qw(time);

my $each = 53;
plan tests => 2 * $each;

sub tool {
    my ($httpd, $id, $data) = @_;
    return $httpd->api_post("/tools/$id/execute", { data => $data });
}

sub types { return map { $_->{json}{type} } grep { ref $_->{json} } @_ }

sub text {
    my $type = shift;
    return join '', map { $_->{json}{payload}{text} }
        grep { ref $_->{json} && $_->{json}{type} eq $type } @_;
}

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->start(order => $order);
    $httpd->expect_log($_) for qr/MA600/, qr/MA601/, qr/MA3002/, qr/MA3003/;
    is $httpd->counts->{version}, 1 << 16, $says->('the module finds this one');

    # --- tools over HTTP
    my $answer = tool($httpd, 'tell', { text => 'hi' });
    is $answer->{status}, 200, $says->('a tool of a module answers');
    is_deeply $answer->{json}{input}, { text => 'hi' }, $says->('... having got its input');
    is $answer->{json}{tool}, 'tell', $says->('... and who it is');
    is $answer->{json}{execute}{extra}, 7, $says->('... and its definition');
    like $answer->{json}{left}, qr/^(?:2[5-9]|30)$/, $says->('... and 30 seconds');
    is $answer->{json}{key}, 1, $says->('... and a key for repeated calls');
    is $answer->{json}{agent}, undef, $says->('... and no agent');
    is tool($httpd, 'tell', { text => 7 })->{json}{error}, true, $says->('input is checked');
    $answer = $httpd->api_post('/tools/tell/execute',
        { data => {}, requestContext => { color => 'red', mastra__resourceId => 'x' } });
    is_deeply $answer->{json}{context}, { color => 'red' }, $says->('the request context arrives');

    is tool($httpd, 'odd', { do => 'nothing' })->{body}, 'null', $says->('no result is null');
    $answer = tool($httpd, 'odd', { do => 'fail' });
    is $answer->{status}, 422, $says->('a failure is told');
    is $answer->{json}{error}, 'the sample was told to fail', $says->('... in its words');
    is tool($httpd, 'odd', { do => 'status' })->{json}{error}, 'the tool failed',
        $says->('... or in ours');
    is tool($httpd, 'odd', { do => 'bad' })->{json}{error}, 'the tool\'s answer is not JSON',
        $says->('what is not JSON is not passed on');
    is tool($httpd, 'odd', { do => 'big' })->{json}{error}, 'the tool\'s answer is too large',
        $says->('... nor what is too large');

    # --- time
    my $start = time;
    $answer = tool($httpd, 'odd', { do => 'never' });
    is $answer->{status}, 422, $says->('a tool that never ends is given up');
    is $answer->{json}{error}, 'the tool took too long', $says->('... in plain words');
    ok time - $start < 50, $says->('... in time');
    ok $httpd->reached(cancelled => 1), $says->('... and told so');
    is $httpd->counts->{woken}, 1, $says->('... by its callback, too');
    my $leaver = MastraTest::connection({ port => $httpd->port });
    $leaver->send_request(POST => '/api/tools/patient/execute', json => { data => { do => 'never' } });
    ok $httpd->reached(begun => 7), $says->('a tool runs');
    $leaver->leave;
    ok $httpd->reached(cancelled => 2), $says->('... until its client leaves');

    # --- more calls than threads
    my @clients = map { MastraTest::connection({ port => $httpd->port }) } 1 .. 6;
    $_->send_request(POST => '/api/tools/odd/execute', json => { data => { do => 'slow' } })
        for @clients;
    is join(' ', map { $_->read_answer->{body} } @clients), join(' ', ('"late"') x 6),
        $says->('calls wait for a thread');

    # --- models
    for my $agent (qw(native threaded)) {
        my $tells = sub { $says->("$agent: $_[0]") };
        $answer = $httpd->api_post("/agents/$agent/generate", { messages => 'hello' });
        is $answer->{json}{text}, 'word0 word1 word2 ', $tells->('a model of a module answers');
        is $answer->{json}{usage}{totalTokens}, 7, $tells->('... and counts');
        is $answer->{json}{finishReason}, 'stop', $tells->('... and stops');
        my @frames = $httpd->stream("/agents/$agent/stream", { messages => 'think' })->frames;
        is text('text-delta', @frames), 'word0 word1 word2 ', $tells->('it streams');
        is text('reasoning-delta', @frames), 'hmm yes', $tells->('... its thoughts, too');
        $answer = $httpd->api_post("/agents/$agent/generate", { messages => 'use the tool' });
        is $answer->{json}{toolResults}[0]{payload}{result}{input}{text}, 'hi',
            $tells->('it calls tools') or diag $answer->{body};
        is $answer->{json}{toolResults}[0]{payload}{result}{agent}, $agent,
            $tells->('... which know their agent');
        is $answer->{json}{text}, 'word0 word1 word2 ', $tells->('... and goes on');
    }
    is $httpd->api_post('/agents/native/generate', { messages => 'bad arguments' })->{json}{text},
        'refused', $says->('arguments that are not JSON are refused');
    is $httpd->api_post('/agents/native/generate', { messages => 'cut' })->{json}{finishReason},
        'length', $says->('a reason to stop is passed on');
    is $httpd->api_post('/agents/native/generate', { messages => 'fail429' })->{status}, 429,
        $says->('a model\'s failure has its status');
    is $httpd->api_post('/agents/native/generate', { messages => 'no start' })->{status}, 502,
        $says->('a call that did not start has failed');
    my @frames = $httpd->stream('/agents/native/stream', { messages => 'fail503' })->frames;
    is text('text-delta', @frames), 'so far ', $says->('a failure on the way');
    ok scalar(grep({ $_ eq 'error' } types(@frames))), $says->('... is told in the stream');

    $start = time;
    $answer = $httpd->api_post('/agents/threaded/generate', { messages => 'never' });
    is $answer->{status}, 504, $says->('a model that says nothing is given up');
    ok time - $start < 50, $says->('... after its silence');
    ok $httpd->reached(cancelled => 3), $says->('... and told so');

    # --- a client that reads slowly holds the model back
    # who was told to end counts that before it returns
    wait_for(sub { my $counts = $httpd->counts; $counts->{begun} == $counts->{returned} });
    my $returned = $httpd->counts->{returned};
    my $slow = $httpd->stream('/agents/threaded/stream', { messages => 'flood' });
    select undef, undef, undef, 0.5;
    is $httpd->counts->{returned}, $returned, $says->('a model waits for a slow client');
    @frames = $slow->frames;
    is length(text('text-delta', @frames)), 12000 * 20, $says->('... that gets all in the end');
    ok $httpd->reached(returned => $returned + 1), $says->('... and then it is done');

    # --- a client that leaves
    my $gone = $httpd->stream('/agents/threaded/stream', { messages => 'slowly' });
    $gone->next_frame;
    $gone->leave;
    ok $httpd->reached(cancelled => 4), $says->('a model is told when its client leaves');
    $httpd->stop;
}
