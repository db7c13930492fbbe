# The scripted model server does what other tests rely on.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraClient;
use MastraTest;
use Time::HiRes qw(time);
use Upstream;

my $up = Upstream->start(port => 0);

sub ask {
    my ($text, %opt) = @_;
    my $client = MastraClient->new(port => $up->port);
    my $tools  = delete $opt{tools};
    my %body   = (model => 'm', messages => [{ role => 'user', content => $text }], %opt);
    $body{tools} = [map { { type => 'function', function => { name => $_ } } } @$tools] if $tools;
    $client->send_request(POST => '/v1/chat/completions', json => \%body);
    return $client;
}

sub answer  { return ask(@_)->read_answer }
sub message { return $_[0]{json}{choices}[0]{message} }

sub streamed {
    my $client = ask(@_, stream => true);
    $client->read_head;
    return ($client, $client->frames);
}

sub text { return join '', map { $_->{json}{choices}[0]{delta}{content} // '' }
    grep { ref $_->{json} } @_ }

plan tests => 32;

is message(answer('hello'))->{content}, 'Echo: hello', 'it echoes';
is answer('hello')->{json}{usage}{total_tokens}, 15, 'usage is always the same';
my ($client, @frames) = streamed('one two three');
is text(@frames), 'Echo: one two three', 'a stream has the same text';
is $frames[-1]{data}, '[DONE]', '... and an end';
ok !$client->cut, '... and is whole';

my $calls = message(answer('weather in two cities', tools => ['weatherTool']))->{tool_calls};
is_deeply [map { $_->{function}{arguments} } @$calls], ['{"city":"Paris"}', '{"city":"Rome"}'],
    'two calls side by side';
is message(answer('CALL:x:{"a":1}', tools => ['x']))->{tool_calls}[0]{function}{arguments},
    '{"a":1}', 'a call by name';
($client, @frames) = streamed('weather', tools => ['weatherTool']);
is join('', map { $_->{json}{choices}[0]{delta}{tool_calls}[0]{function}{arguments} // '' }
    grep { ref $_->{json} } @frames), '{"city":"Paris"}', 'a call in pieces';
is message(answer('x', response_format => { type => 'json_schema', json_schema => {
    schema => { type => 'object', properties => { n => { type => 'integer' } } } } }))->{content},
    '{"n":7}', 'a value that fits the schema';

is answer('FAIL401')->{status}, 401, 'FAIL401';
my $answer = answer('FAIL429 RETRY:2');
is $answer->{status}, 429, 'FAIL429';
is $answer->{headers}{'retry-after'}, 2, '... with Retry-After';
is_deeply [map { answer('ONCE500')->{status} } 1 .. 2], [500, 200], 'ONCE500 fails once';

ok answer('CUT')->{cut}, 'CUT ends an answer early';
($client, @frames) = streamed('CUT one two three four');
is text(@frames), 'Echo: CUT one ', 'CUT ends a stream after three words';
ok $client->cut, '... without its end';
($client, @frames) = streamed('GARBAGE one two three');
is scalar(grep { defined $_->{data} && $_->{data} ne '[DONE]' && !ref $_->{json} } @frames), 1,
    'GARBAGE has a piece that is not JSON';

my $start = time;
$client = ask('a b c PACE:100', stream => true);
$client->read_head;
is text($client->frames), 'Echo: a b c PACE:100', 'PACE says all';
cmp_ok time - $start, '>', 0.45, '... spreading the words';
$client = ask('GATE a', stream => true);
$client->read_head;
$client->next_frame;
is $client->next_frame(0.1), undef, 'GATE says nothing';
is $up->stats->{gated}, 1, '... which counts as gated';
$up->go;
is text($client->next_frame), 'Echo: ', '... until it may say a word';
is $client->next_frame(0.1), undef, '... and no more';
$up->go_all;
is text($client->frames), 'GATE a', '... or all of them';

$up->reset;
$client = ask('SILENT one two three', stream => true);
$client->read_head;
ok +(grep { ref $_->{json} } map { $client->next_frame } 1 .. 3), 'SILENT begins';
1 while $client->next_frame(0.3);
ok $client->{late}, '... and never ends';
is $up->stats->{busy}, 1, '... which counts as busy';
$client->leave;
ok wait_for(sub { $up->stats->{cancelled} == 1 }, 5), 'a peer that leaves counts as cancelled';
is scalar($up->requests), 1, 'requests are logged';
is(($up->requests)[0]{json}{messages}[0]{content}, 'SILENT one two three', '... with their bodies');
is_deeply [map { scalar @$_ } map { $_->{json}{data}[0]{embedding} } do {
    my $c = MastraClient->new(port => $up->port);
    $c->send_request(POST => '/v1/embeddings', json => { model => 'e', input => ['abc'] });
    $c->read_answer;
}], [8], 'embeddings have eight numbers';
$up->stop;

my $scripted = Upstream->start(port => 0, script => sub {
    my $request = shift;
    return Upstream::reply(418, { n => $request->{n} });
});
$client = MastraClient->new(port => $scripted->port);
$client->send_request(GET => '/any');
is_deeply $client->read_answer->{json}, { n => 1 }, 'a test may script its own answers';
