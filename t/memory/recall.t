# What a turn remembers is what is stored by then, whoever has changed it since the last turn.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Upstream;

plan tests => 17;

my $up   = Upstream->start;
my @port = (port => server_port() + 1);
my $id   = "recall-$$";
my $n    = 0;
my $json = JSON::PP->new->canonical;

sub ask {
    my ($text, %more) = @_;
    return api_post('/agents/memory-agent/generate', { messages => $text, %more, memory => {
        thread => "$id-t", resource => "$id-r" } }, @port)->{json};
}

sub stored { return api_get("/memory/threads/$id-t/messages?perPage=100", @port)->{json}{messages} }

sub save {
    return api_post('/memory/save-messages?agentId=memory-agent', { messages => [@_] }, @port)->{json}{messages};
}

sub message {
    my ($text, %more) = @_;
    return { id => "$id-" . $n++, threadId => "$id-t", resourceId => "$id-r", role => 'assistant',
        content => { format => 2, parts => [{ type => 'text', text => $text }] }, %more };
}

# As many as the agent remembers.
sub last_ten { my @all = @{ $_[0] }; return [@all > 10 ? @all[-10 .. -1] : @all] }

# What the model was shown, its own messages in brackets.
sub shown {
    return join '|', map {
        my $text = Upstream::text_of($_->{content});
        $_->{role} eq 'assistant' ? "[$text]" : $text;
    } grep { $_->{role} ne 'system' } @{ ($up->requests)[-1]{json}{messages} };
}

# A turn remembers what is stored, and its prompt says so.
sub turn {
    my ($text, $want, $name) = @_;
    my $before = last_ten(stored());
    is_deeply ask($text)->{rememberedMessages}, $before, $name;
    is shown(), $want, '... and so the model is shown';
    return;
}

ask('a');
turn('b', 'a|[Echo: a]|b', 'a second turn remembers the first');
turn('c', 'a|[Echo: a]|b|[Echo: b]|c', '... a third both');

# --- others write, too

my $first = stored()->[0];
save({ %$first, content => { format => 2, parts => [{ type => 'text', text => 'other' }] } });
turn('d', 'other|[Echo: a]|b|[Echo: b]|c|[Echo: c]|d', 'a message that was changed is read anew');
save({ %$first, content => { format => 2, parts => [{ type => 'text', text => 'other' }],
    metadata => { n => 1.5, big => 12345678901, text => "\x{e9}\"\\\n" } } });
is_deeply ask('e')->{rememberedMessages}[0]{content}{metadata}, { n => 1.5, big => 12345678901, text => "\x{e9}\"\\\n" },
    '... also what no model is shown';
api_post('/memory/messages/delete?agentId=memory-agent', { messageIds => [$first->{id}] }, @port);
turn('f', '[Echo: a]|b|[Echo: b]|c|[Echo: c]|d|[Echo: d]|e|[Echo: e]|f' =~ s/^/.|/r,
    'one that was deleted is forgotten');

# --- messages of one side in a row

save(message('one', createdAt => '2040-01-01T00:00:00.000Z'),
    message('two', createdAt => '2040-01-01T00:00:01.000Z'));
my %shown = (g => 'c|[Echo: c]|d|[Echo: d]|e|[Echo: e]|f|[Echo: fonetwo]|g',
    h => 'd|[Echo: d]|e|[Echo: e]|f|[Echo: f]|g|[Echo: gonetwo]|h');
for my $text (qw(g h)) {
    my @texts = map { $_->{content}{parts}[0]{text} } @{ ask($text)->{rememberedMessages} };
    is_deeply [@texts[-2, -1]], ['one', 'two'], "$text: what one side said in a row is remembered apart";
    is shown(), $shown{$text}, '... but models are shown it as one';
}

# --- streams show them in the form of the API

sub finish {
    my @frames = stream('/agents/memory-agent/stream', { messages => $_[0], memory => {
        thread => "$id-t", resource => "$id-r" } }, @port)->frames;
    my ($finish) = grep { ref $_->{json} && $_->{json}{type} eq 'finish' } @frames;
    return $finish->{json}{payload}{messages}{all};
}

my $before = stored();
my $all    = finish('i');
is scalar(@$all), @{ last_ten($before) } + 2, 'a stream ends with all that was remembered';
is $all->[-1]{content}[0]{text}, 'Echo: i', '... and said';
my $again = finish('j');
my %seen  = map { $json->encode($_) => 1 } @$all;
is scalar(grep { !$seen{ $json->encode($_) } } @$again), 2, '... in the same words each time';
is ask('k')->{messages}[-1]{content}{parts}[0]{text}, 'Echo: k', 'a turn without stream goes on with it';
