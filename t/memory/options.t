# What a run remembers and stores, as the agent or the request has it; and titles of threads.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

plan tests => 53;

my $up   = Upstream->start(script => sub {
    my $request = shift;
    my $said    = join ' ', map { Upstream::text_of($_->{content}) } @{ ($request->{json} || {})->{messages} || [] };
    return Upstream::reply(500, { error => { message => 'no' } })
        if $request->{json}{model} eq 'small-model' && $said =~ /TITLEFAIL/;
    return [gate => 1, @{ Upstream::answer($request, {}) }]
        if $request->{json}{model} eq 'small-model' && $said =~ /TITLELATE/;
    return undef;
});
my @port = (port => server_port() + 1);
my $id   = "options-$$";

sub ask {
    my ($agent, $thread, $text, %memory) = @_;
    return api_post("/agents/$agent/generate", { messages => $text, memory => {
        thread => "$id-$thread", resource => "$id-r", %memory } }, @port);
}

sub stored { return api_get("/memory/threads/$id-$_[0]/messages", @port)->{json}{messages} || [] }

sub texts { return join '|', map { $_->{content}{content} } @{ $_[0] } }

sub shown {
    my @messages = grep { $_->{role} ne 'system' } @{ ($up->requests)[-1]{json}{messages} };
    return join '|', map { Upstream::text_of($_->{content}) } @messages;
}

# --- how much is remembered

ask('memory-agent', 'm', "m$_") for 1 .. 3;
is shown(), 'm1|Echo: m1|m2|Echo: m2|m3', 'what was said is remembered';
ask('memory-agent', 'm', 'm4', options => { lastMessages => 2 });
is shown(), 'm3|Echo: m3|m4', '... or only the last of it';
ask('memory-agent', 'm', 'm5', options => { lastMessages => 9007199254740991 });
is shown(), 'm1|Echo: m1|m2|Echo: m2|m3|Echo: m3|m4|Echo: m4|m5', '... or all';
for my $none (false, 0) {
    ask('memory-agent', 'm', 'forget', options => { lastMessages => $none });
    is shown(), 'forget', '... or nothing';
}
unlike texts(stored('m')), qr/forget/, 'who remembers nothing stores nothing';
is ask('memory-agent', 'new', 'forget', options => { lastMessages => false })->{status}, 200,
    'the first question may be one of those';
is api_get("/memory/threads/$id-new", @port)->{status}, 200, '... and makes the thread';
is ask('memory-agent', 'm', 'x', options => { lastMessages => $_ })->{status}, 400, "refused: lastMessages $_"
    for -1, '5', 'x';
is ask('memory-agent', 'm', 'x', options => 5)->{status}, 400, 'refused: options that are none';
is ask('memory-agent', 'm', 'x', options => { unheardOf => { a => 1 } })->{status}, 200,
    'what nobody has heard of is left alone';

ask('memory-agent', 'm', 'look', options => { readOnly => true });
like shown(), qr/x\|Echo: x\|look$/, 'who only reads remembers';
unlike texts(stored('m')), qr/look/, '... and stores nothing';
ask('memory-agent', 'm', 'look', readOnly => true);
unlike texts(stored('m')), qr/look/, '... in either way of saying so';
is ask('memory-agent', 'm', 'x', resource => "$id-thief")->{status}, 403, 'others remember nothing of it';

my %budget = (options => { messageHistory => { maxTokens => 55, atMaxRemoveTokens => 15 } });
ask('memory-agent', 'b', "talk $_ of some length", %budget) for 1 .. 3;
is shown(), 'talk 2 of some length|Echo: talk 2 of some length|talk 3 of some length',
    'a number of tokens may be the limit';
ok api_get("/memory/threads/$id-b", @port)->{json}{metadata}{memoryTokenLimiter}{createdAt},
    '... and the thread knows where its history begins';
is scalar(@{ stored('b') }), 6, '... but keeps all of it';
is ask('memory-agent', 'b', 'x', options => { messageHistory => { maxTokens => 'x' } })->{status}, 400,
    'refused: a number of tokens that is none';

ask('memory-agent', 'mark', 'a <working_memory>b</working_memory> c');
is stored('mark')->[0]{content}{content}, 'a  c', 'what is marked as working memory is not stored';

# --- threads as a request brings them

ask('memory-agent', 'given', 'x',
    thread => { id => "$id-given", title => 'Given', metadata => { k => 'v' } });
my $thread = api_get("/memory/threads/$id-given", @port)->{json};
is $thread->{title}, 'Given', 'a new thread has the title that is given';
is_deeply $thread->{metadata}, { k => 'v' }, '... and the metadata';

# --- titles

sub title { return api_get("/memory/threads/$id-$_[0]", @port)->{json}{title} }

sub titled { my $name = shift; return wait_for(sub { title($name) }, 5) }

sub title_calls { return scalar grep { ($_->{json}{model} // '') eq 'small-model' } $up->requests }

ask('title-agent', 't1', 'Tell me about cats');
is titled('t1'), 'Mock title', 'a thread gets a title';
my ($call) = grep { ($_->{json}{model} // '') eq 'small-model' } $up->requests;
is Upstream::text_of($call->{json}{messages}[1]{content}),
    "User: Tell me about cats\nAssistant: Echo: Tell me about cats", '... of what was said';
is $call->{json}{stream}, undef, '... asked for as a whole';
is_deeply [map { $_->{role} } @{ stored('t1') }], [qw(user assistant)], '... and nothing of it is stored';
ask('title-agent', 't1', 'And dogs');
sleep 0.5;
is title_calls(), 1, 'a thread that has one gets no other';
api_post('/memory/threads?agentId=title-agent',
    { threadId => "$id-t2", resourceId => "$id-r", title => 'Mine' }, @port);
ask('title-agent', 't2', 'Hello');
sleep 0.5;
is title('t2'), 'Mine', '... nor does one that was given one';
ask('title-agent', 't3', 'Hello', options => { readOnly => true });
ask('title-agent', 't3', 'Hello', options => { generateTitle => false });
sleep 0.5;
is title_calls(), 1, 'nobody asks for one who does not want it';
ask('memory-agent', 't4', 'Hello', options => { generateTitle => { instructions => 'A title, short.' } });
is titled('t4'), 'Mock title', 'a request may ask for one';
($call) = grep { Upstream::text_of($_->{json}{messages}[0]{content}) eq 'A title, short.' } $up->requests;
is $call->{json}{model}, 'mock-model', '... from the agent\'s own model';
is ask('memory-agent', 't4', 'x', options => { generateTitle => { model => 'none/x' } })->{status}, 400,
    'refused: a model that there is not';
ask('memory-agent', 't5', 'one', options => { generateTitle => { minMessages => 3 } });
sleep 0.5;
is title('t5'), '', 'a title may have to wait for more to be said';
ask('memory-agent', 't5', 'two', options => { generateTitle => { minMessages => 3 } });
is titled('t5'), 'Mock title', '... which then is enough';

# --- titles and clients

is ask('title-agent', 't6', 'TITLELATE')->{status}, 200, 'an answer does not wait for the title';
ok $up->gated, '... which is not there yet';
is title('t6'), '', '... at all';
$up->go_all;
is titled('t6'), 'Mock title', '... but comes, although the client has left';

my $stream = stream('/agents/title-agent/stream', { messages => 'Hello',
    memory => { thread => "$id-t7", resource => "$id-r" } }, @port);
my @types = map { $_->{json}{type} } grep { ref $_->{json} } $stream->frames;
is $types[-2], 'step-finish', 'a stream does not show the title';
is titled('t7'), 'Mock title', '... that it brings about';
my %emit = (options => { generateTitle => { emitEvent => true } });
$stream = stream('/agents/title-agent/stream', { messages => 'Hello',
    memory => { thread => "$id-t8", resource => "$id-r", %emit } }, @port);
my @chunks = map { $_->{json} } grep { ref $_->{json} } $stream->frames;
is_deeply $chunks[-2], { type => 'data-thread-title', transient => true,
    data => { threadId => "$id-t8", title => 'Mock title' } }, '... unless that is asked for';
is $chunks[-1]{type}, 'finish', '... before its end';
$stream = stream('/agents/title-agent/stream', { messages => 'Hello',
    memory => { thread => "$id-t8", resource => "$id-r", %emit } }, @port);
is scalar(grep { ($_->{json}{type} // '') eq 'data-thread-title' } grep { ref $_->{json} } $stream->frames), 0,
    '... and only when there is a new one';
$stream = stream('/agents/title-agent/stream', { messages => 'TITLELATE',
    memory => { thread => "$id-t9", resource => "$id-r", %emit } }, @port);
while (my $frame = $stream->next_frame) {
    last if ref $frame->{json} && $frame->{json}{type} eq 'step-finish';
}
$up->gated;
$stream->leave;
$up->go_all;
is titled('t9'), 'Mock title', 'a client that leaves while the title is made leaves it behind';
is texts(stored('t9')), 'TITLELATE|Echo: TITLELATE', '... with the answer';

expect_log('MA3101');
my $log = log_size();
ask('title-agent', 't10', 'TITLEFAIL');
ok wait_log($log, qr/MA3101.*$id-t10/, 10), 'a title that cannot be made is logged';
is title('t10'), '', '... and is not there';
ask('title-agent', 't10', 'Once more');
ok wait_for(sub { title_calls() > 6 }, 5), '... but tried again with the next answer';

$stream = stream('/agents/memory-agent/stream', { messages => 'GATE one two three four',
    memory => { thread => "$id-t11", resource => "$id-r", options => { generateTitle => true } } }, @port);
$up->gated;
$up->go for 1 .. 3;
$stream->next_frame for 1 .. 4;
$stream->leave;
ok wait_for(sub { @{ stored('t11') } }), 'half an answer is stored';
sleep 0.7;
is title('t11'), '', '... but makes no title';
is $up->stats->{open} >= 0, 1, 'the model server is still there';
$up->stop;
