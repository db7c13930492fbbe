# The demo's own route and middleware, as its configuration has them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

plan tests => 17;

my $top = top_dir();
open my $in, '<', "$top/conf/demo/httpd.conf.in" or die $!;
my $conf = do { local $/; <$in> };
my ($own) = $conf =~ /^(# --- the agents.*)/ms or die 'the demo has no agents';
$own =~ s/\@DEMO\@/$top\/conf\/demo/g;
my $httpd = MastraHttpd->start(name => 'demo', conf => $own);

my $answer = $httpd->request(GET => '/hello/World');
is $answer->{status}, 200, 'the route answers';
is $answer->{json}{hello}, 'World', '... with its parameter';
is $answer->{headers}{'x-mw'}, undef, '... outside of the middleware\'s paths';
is $httpd->request(GET => '/hello/a%20b%2Bc')->{json}{hello}, 'a b+c', '... decoded';
is $httpd->request(GET => '/routes/hello.lua')->{status}, 403, 'its script alone is closed';
$answer = $httpd->api_get('/agents');
is $answer->{headers}{'x-mw'}, 'hit', 'the middleware marks answers of the API';
ok $answer->{json}{'weather-agent'}, '... which go on';
$answer = $httpd->api_get('/agents', headers => ['X-Block' => 1]);
is $answer->{status}, 418, '... or not';
is $answer->{json}{blocked}, true, '... with its words';
my @frames = $httpd->stream('/agents/plain-agent/stream', { messages => 'hi' })->frames;
is $frames[-1]{data}, '[DONE]', 'streams go on';
is $httpd->api_post('/agents/weather-agent/generate', { messages => 'weather in Paris' })
    ->{status}, 200, 'tools are called';

# --- the network

my %led = (
    'Have simple-workflow double {"n":4}' => ['workflow', qr/"finalWorkflowResult":\{"d":10\}/],
    'Let count-tool count to {"n":3}'     => ['tool',     qr/"result":\[\{"n":1\},\{"n":2\},\{"n":3\}\]/],
    'plain-agent is to say hello'         => ['agent',    qr/Echo: plain-agent is to say hello/],
);
for my $task (sort keys %led) {
    my ($kind, $result) = @{ $led{$task} };
    my $body = join "\n", map { $_->{data} // '' } $httpd->stream('/agents/network-agent/network', { messages => $task,
        memory => { thread => "demo-$kind", resource => 'me' } })->frames;
    like $body, qr/"type":"$kind-execution-end".*"type":"network-execution-event-finish"/s, "the network has a $kind do it";
    like $body, $result, '... with its result';
}
$httpd->stop;
