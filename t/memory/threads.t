# Threads: made, listed, changed, cloned, given away, deleted, by those whom they belong to.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;

plan tests => 82;

my @port = (port => server_port() + 1);
my $id   = "threads-$$";
my $json = JSON::PP->new->canonical;

sub encoded { return join '', map { /[\w.-]/ ? $_ : sprintf '%%%02X', ord } split //, $json->encode($_[0]) }

sub create { return api_post('/memory/threads?agentId=memory-agent', {@_}, @port) }

sub get { return api_get("/memory/threads/$_[0]", @port) }

sub ids { return join ' ', map { s/^\Q$id\E-//r } map { $_->{id} } @{ $_[0]{json}{threads} } }

sub list { return api_get("/memory/threads?resourceId=$id-r" . join('', map { "&$_" } @_), @port) }

# --- made

my $made = create(threadId => "$id-1", resourceId => "$id-r", title => 'One', metadata => { a => 1 });
is $made->{status}, 200, 'a thread is made';
is $made->{json}{title}, 'One', '... with its title';
is_deeply get("$id-1")->{json}{metadata}, { a => 1 }, '... and its metadata';
like create(resourceId => "$id-q")->{json}{id}, qr/^[0-9a-f]{8}-/, 'a thread without an id gets one';
is create(threadId => "$id-1", resourceId => "$id-thief")->{status}, 403,
    'a thread that is there is not made for another resource';
is create(threadId => "$id-1", resourceId => "$id-r", title => 'Uno')->{status}, 200,
    '... but made anew by its owner';
is get("$id-1")->{json}{createdAt}, $made->{json}{createdAt}, '... and as old as before';
create(threadId => "$id-1", resourceId => "$id-r", title => 'One', metadata => { a => 1 });
for (['no resource', {}], ['a number', { resourceId => 5 }], ['a list', { resourceId => 'r', metadata => [] }],
    ['a title that is none', { resourceId => 'r', title => {} }]) {
    is create(%{ $_->[1] })->{status}, 400, "refused: $_->[0]";
}
is api_post('/memory/threads', { resourceId => 'r' }, @port)->{status}, 400, 'refused: no agent';
is api_post('/memory/threads?agentId=nobody', { resourceId => 'r' }, @port)->{status}, 404,
    'an unknown agent has no threads';
is api_post('/memory/threads?agentId=mock-agent', { resourceId => 'r' }, @port)->{status}, 400,
    '... nor one without memory';

# --- listed

create(threadId => "$id-2", resourceId => "$id-r", metadata => { a => 1, b => 'x' });
create(threadId => "$id-3", resourceId => "$id-r", metadata => { a => 2 });
create(threadId => "$id-4", resourceId => "$id-other");
is ids(list()), '3 2 1', 'the newest thread is the first of a list';
is list()->{json}{total}, 3, '... that has those of the resource';
is ids(list('orderBy=' . encoded({ field => 'createdAt', direction => 'ASC' }))), '1 2 3', 'or the oldest';
is ids(list('orderBy[field]=createdAt', 'orderBy[direction]=ASC')), '1 2 3', '... asked in brackets';
is ids(list('perPage=2')), '3 2', 'a page';
is list('perPage=2')->{json}{hasMore}, true, '... with more behind it';
is ids(list('perPage=2', 'page=1')), '1', 'the last page';
is list('perPage=2', 'page=1')->{json}{hasMore}, false, '... with nothing behind it';
is ids(list('metadata=' . encoded({ a => 1 }))), '2 1', 'those with some metadata';
is ids(list('metadata=' . encoded({ a => 1, b => 'x' }))), '2', '... and more of it';
is ids(list('metadata=' . encoded({ b => undef }))), '3 1', '... and without some';
is list('metadata=' . encoded({ a => 1 }), 'perPage=1')->{json}{total}, 2, '... all counted';
is list("perPage=$_")->{status}, 400, "refused: perPage=$_" for qw(false -1 x);
is list('metadata=x')->{status}, 400, 'refused: metadata that is no object';
is list('orderBy=' . encoded({ field => 'title' }))->{status}, 400, 'refused: another order';

# --- changed

sub change { my $thread = shift; return api_patch("/memory/threads/$thread?agentId=memory-agent", {@_}, @port) }

is change("$id-1", title => 'Two')->{json}{title}, 'Two', 'a thread gets another title';
is_deeply get("$id-1")->{json}{metadata}, { a => 1 }, '... and keeps its metadata';
is_deeply change("$id-1", metadata => { c => 3 })->{json}{metadata}, { c => 3 }, 'or other metadata';
is get("$id-1")->{json}{title}, 'Two', '... and keeps its title';
is change("$id-1", title => 'x', resourceId => "$id-thief")->{status}, 403, 'others do not change it';
is change("$id-none", title => 'x')->{status}, 404, 'nor one that is not there';
is change("$id-1", title => 5)->{status}, 400, 'a title is a text';

# --- whose it is

is get("$id-1?resourceId=$id-r")->{status}, 200, 'an owner sees a thread';
is get("$id-1?resourceId=$id-thief")->{status}, 403, '... others do not';
is get("$id-none")->{status}, 404, 'nobody sees one that is not there';
is get("$id-1?agentId=nobody")->{status}, 200, 'for looking at it any agent will do';

# --- cloned

sub clone { my $thread = shift; return api_post("/memory/threads/$thread/clone?agentId=memory-agent", {@_}, @port) }

my @messages = map { {
    id => "$id-m$_", threadId => "$id-1", resourceId => "$id-r", role => $_ % 2 ? 'user' : 'assistant',
    createdAt => "2026-01-01T00:00:0$_.000Z", content => "message $_",
} } 1 .. 5;
api_post('/memory/save-messages?agentId=memory-agent', { messages => \@messages }, @port);

my $copy = clone("$id-1", newThreadId => "$id-c1", metadata => { x => 1 })->{json};
is $copy->{thread}{title}, 'Clone of Two', 'a copy says of what it is one';
is $copy->{thread}{resourceId}, "$id-r", '... and belongs to the same resource';
is $copy->{thread}{metadata}{x}, 1, '... with metadata of its own';
is $copy->{thread}{metadata}{clone}{sourceThreadId}, "$id-1", '... and where it came from';
is $copy->{thread}{metadata}{clone}{lastMessageId}, "$id-m5", '... up to which message';
is @{ $copy->{clonedMessages} }, 5, 'all messages are copied';
is $copy->{messageIdMap}{"$id-m1"}, $copy->{clonedMessages}[0]{id}, '... under other ids';
isnt $copy->{clonedMessages}[0]{id}, "$id-m1", '... that are new';

sub texts { return join ' ', map { $_->{content}{content} =~ /(\d)/ } @{ $_[0] } }

is texts(api_get("/memory/threads/$id-c1/messages", @port)->{json}{messages}), '1 2 3 4 5',
    '... and stored in their order';
is texts(api_get("/memory/threads/$id-1/messages", @port)->{json}{messages}), '1 2 3 4 5',
    'the source keeps its own';
is texts(clone("$id-1", options => { messageLimit => 2 })->{json}{clonedMessages}), '4 5',
    'a copy of the newest messages';
is texts(clone("$id-1", options => { messageFilter => { startDate => '2026-01-01T00:00:02Z',
    endDate => '2026-01-01T00:00:03.000Z' } })->{json}{clonedMessages}), '2 3', '... of some time';
is texts(clone("$id-1", options => { messageFilter => { messageIds => ["$id-m4", 'none', "$id-m1"] } })
    ->{json}{clonedMessages}), '1 4', '... of some messages';
is clone("$id-1", newThreadId => "$id-c1")->{status}, 409, 'a thread that is there is not written over';
is clone("$id-1", resourceId => "$id-thief")->{status}, 403, 'others do not copy it';
is clone("$id-none")->{status}, 404, 'nor is copied what is not there';
is clone("$id-1", options => { messageFilter => { startDate => 'soon' } })->{status}, 400,
    'refused: a date that is none';
is clone("$id-1", newThreadId => 5)->{status}, 400, 'refused: an id that is none';
api_post("/memory/threads/$id-1/working-memory?agentId=object-agent", { workingMemory => '{"a":1}' }, @port);
my $notes = api_post("/memory/threads/$id-1/clone?agentId=object-agent", {}, @port)->{json}{thread}{id};
is get($notes)->{json}{metadata}{workingMemory}, '{"a":1}', 'notes of a thread go along with its copy';

# --- given away

sub transfer { return api_post("/memory/threads/$_[0]/transfer", { resourceId => $_[1] }, @port) }

is transfer("$id-c1", "$id-new")->{json}{resourceId}, "$id-new", 'a thread is given away';
is get("$id-c1?resourceId=$id-r")->{status}, 403, '... and belongs to another resource';
is_deeply [map { $_->{resourceId} } @{ api_get("/memory/threads/$id-c1/messages", @port)->{json}{messages} }],
    [("$id-new") x 5], '... with all its messages';
is transfer("$id-none", 'x')->{status}, 404, 'what is not there is not given away';
is transfer("$id-c1", '')->{status}, 400, '... nor is anything to nobody';
is transfer("$id-c1", 5)->{status}, 400, '... or to a number';

# --- deleted

sub remove { return api_delete("/memory/threads/$_[0]", @port) }

is remove("$id-1?agentId=memory-agent&resourceId=$id-thief")->{status}, 403, 'others do not delete a thread';
is remove("$id-1")->{status}, 400, 'it is deleted through an agent';
is_deeply remove("$id-1?agentId=memory-agent")->{json}, { result => 'Thread deleted' }, '... by its owner';
is remove("$id-1?agentId=memory-agent")->{status}, 404, '... once';
is api_get("/memory/threads/$id-1/messages", @port)->{status}, 404, '... with its messages';
is_deeply api_delete("/memory/$id-2", @port)->{json}, { result => 'Thread deleted' },
    'clients of old delete in their way';

# --- the same below /memory/network

is api_post('/memory/network/threads?agentId=memory-agent', { threadId => "$id-n", resourceId => "$id-r" },
    @port)->{status}, 200, 'networks make threads';
is api_get("/memory/network/threads/$id-n", @port)->{json}{id}, "$id-n", '... see them';
is ids(api_get("/memory/network/threads?resourceId=$id-r&perPage=1", @port)), 'n', '... list them';
is api_patch("/memory/network/threads/$id-n?agentId=memory-agent", { title => 'N' }, @port)->{json}{title},
    'N', '... change them';
is api_delete("/memory/network/threads/$id-n?agentId=memory-agent", @port)->{status}, 200, '... delete them';

# --- what there is

is_deeply api_get('/memory/status?agentId=memory-agent', @port)->{json},
    { result => true, memoryType => 'local' }, 'an agent has a memory';
is_deeply api_get('/memory/network/status?agentId=mock-agent', @port)->{json}, { result => false },
    '... or none';
is api_get('/memory/observational-memory?agentId=memory-agent', @port)->{status}, 400,
    'there is no observational memory';
is api_post('/memory/observational-memory/buffer-status', { agentId => 'memory-agent' }, @port)->{status},
    400, '... and nothing to wait for';
