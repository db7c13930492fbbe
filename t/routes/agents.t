# Routes of the configuration lead to agents.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP qw(decode_json);
use MastraTest;
use Served qw(text_of_frames types);
use Token;

plan tests => 41;

my $httpd = Served->start(name => 'agents', env => { SECRET => 'x' x 32 }, conf => <<'END');
MastraAuth jwt secret=env:SECRET
MastraAuthOwner sub
MastraAuthProtected ^/api/
MastraRole reader agents:read memory:*
MastraRole talker agents:* memory:*
MastraRoute POST /ask agent:up-agent auth=off
MastraRoute GET /ask/:message agent:up-agent auth=off
MastraRoute GET /ask agent:up-agent auth=off
MastraRoute POST /sse agent:up-agent as=sse auth=off
MastraRoute POST /chunks agent:up-agent as=chunks auth=off
MastraRoute POST /text agent:up-agent as=text auth=off
MastraRoute GET /text/:message agent:up-agent as=text auth=off
MastraRoute POST /greet/:plan agent:greet-agent auth=off
MastraRoute POST /mine agent:memory-agent
MastraRoute POST /open agent:memory-agent auth=off
MastraRoute POST /stay agent:memory-agent as=sse on-disconnect=continue
MastraRoute POST /stay-json agent:memory-agent on-disconnect=continue
MastraRoute POST /go agent:memory-agent as=sse on-disconnect=cancel
<MastraAgent greet-agent>
    MastraName Greet
    MastraModel up/mock-model
    MastraInstructions "Plan {{params.plan}}, {{user.sub || 'nobody'}}."
</MastraAgent>
END
my $up    = $httpd->model;
my $token = sub { my ($sub, $role) = @_;
    return (Authorization => 'Bearer ' . Token::token({ sub => $sub, role => $role,
        exp => time + 600 }, 'x' x 32)) };
my $ann = sub { [$token->('ann', 'talker')] };
my $post = sub { my ($path, $body, @headers) = @_;
    return $httpd->request(POST => $path, json => $body, headers => \@headers) };

# --- forms
my $answer = $post->('/ask', { messages => 'one two' });
is $answer->{status}, 200, 'an agent behind a route';
is $answer->{json}{text}, 'Echo: one two', '... answers as generate does';
is $post->('/ask', { message => 'three' })->{json}{text}, 'Echo: three', 'a message in the body';
is $httpd->request(GET => '/ask?message=four%20five')->{json}{text}, 'Echo: four five',
    '... in the query';
is $httpd->request(GET => '/ask/six%20seven')->{json}{text}, 'Echo: six seven', '... in the path';
is $post->('/ask', {})->{status}, 400, 'no message';
is $httpd->request(GET => '/ask')->{json}{issues}[0]{field}, 'messages', '... is said';
is $post->('/ask', { messages => 7 })->{status}, 400, 'what does not fit';
is $post->('/ask', { messages => 'x', maxSteps => 'y' })->{status}, 400, '... options, too';
my $client = $httpd->client;
$client->send_request(POST => '/sse', json => { messages => 'one two' });
is $client->read_head->{headers}{'content-type'}, 'text/event-stream', 'events';
my @frames = $client->frames;
is text_of_frames(@frames), 'Echo: one two', '... say it';
is $frames[-1]{data}, '[DONE]', '... to the end';
$client = $httpd->client(separator => "\x1e");
$client->{separator} = "\x1e";
$client->send_request(POST => '/chunks', json => { messages => 'one two' });
$client->read_head;
is text_of_frames($client->frames), 'Echo: one two', 'chunks';
$answer = $post->('/text', { messages => 'one two' });
is $answer->{body}, 'Echo: one two', 'words';
is $answer->{headers}{'content-type'}, 'text/plain; charset=utf-8', '... are text';
$httpd->expect_log($_) for qr/MA3002/, qr/MA601/;
is $post->('/text', { messages => 'FAIL401' })->{status}, 424, 'an error before words';
$answer = $post->('/text', { messages => 'CUT one two three four five' });
ok $answer->{cut}, 'an error behind some words is a connection that ends';
$httpd->model->reset;
$post->('/greet/gold', { messages => 'hi', requestContext => { params => { plan => 'lead' },
    user => { sub => 'root' } } });
is +($httpd->model->requests)[0]{json}{messages}[0]{content}, 'Plan gold, nobody.',
    'instructions know parameters, which no client can forge';

# --- who may
is $post->('/mine', { messages => 'hi' })->{status}, 401, 'a route is protected by default';
is $post->('/mine', { messages => 'hi' }, $token->('bob', 'reader'))->{status}, 403,
    '... and needs the permission to ask agents';
my $memory = sub { +{ messages => "hello $_[0]", memory => { thread => $_[0],
    resource => 'whoever' } } };
is $post->('/mine', $memory->('t-ann'), @{ $ann->() })->{status}, 200, 'whose token has it may';
my $thread = $httpd->api_get('/memory/threads/t-ann?agentId=memory-agent', headers => $ann->());
is $thread->{json}{resourceId}, 'ann', '... and the thread is theirs';
is $post->('/mine', $memory->('t-ann'), $token->('eve', 'talker'))->{status}, 403,
    '... not another\'s';
is $post->('/open', $memory->('t-ann'))->{status}, 403, '... nor anybody\'s by an open route';
is $post->('/mine?threadId=t-ann', { messages => 'hi' }, $token->('eve', 'talker'))->{status}, 403,
    '... nor by the query';
$answer = $httpd->request(POST => '/mine?threadId=t-ann', json => { messages => 'again' },
    headers => $ann->());
is $answer->{status}, 200, 'a thread in the query';

# --- the client leaves
my $said = sub { my ($id) = @_;
    my $found = $httpd->api_get("/memory/threads/$id/messages?agentId=memory-agent",
        headers => $ann->())->{json}{messages} || [];
    return join '|', map { my $m = $_; join '', map { $_->{text} // '' } @{ $m->{content}{parts} } }
        grep { $_->{role} eq 'assistant' } @$found;
};
# The model stands at a gate before each word: what has been said when the client leaves, and whether
# there is more to come, is no matter of time.
my $long  = join ' ', 'GATE', map { "w$_" } 1 .. 30;
my $leave = sub { my ($path, $thread) = @_;
    my $c = $httpd->client;
    $c->send_request(POST => $path, json => { messages => $long,
        $thread ? (memory => { thread => $thread, resource => 'x' }) : () }, headers => $ann->());
    my $head;
    $up->gated or die 'the model was not asked';
    if ($path ne '/stay-json') {
        $head = $c->read_head;
        $up->go for 1 .. 4;
        my $text = '';
        $text .= text_of_frames($c->next_frame // die 'ended') while $text !~ /w1/;
    }
    $c->leave;
    return $head;
};
$leave->('/go', 't-go');
ok wait_for(sub { $up->stats->{busy} == 0 }, 5), 'a run ends when its client leaves';
unlike $said->('t-go'), qr/w30/, '... before its end';
$leave->('/stay', 't-stay');
# time to hear of it
sleep 1;
ok $up->stats->{busy}, 'a run that is to go on goes on';
$up->go_all;
ok wait_for(sub { $said->('t-stay') =~ /w30/ }, 10), '... to its end, and is stored';
my $head = $leave->('/stay');
my $made = $head->{headers}{'x-mastra-thread-id'};
ok $made, 'without a thread one is made';
$up->go_all;
ok wait_for(sub { $said->($made) =~ /w30/ }, 10), '... in which the answer is found';
$leave->('/stay-json', 't-json');
$up->go_all;
ok wait_for(sub { $said->('t-json') =~ /w30/ }, 10), 'a whole answer, too';
$answer = $post->('/stay-json', $memory->('t-there'), @{ $ann->() });
is $answer->{json}{text}, 'Echo: hello t-there', 'a client that stays has its answer';

# --- the server stops meanwhile
my @before = $httpd->children;
$leave->('/stay', 't-graceful');
$httpd->graceful;
my %old = map { $_ => 1 } @before;
wait_for(sub { grep { !$old{$_} } $httpd->children });
$up->go_all;
ok $httpd->replaced(\@before, 20), 'a graceful restart';
# prefork's children are not told that they have time
my $least = mpm() eq 'prefork' ? qr/./ : qr/w30/;
ok wait_for(sub { $said->('t-graceful') =~ $least }, 10), '... waits for it';
@before = $httpd->children;
$leave->('/stay', 't-hasty');
$httpd->restart;
ok $httpd->replaced(\@before, 20), 'a restart does not';
ok wait_for(sub { length $said->('t-hasty') }, 10), '... but what was said is stored';
unlike $said->('t-hasty'), qr/w30/, '... so far';
ok wait_for(sub { $up->stats->{busy} == 0 }, 10), 'nothing is left open';
is $post->('/ask', { message => 'still' })->{json}{text}, 'Echo: still', 'the server goes on';
$httpd->stop;
