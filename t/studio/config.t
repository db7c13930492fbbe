# The directives about pages: what they turn on, and which mistakes the check of a configuration
# finds.
use strict;
use warnings FATAL => 'all';

use MastraHttpd;
use MastraTest;
use Test::More;

my $ui      = top_dir() . '/t/studio/ui';
my $swagger = top_dir() . '/t/client/node_modules/swagger-ui-dist';
my $begin   = "MastraEngine On\n";

for (
    ["MastraStudioBase studio",             qr/MastraStudioBase studio: a path begins with a slash/],
    ["MastraStudioBase /st<udio",           qr/a path begins with a slash/],
    ["MastraStudioBase /a/../b",            qr/a path begins with a slash/],
    ["MastraStudioBase /a//b",              qr/a path begins with a slash/],
    ["MastraStudioBase /s public=x",        qr/MastraStudioBase x: a path begins/],
    ["MastraStudioBase /s api=",            qr/has no option api=/],
    ["MastraStudioBase /s color=red",       qr/has no option color=red; it has public= and api=/],
    ["MastraStudioBase",                    qr/takes a path and options, or Off/],
    ["MastraStudioBase /s\nMastraStudioRoot /nowhere", qr{/nowhere/index\.html: .*"make studio" installs it}],
    ["MastraStudioBase /s api=ftp://x/api\nMastraStudioRoot $ui", qr/api= must be a path or an address/],
    ["MastraStudioBase /s api=https://u:p\@x/api\nMastraStudioRoot $ui", qr/api= must be a path/],
    ["MastraStudioBase /s api=https://x/\nMastraStudioRoot $ui", qr/api= has no usable path/],
    ["MastraStudioBase /api/studio\nMastraStudioRoot $ui", qr{/api/studio lies below MastraApiPrefix /api}],
    ["MastraSwaggerUI /nowhere",            qr{there is no directory /nowhere; "make swagger-ui"}],
    ["MastraSwaggerUI $swagger\nMastraOpenAPI Off", qr/MastraSwaggerUI: it shows what MastraOpenAPI Off/],
    ["MastraOpenAPI maybe",                 qr/MastraOpenAPI must be On or Off/],
) {
    my ($lines, $said) = @$_;
    my $server = MastraHttpd->new(name => 'wrong', conf => "$begin$lines\n");
    my ($status, $words) = $server->configtest;
    isnt $status, 0, (split /\n/, $lines)[0] . ' is refused';
    like $words, $said, 'and it says why';
}

my @ports = map { MastraHttpd::free_port() } 1 .. 5;
my $conf  = <<"END";
MastraEngine On
MastraProject "\@top\@/conf/demo"
MastraModelProvider mock mock
MastraStudioRoot "$ui"
ServerName agents.example:8080
END
$conf .= join '', map {"Listen 127.0.0.1:$_\n"} @ports;
my @hosts = (
    "MastraStudioBase /studio public=/ai/studio api=/ai/it's</script>",
    'MastraStudioBase /studio/ api=https://agents.example/ai/api',
    "MastraMode development\nMastraStudioBase /",
    "MastraMode development\nMastraOpenAPI Off\nMastraStudioBase Off",
    "MastraSwaggerUI $swagger\nMastraApiPrefix /ai",
);
for my $i (0 .. $#hosts) {
    my $lines = $hosts[$i] =~ s/(api=\S*')(\S*)/"$1$2"/r;
    $conf .= "<VirtualHost 127.0.0.1:$ports[$i]>\n$lines\n</VirtualHost>\n";
}
my $server = MastraHttpd->start(name => 'pages', conf => $conf);

sub get { my ($i, $path, %opt) = @_; return request(GET => $path, port => $ports[$i], %opt) }
sub values_of { my %v = $_[0]{body} =~ /window\.(\w+) = '([^']*)'/g; return \%v }

# --- the main server: nothing was turned on ---

for my $path (qw(/studio /swagger-ui /swagger /openapi.json /api/openapi.json)) {
    is $server->request(GET => $path)->{status}, 404, "$path is not there unless it is asked for";
}
is $server->request(GET => '/api/openapi.json')->{body}, '404 Not Found', 'as what does not exist';

# --- what a proxy has put before it, and where else the API may be ---

my $page = get(0, '/studio/agents');
like $page->{body}, qr{<base href="/ai/studio/" />}, 'the base is the one that browsers see';
is values_of($page)->{MASTRA_STUDIO_BASE_PATH}, '/ai/studio', 'also for the script';
is values_of($page)->{MASTRA_API_PREFIX}, '/ai/it\x27s\x3c/script\x3e', 'values cannot end a string or a script';
is scalar(() = $page->{body} =~ m{</script>}g), 2, 'there are as many scripts as before';
is get(0, '/', headers => [Accept => '*/*', Referer => 'https://x/ai/studio/agents'])->{status}, 204,
    'a page behind a proxy finds its server';

$page = get(1, '/studio');
my $is = values_of($page);
is "$is->{MASTRA_SERVER_PROTOCOL}://$is->{MASTRA_SERVER_HOST}:$is->{MASTRA_SERVER_PORT}$is->{MASTRA_API_PREFIX}",
    'https://agents.example:443/ai/api', 'an API elsewhere has its address in parts';
is $is->{MASTRA_AUTO_DETECT_URL}, 'false', 'and is not looked for where the page is';
like $page->{headers}{'content-security-policy'}, qr{connect-src 'self' https://agents\.example:443;},
    'and may be asked';

# --- development ---

like get(2, '/agents')->{body}, qr{<base href="/" />}, 'Studio at the root has an empty base';
is values_of(get(2, '/agents'))->{MASTRA_STUDIO_BASE_PATH}, '', 'also for the script';
like values_of(get(2, '/agents'))->{MASTRA_DEV_SERVER_INSTANCE_ID}, qr/^\w{8,}$/, 'and the instance';
is get(2, $_)->{json}{openapi}, '3.1.0', "development has $_" for '/openapi.json', '/api/openapi.json';
is get(3, $_)->{status}, 404, "unless it is off: $_" for '/openapi.json', '/api/openapi.json', '/studio';

# --- Swagger UI ---

for (['/swagger-ui', '', 'ai/'], ['/swagger', '', 'ai/'], ['/swagger-ui/', '../', '../ai/'],
    ['/swagger/', '../', '../ai/'], ['/swagger-ui/index.html', '../', '../ai/']) {
    my ($path, $up, $api) = @$_;
    my $answer = get(4, $path);
    is $answer->{status}, 200, "$path is there";
    like $answer->{body}, qr{src="\Q$up\Eswagger-ui/swagger-ui-bundle\.js"}, 'with files of this host';
    like $answer->{body}, qr{url: '\Q$api\Eopenapi\.json'}, 'and its document';
    unlike $answer->{body}, qr{//}, 'and nothing from elsewhere';
    like $answer->{headers}{'content-security-policy'}, qr/default-src 'none'; script-src 'self' 'sha256-/,
        'nor may there be';
}
like get(4, '/ai')->{body}, qr{href="/swagger-ui"}, 'the page of the API leads there';
unlike $server->request(GET => '/api')->{body}, qr{swagger}, 'where it is';
is get(4, '/swagger-ui/swagger-ui.css')->{headers}{'content-type'}, 'text/css; charset=utf-8', 'its styles';
is get(4, '/swagger-ui/none.js')->{status}, 404, 'what it has not got';
is get(4, '/ai/openapi.json')->{json}{servers}[0]{url}, '/ai', 'the document says where the API is';
is get(4, '/openapi.json')->{status}, 200, 'and is at the root as well';

# --- events where a worker would be held ---

is request(GET => '/studio/refresh-events', port => $ports[0])->{status}, 204,
    'pages are told that there is nothing to hear' if mpm() ne 'event';
$server->stop;

done_testing;
