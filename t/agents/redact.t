# What streams show of the model's request: nothing, unless MastraStreamRedact is off.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Upstream;

my $upstream = Upstream->start(port => 0, script => sub { Upstream::reply(500, { error => 'x' }) });

sub server {
    return MastraHttpd->start(name => 'redact', env => { T_KEY => 'secret-key-of-a-model' }, conf => <<"END");
MastraEngine On
MastraModelProvider mock mock
MastraModelProvider bad openai http://127.0.0.1:@{[ $upstream->port ]}/v1 key=env:T_KEY retries=0
<MastraTool add>
    MastraDescription "Adds"
    MastraInputSchema '{"type":"object"}'
    MastraExecute sql "statement=SELECT 1 AS n" result=row
</MastraTool>
<MastraAgent a>
    MastraName A
    MastraInstructions "Only the model should read this."
    MastraModel mock/echo
    MastraTools add
</MastraAgent>
<MastraAgent b>
    MastraName B
    MastraInstructions "Only the model should read this."
    MastraModel bad/x
</MastraAgent>
$_[0]
END
}

sub chunks {
    my ($server, $agent, $text) = @_;
    return map { ref $_->{json} ? $_->{json} : () }
        $server->stream("/agents/$agent/stream", { messages => $text })->frames;
}

sub typed { my $type = shift; return grep { $_->{type} eq $type } @_ }

my $server = server('');
my @chunks = chunks($server, 'a', 'CALL:add:{}');
is scalar(my @two = typed("step-start", @chunks)), 2, "two steps";
is_deeply $_->{payload}{request}, {}, 'a step begins without what was asked' for typed('step-start', @chunks);
for my $chunk (typed('step-finish', @chunks), typed('finish', @chunks)) {
    is $chunk->{payload}{metadata}{request}, undef, "$chunk->{type} does not have it";
    is $_->{request}, undef, '... nor do its steps' for @{ $chunk->{payload}{output}{steps} };
}
like $server->api_post('/agents/a/generate', { messages => 'x' })->{json}{request}{body},
    qr/Only the model should read this/, 'an answer in one piece has it';
$server->stop;

$server = server("MastraStreamRedact Off\n");
@chunks = chunks($server, 'a', 'CALL:add:{}');
my @types = map { $_->{type} } @chunks;
is "@types[0, 1]", 'start step-start', 'shown, the order is the same';
my @starts = typed('step-start', @chunks);
is scalar(@starts), 2, '... and the number of steps';
is $_->{payload}{request}{body}{messages}[0]{content}, 'Only the model should read this.',
    'a step begins with what was asked' for @starts;
cmp_ok scalar @{ $starts[1]{payload}{request}{body}{messages} }, '>',
    scalar @{ $starts[0]{payload}{request}{body}{messages} }, '... in this step';
for my $chunk (typed('step-finish', @chunks), typed('finish', @chunks)) {
    is ref $chunk->{payload}{metadata}{request}{body}, 'HASH', "$chunk->{type} has it";
    is ref $_->{request}{body}, 'HASH', '... and so do its steps' for @{ $chunk->{payload}{output}{steps} };
}
$server->expect_log(qr/MA3002/);
@types = map { $_->{type} } chunks($server, 'b', 'x');
is "@types[0 .. 2]", 'start step-start error', 'a model that fails was asked, too';
$server->stop;
done_testing;
