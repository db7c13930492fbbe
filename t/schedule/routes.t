# Schedules as clients see them: made, listed, changed, paused, run by hand, looked back on, deleted.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 60;

my $id = "r$$";

sub settled {
    my $path = shift;
    my $seen;
    wait_for(sub {
        $seen = api_get("/schedules/$path/triggers")->{json}{triggers};
        return @$seen && ($seen->[0]{run}{status} // $seen->[0]{outcome}) =~ /^(?:success|failed|succeeded)$/;
    }, 15);
    return $seen;
}

# --- made

my $now    = int(time * 1000);
# hours away, so that nothing fires, and no day begins, while this runs
my $hour   = (gmtime $now / 1000 + 6 * 3600)[2];
my $answer = api_post('/schedules', { id => $id, workflowId => 'simple-workflow', inputData => { n => 1 },
    cron => "0 $hour * * *", timezone => 'UTC', metadata => { a => 1 } });
is $answer->{status}, 200, 'a schedule of a workflow is made';
my $made = $answer->{json};
is $made->{id}, "schedule_$id", '... under an id with a prefix';
is $made->{status}, 'active', '... active';
is $made->{nextFireAt}, (int($now / 3_600_000) + 6) * 3_600_000, '... for the next time that fits';
is_deeply { map { $_ => $made->{$_} } qw(workflowId cron timezone inputData requestContext metadata) },
    { workflowId => 'simple-workflow', cron => "0 $hour * * *", timezone => 'UTC', inputData => { n => 1 },
        requestContext => {}, metadata => { a => 1 } }, '... as it was asked for';
ok !exists $made->{$_}, "... without $_" for qw(lastFireAt lastRunId agentId);
cmp_ok abs($made->{createdAt} - $now), '<', 60_000, '... now';
is $made->{updatedAt}, $made->{createdAt}, '... and not changed';

$answer = api_post('/schedules', { id => $id, workflowId => 'simple-workflow', cron => '0 0 * * *' });
is $answer->{status}, 409, 'an id is taken once';
is $answer->{json}{error}, qq{schedules.create: a schedule with id "schedule_$id" already exists. }
    . 'Use update() to modify it or choose a different id.', '... and said so';

for (
    ['no such workflow', 404, 'Workflow "none" not found', { workflowId => 'none', cron => '* * * * *' }],
    ['no such agent', 404, 'Agent "none" not found', { agentId => 'none', prompt => 'x', cron => '* * * * *' }],
    ['no cron expression', 500, qq{Invalid cron expression "zzz": CronPattern: invalid configuration format }
        . q{('zzz'), exactly five, six, or seven space separated parts are required.},
        { workflowId => 'simple-workflow', cron => 'zzz' }],
    ['a day that never comes', 500, qr/^Cron expression "0 0 30 2 \*" has no future occurrence after 20/,
        { workflowId => 'simple-workflow', cron => '0 0 30 2 *' }],
    ['no such zone', 500, qr/^Invalid timezone "Mars\/Base": .*Mars\/Base/,
        { workflowId => 'simple-workflow', cron => '* * * * *', timezone => 'Mars/Base' }],
    ['a thread of nobody', 400, qr/threadId requires a resourceId/,
        { agentId => 'plain-agent', prompt => 'x', cron => '* * * * *', threadId => 't' }],
    ['a signal without a thread', 400, qr/signalType require a threadId/,
        { agentId => 'plain-agent', prompt => 'x', cron => '* * * * *', signalType => 'user' }],
    ['nothing', 400, 'Invalid request body', {}],
    ['both kinds', 400, 'Invalid request body',
        { agentId => 'plain-agent', workflowId => 'simple-workflow', prompt => 'x', cron => '* * * * *' }],
) {
    my ($what, $status, $error, $body) = @$_;
    $answer = api_post('/schedules', $body);
    is $answer->{status}, $status, "refused: $what";
    if (ref $error) {
        like $answer->{json}{error}, $error, '... and why';
    }
    else {
        is $answer->{json}{error}, $error, '... and why';
    }
}

# --- found

is_deeply api_get("/schedules/schedule_$id")->{json}, $made, 'it is found by its id';
is api_get('/schedules/none')->{json}{error}, 'Schedule not found', 'one that is not there is not found';
my $agent = api_post('/schedules', { id => "My_$id", agentId => 'plain-agent', prompt => 'ping', name => "n$id",
    cron => '@daily', timezone => 'Europe/Berlin' })->{json};
is $agent->{id}, "agent_my-$id", 'an agent\'s id is a word in lower case';
is $agent->{prompt}, 'ping', '... with its prompt';
is api_get("/schedules/my-$id")->{json}{id}, $agent->{id}, '... found without its prefix, too';
sub listed { return join ' ', map { $_->{id} } @{ api_get("/schedules?$_[0]")->{json}{schedules} } }
like listed(''), qr/schedule_$id .*$agent->{id}/, 'all are listed, in the order in which they were made';
is listed("name=n$id"), $agent->{id}, '... by name';
unlike listed('workflowId=simple-workflow'), qr/agent_/, '... by workflow';
unlike listed('agentId=plain-agent'), qr/schedule_/, '... by agent';

# --- changed

$answer = api_patch("/schedules/schedule_$id", { cron => "5 $hour * * *", inputData => { n => 5 } })->{json};
is $answer->{nextFireAt}, $made->{nextFireAt} + 300_000, 'another cron expression is another time';
is_deeply $answer->{inputData}, { n => 5 }, '... with other input';
is api_patch("/schedules/schedule_$id", { cron => '61 * * * *' })->{status}, 500, '... if it is one';
is api_patch("/schedules/schedule_$id", { prompt => 'x' })->{status}, 400, 'what only agents have is refused';
is api_post("/schedules/schedule_$id/pause", {})->{json}{status}, 'paused', 'it is paused';
like listed('status=paused'), qr/schedule_$id/, '... and listed as such';
is api_post("/schedules/schedule_$id/resume", {})->{json}{status}, 'active', '... and goes on';

# --- by hand

my $claim = api_post("/schedules/schedule_$id/run", {})->{json};
is $claim->{claimId}, "sched_schedule_${id}_$claim->{scheduledFireAt}", 'it is run by hand';
my $triggers = settled("schedule_$id");
is_deeply [map { $triggers->[0]{$_} } qw(runId outcome triggerKind)], [$claim->{claimId}, 'published', 'manual'],
    '... which is noted';
is $triggers->[0]{run}{status}, 'success', '... with how it ended';
is_deeply api_get("/workflows/simple-workflow/runs/$claim->{claimId}")->{json}{result}, { d => 12 },
    '... on the input of the schedule';
$claim = api_post("/schedules/$agent->{id}/run", {})->{json};
like $claim->{claimId}, qr/^manual_$agent->{id}_\d+$/, 'an agent is asked by hand';
$triggers = settled($agent->{id});
is $triggers->[0]{outcome}, 'succeeded', '... and answers';

# --- an agent in a thread

my $threaded = api_post('/schedules', { agentId => 'weather-agent', prompt => 'Anything new?', cron => '@daily',
    threadId => "t$id", resourceId => "u$id", signalType => 'notification' })->{json};
is $threaded->{threadId}, "t$id", 'an agent is asked in a thread';
api_post("/schedules/$threaded->{id}/run", {});
is api_get("/schedules/$threaded->{id}/triggers")->{json}{triggers}[0]{outcome}, 'delivered', '... which is noted';
my $messages;
ok wait_for(sub {
    $messages = api_get("/memory/threads/t$id/messages?agentId=weather-agent&resourceId=u$id")->{json}{messages};
    return $messages && @$messages >= 2;
}, 15), '... and it answers there';
like(JSON::PP->new->encode($messages), qr{Anything new}, '... to what the schedule says');
is api_patch("/schedules/$threaded->{id}", { prompt => 'And now?' })->{json}{prompt}, 'And now?', '... and may say else';
is api_delete("/schedules/$threaded->{id}")->{status}, 200, '... until it is deleted';

# --- gone

is_deeply api_delete("/schedules/schedule_$id")->{json}, { message => 'Schedule deleted' }, 'it is deleted';
is api_get("/schedules/schedule_$id")->{status}, 404, '... and not there any more';
api_delete("/schedules/$agent->{id}");
