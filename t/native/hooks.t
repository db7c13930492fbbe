# Hooks of another module around requests: who it is, whether they may, before, after, on error.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

my $each = 45;
plan tests => 2 * $each;

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->start(order => $order);
    $httpd->expect_log($_) for qr/MA600/, qr/MA601/, qr/MA3002/;
    my $ask = sub { my ($body, @headers) = @_;
        return $httpd->api_post('/agents/plain/generate', $body, headers => \@headers) };

    # --- what a hook sees
    my $seen = $ask->({ messages => 'hi', requestContext => { color => 'red',
                mastra__resourceId => 'x' } }, 'X-Sample-Before' => 'view',
        'X-Request-Id' => 'r-1')->{json};
    is $seen->{method}, 'POST', $says->('a hook sees the method');
    is $seen->{path}, '/api/agents/plain/generate', $says->('... the path');
    is $seen->{route}, '/agents/:agentId/generate', $says->('... the route');
    is $seen->{permission}, 'agents:execute', $says->('... the permission');
    is $seen->{param}, 'plain', $says->('... parameters');
    is $seen->{body}{messages}, 'hi', $says->('... the body');
    is $seen->{client}, 'red', $says->('... the request context');
    is $seen->{reserved}, undef, $says->('... without what clients may not say');
    is $seen->{id}, 'r-1', $says->('... the id of the request');
    is $seen->{user}, undef, $says->('... nobody');
    is $seen->{status}, 0, $says->('... and no status yet');
    $seen = $httpd->request(GET => '/api/agents/plain?requestContext=%7B%22color%22%3A%22blue%22%7D',
        headers => ['X-Sample-Before' => 'view'])->{json};
    is $seen->{client}, 'blue', $says->('a query has a request context, too');
    is $seen->{permission}, 'agents:read', $says->('another permission');
    is $seen->{body}, undef, $says->('no body');
    $seen = $httpd->request(GET => '/api/memory/threads', headers => ['X-Sample-Before' => 'view']);
    is $seen->{json}{permission}, 'memory:read', $says->('a permission by the rule');
    $seen = $httpd->request(POST => '/api/agents/plain/generate', body => '{nope',
        headers => ['X-Sample-Before' => 'view', 'Content-Type' => 'application/json']);
    is $seen->{json}{body}, undef, $says->('a body that is not JSON is none');
    is $httpd->request(GET => '/api/nothing', headers => ['X-Sample-Before' => 'view'])->{status},
        404, $says->('no hooks where there is no route');
    is $httpd->request(GET => '/health', headers => ['X-Sample-Before' => 'view'])->{json}{success},
        true, $says->('... nor on public paths');

    # --- a hook answers
    my $answer = $ask->({ messages => 'hi' }, 'X-Sample-Before' => 'teapot');
    is $answer->{status}, 418, $says->('a status is the answer');
    ok $answer->{json}{error}, $says->('... in our form');
    is $answer->{headers}{'access-control-allow-origin'}, '*', $says->('... with our headers');
    is $ask->({ messages => 'hi' }, 'X-Sample-Before' => 'busy')->{status}, 503,
        $says->('an error status');
    is $ask->({ messages => 7 }, 'X-Sample-Before' => 'teapot')->{status}, 418,
        $says->('hooks come before the checks');
    is $ask->({ messages => 7 }, 'X-Sample-Before' => 'set')->{status}, 400,
        $says->('... and do not replace them');

    # --- a hook sets
    $answer = $httpd->api_post('/tools/tell/execute',
        { data => {}, requestContext => { color => 'red', shape => 'round' } },
        headers => ['X-Sample-Before' => 'set']);
    is_deeply $answer->{json}{context}, { color => 'green', shape => 'round' },
        $says->('what a hook sets wins over what the client says');
    is $answer->{headers}{'x-sample'}, 'was here', $says->('a header is set');
    is $answer->{headers}{'x-request-id'}, undef, $says->('... or taken away');

    # --- who it is
    $answer = $httpd->api_post('/tools/tell/execute', { data => {} },
        headers => ['X-Sample-User' => 'ann']);
    is_deeply $answer->{json}{context}{user}, { id => 'ann' },
        $says->('the user is known to tools');
    is $answer->{json}{resource}, 'ann', $says->('... and so is the resource');
    $answer = $ask->({ messages => 'hi' }, 'X-Sample-User' => 'nobody');
    is $answer->{status}, 401, $says->('who is refused is told');
    is $answer->{json}{error}, 'Invalid or expired token', $says->('... in plain words');
    $answer = $ask->({ messages => 'hi' }, 'X-Sample-Deny' => 'agents:execute');
    is $answer->{status}, 403, $says->('who may not is told');
    is $answer->{json}{error}, 'Access denied', $says->('... in plain words');
    is $ask->({ messages => 'hi' }, 'X-Sample-Deny' => 'agents:read')->{status}, 200,
        $says->('another permission is another matter');
    $httpd->api_post('/agents/native/generate', { messages => 'hi',
            memory => { thread => "h-$order", resource => 'bob' } },
        headers => ['X-Sample-User' => 'ann']);
    is $httpd->api_get("/memory/threads/h-$order?agentId=native")->{json}{resourceId}, 'ann',
        $says->('memory belongs to the user, whatever the request says');

    # --- after
    $answer = $httpd->request(GET => '/api/agents', headers => ['X-Sample-After' => 1]);
    is $answer->{headers}{'x-sample-status'}, 'fine', $says->('a complete answer has a last hook');
    is $answer->{headers}{'x-sample-thread'}, 'worker', $says->('... on a worker');
    is $answer->{headers}{'x-sample-late'}, 'yes', $says->('... that can set headers only');
    $answer = $ask->({ messages => 'hi' }, 'X-Sample-After' => 1);
    is $answer->{headers}{'x-sample-status'}, 'fine', $says->('so has an answer of the loop');
    my $client = $httpd->stream('/agents/plain/stream', { messages => 'hi' },
        headers => ['X-Sample-After' => 1]);
    is $client->{head}{headers}{'x-sample-thread'}, mpm() eq 'event' ? 'loop' : 'worker',
        $says->('... and a stream') or diag explain $client->{head};
    $client->frames;
    is $ask->({ messages => 7 }, 'X-Sample-After' => 1)->{headers}{'x-sample-status'}, 'not fine',
        $says->('... and an error');

    # --- on error
    $answer = $httpd->request(GET => '/api/agents/nobody', headers => ['X-Sample-Error' => 1]);
    is "$answer->{status} $answer->{body}", '410 {"mended":true}',
        $says->('an error is answered otherwise');
    is $answer->{headers}{'x-sample-message'}, 'Agent with id nobody not found',
        $says->('... by one who knows it');
    $answer = $httpd->api_post('/agents/native/generate', { messages => 'fail429' },
        headers => ['X-Sample-Error' => 1]);
    is "$answer->{status} $answer->{body}", '429 {"mended":true}',
        $says->('... also when the loop has it');
    like $answer->{headers}{'x-sample-message'}, qr/limiting/, $says->('... with its message');
    $httpd->stop;
}
