# Query strings: typed by each route's schema.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;

plan tests => 45;

my $threads = '/memory/threads?agentId=weather-agent&resourceId=query-test';

sub issues {
    my ($answer, @fields) = @_;
    my ($name) = splice @fields, -1;
    is $answer->{status}, 400, $name;
    is $answer->{json}{error}, 'Invalid query parameters', '... as a query that is not valid';
    is_deeply [map { $_->{field} } @{ $answer->{json}{issues} || [] }], \@fields, '... by its fields';
}

is api_get("$threads&page=0&perPage=7")->{json}{perPage}, 7, 'numbers are numbers';
is api_get($threads)->{json}{perPage}, 100, 'defaults are filled in';
issues(api_get("$threads&page=abc"), 'page', 'a word is no number');
issues(api_get("$threads&page=-1&perPage=x"), 'page', 'perPage', 'each fault is told');
is api_get("$threads&unknown=1&unknown=2")->{status}, 200, 'unknown parameters are dropped';
is api_get("$threads&metadata=%7B%22a%22%3A1%7D")->{status}, 200, 'an object may come as JSON';
is api_get("$threads&metadata[a]=1")->{status}, 200, '... or as a group';
is api_get("$threads&orderBy[field]=updatedAt&orderBy[direction]=ASC")->{status}, 200,
    '... with several members';
is api_get('/agents/plain-agent?requestContext=%7B%22a%22%3A1%7D')->{status}, 200,
    'a request context may be JSON';
is api_get('/agents/plain-agent?requestContext=eyJhIjoxfQ==')->{status}, 200, '... or base64';
is api_get("/agents/plain-agent?requestContext=$_")->{status}, 200, "... or none: '$_'" for '', 'null', '{}';
issues(api_get("/agents/plain-agent?requestContext=$_"), 'requestContext', '... and nothing else')
    for 'nonsense', '%7Bbad', '[1]', '7', 'eyJh', 'WzFd', '%7B%22a%22%3A1%7D&requestContext=x', 'a' x 6000;
is api_get('/agents?partial=true&&=&x')->{status}, 200, 'odd pairs do no harm';
is api_get("/agents?x=%ff")->{status}, 400, 'what is no UTF-8 is refused';
is api_get('/agents?' . join('&', ('a=1') x 1100))->{status}, 400,
    'a flood of parameters is refused';
is api_get('/agents/plain-agent?status=published')->{status}, 200, 'a known word is taken';
