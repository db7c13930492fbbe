# Routes and middleware that are code of another module.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

my $each = 28;
plan tests => 2 * $each;

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->new(order => $order, conf => <<'END');
MastraRoute POST /own/:what provider:sample
MastraRoute GET /own/:what provider:sample middleware=provider:ring
MastraRoute GET /lame provider:sample
MastraMiddleware path=/api/agents/* provider:ring
END
    $httpd->expect_log($_) for qr/MA661/, qr/MA601/;
    $httpd->up;
    my $answer = $httpd->request(POST => '/own/thing', json => { a => 1 },
        headers => ['X-Sample-User' => 'ann']);
    is $answer->{status}, 201, $says->('a route answers');
    is $answer->{json}{route}, '/own/:what', $says->('... knows its path');
    is $answer->{json}{path}, '/own/:what', $says->('... has its instance');
    is $answer->{json}{inits}, 1, $says->('... begun once');
    is $answer->{json}{what}, 'thing', $says->('... parameters');
    is $answer->{json}{body}{a}, 1, $says->('... the body');
    is $answer->{json}{user}{id}, 'ann', $says->('... who asks');
    is $answer->{json}{color}, undef, $says->('... no request context');
    ok $answer->{headers}{'x-request-id'}, $says->('... and its id');
    is $httpd->request(POST => '/own/write', body => "just\0bytes")->{body}, "just\0bytes",
        $says->('it may read and write as handlers of httpd do');
    is $httpd->request(POST => '/own/status', body => '')->{status}, 409,
        $says->('... or return a status');
    is $httpd->request(POST => '/own/ask', body => '')->{json}{text}, 'Echo: from a route',
        $says->('... or ask an agent');
    is $httpd->request(POST => '/own/x', body => '{}', headers => ['X-Sample-Before' => 'teapot'])
        ->{status}, 418, $says->('hooks come before it');
    is $httpd->request(GET => '/lame')->{status}, 503, $says->('one that did not start');

    # --- middleware
    $answer = $httpd->request(GET => '/own/thing');
    is $answer->{status}, 201, $says->('middleware of a route');
    is $answer->{headers}{'x-ring-before'}, 'all', $says->('... comes before');
    is $answer->{json}{color}, 'ringed', $says->('... and sets the request context');
    is $answer->{headers}{'x-ring-after'}, 'created', $says->('... and comes after');
    is $httpd->request(GET => '/own/write')->{headers}{'x-ring-after'}, 'fine',
        $says->('... also when the handler writes');
    $answer = $httpd->request(GET => '/own/thing', headers => ['X-Ring' => 'stop']);
    is $answer->{status}, 402, $says->('... or stops it');
    is $answer->{headers}{'x-ring-after'}, 'not fine', $says->('... and hears of it');
    $answer = $httpd->api_post('/agents/plain/generate', { messages => 'hi' });
    is $answer->{json}{text}, 'Echo: hi', $says->('middleware of the API');
    is $answer->{headers}{'x-ring-before'}, '/api/agents/*', $says->('... before');
    is $answer->{headers}{'x-ring-after'}, 'fine', $says->('... and after');
    my $stream = $httpd->stream('/agents/plain/stream', { messages => 'hi' });
    is $stream->{head}{headers}{'x-ring-after'}, 'fine', $says->('... of a stream, too');
    is +($stream->frames)[-1]{data}, '[DONE]', $says->('... which goes on');
    is $httpd->api_get('/tools')->{headers}{'x-ring-before'}, undef, $says->('... not elsewhere');
    is $httpd->request(HEAD => '/own/thing')->{status}, 201, $says->('HEAD');
    $httpd->stop;
}
