# Messages: saved in every form, paged, filtered, asked for by id, in the older form, deleted.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;

plan tests => 59;

my @port = (port => server_port() + 1);
my $id   = "messages-$$";
my $json = JSON::PP->new->canonical;

sub encoded { return join '', map { /[\w.-]/ ? $_ : sprintf '%%%02X', ord } split //, $json->encode($_[0]) }

sub save { return api_post('/memory/save-messages?agentId=memory-agent', { messages => [@_] }, @port) }

sub list {
    my ($thread, @query) = @_;
    return api_get("/memory/threads/$id-$thread/messages?" . join('&', @query), @port);
}

sub ids { return join ' ', map { s/^\Q$id\E-//r } map { $_->{id} } @{ $_[0]{json}{messages} } }

sub thread {
    api_post('/memory/threads?agentId=memory-agent', { threadId => "$id-$_[0]", resourceId => "$id-r" }, @port);
}

sub message {
    my ($name, $thread, %more) = @_;
    return { id => "$id-$name", threadId => "$id-$thread", resourceId => "$id-r", role => 'user',
        content => $name, %more };
}

thread($_) for qw(a b c);

# --- saved

my $saved = save(message('s1', 'a', createdAt => '2026-01-01T00:00:01.000Z'))->{json}{messages}[0];
is_deeply $saved->{content}, { format => 2, parts => [{ type => 'text', text => 's1' }], content => 's1' },
    'a text is saved as parts';
my $whole = message('s2', 'a', role => 'assistant', createdAt => '2026-01-01T00:00:02.000Z', type => 'text',
    content => { format => 2, parts => [{ type => 'text', text => 'x' }], metadata => { k => 'v' } });
is_deeply save($whole)->{json}{messages}[0], $whole, 'parts are saved as they are';
my @tool = @{ save(
    message('s3', 'a', role => 'assistant', createdAt => '2026-01-01T00:00:03.000Z', content => [
        { type => 'text', text => 'let me' },
        { type => 'tool-call', toolCallId => 'c', toolName => 't', args => { a => 1 } }]),
    message('s4', 'a', role => 'tool', createdAt => '2026-01-01T00:00:04.000Z', content => [
        { type => 'tool-result', toolCallId => 'c', toolName => 't', result => { b => 2 } }]),
)->{json}{messages} };
is_deeply [map { $_->{type} } @{ $tool[0]{content}{parts} }], ['text', 'tool-invocation'],
    'a call is saved as a part';
is $tool[1]{role}, 'assistant', 'a result is a message of the assistant';
is_deeply $tool[1]{content}{parts}[0]{toolInvocation},
    { state => 'result', toolCallId => 'c', toolName => 't', args => { a => 1 }, result => { b => 2 } },
    '... with what it was called with';
is ids(list('a')), 's1 s2 s3 s4', 'all are there, in order';
save(message('s1', 'a', content => 'again'));
is list('a')->{json}{messages}[0]{content}{content}, 'again', 'a message is written anew under its id';
is list('a')->{json}{total}, 4, '... and there once';
is save({ role => 'user', content => 'x' })->{status}, 400, 'refused: a message of no thread';
is save(message('x', 'a', role => 'nobody'))->{status}, 400, 'refused: another role';
is save(message('x', 'a', content => 5))->{status}, 400, 'refused: other content';
is save(message('x', 'none'))->{status}, 404, 'refused: a thread that is not there';
is save(message('x', 'a', resourceId => 'thief'))->{status}, 403, 'refused: a foreign thread';
is save()->{status}, 200, 'no messages are no mistake';
api_post('/memory/threads?agentId=memory-agent', { threadId => "$id-t", resourceId => "$id-thief" }, @port);
is save(message('s1', 't', resourceId => "$id-thief"))->{status}, 409,
    'refused: the id of a foreign message';
is list('a')->{json}{messages}[0]{content}{content}, 'again', '... which stays as it is';
is api_post('/agents/memory-agent/generate', { memory => { thread => "$id-t", resource => "$id-thief" },
    messages => [{ id => "$id-s1", role => 'user', content => 'mine' }] }, @port)->{status}, 409,
    '... also when an agent is asked with it';
is api_post("/memory/$id-a/save", { messages => [{ id => "$id-s5", role => 'user', content => 'five',
    createdAt => '2026-01-01T00:00:05.000Z' }] }, @port)->{status}, 200, 'clients of old save in their way';
is list('a')->{json}{messages}[4]{resourceId}, "$id-r", '... for the owner of the thread';

# --- pages

save(map { message("p$_", 'b', createdAt => "2026-02-01T00:00:0$_.000Z",
    role => $_ % 2 ? 'user' : 'assistant',
    content => { format => 2, parts => [{ type => 'text', text => "p$_" }], metadata => { even => $_ % 2 ? 0 : 1 } })
} 0 .. 9);
my $agent = 'agentId=memory-agent';
is ids(list('b', $agent, 'perPage=3')), 'p7 p8 p9', 'the first page of a memory is the newest';
is ids(list('b', $agent, 'perPage=3', 'page=1')), 'p4 p5 p6', '... the next one older';
is ids(list('b', $agent, 'perPage=3', 'page=3')), 'p0', '... the last one the oldest';
is ids(list('b', $agent, 'perPage=3', 'page=4')), '', 'beyond it is nothing';
is list('b', $agent, 'perPage=3', 'page=2')->{json}{hasMore}, true, 'there is more behind a page';
is list('b', $agent, 'perPage=3', 'page=3')->{json}{hasMore}, false, '... but the last';
is ids(list('b', 'perPage=3')), 'p0 p1 p2', 'the first page of storage is the oldest';
my $ascending = 'orderBy=' . encoded({ field => 'createdAt', direction => 'ASC' });
is ids(list('b', $agent, 'perPage=3', $ascending)), 'p0 p1 p2', '... as it can be asked for';
is ids(list('b', $agent, 'perPage=0')), '', 'a page of nothing';

sub filtered { return ids(list('b', $agent, 'filter=' . encoded($_[0]))) }

is filtered({ roles => ['assistant'] }), 'p0 p2 p4 p6 p8', 'those of a role';
is filtered({ metadata => { even => 0 } }), 'p1 p3 p5 p7 p9', '... with some metadata';
is filtered({ dateRange => { start => '2026-02-01T00:00:03.000Z', end => '2026-02-01T00:00:05.000Z' } }),
    'p3 p4 p5', '... of some time';
is filtered({ dateRange => { start => '2026-02-01T00:00:03.000Z', end => '2026-02-01T00:00:05.000Z',
    startExclusive => true, endExclusive => true } }), 'p4', '... between its ends';
my $include = 'include=' . encoded([{ id => "$id-p2", withPreviousMessages => 1, withNextMessages => 1 }]);
is ids(list('b', $agent, 'perPage=1', $include)), 'p1 p2 p3 p9', 'others come along';
is list('b', 'filter=' . encoded($_->[1]))->{status}, 400, "refused: $_->[0]"
    for ['a date that is none', { dateRange => { start => 'soon' } }], ['roles that are none', { roles => 'x' }],
    ['metadata with a path', { metadata => { 'a.b' => 1 } }], ['metadata in depth', { metadata => { a => {} } }];
is list('b', $_)->{status}, 400, "refused: $_" for qw(page=-1 perPage=x perPage=1.5 include=x filter=x);
is list('b', "resourceId=$id-thief")->{status}, 403, 'refused: a foreign thread';
is list('none')->{status}, 404, 'refused: one that is not there';
is api_get("/memory/$id-b", @port)->{json}{total}, 10, 'clients of old list in their way';

# --- by id, and in the older form

is ids(list('b', "messageIds=$id-p5,$id-p2,none")), 'p2 p5', 'messages are asked for by their ids';
is ids(list('b', "messageIds=$id-p5", "messageIds=$id-p7")), 'p5 p7', '... in either way';
is ids(list('b', "messageIds=$id-s1,$id-p1")), 'p1', '... from their own thread';
is ids(list('b', 'messageIds=' . join ',', map { "$id-p$_" } reverse(0 .. 9), reverse(0 .. 9))),
    'p0 p1 p2 p3 p4 p5 p6 p7 p8 p9', '... many of them, each once, in order';
is list('b', 'messageIds=' . join ',', 1 .. 1001)->{status}, 400, '... but not any number';
my @old = @{ list('a', 'format=v1')->{json}{messages} };
is_deeply [map { "$_->{role} $_->{type}" } @old], ['user text', 'assistant text', 'assistant text',
    'assistant tool-call', 'assistant tool-call', 'tool tool-result', 'user text'],
    'in the older form tools speak for themselves';
is $old[0]{content}, 'again', '... texts are strings';
is_deeply $old[5]{content}, [{ type => 'tool-result', toolCallId => 'c', toolName => 't',
    result => { b => 2 } }], '... and results have their call';
is $old[5]{id}, "$id-s4__split-1", '... under an id of their own';
is ids(list('a', 'format=v2')), 's1 s2 s3 s4 s5', 'v2 is the form of today';

# --- deleted

sub remove { return api_post("/memory/messages/delete?agentId=memory-agent$_[1]", { messageIds => $_[0] }, @port) }

is_deeply remove(["$id-p0", { id => "$id-p1" }], '')->{status}, 400, 'ids are of one kind';
remove(["$id-p0"], "&resourceId=$id-thief");
is list('b')->{json}{total}, 10, 'others do not delete a message';
is_deeply remove("$id-p0", '')->{json}, { success => true, message => '1 message deleted successfully' },
    'a message is deleted';
remove([{ id => "$id-p1" }, { id => "$id-p2" }], '');
is ids(list('b', 'perPage=2')), 'p3 p4', '... or several';
