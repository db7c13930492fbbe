# Studio takes no path away from the host that it is added to.
use strict;
use warnings FATAL => 'all';

use MastraHttpd;
use MastraTest;
use Test::More;

my $other = MastraHttpd->start(name => 'other', mastra => 0, db => '', conf => <<'END');
<Location "/">
    SetHandler server-status-that-nobody-has
    ErrorDocument 404 "from the other server"
</Location>
END
my $other_port = $other->port;

my $server = MastraHttpd->new(name => 'host', conf => <<"END");
MastraEngine On
MastraProject "\@top\@/conf/demo"
MastraModelProvider mock mock
MastraStudioBase /
MastraStudioRoot "\@top\@/t/studio/ui"
<Directory "\@dir\@/htdocs">
    Require all granted
    <Files "secret.txt">
        Require all denied
    </Files>
</Directory>
Alias "/docs" "\@dir\@/htdocs/manual"
ProxyPass "/app/" "http://127.0.0.1:$other_port/"
<Location "/lua">
    SetHandler mastra-test-of-nobody
</Location>
<Location "/elsewhere">
    MastraEngine Off
</Location>
Redirect "/old" "/new"
<Directory "\@dir\@/htdocs/blog">
    FallbackResource /blog/front.html
</Directory>
END
my $docs = $server->dir . '/htdocs';
mkdir "$docs/$_" or die $! for qw(manual agents blog);
for (['about.html', 'about us'], ['secret.txt', 'secret'], ['manual/page', 'a manual'],
    ['assets', 'a file of the host'], ['blog/front.html', 'the blog']) {
    open my $fh, '>', "$docs/$_->[0]" or die $!;
    print $fh $_->[1];
    close $fh;
}
$server->up;

my $is_studio = qr/A stand-in for Studio/;
for (
    ['/about.html',      200, qr/about us/,            'a file'],
    ['/assets',          200, qr/a file of the host/,  'a file named as a folder of Studio'],
    ['/secret.txt',      403, qr/./,                   'a file that is not for everybody'],
    ['/docs/page',       200, qr/a manual/,            'an alias'],
    ['/docs/none.txt',   404, qr/./,                   'a file that is missing from it'],
    ["/agents/",         404, qr/./,                   "a folder that is not listed"],
    ['/blog/post',       200, qr/the blog/,            'a fallback resource'],
    ['/app/page',        404, qr/other server/,        'what a proxy passes on'],
    ['/lua/page',        404, qr/./,                   'what a handler was set for'],
    ['/old/page',        302, qr/./,                   'a redirect'],
    ['/elsewhere/page',  404, qr/./,                   'a location without the engine'],
    ['/health',          200, qr/success/,             'the health of the server'],
    ['/api/agents',      200, qr/weather-agent/,       'the API'],
    ['/api/none',        404, qr/404 Not Found/,       'what is missing from it'],
) {
    my ($path, $status, $body, $name) = @$_;
    my $answer = $server->request(GET => $path);
    is $answer->{status}, $status, "$name stays what it is";
    like $answer->{body}, $body, 'and says what it said';
    unlike $answer->{body}, $is_studio, 'and is not Studio';
}
my $folder = $server->request(GET => '/agents');
is $folder->{status}, 301, 'a folder without its slash is one still';

for my $path (qw(/ /workflows /tools/weather-tool)) {
    like $server->request(GET => $path)->{body}, $is_studio, "$path is nobody's, so it is Studio's";
}
is $server->request(GET => '/assets/app-1a2b3c.js')->{status}, 404,
    'below a file of the host there is nothing';
is $server->request(GET => '/tile.svg')->{status}, 200, 'a file of Studio';
isnt $server->request(POST => '/workflows', body => 'x')->{status}, 200, 'it is only read';

open my $fh, '>', "$docs/index.html" or die $!;
print $fh 'welcome';
close $fh;
is $server->request(GET => '/')->{body}, 'welcome', 'an index of the host is what it was';
$server->stop;
$other->stop;

done_testing;
