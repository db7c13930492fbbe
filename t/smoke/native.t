# Code of another module is a tool and a model, asks agents and has hooks, whatever the MPM.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

plan tests => 10;

my $httpd = Sample->start;
$httpd->expect_log($_) for qr/MA601/, qr/MA3003/;
is $httpd->api_post('/tools/tell/execute', { data => { text => 'hi' } })->{json}{input}{text},
    'hi', 'a tool';
is $httpd->api_post('/tools/odd/execute', { data => { do => 'never' } })->{status}, 422,
    '... with a time limit';
is $httpd->api_post('/agents/threaded/generate', { messages => 'use the tool' })->{json}{text},
    'word0 word1 word2 ', 'a model that calls it';
my @frames = $httpd->stream('/agents/native/stream', { messages => 'think' })->frames;
is $frames[-1]{data}, '[DONE]', '... and streams';
my ($said) = $httpd->ask('generate', { messages => 'hello' }, id => 'plain');
is $said->{json}{text}, 'Echo: hello', 'an agent asked in C';
my @lines = $httpd->ask('stream', { messages => 'hello' }, id => 'plain');
is $lines[-1]{rv}, 'ok', '... by a stream';
($said) = $httpd->ask('async', { messages => 'slowly' }, id => 'threaded', op => 'stream',
    cancel => 200);
is $said->{rv}, 'aborted', '... and cancelled';
is $httpd->api_post('/agents/plain/generate', { messages => 'hi' },
    headers => ['X-Sample-User' => 'nobody'])->{status}, 401, 'a hook that refuses';
my @before = $httpd->children;
$httpd->graceful;
ok $httpd->replaced(\@before, 15), 'a restart';
is +($httpd->ask('generate', { messages => 'hello' }, id => 'native'))[0]{status}, 200,
    '... after which all is there again';
$httpd->stop;
