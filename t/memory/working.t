# Working memory: models keep notes about a resource or a thread, clients read and write them.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Upstream;

plan tests => 57;

my $up   = Upstream->start;
my @port = (port => server_port() + 1);
my $id   = "notes-$$";
my $json = JSON::PP->new->canonical->allow_nonref;

sub notes_url { return "/memory/threads/$_[1]/working-memory?agentId=$_[0]" . ($_[2] // '') }

sub notes { return api_get(notes_url(@_), @port)->{json} }

sub ask {
    my ($agent, $thread, $text, %options) = @_;
    return api_post("/agents/$agent/generate", { messages => $text, memory => {
        thread => $thread, resource => "$id-r", %options } }, @port)->{json};
}

# notes that are an object
sub object { return $json->decode(notes(@_)->{workingMemory}) }

sub last_request { return ($up->requests)[-1]{json} }

sub system_text { return join "\n", map { $_->{content} } grep { $_->{role} eq 'system' }
        @{ $_[0]{messages} } }

sub tool_names { return [map { $_->{function}{name} } @{ $_[0]{tools} || [] }] }

# what the tool answered
sub outcome {
    my ($agent, $thread, $arguments) = @_;
    my $answer = ask($agent, $thread, 'CALL:updateWorkingMemory:' . $json->encode($arguments));
    return $answer->{steps}[0]{toolResults}[0]{payload}{result};
}

# --- a text about a resource

my $empty = notes('notes-agent', "$id-1", "&resourceId=$id-r");
is_deeply $empty, { workingMemory => undef, source => 'resource', threadExists => false,
    workingMemoryTemplate => { format => 'markdown', content => "# User\n- name:" } },
    'there are no notes at first';

my $answer = ask('notes-agent', "$id-1", 'Hello');
is $answer->{text}, 'Echo: Hello', 'an agent with notes answers';
my $request = last_request();
is_deeply tool_names($request), ['echo-tool', 'updateWorkingMemory'],
    '... and is offered a tool to change them';
is_deeply $request->{tools}[1]{function}{parameters}{required}, ['memory'], '... with one text';
like system_text($request), qr/<working_memory_template>\n# User\n- name:\n/, '... in a form';
like system_text($request), qr/<working_memory_data>\nnull\n/, '... with nothing in it yet';

$answer = ask('notes-agent', "$id-1", 'please remember');
is_deeply $answer->{steps}[0]{toolResults}[0]{payload}{result}, { success => true },
    'a model changes the notes';
is notes('notes-agent', "$id-1", "&resourceId=$id-r")->{workingMemory}, "# User\n- name: Bob",
    '... and they are stored';
my $messages = api_get("/memory/threads/$id-1/messages", @port)->{json}{messages};
is_deeply [map { $_->{type} } @{ $messages->[3]{content}{parts} }], ['step-start', 'text'],
    '... while the thread keeps no trace of the call';

ask('notes-agent', "$id-2", 'Hello');
like system_text(last_request()), qr/<working_memory_data>\n# User\n- name: Bob\n/,
    'the notes are there in another thread';
$answer = api_post('/agents/notes-agent/generate',
    { messages => 'Hello', memory => { thread => "$id-x", resource => "$id-other" } }, @port);
like system_text(last_request()), qr/<working_memory_data>\nnull\n/, '... but not for others';

my @frames = map { $_->{json} } grep { ref $_->{json} } stream('/agents/notes-agent/stream',
    { messages => 'remember', memory => { thread => "$id-s", resource => "$id-r" } }, @port)->frames;
my ($result) = grep { $_->{type} eq 'tool-result' } @frames;
is_deeply $result->{payload}{result}, { success => true }, 'a stream shows the call';

is_deeply outcome('notes-agent', "$id-1", { memory => 5 })->{validationErrors}{fields}{memory}{errors},
    ['Invalid input: expected string, received number'], 'a text is a text';
is notes('notes-agent', "$id-1", "&resourceId=$id-r")->{workingMemory}, "# User\n- name: Bob",
    '... and what is wrong changes nothing';

# --- what a request says about them

ask('notes-agent', "$id-1", 'Hello', options => { readOnly => true });
$request = last_request();
is_deeply tool_names($request), ['echo-tool'], 'who only reads is offered no tool';
like system_text($request), qr/<working_memory_data>\n# User\n- name: Bob\n/, '... but the notes';
ask('notes-agent', "$id-1", 'Hello', options => { workingMemory => { enabled => false } });
$request = last_request();
is_deeply tool_names($request), ['echo-tool'], 'notes can be left out';
unlike system_text($request), qr/working_memory/, '... wholly';
ask('notes-agent', "$id-1", 'Hello',
    options => { workingMemory => { scope => 'thread', template => '# Q' } });
like system_text(last_request()), qr/# Q\n.*<working_memory_data>\nnull/s,
    'a request may ask for other ones';
api_post('/agents/notes-agent/generate', { messages => 'Hello', activeTools => ['echo-tool'],
    memory => { thread => "$id-1", resource => "$id-r" } }, @port);
is_deeply tool_names(last_request()), ['echo-tool'], 'activeTools may leave the tool out';
api_post('/agents/notes-agent/generate', { messages => 'Hello' }, @port);
unlike system_text(last_request()), qr/working_memory/, 'without a thread there are no notes';
is api_post('/agents/notes-agent/generate', { messages => 'Hello',
    memory => { thread => "$id-1", resource => "$id-r",
        options => { workingMemory => { scope => 'planet' } } } }, @port)->{status}, 400,
    'a scope that there is not is refused';

# --- an object about a thread

is notes('object-agent', "$id-o")->{workingMemoryTemplate}{content},
    '{"name":"","age":0,"tags":[],"home":{"city":""}}', 'the form of an object comes from its schema';
is notes('object-agent', "$id-o")->{workingMemoryTemplate}{format}, 'json', '... and is JSON';
is_deeply outcome('object-agent', "$id-o", { memory => { name => 'Ann', age => 3 } }),
    { success => true }, 'an object begins';
is_deeply object('object-agent', "$id-o"), { name => 'Ann', age => 3 }, '... as it is given';
is_deeply last_request()->{tools}[0]{function}{parameters}{properties}{memory}{properties}{age},
    { type => 'number' }, '... by the schema';
outcome('object-agent', "$id-o", { memory => { tags => ['a'], home => { city => 'Oslo' } } });
is_deeply object('object-agent', "$id-o"),
    { name => 'Ann', age => 3, tags => ['a'], home => { city => 'Oslo' } }, 'members are added';
outcome('object-agent', "$id-o", { memory => { tags => ['b'], age => null } });
is_deeply object('object-agent', "$id-o"),
    { name => 'Ann', age => 3, tags => ['b'], home => { city => 'Oslo' } },
    'lists are replaced, and null where the schema has none is nothing';
is_deeply outcome('object-agent', "$id-o", { name => 'Eve' }), { success => true },
    'the object may be given bare';
my $wrong = outcome('object-agent', "$id-o", { memory => { age => 'old' } });
is $wrong->{error}, true, 'what does not fit the schema is refused';
is_deeply $wrong->{validationErrors}{fields}{age}{errors},
    ['Invalid input: expected number, received string'], '... and the model hears why';
my $now = { name => 'Eve', age => 3, tags => ['b'], home => { city => 'Oslo' } };
is_deeply object('object-agent', "$id-o"), $now, '... and nothing is changed';
is_deeply $json->decode(api_get("/memory/threads/$id-o", @port)->{json}{metadata}{workingMemory}), $now,
    'the thread has it in its metadata';
is notes('object-agent', "$id-o2")->{workingMemory}, undef, 'another thread has its own';

# --- pieces

my %pieces = (options => { workingMemory => { version => 'vnext' } });
$answer = ask('notes-agent', "$id-p", 'CALL:updateWorkingMemory:{"newMemory":"- pet: cat"}', %pieces);
is_deeply $answer->{steps}[0]{toolResults}[0]{payload}{result},
    { success => true, reason => 'appended newMemory to end of working memory' },
    'a piece is added to the notes';
like notes('notes-agent', "$id-p", "&resourceId=$id-r")->{workingMemory}, qr/Bob\n- pet: cat\z/,
    '... at their end';
$answer = ask('notes-agent', "$id-p", 'CALL:updateWorkingMemory:'
    . '{"newMemory":"dog","searchString":"cat","updateReason":"clarify-existing-memory"}', %pieces);
is $answer->{steps}[0]{toolResults}[0]{payload}{result}{success}, true, '... or replaced';
like notes('notes-agent', "$id-p", "&resourceId=$id-r")->{workingMemory}, qr/Bob\n- pet: dog\z/,
    '... where it stands';

# --- by clients

sub put_notes { return api_post(notes_url(@_[0, 1]), $_[2], @port) }

is_deeply put_notes('notes-agent', "$id-1", { workingMemory => '# Mine', resourceId => "$id-r" })->{json},
    { success => true }, 'a client writes notes';
$answer = notes('notes-agent', "$id-1", "&resourceId=$id-r");
is $answer->{workingMemory}, '# Mine', '... and reads them';
is $answer->{threadExists}, true, '... beside the thread';
is put_notes('notes-agent', "$id-1", { workingMemory => 'x' })->{status}, 400,
    'notes of a resource need a resource';
is put_notes('notes-agent', "$id-none", { workingMemory => 'x', resourceId => 'r' })->{status}, 404,
    '... and a thread';
is put_notes('notes-agent', "$id-1", { workingMemory => 'x', resourceId => 'r' })->{status}, 403,
    '... of that resource';
is api_get(notes_url('notes-agent', "$id-1", '&resourceId=r'), @port)->{status}, 403,
    'nobody reads through a foreign thread';
is put_notes('object-agent', "$id-o", { workingMemory => 'any text' })->{status}, 200,
    'clients may write what they like';
is put_notes('memory-agent', "$id-1", { workingMemory => 'x', resourceId => "$id-r" })->{status}, 400,
    'an agent without notes has none to write';
is put_notes('mock-agent', "$id-1", { workingMemory => 'x' })->{status}, 400,
    '... nor one without memory';
is put_notes('nobody', "$id-1", { workingMemory => 'x' })->{status}, 404, '... nor one that is not there';
is put_notes('notes-agent', "$id-1", { workingMemory => {} })->{status}, 400, 'notes are a text';
is put_notes('notes-agent', "$id-1", {})->{status}, 400, '... that is given';
is_deeply notes('mock-agent', "$id-1"), { workingMemory => undef, source => 'thread',
    workingMemoryTemplate => undef, threadExists => false }, 'without memory nothing is read';
my $config = '&memoryConfig=' . '%7B%22workingMemory%22%3A%7B%22scope%22%3A%22thread%22%7D%7D';
is notes('notes-agent', "$id-1", $config)->{source}, 'thread', 'memoryConfig chooses the scope';

# --- several at once: each change is made on top of the others

my @clients = map { stream('/agents/object-agent/stream', {
    messages => "CALL:updateWorkingMemory:{\"memory\":{\"$_\":\"x\"}}",
    memory => { thread => "$id-c", resource => "$id-r", options => { workingMemory => {
        scope => 'resource', schema => { type => 'object' } } } } }, @port) } 'a' .. 'f';
$_->frames for @clients;
my $all = notes('object-agent', "$id-c", "&resourceId=$id-r&memoryConfig="
    . '%7B%22workingMemory%22%3A%7B%22scope%22%3A%22resource%22%7D%7D')->{workingMemory};
is_deeply [sort keys %{ $json->decode($all) }], ['a' .. 'f'], 'changes made at once are all kept';
is(($up->stats)->{cancelled}, 0, 'no model call was broken off');

is api_get('/memory/config?agentId=object-agent', @port)->{json}{config}{workingMemory}{scope},
    'thread', 'the configuration shows what notes there are';
$up->stop;
