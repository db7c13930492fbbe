# The demo's own route and middleware, as its configuration has them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

plan tests => 11;

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
$httpd->stop;
