# Each permission opens the routes that need it and no others: every route of the server is asked
# for by a user of each role.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Token;

my $secret = 'a secret that has more than 32 bytes';
my $base   = <<'END';
LogLevel mastra:trace1
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
MastraAuth jwt secret=env:T_SECRET
END
my %env = (T_SECRET => $secret);

# The table, as a first server tells it.
my $server = MastraHttpd->start(name => 'walk', env => \%env, conf => $base);
my @routes = map { /route (\S+) (\S+) needs (.+), is about/ ? [$1, $2, $3] : () } split /\n/, $server->log;
my ($patterns) = $server->api_get('/auth/permission-patterns', headers => bearer(token({ sub => 'u' }, $secret)))
    ->{json}{patterns};
$server->stop;
cmp_ok scalar @routes, '>', 30, 'the server tells its routes: ' . @routes;

my @closed = grep { $_->[2] ne 'nothing' } @routes;
my %permissions = map { $_->[2] => 1 } @closed;
my %known = map { $_ => 1 } @$patterns;
is_deeply [grep { !$known{$_} } sort keys %permissions], [], 'each permission is one that clients can choose';

# A role for each permission, and one without any.
my %role = map { (s/:/-/r => $_) } keys %permissions;
$server = MastraHttpd->start(name => 'walk', env => \%env,
    conf => $base . join '', "MastraRole nothing\n", map { "MastraRole $_ $role{$_}\n" } sort keys %role);
my %headers = map { $_ => bearer(token({ sub => 'u', role => $_ }, $secret)) } 'nothing', keys %role;

my %value = (agentId => 'plain-agent', threadId => 'none', runId => 'none', toolId => 'add-one-tool');
my $query = 'agentId=weather-agent&threadId=none&resourceId=u&runId=none&searchQuery=x&offset=0';
my %body  = (messages => [], threadId => 'none', resourceId => 'u', runId => 'none', toolCallId => 'none',
    memory => { thread => 'none', resource => 'u' }, title => 'x', metadata => {}, messageIds => ['none'],
    data => { n => 1 }, workingMemory => 'x', newResourceId => 'u', targetResourceId => 'u', message => 'x',
    resumeData => {}, signal => { type => 'user', contents => 'x' }, approved => true, agentId => 'weather-agent',
    stepId => 'none', executionPath => [0], stepResults => {}, state => {}, requestContext => {},
    step => 'none', modelId => 'echo', provider => 'mock', reorderedModelIds => [], enabled => true, newThreadId => 'none');

# what a route's schema wants besides, or instead
my %special = (
    'POST /agents/:agentId/instructions/enhance' => { instructions => 'x', comment => 'x' },
    'POST /schedules' => { workflowId => 'none', cron => '0 0 1 1 *' },
    'POST /stored/workflows' => { id => 'none', inputSchema => {}, outputSchema => {}, graph => [] },
    'POST /workflows/events' => { event => { type => 'x', runId => 'none', id => 'x', data => {}, createdAt => '2026-01-01T00:00:00.000Z' } },
);

sub ask {
    my ($role, $method, $path) = @_;
    my $real = $path =~ s/:(\w+)/$value{$1} \/\/ 'none'/ger;
    my @body = $method eq 'GET' ? () : (json => $special{"$method $path"} // \%body);
    my @who  = defined $role ? (headers => [@{ $headers{$role} }]) : ();
    return $server->request($method, "/api$real?$query", @who, @body);
}

sub is_forbidden {
    my ($answer, $permission) = @_;
    return $answer->{status} == 403
        && $answer->{body} eq qq({"error":"Forbidden","message":"Missing required permission: $permission"});
}

for my $route (sort { $a->[1] cmp $b->[1] || $a->[0] cmp $b->[0] } @closed) {
    my ($method, $path, $permission) = @$route;
    my $name   = "$method $path";
    my $nobody = ask(undef, $method, $path);
    is "$nobody->{status} $nobody->{body}", '401 {"error":"Invalid or expired token"}', "$name asks who it is";
    my $answer = ask(nothing => $method, $path);
    ok is_forbidden($answer, $permission), "$name needs $permission" or diag "$answer->{status} $answer->{body}";
    my @others = grep { $role{$_} ne $permission } sort keys %role;
    my @opened = grep { !is_forbidden(ask($_, $method, $path), $permission) } @others;
    is "@opened", '', '... which no other role gives';
}

# the right one opens it; streams that go on are asked for by others
for my $route (grep { $_->[1] !~ m{/(?:stream|observe|subscribe|resume)} } @closed) {
    my ($method, $path, $permission) = @$route;
    my $answer = ask($permission =~ s/:/-/r, $method, $path);
    if ($path =~ m{^/auth/roles/}) {
        is $answer->{body}, '{"error":"Admin access required"}', "$method $path: only who may do everything";
        next;
    }
    isnt $answer->{status}, 403, "$permission opens $method $path" or diag $answer->{body};
}
$server->stop;
done_testing;
