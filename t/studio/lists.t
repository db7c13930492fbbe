# What every page of Studio asks about things that no host has yet: the true answer is an empty
# list, in the form that it has on other servers.
use strict;
use warnings FATAL => 'all';

use MastraTest;
use Test::More;

my %page = (total => 0, page => 0, perPage => 10, hasMore => false);
for (
    ['/processors',                    {}],
    ['/scores/scorers',                {}],
    ['/scores/scorers/none',           undef],
    ['/scores/scorer/none',            { scores => [], pagination => \%page }],
    ['/scores/scorer/none?perPage=25', { scores => [], pagination => { %page, perPage => 25 } }],
    ['/mcp/v0/servers',                { servers => [], total_count => 0, next => undef }],
    ['/workspaces',                    { workspaces => [] }],
    ['/workspaces/none',               { isWorkspaceConfigured => false }],
    ['/experiments/review-summary',    { counts => [] }],
    ['/experiments',                   { experiments => [], pagination => \%page }],
    ['/experiments?page=2&perPage=100', { experiments => [], pagination => { %page, page => 2, perPage => 100 } }],
    ['/datasets',                      { datasets => [], pagination => \%page }],
    ['/editor/builder/settings',       { enabled => false, modelPolicy => { active => false } }],
    ['/editor/builder/models/available', { providers => [] }],
    ['/channels/platforms',            []],
    ['/tool-providers',                { providers => [] }],
    ['/schedules?workflowId=simple-workflow', { schedules => [] }],
    ['/agents/weather-agent/voice/speakers', []],
    ['/stored/agents/weather-agent/versions', { %page, perPage => 20, versions => [] }],
    ['/stored/prompt-blocks?perPage=50', { %page, perPage => 50, promptBlocks => [] }],
    ['/observability/feedback?reviewStatus=needs-review&page=0&perPage=1&field=timestamp&direction=DESC',
        { feedback => [], pagination => { %page, perPage => 1 } }],
    ['/observability/logs?timestamp=%7B%22start%22%3A%222026-11-21T01%3A44%3A56.198Z%22%7D',
        { logs => [], pagination => \%page }],
    ['/observability/scores?scorerId=a&scorerId=b', { scores => [], pagination => \%page }],
    ['/observability/discovery/entity-names?entityType=agent', { names => [] }],
    ['/observability/discovery/environments',  { environments => [] }],
    ['/observability/discovery/service-names', { serviceNames => [] }],
    ['/observability/discovery/tags',          { tags => [] }],
) {
    my ($path, $expected) = @$_;
    my $answer = api_get($path);
    is $answer->{status}, 200, "$path is there";
    is $answer->{headers}{'content-type'}, 'application/json', 'as JSON';
    is_deeply $answer->{json}, $expected, 'and empty';
}

for (
    ['/observability/feedback?page=x',         'page'],
    ['/observability/feedback?perPage=101',    'perPage'],
    ['/observability/feedback?reviewStatus=x', 'reviewStatus'],
    ['/observability/logs?level=loud',         'level'],
    ['/observability/discovery/tags?entityType=x', 'entityType'],
    ['/datasets?page=-1',                      'page'],
    ['/experiments?targetType=x',              'targetType'],
    ['/mcp/v0/servers?limit=1.5',              'limit'],
) {
    my ($path, $field) = @$_;
    my $answer = api_get($path);
    is $answer->{status}, 400, "$path is refused";
    is $answer->{json}{issues}[0]{field}, $field, 'for what is wrong with it';
}

is api_get('/agents/none/voice/speakers')->{status}, 404, 'an agent that is not there has none either';
is api_post('/datasets', {})->{status}, 405, 'lists are only read';

my $host = api_get('/system/packages')->{json};
is_deeply $host->{packages}, [], 'a host has no packages';
is $host->{storageType}, database(), 'and tells its storage';
ok !$host->{isDev} && !$host->{cmsEnabled} && !$host->{observabilityEnabled}, 'and what it cannot do';

my $time = { timeRange => { from => '2026-11-15T01:44:46.042Z', to => '2026-11-22T01:44:46.046Z' } };
for (
    [{},                               { traces => [], page => { next => undef } }],
    [{ page => { limit => 25, after => undef }, orderBy => [{ field => 'startedAt', direction => 'desc' }] },
        { traces => [], page => { next => undef } }],
    [{ pagination => { page => 1 } },  { traces => [], pagination => { %page, page => 1 } }],
    [{ group => { by => ['threadId'] } }, { groups => [], page => { next => undef } }],
    [{ mode => 'delta', limit => 5 },
        { traces => [], delta => { limit => 5, hasMore => false }, deltaCursor => '0' }],
) {
    my ($query, $expected) = @$_;
    is_deeply api_post('/observability/traces/query', { %$time, %$query })->{json}, $expected,
        'there are no traces: ' . join ' ', sort keys %$query;
}
is_deeply api_post('/observability/traces/query/fields', { %$time, predicateScope => 'trace' })->{json},
    { canonicalFields => [], observedFields => [], observedFieldsTruncated => false },
    'nor fields of them';
my $wrong = api_post('/observability/traces/query', {});
is $wrong->{status}, 422, 'a query needs a time';
is $wrong->{json}{code}, 'TRACE_QUERY_INVALID', 'and says so in its own way';

done_testing;
