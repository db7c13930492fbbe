# Directives: what is accepted, and which sentence refuses the rest.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

my $agent = "<MastraAgent a>\nMastraName A\nMastraInstructions Hello\n"
    . "MastraModel mock/echo\n%s\n</MastraAgent>\n";
my $workflow = "<MastraWorkflow w>\nMastraInputSchema '{\"type\":\"object\"}'\n"
    . "MastraOutputSchema '{\"type\":\"object\"}'\nMastraStep '{\"type\":\"tool\",\"id\":\"s\",\"toolId\":\"t\"}'\n"
    . "%s\n</MastraWorkflow>\n";
my $tool = "<MastraTool t>\nMastraDescription T\n%s\n</MastraTool>\n";
my $uri  = 'MastraExecute uri uri=/tools/x';

my @good = (
    ['MastraMode development',              'development mode'],
    ['MastraApiPrefix /v1/agents-api',      'a prefix of two segments'],
    ['MastraTimeout 500ms',                 'a time in milliseconds'],
    ['MastraStreamTimeout 2min',            'a time in minutes'],
    ['MastraStopLimit 10',                  'a time in seconds'],
    ['MastraBodyLimit 4.5M',                'a size in megabytes'],
    ['MastraRunSize 32M',                   'a size of runs'],
    ['MastraBodyLimit 4096',                'a size in bytes'],
    ['MastraDurability normal',             'less durability'],
    ['MastraDbConnections 8',               'a number of connections'],
    ['MastraJobThreads 8',                  'a number of job threads'],
    ['MastraSelfURL http://[::1]:8080/',    'an address of its own'],
    ['MastraOutboundAllow * 10.0.0.0/8 ::1 host.example host.example:8080', 'outgoing rules'],
    ['MastraModelProvider local openai http://127.0.0.1:11434/v1 key=env:SOME_KEY '
            . 'header=X-Team:blue timeout=60s retries=0', 'a provider with all its options'],
    ['MastraModelProvider openai openai http://127.0.0.1:9/v1', 'a provider that replaces a default'],
    [sprintf($agent, ''),                   'an agent in a container'],
    [sprintf($agent, 'MastraMemory On'),    '... with memory'],
    [sprintf($agent, 'MastraMemory Off'),   '... without'],
    [sprintf($agent, 'MastraMemory lastMessages=20 workingMemory.enabled=true'),
        '... with options of memory'],
    [sprintf($tool, $uri),                  'a tool in a container'],
    [sprintf($tool, q(MastraInputSchema '{"type":"object"}') . "\n$uri"), '... with a schema'],
    [sprintf($tool, 'MastraExecute sql "statement=SELECT ? AS n" params=n result=row'),
        '... that asks the database'],
    [sprintf($tool, $uri) . sprintf($agent, 'MastraTools t'), 'an agent with a tool'],
    [sprintf($tool, $uri) . sprintf($workflow, ''), 'a workflow in a container'],
    ["<Location /x>\nMastraEngine Off\n</Location>", 'an engine that is off below a path'],
    ["<VirtualHost *:1>\nMastraProject \"\@top\@/conf/demo\"\n</VirtualHost>\n"
            . sprintf($agent, ''), 'a virtual host with more'],
);

my @bad = (
    ['MastraMode fast', qr/MastraMode must be production or development, not fast/],
    ['MastraDurability some', qr/MastraDurability must be full or normal, not some/],
    (map { ["MastraApiPrefix $_", qr/MastraApiPrefix must be a path such as \/api/] }
            'api', '/', '/api/', '/a//b', '/a%20b', '/api/../x', '/./api'),
    (map { ["MastraTimeout $_", qr/MastraTimeout must be a time such as 30s/] } 'long', 'soon', 'min', '-1'),
    (map { ["MastraBodyLimit $_", qr/MastraBodyLimit must be a size up to 1G/] }
            'big', '0', '4.5X', '2G', '1MM', 'nan', 'inf'),
    (map { ["MastraRunSize $_", qr/MastraRunSize must be a size from 64K to 240M/] } 'big', '1K', '1G'),
    (map { ["MastraDbConnections $_", qr/MastraDbConnections must be a number from 2 to 1000/] }
            '1', 'many', '5000'),
    ['MastraJobThreads 1', qr/MastraJobThreads must be a number from 2 to 256, not 1/],
    ['MastraModelProvider own provider:absent', qr/no module offers "absent"/],
    (map { ["MastraSelfURL $_", qr/MastraSelfURL must be a scheme, a host and a port/] }
            'localhost:80', 'ftp://x', 'http://x/path', 'http://', 'http://x:99999', 'http://x:80a'),
    ['MastraOutboundAllow 10.0.0.0/99', qr/MastraOutboundAllow 10\.0\.0\.0\/99: \w/],
    ["<VirtualHost *:1>\nMastraStopLimit 5\n</VirtualHost>", qr/MastraStopLimit cannot occur within <VirtualHost>/],
    ["<Directory />\nMastraEngine On\n</Directory>", qr/MastraEngine cannot occur within <Directory>/],
    ['MastraModelProvider', qr/MastraModelProvider takes an id, a kind/],
    ["MastraModelProvider x nokind", qr/MastraModelProvider x: there is no kind .nokind./],
    ['MastraModelProvider x openai notaurl', qr/MastraModelProvider x: there is no option notaurl/],
    ['MastraModelProvider x openai ftp://x/', qr/MastraModelProvider x: \w/],
    (map { ["MastraModelProvider x openai http://h:$_/v1", qr/the port in the URL 'http:.*' is not a number/] }
            '99999', 'abc', '0'),
    [sprintf($tool, 'MastraExecute http url=http://h:99999/'),
        qr/httpd\.conf:\d+: "execute\.url": its port is not a number/],
    ['MastraModelProvider x openai key=sk-12345', qr/key= must be env:NAME/],
    ['MastraModelProvider x openai header=bad', qr/header= must be Name:value/],
    ['MastraModelProvider x openai header=A:env:MASTRA_TEST_MISSING',
        qr/the environment has no MASTRA_TEST_MISSING/],
    ['MastraModelProvider x openai timeout=soon', qr/timeout= must be a time/],
    ['MastraModelProvider x openai retries=99', qr/retries= must be a number from 0 to 10/],
    ["MastraModelProvider x mock\nMastraModelProvider x mock", qr/it was configured above/],
    ['MastraModel mock/echo', qr/MastraModel can only stand in <MastraAgent>/],
    ['MastraDescription x', qr/can only stand in <MastraAgent>, <MastraTool> and <MastraWorkflow>/],
    [sprintf($tool, 'MastraModel mock/echo'), qr/MastraModel can only stand in <MastraAgent>/],
    [sprintf($agent, $uri), qr/MastraExecute can only stand in <MastraTool>/],
    [sprintf($agent, sprintf $tool, $uri), qr/cannot stand in another container/],
    ["<MastraAgent>\n</MastraAgent>", qr/takes one argument: the id/],
    ["<MastraAgent a b>\n</MastraAgent>", qr/takes one argument: the id/],
    ["<MastraAgent a\n</MastraAgent>", qr/missing closing/],
    [sprintf($agent, 'MastraMemory lots'), qr/MastraMemory takes key=value, On or Off/],
    [sprintf($tool, "MastraInputSchema '{bad'"), qr/MastraInputSchema is not JSON: Expected property/],
    [sprintf($tool, 'MastraExecute'), qr/MastraExecute takes a kind and key=value/],
    [sprintf($tool, 'MastraExecute uri x'), qr/MastraExecute takes key=value after the kind/],
    ['MastraProject /nowhere/at/all', qr/\/nowhere\/at\/all is no directory that can be read/],
    ["DBDriver sqlite3\nDBDParams \":memory:\"", qr/must name a file/],
    ["DBDriver freetds\nDBDParams x", qr/DBDriver|freetds/],
    # faults that are found when all directives are read have their lines, too
    ['MastraProject /nowhere/at/all', qr/httpd\.conf:\d+: MastraProject: /],
    ['MastraModelProvider x openai http://h/v1 "header=A b:c"', qr/httpd\.conf:\d+: MastraModelProvider x: /],
    ["MastraRoute GET /a /b\n<VirtualHost *:1>\n\nMastraRoute GET /x agent:none\nMastraRoute GET /z /b\n</VirtualHost>",
        qr/httpd\.conf:(\d+): MastraRoute GET \/x: there is no agent none/],
    ["<IfModule mod_mastra.c>\nMastraRoute GET /api/x /b\n</IfModule>",
        qr/httpd\.conf:\d+: MastraRoute GET \/api\/x: it is below \/api/],
    ['MastraMiddleware path=/q /api/x', qr/httpd\.conf:\d+: MastraMiddleware path=\/q \/api\/x: /],
    ['MastraRole r *', qr/httpd\.conf:\d+: MastraRole: it is about users, whom only a line of MastraAuth/],
    ["DBDriver sqlite3\nDBDParams \":memory:\"", qr/httpd\.conf:\d+: DBDParams: it must name a file/],
    ['MastraStudioBase /api', qr/httpd\.conf:\d+: MastraStudioBase: \/api lies below MastraApiPrefix/],
    # faults of what a container defines are told by its lines
    [sprintf($workflow, ''), qr/httpd\.conf:\d+: "graph.*no tool "t"/],
    [sprintf($workflow, 'MastraStep x'), qr/MastraStep is not JSON/],
    [sprintf($agent, "MastraStep '{}'"), qr/MastraStep can only stand in <MastraWorkflow>/],
    [sprintf($agent, 'MastraTools none'), qr/httpd\.conf:\d+: "tools.*none/],
    [sprintf($agent, '') =~ s{mock/echo}{foo/bar}r,
        qr/httpd\.conf:\d+: "model": .*foo.*MastraModelProvider/],
    [sprintf($tool, 'MastraExecute nokind'), qr/httpd\.conf:\d+: "execute.kind": /],
    [sprintf($tool, q(MastraInputSchema '{"type":"strange"}') . "\n$uri"),
        qr/httpd\.conf:\d+: "inputSchema/],
    [sprintf($agent, '') . sprintf($agent, ''), qr/httpd\.conf:\d+: .*a/],
);

plan tests => 2 * @good + 2 * @bad + 1;

sub check {
    my $conf  = shift;
    my $httpd = MastraHttpd->new(name => 'directive', conf => "MastraEngine On\n$conf\n");
    return $httpd->configtest;
}

for (@good) {
    my ($conf, $name) = @$_;
    my ($status, $said) = check($conf);
    is $status, 0, "$name is accepted";
    like $said, qr/Syntax OK/, '... as the check says' or diag $said;
}
for (@bad) {
    my ($conf, $sentence) = @$_;
    my ($status, $said) = check($conf);
    isnt $status, 0, join(' ', split /\n/, $conf) . ' is refused';
    like $said, $sentence, '... with a sentence';
}

my ($status) = MastraHttpd->new(name => 'off', conf => 'MastraProject /nowhere')->configtest;
is $status, 0, 'a host whose engine is off is not looked at';
