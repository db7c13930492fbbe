# What runs say is written in batches, and goes when it is old, as do the firings of schedules.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep time);
use Upstream;

plan tests => 17;

my $up    = Upstream->start(port => 0);
my $id    = "history-$$";
my $httpd = Ledger->start(name => 'history', env => { MASTRA_TEST_KEY => 'sk-test' }, conf => <<"END",
MastraEventHistory 1h
MastraScheduleHistory 3s
MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0
END
    setup => sub {
        my $self = shift;
        $self->sql('kept', 'SELECT log, count(*) AS n, sum(newest - seq + 1) AS frames FROM mastra_x_events '
            . 'WHERE ends = 0 GROUP BY log ORDER BY log', [], 'rows');
        mkdir "$self->{project}/agents";
        mkdir "$self->{project}/agents/teller";
        Ledger::write_file("$self->{project}/agents/teller/agent.json", JSON::PP::encode_json({ name => 'teller',
            instructions => 'x', model => 'up/mock-model', durable => JSON::PP::true, memory => JSON::PP::true }));
        Ledger::write_file("$self->{project}/workflows/tell.json", JSON::PP::encode_json({ id => 'tell',
            inputSchema => { type => 'object' }, outputSchema => { type => 'object' }, graph => [
                { type => 'mapping', id => 'm', mapConfig => '{"prompt":{"initData":true,"path":"q"}}' },
                { type => 'agent', id => 'say', agentId => 'teller' }] }));
        Ledger::write_file("$self->{project}/workflows/tick.json", JSON::PP::encode_json({ id => 'tick',
            inputSchema => { type => 'object' }, outputSchema => { type => 'object' },
            schedule => { cron => '* * * * * *' },
            graph => [{ type => 'sleep', id => 'z', duration => 1 }] }));
    });

# {log => [rows, frames]}
sub kept {
    my $rows = $httpd->api_post('/tools/kept/execute', { data => {} })->{json};
    return { map { $_->{log} => [$_->{n}, $_->{frames}] } @$rows };
}

# --- batched: a stream of 300 words

my $at   = time;
my $text = join ' ', 'PACE:8', map { "w$_" } 1 .. 300;
my $run  = $httpd->api_post("/workflows/tell/start-async?runId=$id-w", { inputData => { q => $text } })->{json};
my $took = time - $at;
is $run->{status}, 'success', 'a workflow says much';
my $rows;
ok wait_for(sub { $rows = kept()->{"w:$id-w:1"}; $rows && $rows->[1] > 300 }, 10), '... all of which is stored';
cmp_ok $rows->[0], '<=', $took * 10 + 3, '... in ten batches a second, at most';
note "$rows->[1] frames in $rows->[0] rows within $took s";
$at = time;
$httpd->api_post('/agents/teller/stream', { messages => $text, runId => "$id-a" });
$took = time - $at;
ok wait_for(sub { $rows = kept()->{"a:$id-a"}; $rows && $rows->[1] > 300 }, 10), 'so is what a durable agent says';
cmp_ok $rows->[0], '<=', $took * 10 + 4, '... in as few';
$at = time;
my $watch = $httpd->stream('/agents/teller/threads/subscribe', { threadId => "$id-t", resourceId => 'r' });
$httpd->api_post('/agents/teller/send-message', { threadId => "$id-t", resourceId => 'r', message => $text });
my $frame;
do { $frame = $watch->next_frame } until !$frame || (ref $frame->{json} && $frame->{json}{type} eq 'finish');
$took = time - $at;
ok $frame, 'a thread hears as much';
$watch->leave;
my ($log, $of) = ('');
ok wait_for(sub { my $all = kept(); ($log) = grep { /^a:/ && !/^a:\Q$id\E-a$/ && $all->{$_}[1] > 300 } keys %$all;
    $of = $all->{$log} if $log; $log }, 10), '... which is stored';
cmp_ok $of->[0], '<=', $took * 10 + 5, '... in as few';

# --- old

# only now: a run takes as long as the machine lets it, and must be there whole when it is looked at
$httpd->stop;
open my $conf, '<', $httpd->dir . '/httpd.conf' or die "httpd.conf: $!";
$text = join '', map { s/(?<=MastraEventHistory )1h/4s/r } <$conf>;
close $conf;
Ledger::write_file($httpd->dir . '/httpd.conf', $text);
$httpd->up;
ok wait_for(sub { my $all = kept(); !grep { /\Q$id\E/ || $_ eq $log } keys %$all }, 20),
    'what was said goes when it is old';
is $httpd->view('tell', "$id-w")->{status}, 'success', '... the run stays';
my $seen = $httpd->api_post("/workflows/tell/observe?runId=$id-w");
is $seen->{status}, 200, '... and who asks for it';
like $seen->{body}, qr/"type":"workflow-start".*"id":"say".*"workflowStatus":"success"/s, '... is told what it came to';
is $httpd->api_post('/agents/teller/recover', { runId => "$id-a" })->{status}, 404,
    'of a durable run nothing is left';
is scalar @{ $httpd->api_get("/memory/threads/$id-t/messages?agentId=teller")->{json}{messages} }, 2,
    '... but what its thread remembers';

# --- schedules

my %fired;
ok wait_for(sub { $fired{ $_->{scheduledFireAt} } = 1
    for @{ $httpd->api_get('/schedules/wf_tick/triggers?limit=1000')->{json}{triggers} };
    sleep 0.3; keys %fired >= 10 }, 40), 'a schedule fires many times';
my @left = @{ $httpd->api_get('/schedules/wf_tick/triggers?limit=1000')->{json}{triggers} };
cmp_ok scalar @left, '<', scalar keys %fired, '... old firings go';
cmp_ok scalar @left, '>', 0, '... the last are remembered';
$httpd->stop;
