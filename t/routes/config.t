# What is wrong with routes and middleware is found when the configuration is read.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

my $top = top_dir();
my @bad = (
    ['MastraRoute GET /x', qr/takes a method, a path and a target/],
    ['MastraRoute TRACE /x /y', qr/TRACE is none of GET, POST/],
    ['MastraRoute get /x /y', qr/get is none of GET/],
    ['MastraRoute GET x /y', qr/a path is like/],
    ['MastraRoute GET /x/ /y', qr/a path is like/],
    ['MastraRoute GET /x//z /y', qr/a path is like/],
    ['MastraRoute GET /x/:id? /y', qr/a path is like/],
    ['MastraRoute GET /x/:id{[0-9]+} /y', qr/a path is like/],
    ['MastraRoute GET /x/a*b /y', qr/a path is like/],
    ['MastraRoute GET /x/%41 /y', qr/a path is like/],
    ['MastraRoute GET / /y', qr/the root belongs to the host/],
    ['MastraRoute GET /api/x /y', qr{below /api, where the API is}],
    ['MastraRoute GET /api /y', qr{below /api, where the API is}],
    ['MastraRoute GET /x http://elsewhere/', qr/a target is a local path/],
    ['MastraRoute GET /x //elsewhere/', qr/a target is a local path/],
    ['MastraRoute GET /x chat:some', qr/routes to chats are not in this version/],
    ['MastraRoute GET /x workflow:some', qr/there is no workflow some/],
    ['MastraRoute GET /x workflow:some on-disconnect=continue', qr/a workflow goes on whoever leaves/],
    ['MastraRoute GET /x agent:none', qr/there is no agent none/],
    ['MastraRoute GET /x agent:', qr/a target is a local path/],
    ['MastraRoute GET /x provider:none', qr/no module offers "none"; there is: .*sample/],
    ['MastraRoute GET /x provider:sample-empty', qr/its module gives no function handle/],
    ['MastraRoute GET /x/refuse provider:sample', qr/the sample refuses this path/],
    ['MastraRoute GET /x /y auth=maybe', qr/auth= must be on or off/],
    ['MastraRoute GET /x /y as=sse', qr/as= is for agents/],
    ['MastraRoute GET /x agent:plain as=xml', qr/as= must be json, sse, chunks or text/],
    ['MastraRoute GET /x /y on-disconnect=continue', qr/on-disconnect= is for agents/],
    ['MastraRoute GET /x agent:plain on-disconnect=continue',
        qr/the agent plain has no memory to keep its answer in/],
    ['MastraRoute GET /x /y color=red', qr/there is no option color=red; it has auth=/],
    ['MastraRoute GET /x /y openapi=none.json', qr/none\.json: /],
    ["MastraRoute GET /x /y openapi=$top/README.md", qr/README\.md: /],
    ['MastraRoute GET /x /y middleware=agent:plain', qr/a target is a local path/],
    ['MastraRoute GET /x /y middleware=', qr/middleware= takes one or more targets/],
    ['MastraRoute GET /x /y middleware=provider:none', qr/no module offers "none"; there is: ring/],
    ["MastraRoute GET /x /y\nMastraRoute GET /x /z", qr/GET \/x: it was configured above/],
    ["MastraRoute GET /x/:a /y\nMastraRoute GET /x/:b /z", qr/GET \/x\/:b: there twice/],
    ['MastraRoute GET /x /x', qr/its target is the route itself/],
    ['MastraRoute GET /x/* /x/y?z', qr/its target is the route itself/],
    ['MastraMiddleware /a /b', qr/takes path= and a target/],
    ['MastraMiddleware path=x /b', qr/a path is like/],
    ['MastraMiddleware agent:plain', qr/a target is a local path such as \S+ or provider:NAME/],
    ['MastraMiddleware /api/agents', qr/below the prefix of the API, where it would ask itself/],
    ['MastraMiddleware provider:none', qr/no module offers "none"/],
    ['MastraOnError error.lua', qr/must be a local path/],
    ['MastraOnError /api/error', qr/below the prefix of the API/],
);
plan tests => 2 * @bad + 1;

for (@bad) {
    my ($conf, $words) = @$_;
    my ($status, $said) = Sample->new(conf => "$conf\n")->configtest;
    isnt $status, 0, $conf;
    like $said =~ s/\n/ /gr, $words, '... in plain words';
}
my ($status, $said) = Sample->new(conf => <<'END')->configtest;
MastraApiPrefix /mastra
MastraRoute GET /api/x /y
MastraRoute ALL /x/* /z?a=b
MastraRoute GET /x/*/y /z
MastraRoute POST /x/:a_b agent:plain as=text auth=on
MastraMiddleware path=* /z
MastraMiddleware path=/mastra/agents/:id/* provider:ring
MastraOnError None
END
is $status, 0, 'what is right' or diag $said;
