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

# A stream that goes on until its client leaves: what comes within a second.
sub peek {
    my ($user, $path, $body, $method) = @_;
    my $client = $server->stream($path, $body, method => $method, headers => $headers{$user});
    my $seen = '';
    while (my $frame = eval { $client->next_frame(1) }) {
        $seen .= $frame->{data} // '';
    }
    $client->leave;
    return { status => $client->{head}{status}, body => $seen };
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

my $flow = as(one => POST => '/workflows/suspend-workflow/start-async?runId=run-w',
    json => { inputData => { reason => $mark }, resourceId => 'two' });
is $flow->{json}{status}, 'suspended', 'a workflow of one, too' or diag $flow->{body};

sub messages_of_one {
    return as(one => GET => '/memory/threads/thread-1/messages?agentId=weather-agent')->{json}{messages};
}
my $planned = as(one => POST => '/schedules', json => { id => 'walked', workflowId => 'suspend-workflow',
    cron => '0 0 1 1 *', inputData => { reason => $mark } });
is $planned->{json}{resourceId}, 'one', 'a schedule belongs to who made it';
is_deeply as(two => GET => '/schedules')->{json}, { schedules => [] }, '... and nobody else has any';
for (['GET', ''], ['GET', '/triggers'], ['PATCH', ''], ['DELETE', ''], ['POST', '/pause'], ['POST', '/run']) {
    is as(two => $_->[0], "/schedules/schedule_walked$_->[1]", $_->[0] eq 'GET' ? () : (json => {}))->{status}, 404,
        "... $_->[0] $_->[1] of others is not found";
}
is as(two => POST => '/schedules', json => { workflowId => 'suspend-workflow', cron => '0 0 1 1 *',
    resourceId => 'one' })->{status}, 403, '... and none is made for somebody else';
my $before = messages_of_one();
cmp_ok scalar @$before, '>=', 2, 'messages of one';

# --- the walk --------------------------------------------------------------------

my @routes = map { /route (\S+) (\S+) needs (.+), is about (.+)$/ ? [$1, $2, $3, $4] : () }
    split /\n/, $server->log;
cmp_ok scalar @routes, '>', 30, 'the server tells its routes: ' . @routes;

my %value = (agentId => 'weather-agent', threadId => 'thread-1', runId => 'run-1', toolId => 'weather-tool');
my $query = 'agentId=weather-agent&threadId=thread-1&resourceId=one&searchQuery=x&perPage=50&runId=';
my %body  = (
    messages => [{ role => 'user', content => 'changed', threadId => 'thread-1', resourceId => 'one',
        id => 'm-1', createdAt => '2026-01-01T00:00:00.000Z', type => 'text' }],
    memory => { thread => 'thread-1', resource => 'one' }, threadId => 'thread-1', resourceId => 'one',
    runId => 'run-1', toolCallId => $call, resumeData => { approved => true }, title => 'changed',
    metadata => {}, messageIds => [map { $_->{id} } @$before], data => { city => 'Rome' },
    workingMemory => 'changed', newResourceId => 'two', targetResourceId => 'two', newThreadId => 'thread-2',
    message => 'changed', signal => { type => 'user', contents => 'changed' }, approved => true,
    stepId => 'ask-human', executionPath => [0], stepResults => {}, state => {}, requestContext => {},
    step => 'ask-human', inputData => { reason => 'changed' }, agentId => 'weather-agent', email => 'a@b.cc', password => 'x', code => 'x',
);

my $owned = 0;
for (sort { $a->[1] cmp $b->[1] || $a->[0] cmp $b->[0] } @routes) {
    my ($method, $path, $permission, $resource) = @$_;
    next if $path eq '/health';
    my $name = "$method $path";
    my $run  = $path =~ m{^/workflows/} ? 'run-w' : 'run-1';
    my %here = (%value, workflowId => 'suspend-workflow', runId => $run);
    my $real = $path =~ s/:(\w+)/$here{$1} \/\/ 'x'/ger;
    my $query = $query . $run;
    my @body = $method eq 'GET' ? () : (json => { %body });
    if ($permission ne 'nothing') {
        is as(nobody => $method, "$real?$query", @body)->{status}, 401, "$name is closed to nobody";
    }
    my $answer = $path =~ m{/(?:threads/subscribe|observe|(?:resume-)?stream-until-idle)$|^/background-tasks/stream$}
        ? peek(two => "$real?$query", \%body, $method) : as(two => $method, "$real?$query", @body);
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
my $still = as(one => GET => '/workflows/suspend-workflow/runs/run-w')->{json};
is $still->{status}, 'suspended', '... and so is the run of the workflow' or diag explain $still;
is as(one => GET => '/workflows/suspend-workflow/runs')->{json}{total}, 1, '... which one has';
is as(two => GET => "/workflows/suspend-workflow/runs?resourceId=$_")->{json}{total}, 0, "... and not two, of $_"
    for 'one', 'two', '';
is as(one => GET => '/agents/weather-agent/suspended-runs')->{json}{total}, 1,
    '... and the run waits';
is as(two => GET => '/agents/weather-agent/suspended-runs?resourceId=one')->{json}{total}, 0,
    'others have none';
my $list = as(two => GET => '/memory/threads?agentId=weather-agent&resourceId=one')->{json};
is_deeply [grep { $_->{resourceId} ne 'two' } @{ $list->{threads} }], [], 'a list is of what is one\'s own';
as(one => POST => '/agents/weather-agent/generate', json => { messages => 'delete x', runId => 'run-2',
    memory => { thread => 'thread-1', resource => 'one' } });
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

is as(two => POST => '/workflows/suspend-workflow/resume-async?runId=run-w', json => { step => 'ask-human',
    resumeData => { approved => true } })->{body},
    '{"error":"Access denied: workflow run belongs to a different resource"}', 'a run of a workflow';
is as(one => POST => '/workflows/suspend-workflow/resume-async?runId=run-w', json => { step => 'ask-human',
    resumeData => { approved => true } })->{json}{status}, 'success', '... which its owner resumes';

for my $case (['send-message', message => 'x'], ['queue-message', message => 'x'],
    ['signals', signal => { type => 'user', contents => 'x' }]) {
    my ($path, %what) = @$case;
    is as(two => POST => "/agents/weather-agent/$path", json => { runId => 'run-2', %what })->{status},
        404, "$path to a run of somebody else's";
}

# --- messages by their ids ----------------------------------------------------------

as(two => POST => '/memory/threads?agentId=weather-agent', json => { threadId => 'of-two' });
as(two => POST => '/memory/save-messages?agentId=weather-agent', json => { messages => [{ role => 'user',
    content => 'mine', threadId => 'of-two', resourceId => 'two', id => 'mine-1', type => 'text',
    createdAt => '2026-01-01T00:00:00.000Z' }] });
my @foreign = map { $_->{id} } @$before;
my $ids     = join '&', map { "messageIds=$_" } @foreign;
my $include = JSON::PP::encode_json([map { { id => $_, threadId => 'thread-1', withPreviousMessages => 5,
    withNextMessages => 5 } } @foreign]);
$include =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge;
for my $path ('threads/of-two/messages', 'network/threads/of-two/messages') {
    for my $query ('perPage=50', $ids, "messageIds=" . join(',', @foreign), "include=$include",
        "include=$include&resourceId=one") {
        my $answer = as(two => GET => "/memory/$path?agentId=weather-agent&$query");
        unlike $answer->{body}, qr/\Q$mark\E/, "$path: nothing of others by " . substr $query, 0, 12;
    }
}
for my $options ({ messageFilter => { messageIds => \@foreign } }, {}) {
    my $answer = as(two => POST => '/memory/threads/of-two/clone?agentId=weather-agent',
        json => { options => $options });
    unlike $answer->{body}, qr/\Q$mark\E/, 'a clone takes nothing from others';
}
as(two => POST => '/memory/messages/delete?agentId=weather-agent', json => { messageIds => [@foreign, 'mine-1'] });
is_deeply [map { $_->{id} } @{ messages_of_one() }[0 .. $#foreign]], \@foreign, 'nor are messages of others deleted';
for my $body ({ role => 'user', content => 'x', threadId => 'of-two', resourceId => 'two', id => $foreign[0],
        type => 'text', createdAt => '2026-01-01T00:00:00.000Z' },
    { role => 'user', content => 'x', threadId => 'thread-1', resourceId => 'two', id => 'new', type => 'text',
        createdAt => '2026-01-01T00:00:00.000Z' }) {
    my $answer = as(two => POST => '/memory/save-messages?agentId=weather-agent', json => { messages => [$body] });
    like $answer->{status}, qr/^4/, "nor written: $body->{id}" =~ s/\Q$foreign[0]\E/theirs/r or diag $answer->{body};
}
is messages_of_one()->[0]{content}{content} // '', $before->[0]{content}{content} // '', '... and they are as they were';

# --- runs that go on -----------------------------------------------------------------

for my $memory ({}, { memory => { thread => 'thread-live', resource => 'one' } }) {
    my $run  = %$memory ? 'live-1' : 'live-2';
    my $name = %$memory ? 'in a thread' : 'without a thread';
    my $live = $server->stream('/agents/weather-agent/stream', { messages => "SLOW $mark a b c d e", runId => $run,
        %$memory }, headers => $headers{one});
    $live->next_frame for 1 .. 3;
    unlike peek(two => '/agents/weather-agent/observe', { runId => $run, offset => 0 })->{body}, qr/\Q$mark\E/,
        "a live run $name is watched by nobody else";
    for my $case (['threads/abort', runId => $run], ['threads/abort', threadId => 'thread-live', resourceId => 'one'],
        ['send-message', runId => $run, message => 'x'], ['signals', runId => $run,
            signal => { type => 'user', contents => 'x' }]) {
        my ($path, %body) = @$case;
        my $answer = as(two => POST => "/agents/weather-agent/$path", json => \%body);
        unlike $answer->{body}, qr/"(?:aborted|accepted)":true/, "... nor reached by $path" or diag $answer->{body};
    }
    my $refused = as(two => POST => '/agents/weather-agent/generate', json => { messages => 'x', runId => $run });
    unlike $refused->{body}, qr/\Q$mark\E/, '... nor taken over by its id';
    my @rest = $live->frames;
    is $rest[-1]{data}, '[DONE]', '... and comes to its end';
    ok scalar(grep { ref $_->{json} && $_->{json}{type} eq 'finish'
            && $_->{json}{payload}{stepResult}{reason} eq 'stop' } @rest), '... as one asked for it';
}

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
