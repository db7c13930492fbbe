# Which paths and methods are answered, and how others are refused.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

my $text = 'text/plain; charset=UTF-8';

sub refused {
    my ($answer, $status, $name) = @_;
    my %line = (404 => '404 Not Found', 405 => '405 Method Not Allowed');
    is $answer->{status}, $status, $name;
    is $answer->{headers}{'content-type'}, $text, '... in plain text';
    is $answer->{body}, $line{$status}, '... that says so';
}

my @missing = (
    ['/api/nope',                   'an unknown path'],
    ['/api/agents/',                'a slash at the end'],
    ['/api//agents',                'two slashes'],
    ['//api/agents',                'two slashes at the start'],
    ['/api/agents//plain-agent',    'an empty segment'],
    ['/api/./agents',               'a dot segment'],
    ['/api/agents/x/../plain-agent', 'two dots'],
    ['/api/agents/%2e%2e/agents',   'two encoded dots'],
    ['/api/' . 'a/' x 40 . 'a',     'a very deep path'],
    ['/apix/agents',                'a prefix that is longer'],
);
my @outside = ('/apix/agents', '//api/agents');

plan tests => 3 * (@missing - @outside) + @outside + 47;

for (@missing) {
    my ($path, $name) = @$_;
    my $answer = request(GET => $path);
    if (grep { $_ eq $path } @outside) {
        is $answer->{status}, $path eq '//api/agents' ? 200 : 404, "$name is httpd's matter";
        next;
    }
    refused($answer, 404, "$name is not found");
}

# --- ids ---------------------------------------------------------------------

is api_get('/agents/plain-agent')->{status},   200, 'an agent is found';
is api_get('/agents/plain%2Dagent')->{status}, 200, 'its id may be percent-encoded';
is api_get('/%61gents/plain-agent')->{status}, 200, 'and so may the rest';
is api_get('/agents/a%2Fb')->{json}{error}, 'Agent with id a/b not found',
    'an encoded slash is part of an id';
is api_get('/agents/a%2fb%2Fc')->{json}{error}, 'Agent with id a/b/c not found', '... twice';
is api_get('/agents/a%20b%3F')->{json}{error}, 'Agent with id a b? not found', 'and other signs';
is api_get('/agents/caf%C3%A9')->{json}{error}, "Agent with id caf\x{e9} not found",
    'and letters beyond ASCII';
is api_get('/agents/a%252Fb')->{json}{error}, 'Agent with id a%2Fb not found',
    'what is encoded twice is decoded once';
like api_get('/agents/a%00b')->{status}, qr/^40[04]$/, 'an encoded NUL is refused';
my $answer = api_get('/agents/%ff%fe');
is $answer->{status}, 400, 'what is no UTF-8 is refused';
is_deeply $answer->{json}, { error => 'Invalid path parameters',
    issues => [{ field => 'root', message => 'The path is not valid' }] }, '... as an issue';
like api_get('/agents/%zz')->{status}, qr/^40[04]$/, 'a broken escape is refused';
is request(GET => 'http://127.0.0.1/api/agents/plain-agent')->{status}, 200,
    'the absolute form of a request is understood';
is request(GET => '/api/agents?x=/../..//')->{status}, 200, 'a query string is no path';

# --- methods -----------------------------------------------------------------

refused(request(PUT => '/api/agents', json => {}), 405, 'a wrong method on a known path');
is request(PUT => '/api/agents')->{headers}{allow}, 'GET, HEAD, OPTIONS', '... has Allow';
is request(DELETE => '/api/agents/plain-agent')->{headers}{allow}, 'GET, HEAD, OPTIONS',
    '... on a path with an id';
is request(GET => '/api/agents/plain-agent/generate')->{headers}{allow}, 'POST, OPTIONS',
    '... that takes POST only';
is request(TRACE => '/api/agents')->{status}, 405, 'TRACE is no method of a route';
is request(BREW => '/api/agents')->{status},  405, 'nor is one that nobody knows';
is request(BREW => '/api/nope')->{status},    404, '... and an unknown path stays unknown';
is request(DELETE => '/api/memory/status')->{status}, 405,
    'an older form of a path does not take the name of a newer one';

my ($get, $head) = map { request($_ => '/api/agents/plain-agent') } qw(GET HEAD);
is $head->{status}, 200, 'HEAD is answered like GET';
is $head->{body}, '', '... without a body';
is $head->{headers}{$_}, $get->{headers}{$_}, "... with the same $_"
    for qw(content-type access-control-allow-origin);
is request(HEAD => '/api/nope')->{status}, 404, 'HEAD of an unknown path';
is request(HEAD => '/health')->{status},   200, 'HEAD of /health';

# --- constant answers --------------------------------------------------------

$answer = request(GET => '/health');
is $answer->{body}, '{"success":true}', '/health';
is $answer->{headers}{'content-type'}, 'application/json', '... is JSON without a charset';
is $answer->{headers}{'content-length'}, 16, '... with its length';
is request(POST => '/health', json => {})->{status}, 405, '... and read only';
is api_get('/auth/capabilities')->{body}, '{"enabled":false,"login":null}',
    'what authentication can do';
is api_get('/auth/me')->{body}, 'null', 'who is asking';
$answer = api_get('');
is $answer->{status}, 200, 'the prefix itself has a page';
is $answer->{headers}{'content-type'}, 'text/html; charset=UTF-8', '... for people';

# --- beside what the host has ------------------------------------------------

my $other = MastraHttpd->start(name => 'paths', db => '', conf => <<'END');
MastraEngine On
MastraApiPrefix /mastra/v1
AddHandler lua-script .lua
RewriteEngine On
RewriteRule ^/old/(.*) /mastra/v1/$1 [PT]
RewriteRule ^/mastra/v1/agents/secret - [F]
Alias /mastra/v1/auth/me @dir@/httpd.conf
<Location /mastra/v1/auth/capabilities>
    MastraEngine Off
</Location>
END
my $dir = $other->dir . '/htdocs';
is $other->request(GET => '/mastra/v1/agents')->{status}, 200, 'the prefix is configured';
is $other->request(GET => '/api/agents')->{status}, 404, '... and the default one is free';
is $other->request(GET => '/old/agents')->{status}, 200, 'a rewritten path is found';
is $other->request(GET => '/mastra/v1/agents/secret')->{status}, 403,
    'a rule of mod_rewrite comes first';
is $other->request(GET => '/mastra/v1/auth/me')->{body}, 'null', 'an alias does not';
is $other->request(GET => '/mastra/v1/agents/x.lua')->{status}, 404,
    'nor a handler by the ending of a name';
is $other->request(GET => '/mastra/v1/auth/capabilities')->{status}, 404,
    'a Location may take a path away';
is $other->request(GET => '/health')->{body}, '{"success":true}', '/health is served';
open my $fh, '>', "$dir/health" or die "$dir/health: $!";
print $fh "a file\n";
close $fh;
is $other->request(GET => '/health')->{body}, "a file\n", '... unless the host has it';
$other->stop;
