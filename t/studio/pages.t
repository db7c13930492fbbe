# Studio's page and files: what is filled in, what is sent, and what is nobody's to see.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_base64);
use MastraHttpd;
use MastraTest;
use Test::More;

my $ui = top_dir() . '/t/studio/ui';

my $server = MastraHttpd->new(name => 'studio', mpm => 'event', conf => <<"END");
ServerName agents.example
AddOutputFilterByType DEFLATE text/javascript
MastraEngine On
MastraProject "\@top\@/conf/demo"
MastraModelProvider mock mock
MastraStudioBase /studio
MastraStudioRoot "\@state\@/ui"
<Location "/studio/closed">
    Require all denied
</Location>
END
my $root = $server->dir . '/state/ui';
system('cp', '-r', $ui, $root) == 0 or die 'cp';
for (["$root/.hidden", 'hidden'], ["$root/../outside.txt", 'outside'], ["$root/bytes.bin", 'bin']) {
    open my $fh, '>', $_->[0] or die $!;
    print $fh $_->[1];
    close $fh;
}
symlink '../outside.txt', "$root/link.txt" or die $!;
symlink '/etc',           "$root/etc"      or die $!;
$server->up;

sub get {
    my ($path, @headers) = @_;
    return $server->request(GET => $path, @headers ? (headers => \@headers) : ());
}

# --- the page ---

my $page = get('/studio');
is $page->{status}, 200, 'the page is there';
is $page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'as HTML';
like $page->{body}, qr{<base href="/studio/" />}, 'it knows its base';
my %value = $page->{body} =~ /window\.(\w+) = '([^']*)'/g;
is $value{MASTRA_API_PREFIX},         '/api',    'and the prefix of the API';
is $value{MASTRA_STUDIO_BASE_PATH},   '/studio', 'and its path';
is $value{MASTRA_AUTO_DETECT_URL},    'true',    'the API is where the page came from';
is $value{MASTRA_SERVER_HOST},        'agents.example', 'its host is named';
is $value{MASTRA_TELEMETRY_DISABLED}, '1',       'nobody is told about its use';
is $value{MASTRA_AGENT_SIGNALS},      'true',    'chats are followed by subscription';
is $value{MASTRA_OF_A_LATER_VERSION}, '',        'a blank that nobody knows is left empty';
is $value{MASTRA_DEV_SERVER_INSTANCE_ID}, '', 'production has no instance';
like $page->{body}, qr/'it is %% and %%nothing%% to fill'/, 'what is no blank stays as it is';

my ($script) = $page->{body} =~ m{<script>(.*?)</script>}s;
my $hash = sha256_base64($script);
$hash .= '=' while length($hash) % 4;
my $policy = $page->{headers}{'content-security-policy'};
like $policy, qr/script-src 'self' 'sha256-\Q$hash\E';/, 'its script, and no other, may run';
unlike $policy, qr/unsafe-eval|script-src[^;]*unsafe-inline/, 'nothing is run from text';
like $policy, qr/connect-src 'self';/, 'only this host is asked';
like $policy, qr/frame-ancestors 'self'/, 'nobody else frames it';
is $page->{headers}{'x-content-type-options'}, 'nosniff', 'types are not guessed';
is $page->{headers}{'cache-control'}, 'no-cache', 'the page is asked for anew';
is get('/studio', 'If-None-Match' => $page->{headers}{etag})->{status}, 304,
    'and not sent when it is the same';

for my $path ('/studio/', '/studio/agents', '/studio/agents/weather-agent/chat/new',
    '/studio/index.html', '/studio/tools/x?tab=1') {
    is get($path)->{body}, $page->{body}, "$path is the page";
}
is get('/studio/agents/my.agent', Accept => 'text/html,*/*')->{body}, $page->{body},
    'a visit to an address with a dot is one to the page';
my $head = $server->request(HEAD => '/studio/agents');
is $head->{status}, 200, 'HEAD of a page';
is $head->{body}, '', 'has no body';

# --- files ---

my $file = get('/studio/assets/app-1a2b3c.js');
is $file->{status}, 200, 'a file is there';
is $file->{headers}{'content-type'}, 'text/javascript; charset=utf-8', 'with its type';
like $file->{body}, qr/\Awindow\.app = 'a stand-in';\n.*compressing\n\z/s, 'as it is';
is $file->{headers}{'x-content-type-options'}, 'nosniff', 'its type is not guessed';
ok $file->{headers}{etag} && $file->{headers}{'last-modified'}, 'it has a tag and a date';
is get('/studio/assets/app-1a2b3c.js', 'If-None-Match' => $file->{headers}{etag})->{status}, 304,
    'it is not sent twice';
my $part = get('/studio/assets/app-1a2b3c.js', Range => 'bytes=0-5');
is $part->{status}, 206, 'a part of it is sent';
is $part->{body}, 'window', 'the one asked for';
is get('/studio/assets/app-1a2b3c.js', 'Accept-Encoding' => 'gzip')->{headers}{'content-encoding'},
    'gzip', 'filters of the host apply';
is get('/studio/assets/app-1a2b3c.css')->{headers}{'content-type'}, 'text/css; charset=utf-8',
    'a style sheet';
is get('/studio/tile.svg')->{headers}{'content-type'}, 'image/svg+xml', 'a picture';
is get('/studio/bytes.bin')->{headers}{'content-type'}, 'application/octet-stream',
    'what is not known is bytes';
is $server->request(POST => '/studio/tile.svg', body => 'x')->{status}, 404, 'files are only read';

# --- what nobody gets ---

for my $path ('/studio/assets/gone.js', '/studio/.hidden', '/studio/link.txt', '/studio/etc/passwd.txt',
    '/studio/%2e%2e/outside.txt', '/studio/..%2foutside.txt', '/studio/assets/../../outside.txt',
    '/studio/assets/%2e%2e/%2e%2e/outside.txt', '/studio//etc/hosts.txt', '/studiox', '/studio.txt',
    '/studio/assets/..%5c..%5coutside.txt', '/studio/tile.svg%00.html') {
    my $answer = get($path);
    cmp_ok $answer->{status}, '>=', 400, "$path is not there";
    unlike $answer->{body}, qr/outside|hidden/, 'nor is what it could have meant';
}
unlike get('/studio/etc/passwd')->{body}, qr/root:/, 'a link to a folder leads nowhere';
is get('/studio/closed/x')->{status}, 403, 'Require applies';

# --- beside the page ---

my $events = MastraClient->new(port => $server->port);
$events->send_request(GET => '/studio/refresh-events');
my $began = $events->read_head;
is $began->{status}, 200, 'a page listens for a new server';
is $began->{headers}{'content-type'}, 'text/event-stream', 'by events';
is $events->next_frame->{data}, 'connected', 'and is greeted';
$events->leave;

my @probe = (Accept => '*/*', Referer => 'http://agents.example/studio/agents');
is get('/', @probe)->{status}, 204, 'a page finds its server there';
isnt get('/')->{status}, 204, 'others get what is at the root';
isnt get('/', Accept => 'text/html,*/*', Referer => $probe[3])->{status}, 204, 'so do visitors';
isnt get('/', Accept => '*/*', Referer => 'http://agents.example/studious')->{status}, 204,
    'and other pages';
is get('/api/agents', @probe)->{status}, 200, 'the API is where it was';

done_testing;
