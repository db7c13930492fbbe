# Search by text: the words of a query in the messages of a resource or a thread.
use strict;
use warnings FATAL => 'all';
use utf8;

use Apache::Test '-withtestmore';
use Encode ();
use MastraTest;

plan tests => 28;

my @port = (port => server_port() + 1);
my $id   = "search-$$";

sub search {
    my ($query, @more) = @_;
    my $text = join '', map { /[\w.-]/a ? $_ : sprintf '%%%02X', ord } split //, Encode::encode('UTF-8', $query);
    return api_get("/memory/search?agentId=memory-agent&searchQuery=$text&"
        . join('&', @more ? @more : "resourceId=$id-r"), @port);
}

sub ids { return join ' ', map { s/^\Q$id\E-//r } map { $_->{id} } @{ $_[0]{json}{results} } }

my %title = (a => 'First', b => '', x => 'Foreign');
my %owner = (a => "$id-r", b => "$id-r", x => "$id-other");
api_post('/memory/threads?agentId=memory-agent', { threadId => "$id-$_", resourceId => $owner{$_},
    title => $title{$_} }, @port) for sort keys %title;
my $n = 0;
sub say_in {
    my ($thread, @texts) = @_;
    api_post('/memory/save-messages?agentId=memory-agent', { messages => [map { {
        id => "$id-$thread" . ++$n, threadId => "$id-$thread", resourceId => $owner{$thread},
        role => $n % 2 ? 'user' : 'assistant', createdAt => sprintf('2026-01-01T00:00:%02d.000Z', $n),
        content => $_ } } @texts] }, @port);
}
say_in('a', 'Red apples', 'green pears', 'something RED here', '50% of "it"', 'Äpfel rot');
say_in('b', 'a red herring');
say_in('x', 'red and foreign');

my $found = search('red')->{json};
is ids({ json => $found }), 'b6 a3 a1', 'messages that have a word, the newest first';
is $found->{count}, 3, '... counted';
is $found->{query}, 'red', '... for the query';
is $found->{searchType}, 'text', '... by their text';
is $found->{searchScope}, 'resource', '... in all threads';
is $found->{results}[1]{content}, 'something RED here', 'a result has the text';
is $found->{results}[1]{threadTitle}, 'First', '... the title of its thread';
is $found->{results}[0]{threadTitle}, "$id-b", '... or the thread\'s id';
is_deeply [map { $_->{content} } @{ $found->{results}[1]{context}{before} }], ['Red apples', 'green pears'],
    '... what was said before';
is_deeply [map { $_->{content} } @{ $found->{results}[1]{context}{after} }], ['50% of "it"', 'Äpfel rot'],
    '... and after it';
is ids(search('herring red')), 'b6', 'all words have to be there, in any order';
is ids(search('red pears')), '', '... in one message';
is ids(search('50%')), 'a4', 'signs are no patterns';
is ids(search('"it"')), 'a4', '... quotes neither';
is ids(search('äPFEL')), 'a5', 'letters of all scripts';
is ids(search('format')), '', 'only what was said is searched';
is ids(search('red', "resourceId=$id-r", "threadId=$id-a")), 'a3 a1', 'in one thread';
is search('red', "resourceId=$id-r", "threadId=$id-a")->{json}{searchScope}, 'thread', '... as asked for';
is ids(search('red', "resourceId=$id-r", 'limit=1')), 'b6', 'so many results';
is ids(search('red', "resourceId=$id-r", 'limit=0')), '', '... or none';
is ids(search('red', "resourceId=$id-nobody")), '', 'nothing of others';
is search('red', "resourceId=$id-r", "threadId=$id-x")->{status}, 403, 'refused: a foreign thread';
is search('red', "resourceId=$id-r", "threadId=$id-none")->{status}, 404, 'refused: one that is not there';
is search('')->{status}, 400, 'refused: no query';
is search('red', 'resourceId=')->{status}, 400, 'refused: no resource';
is search('red', "resourceId=$id-r", 'limit=x')->{status}, 400, 'refused: a limit that is none';
is api_get("/memory/search?agentId=mock-agent&searchQuery=a&resourceId=r", @port)->{status}, 400,
    'refused: an agent without memory';
is api_get("/memory/search?agentId=nobody&searchQuery=a&resourceId=r", @port)->{status}, 404,
    'refused: no agent';
