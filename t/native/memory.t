# Memory without HTTP: threads, messages and working memory, by the rules of the routes.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->start(order => $order, env => { T_TOKEN => 'a token of some length' }, conf => <<'END');
MastraAuth simple token=env:T_TOKEN
MastraAuthOwner sub
<MastraAgent keeper>
    MastraName Keeper
    MastraModel mock/echo
    MastraInstructions "You keep."
    MastraMemory workingMemory={"enabled":true}
</MastraAgent>
END
    my $memory = sub {
        my ($method, $path, $body, %more) = @_;
        return ($httpd->ask('memory', $body, id => 'native', method => $method, path => $path, %more))[0];
    };

    # --- threads
    my $made = $memory->(POST => '/threads', { threadId => 't/1 %', resourceId => 'me', title => 'One' });
    is "$made->{rv} $made->{status}", 'ok 200', $says->('a thread is made') or diag explain $made;
    is $made->{json}{title}, 'One', $says->('... and shown');
    my $got = $memory->(GET => '/threads/t%2F1%20%25');
    is $got->{json}{id}, 't/1 %', $says->('... and found');
    is $memory->(PATCH => '/threads/t%2F1%20%25', { title => 'Two' })->{json}{title}, 'Two',
        $says->('... and changed');
    is $memory->(GET => '/threads?resourceId=me&perPage=5')->{json}{total}, 1, $says->('... and listed');
    is $memory->(GET => '/threads/none')->{status}, 404, $says->('one that is not there');

    # --- told of it on the loop
    my $later = sub {
        my ($method, $path, $body, %more) = @_;
        return ($httpd->ask('async', $body, op => 'memory', id => 'native', method => $method, path => $path, %more))[0];
    };
    $got = $later->(GET => '/threads/t%2F1%20%25');
    is "$got->{rv} $got->{status} $got->{json}{title}", 'ok 200 Two', $says->('a thread is asked for with a callback');
    is $later->(PATCH => '/threads/t%2F1%20%25', { title => 'Three' })->{json}{title}, 'Three', $says->('... and changed');
    is $later->(GET => '/threads/none')->{status}, 404, $says->('... one that is not there');
    is $later->(GET => '/threads/t%2F1%20%25', '', resource => 'you')->{status}, 403, $says->('... one of somebody else');
    is $later->(GET => '/nothing')->{rv}, $memory->(GET => '/nothing')->{rv}, $says->('... a route that is not there');

    # --- whose they are
    is $memory->(GET => '/threads/t%2F1%20%25', '', resource => 'me')->{status}, 200, $says->('its owner sees it');
    my $denied = $memory->(GET => '/threads/t%2F1%20%25', '', resource => 'you');
    is "$denied->{status} $denied->{json}{error}",
        '403 Access denied: thread belongs to a different resource', $says->('nobody else does');
    is $memory->(GET => '/threads?resourceId=me', '', resource => 'you')->{json}{total}, 0,
        $says->('... nor in a list');
    is $memory->(DELETE => '/threads/t%2F1%20%25', '', resource => 'you')->{status}, 403,
        $says->('... nor deletes it');

    # --- messages
    my $saved = $memory->(POST => '/save-messages', { messages => [ map { { role => 'user', content => "m$_",
        threadId => 't/1 %', resourceId => 'me', id => "$order-$_", type => 'text',
        createdAt => "2026-01-01T00:00:0$_.000Z" } } 1 .. 3 ] });
    is $saved->{status}, 200, $says->('messages are stored') or diag explain $saved;
    my $page = $memory->(GET => '/threads/t%2F1%20%25/messages?perPage=2')->{json};
    is scalar @{ $page->{messages} }, 2, $says->('... and read in pages');
    is $page->{total}, 3, $says->('... of all');
    my ($said) = $httpd->ask('generate', { messages => 'hello', memory => { thread => 't/1 %', resource => 'me' } },
        id => 'native', resource => 'me');
    is $said->{status}, 200, $says->('an agent goes on');
    is $memory->(GET => '/threads/t%2F1%20%25/messages')->{json}{total}, 5, $says->('... in the same thread');
    is $memory->(POST => '/messages/delete', { messageIds => ["$order-1"] })->{status}, 200, $says->('one is deleted');
    is $memory->(GET => '/threads/t%2F1%20%25/messages')->{json}{total}, 4, $says->('... for good');

    # --- working memory
    is $memory->(POST => '/threads', { threadId => 'w', resourceId => 'me' }, id => 'keeper')->{status}, 200,
        $says->('another agent');
    $said = $memory->(POST => '/threads/w/working-memory', { workingMemory => 'likes tea', resourceId => 'me' }, id => 'keeper');
    is $said->{status}, 200, $says->('... whose notes are written') or diag explain $said;
    like $memory->(GET => '/threads/w/working-memory?resourceId=me', '', id => 'keeper')->{json}{workingMemory}, qr/likes tea/,
        $says->('... and read');

    is $memory->(DELETE => '/threads/w', '', id => 'keeper')->{status}, 200, $says->('... and go with their thread');

    # --- the rest
    is $memory->(DELETE => '/threads/t%2F1%20%25')->{status}, 200, $says->('a thread is deleted');
    is $memory->(GET => '/threads/t%2F1%20%25')->{status}, 404, $says->('... for good');
    my $bad = $memory->(POST => '/threads', { threadId => 7 });
    is "$bad->{status} $bad->{json}{error}", '400 Invalid request body', $says->('a body that HTTP refuses is refused');
    is $memory->(POST => '/threads', '{nope')->{json}{issues}[0]{field}, 'body', $says->('... and what is not JSON');
    is $memory->(GET => '/threads?page=x')->{status}, 400, $says->('... and such a query');
    is $memory->(POST => '/threads', { resourceId => 'me' }, id => 'nobody')->{status}, 404, $says->('no such agent');
    is $memory->($_->[0], $_->[1])->{rv}, 'einval', $says->("no route: @$_")
        for ['GET', '/nothing/here/at/all'], ['PUT', '/threads'], ['GET', 'threads'], ['GET', '/../agents'],
        ['GET', '/threads/%zz'], ['GET', '/threads/'], ['GET', ''];
    is $httpd->api_get('/memory/threads?agentId=native')->{status}, 401, $says->('over HTTP nobody may');
    $httpd->stop;
}
done_testing;
