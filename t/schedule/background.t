# Work in the background that other servers keep in the same database: listed, read, watched.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep);

plan tests => 18;

my $columns = 'id, tool_call_id, tool_name, agent_id, run_id, resource_id, status, args, retry_count, max_retries, '
    . 'timeout_ms, "createdAt"';
my $values = q{'c1', 'slow', 'a1', 'run-1', 'one', 'running', '{"x":1}', 0, 2, 1000};
my $httpd = Ledger->start(name => 'background', steps => 1, setup => sub {
    my $self = shift;
    $self->sql('put', "INSERT INTO mastra_background_tasks ($columns) VALUES ('t1', $values, "
        . q{'2026-01-01T00:00:00.000Z'), ('t2', } . "$values, '2026-01-02T00:00:00.000Z')", [], 'value');
    $self->sql('finish', q{UPDATE mastra_background_tasks SET status = 'completed', result = '{"y":2}' WHERE id = 't1'},
        [], 'value');
    $self->sql('again', q{UPDATE mastra_background_tasks SET status = 'running' WHERE id = 't1'}, [], 'value');
    $self->sql('clear', q{DELETE FROM mastra_background_tasks WHERE run_id = 'run-1'}, [], 'value');
});

sub ids { my $json = $httpd->api_get("/background-tasks?$_[0]")->{json};
    return join(' ', map { $_->{id} } @{ $json->{tasks} }) . " of $json->{total}" }
sub do_tool { return $httpd->api_post("/tools/$_[0]/execute", { data => {} }) }

do_tool('clear');
is ids('runId=run-1'), ' of 0', 'there is nothing';
is $httpd->api_get('/background-tasks/t1')->{status}, 404, 'one that is not there is not found';
is $httpd->api_get('/background-tasks/t1')->{json}{error}, 'Background task not found', '... and said so';
is do_tool('put')->{status}, 200, 'another server has two';
is ids('runId=run-1'), 't1 t2 of 2', 'they are listed';
is ids('runId=run-1&orderDirection=desc'), 't2 t1 of 2', '... the other way round';
is ids('runId=run-1&perPage=1&page=1'), 't2 of 2', '... by pages';
is ids('runId=run-1&perPage=1&page=9007199254740991'), ' of 2', '... that may be beyond the last';
is ids('runId=run-1&status=failed'), ' of 0', '... by status';
is ids('runId=run-1&fromDate=2026-01-01T12:00:00.000Z'), 't2 of 1', '... by date';
is ids('resourceId=two&runId=run-1'), ' of 0', '... by whose they are';
is $httpd->api_get('/background-tasks?status=lost')->{status}, 400, 'a status is one of those that there are';
my $task = $httpd->api_get('/background-tasks/t1')->{json};
is_deeply { map { $_ => $task->{$_} } qw(status toolName toolCallId args agentId runId createdAt retryCount) },
    { status => 'running', toolName => 'slow', toolCallId => 'c1', args => { x => 1 }, agentId => 'a1',
        runId => 'run-1', createdAt => '2026-01-01T00:00:00.000Z', retryCount => 0 }, 'one is read';

my $client = $httpd->stream('/background-tasks/stream?runId=run-1', undef, method => 'GET');
is $client->{head}{status}, 200, 'they are watched';
is $client->{head}{headers}{'content-type'}, 'text/event-stream', '... as events';
sleep 1;
do_tool('finish');
# what there is at its first look, which may come late, is no news: then it is done again
my $chunk = {};
for (1 .. 30) {
    while (my $frame = $client->next_frame(3)) {
        $chunk = JSON::PP::decode_json($frame->{data}) if ($frame->{data} // '') =~ /^\{/;
        last if ($chunk->{type} // '') =~ /completed/;
    }
    last if ($chunk->{type} // '') =~ /completed/;
    do_tool('again');
    sleep 1;
    do_tool('finish');
}
is $chunk->{type}, 'background-task-completed', 'a change is told';
is $chunk->{payload}{taskId}, 't1', '... with the task';
is_deeply $chunk->{payload}{result}, { y => 2 }, '... and its result';
$client->leave;
do_tool('clear');
