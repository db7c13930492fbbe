# How much a run may come to: a step, all of its steps, what is shown of it. Runs beyond that end with
# a clear error, and the child that has them goes on, no larger than before.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Served;

plan tests => 17;

my $object = { type => 'object' };
my $threads = mpm() ne 'prefork';
my $httpd  = Served->start(name => 'size', conf => "MastraRunSize 4M\n",
    limits => $threads ? "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMinSpareThreads 1\n"
            . "MaxSpareThreads 8\nMaxRequestWorkers 8\n"
        : "StartServers 1\nServerLimit 1\nMinSpareServers 1\nMaxSpareServers 1\n"
            . "MaxRequestWorkers 1\n");
my @pids;
wait_for(sub { @pids = $httpd->children });
my $text = 'x' x 5000;
my $before;

sub map_ { my ($step, %map) = @_;
    return { type => 'mapping', id => $step, mapConfig => JSON::PP::encode_json(\%map) } }

sub store {
    my ($id, @graph) = @_;
    my $answer = $httpd->api_post('/stored/workflows', { id => $id, inputSchema => $object,
        outputSchema => $object, graph => \@graph });
    is $answer->{status}, 200, "$id is stored" or diag explain $answer->{json};
}

sub run {
    my ($id, $run) = @_;
    $httpd->api_post("/workflows/$id/start-async?runId=$run", { inputData => { s => $text } });
    return seen($id, $run);
}

# the answers of such runs are long: what matters is asked for
sub seen {
    my ($id, $run) = @_;
    my $seen = $httpd->api_get("/workflows/$id/runs/$run?fields=error")->{json};
    return [$seen->{status}, $seen->{error}{message}];
}

sub kilobytes {
    open my $fh, '<', "/proc/$pids[0]/status" or return 0;
    my ($held) = map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$fh>;
    return $held;
}

# a mapping of n times what it takes
sub copies { my ($step, $n, $what) = @_; return map_($step, map { ("k$_" => $what) } 1 .. $n) }
my $initial = { initData => JSON::PP::true, path => 's' };

# --- a step

store('many', copies('a', 10, $initial), copies('b', 100, { step => 'a', path => '.' }),
    copies('c', 100, { step => 'b', path => '.' }), map_('end', ok => { value => 1 }));
is_deeply run('many', 'many-1'), ['failed', 'The step has come to more than 524288 bytes'],
    'a step that comes to far too much fails the run';
store('long', map_('a', map { ("k$_" => { template => '${initData.s}' x 20 }) } 1 .. 50));
is_deeply run('long', 'long-1'), ['failed', 'the templates of a mapping became longer than 4 MiB'],
    'so do templates, all of them together';

# --- all steps, also those before it waited

store('fat', copies('big', 90, $initial));
my @fat = map { ({ type => 'workflow', id => "f$_", workflowId => 'fat' },
    map_("m$_", s => $initial, q => { value => 'sure?' })) } 1 .. 10;
store('full', @fat[0 .. 3], { type => 'tool', id => 'ask', toolId => 'net-ask' },
    map_('on', s => $initial), @fat[4 .. $#fat]);
is run('full', 'full-1')->[0], 'suspended', 'a run has come to much, and waits';
$httpd->api_post('/workflows/full/resume-async?runId=full-1', { resumeData => { answer => 'yes' } });
is_deeply seen('full', 'full-1'), ['failed', 'The steps of the run have come to more than 4194304 bytes'],
    '... and fails when it comes to too much in all';

# --- what is shown

store('thin', map_('end', ok => { value => 1 }));
store('shown', copies('big', 90, $initial), { type => 'parallel',
    steps => [map { +{ type => 'workflow', id => "w$_", workflowId => 'thin' } } 1 .. 10] });
is_deeply run('shown', 'shown-1'), ['failed', 'What is to be shown of the run is more than 4194304 bytes'],
    'a run fails that cannot be shown';
my $steps = $httpd->api_get('/workflows/shown/runs/shown-1')->{json}{steps};
is_deeply [$steps->{w3}{status}, exists $steps->{w3}{payload}], ['success', ''],
    '... and shows what became of its steps';
is $httpd->api_get('/workflows/shown/runs')->{json}{total}, 1, '... also in the list';
# memory that was needed once may be kept, for more of the same: the same again needs no more
my ($held, $rounds) = (kilobytes(), 0);
do {
    ($before, $rounds) = ($held, $rounds + 1);
    run('many', "many-$rounds-$_") for 1 .. 20;
    $held = kilobytes();
} while ($held > $before + 4 * 1024 && $rounds < 8);
cmp_ok $rounds, '<', 8, 'nothing of that is kept for good' or diag "$before kB, $held kB";

is run('thin', 'thin-1')->[0], 'success', 'the child goes on';
is_deeply [$httpd->children], \@pids, '... and is the same';
# what the runs have said is written: nothing is added to the log of the database any more
my ($size, $was) = (-1, -2);
wait_for(sub {
    sleep 1 if $size >= 0;
    ($was, $size) = ($size, -s(($httpd->database_file // '') . '-wal') // 0);
    return $was == $size;
});
$httpd->stop;
unlike $httpd->log, qr/\[mastra:(?:error|warn)\](?!.*MA(?:201|406))/, 'the log has no complaint';
