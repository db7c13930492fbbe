# What belongs to one user is nobody else's: every route of the server is walked as another user.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Token;

my $secret = 'a secret that has more than 32 bytes';
my $server = MastraHttpd->start(name => 'ownership', env => { T_SECRET => $secret },
    conf => <<'END');
LogLevel mastra:trace1
MastraEngine On
MastraProject "@top@/conf/demo"
MastraModelProvider mock mock
MastraAuth jwt secret=env:T_SECRET
MastraAuthOwner sub
Alias "/tools/" "@top@/conf/demo/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
END

my %headers = map { $_ => bearer(token({ sub => $_ }, $secret)) } qw(one two);
my $mark    = 'only-for-the-eyes-of-one';

sub as {
    my ($user, $method, $path, @rest) = @_;
    return $server->request($method, "/api$path", headers => [@{ $headers{$user} || [] }], @rest);
}

# --- what one has ----------------------------------------------------------------

my $made = as(one => POST => '/memory/threads?agentId=weather-agent',
    json => { resourceId => 'two', threadId => 'thread-1', title => $mark });
is $made->{json}{resourceId}, 'one', 'a thread belongs to who made it, whatever the request says';
my $said = as(one => POST => '/agents/weather-agent/generate',
    json => { messages => $mark, memory => { thread => 'thread-1', resource => 'two' } });
is $said->{status}, 200, 'its owner talks in it';
my $asked = as(one => POST => '/agents/weather-agent/generate', json => {
    messages => 'delete x', runId => 'run-1', memory => { thread => 'thread-1', resource => 'one' } });
my $call = $asked->{json}{suspendPayload}{toolCallId};
ok $call, 'a run of one waits for a decision' or diag $asked->{body};

sub messages_of_one {
    return as(one => GET => '/memory/threads/thread-1/messages?agentId=weather-agent')->{json}{messages};
}
my $before = messages_of_one();
cmp_ok scalar @$before, '>=', 2, 'messages of one';

# --- the walk --------------------------------------------------------------------

my @routes = map { /route (\S+) (\S+) needs (.+), is about (.+)$/ ? [$1, $2, $3, $4] : () }
    split /\n/, $server->log;
cmp_ok scalar @routes, '>', 30, 'the server tells its routes: ' . @routes;

my %value = (agentId => 'weather-agent', threadId => 'thread-1', runId => 'run-1', toolId => 'weather-tool');
my $query = 'agentId=weather-agent&threadId=thread-1&resourceId=one&runId=run-1&searchQuery=x&perPage=50';
my %body  = (
    messages => [{ role => 'user', content => 'changed', threadId => 'thread-1', resourceId => 'one',
        id => 'm-1', createdAt => '2026-01-01T00:00:00.000Z', type => 'text' }],
    memory => { thread => 'thread-1', resource => 'one' }, threadId => 'thread-1', resourceId => 'one',
    runId => 'run-1', toolCallId => $call, resumeData => { approved => true }, title => 'changed',
    metadata => {}, messageIds => [map { $_->{id} } @$before], data => { city => 'Rome' },
    workingMemory => 'changed', newResourceId => 'two', targetResourceId => 'two', newThreadId => 'thread-2',
    agentId => 'weather-agent', email => 'a@b.cc', password => 'x', code => 'x',
);

my $owned = 0;
for (sort { $a->[1] cmp $b->[1] || $a->[0] cmp $b->[0] } @routes) {
    my ($method, $path, $permission, $resource) = @$_;
    next if $path eq '/health';
    my $name = "$method $path";
    my $real = $path =~ s/:(\w+)/$value{$1} \/\/ 'x'/ger;
    my @body = $method eq 'GET' ? () : (json => { %body });
    if ($permission ne 'nothing') {
        is as(nobody => $method, "$real?$query", @body)->{status}, 401, "$name is closed to nobody";
    }
    my $answer = as(two => $method, "$real?$query", @body);
    unlike $answer->{body}, qr/\Q$mark\E/, "$name shows others nothing";
    cmp_ok $answer->{status}, '<', 500, '... and has an answer' unless $answer->{status} == 501;
    next if $resource eq 'no owner';
    $owned++;
    like $answer->{status}, qr/^40[34]$/, "... which is that $resource is somebody else's"
        or diag $answer->{body};
}
cmp_ok $owned, '>', 10, "$owned routes are about what somebody owns";

# --- nothing happened ------------------------------------------------------------

is_deeply messages_of_one(), $before, 'the messages of one are as they were';
is as(one => GET => '/memory/threads/thread-1?agentId=weather-agent')->{json}{title}, $mark,
    '... the thread, too';
is as(one => GET => '/agents/weather-agent/suspended-runs')->{json}{total}, 1,
    '... and the run waits';
is as(two => GET => '/agents/weather-agent/suspended-runs?resourceId=one')->{json}{total}, 0,
    'others have none';
my $list = as(two => GET => '/memory/threads?agentId=weather-agent&resourceId=one')->{json};
is_deeply [grep { $_->{resourceId} ne 'two' } @{ $list->{threads} }], [], 'a list is of what is one\'s own';
is as(one => POST => '/agents/weather-agent/approve-tool-call-generate',
    json => { runId => 'run-1', toolCallId => $call })->{status}, 200, 'one decides about it';

# --- what the contract says word by word -------------------------------------------

my $denied = '{"error":"Access denied: thread belongs to a different resource"}';
for my $case (['GET', '/memory/threads/thread-1?agentId=weather-agent'],
    ['GET', '/memory/threads/thread-1/messages?agentId=weather-agent'],
    ['DELETE', '/memory/threads/thread-1?agentId=weather-agent'],
    ['POST', '/agents/weather-agent/generate', json => { messages => 'x', memory => { thread =>
        'thread-1', resource => 'one' } }],
    ['POST', '/agents/weather-agent/stream', json => { messages => 'x', memory => { thread =>
        { id => 'thread-1' }, resource => 'one' } }]) {
    my ($method, $path, @body) = @$case;
    my $answer = as(two => $method, $path, @body);
    is "$answer->{status} $answer->{body}", "403 $denied", "$method $path";
}
is as(two => POST => '/agents/weather-agent/generate', json => { messages => 'x', memory => {
    thread => 'thread-of-two', resource => 'one' } })->{status}, 200, 'a new thread is one\'s own';
is as(two => GET => '/memory/threads/thread-of-two?agentId=weather-agent')->{json}{resourceId}, 'two',
    '... whatever resource the request names';

# --- claims ----------------------------------------------------------------------

for my $claims ({ name => 'no subject' }, { sub => '' }, { sub => ['one'] }, { sub => true },
    { sub => { x => 1 } }, { sub => undef }) {
    my $answer = $server->api_get('/memory/threads?agentId=weather-agent',
        headers => bearer(token($claims, $secret)));
    is "$answer->{status} $answer->{body}", '403 {"error":"Access denied"}',
        'a claim that names nothing: ' . JSON::PP->new->canonical->encode($claims);
}
my $number = $server->api_post('/memory/threads?agentId=weather-agent', { resourceId => 'x' },
    headers => bearer(token({ sub => 7 }, $secret)));
is $number->{json}{resourceId}, '7', 'a number is a name, too';

done_testing;
