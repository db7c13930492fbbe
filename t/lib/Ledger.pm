# A server whose workflows leave traces: a ledger in the database, written by sql tools, and one in a
# file, written by a uri tool that notes the key of each call. Another uri tool takes effect once for
# each key, and then waits at a gate: there a run can be held at any of its steps.
package Ledger;
use strict;
use warnings FATAL => 'all';

use parent 'MastraHttpd';
use Fcntl qw(F_SETLKW F_WRLCK SEEK_SET);
use JSON::PP ();
use MastraTest ();
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->canonical;

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}

our $step_in = { type => 'object', properties => { run => { type => 'string' }, step => { type => 'integer' } },
    required => ['run', 'step'] };

sub tool {
    my ($self, $id, %definition) = @_;
    write_file("$self->{project}/tools/$id.json", $json->encode({ id => $id, description => $id, %definition }));
}

sub sql {
    my ($self, $id, $statement, $params, $result, %more) = @_;
    $self->tool($id, %more, execute => { kind => 'sql', statement => $statement, params => $params, result => $result });
}

sub agent {
    my ($self, $id, %definition) = @_;
    mkdir $_ for "$self->{project}/agents", "$self->{project}/agents/$id";
    write_file("$self->{project}/agents/$id/agent.json", $json->encode({ name => $id, instructions => 'Do it.',
        model => 'mock/echo', %definition }));
}

sub workflow {
    my ($self, $id, @graph) = @_;
    write_file("$self->{project}/workflows/$id.json", $json->encode({ id => $id,
        inputSchema => { type => 'object' }, outputSchema => { type => 'object' }, graph => \@graph }));
}

# Each step writes its number: mapping, tool, mapping, tool, ...
sub chain {
    my ($tool, $n) = @_;
    return map { ({ type => 'mapping', id => "m$_", mapConfig => $json->encode({
        run => { template => '${initData.run}' }, step => { value => $_ } }) },
        { type => 'tool', id => "s$_", toolId => $tool }) } 1 .. $n;
}

# Each step waits at its gate, then writes its number: mapping, gate, tool, mapping, gate, tool, ...
sub held_chain {
    my ($tool, $n) = @_;
    my @made = chain('hold', $n);
    return @made if !$tool;
    return map { ($made[2 * $_ - 2], { %{ $made[2 * $_ - 1] }, id => "h$_" },
        { type => 'tool', id => "s$_", toolId => $tool }) } 1 .. $n;
}

# An agent whose model calls the tool, in each step.
sub agent_chain {
    my ($tool, $n) = @_;
    return map { ({ type => 'mapping', id => "m$_", mapConfig => $json->encode({
        prompt => { template => qq(CALL:$tool:{"run":"\${initData.run}","step":$_}) } }) },
        { type => 'agent', id => "a$_", agentId => 'caller' }) } 1 .. $n;
}

# What runs of agents are killed on: several children, a model (Upstream) that is asked as "up".
sub with_model {
    my ($up, $lease) = @_;
    return (env => { MASTRA_TEST_KEY => 'sk-test' },
        conf => "MastraRunLease $lease\nKeepAlive Off\n"
            . "MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY retries=0\n",
        limits => MastraTest::mpm() eq 'prefork'
            ? "StartServers 8\nMinSpareServers 6\nMaxSpareServers 12\nMaxRequestWorkers 24\n"
            : "StartServers 3\nServerLimit 3\nMinSpareThreads 1\nMaxSpareThreads 90\nThreadsPerChild 30\n"
            . "MaxRequestWorkers 90\n");
}

# start(steps => 20, conf => TEXT, ...)
sub start {
    my $self = shift->prepare(@_);
    $self->up;
    $self->api_post('/tools/make/execute', { data => {} });
    return $self;
}

sub prepare {
    my ($class, %opt) = @_;
    my $steps = $opt{steps} || 20;
    my $setup = delete $opt{setup};
    my $conf  = delete $opt{conf} // '';
    my $self  = $class->new(%opt, conf => '');
    $self->{project} = "$self->{dir}/state/project";
    mkdir $_ for $self->{project}, map { "$self->{project}/$_" } qw(tools workflows);
    $self->sql('make', 'CREATE TABLE IF NOT EXISTS t_ledger (run VARCHAR(255), step INTEGER)', [], 'value');
    $self->sql('write', 'INSERT INTO t_ledger (run, step) VALUES (?, CAST(? AS INTEGER))', ['run', 'step'], 'row',
        inputSchema => $step_in);
    $self->sql('read', 'SELECT step, count(*) AS n FROM t_ledger WHERE run = ? GROUP BY step ORDER BY step',
        ['run'], 'rows');
    $self->tool('note', inputSchema => $step_in, execute => { kind => 'uri', uri => '/tools/ledger.lua' });
    $self->tool('fail', inputSchema => $step_in, execute => { kind => 'uri', uri => '/tools/ledger.lua?fail=1' });
    $self->workflow('sql-chain', chain('write', $steps));
    $self->workflow('uri-chain', chain('note', $steps));
    $self->workflow('retry-chain', { type => 'mapping', id => 'm', mapConfig => $json->encode({
        run => { template => '${initData.run}' }, step => { value => 1 } }) },
        { type => 'tool', id => 'f', toolId => 'fail', options => { retries => 2 } });
    $self->workflow('nap', { type => 'sleep', id => 'z', duration => 3000 }, chain('write', 1));
    $self->tool('slow', inputSchema => $step_in, execute => { kind => 'uri', uri => '/tools/ledger.lua?slow=1' });
    $self->tool('hold', inputSchema => $step_in, execute => { kind => 'uri', uri => '/tools/gate.lua' });
    $self->sql('owners', "SELECT id, owner FROM mastra_x_runs WHERE status = 'running'", [], 'rows');
    $self->workflow('sql-held', held_chain('write', $steps));
    $self->workflow('uri-held', held_chain(undef, $steps));
    $self->agent('caller', tools => ['hold']);
    $self->workflow('agent-held', agent_chain('hold', $steps));
    $setup->($self) if $setup;
    mkdir "$self->{dir}/scripts";
    $self->{traces} //= "$self->{dir}/state";
    mkdir "$self->{traces}/$_" and chmod 0777, "$self->{traces}/$_" for qw(effects gates);
    write_file("$self->{dir}/scripts/ledger.lua", $self->script);
    write_file("$self->{dir}/scripts/gate.lua", $self->gate_script);
    chmod 0755, "$self->{dir}/scripts";
    $self->write_conf(<<"END" . $conf);
MastraEngine On
MastraProject "\@state\@/project"
MastraModelProvider mock mock
Alias "/tools/" "\@dir\@/scripts/"
<Directory "\@dir\@/scripts">
    Require all granted
</Directory>
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
END
    return $self;
}

# One line for each call, written at once: key, run, step.
sub script {
    my $self = shift;
    return <<"END";
local json = require 'cjson'
function handle(r)
    local body = r:requestbody()
    local input = json.decode(body)
    local file = io.open('$self->{traces}/ledger', 'a')
    file:setvbuf('full')
    file:write(r.headers_in['Idempotency-Key'], ' ', input.run, ' ', input.step, '\\n')
    file:close()
    if r.args and r.args:find('slow') then
        r.usleep(400000)
    end
    r.content_type = 'application/json'
    if r.args and r.args:find('fail') then
        r.status = 500
        r:puts('{"error":"not yet"}')
    else
        r:puts(json.encode({ run = input.run, step = input.step }))
    end
    return apache2.OK
end
END
}

# An effect is a folder, which is made once, whoever asks for it again. A call that comes in is noted,
# with the process that has it, and one that goes out.
sub gate_script {
    my $self = shift;
    return <<"END";
local json = require 'cjson'
local dir = '$self->{traces}/'
local function note(name, text)
    local file = io.open(dir .. name, 'a')
    file:setvbuf('full')
    file:write(text, '\\n')
    file:close()
end
local function process()
    local file = io.open('/proc/self/stat', 'r')
    local pid = file:read('n')
    file:close()
    return ' ' .. pid
end
local function held(run)
    local file = io.open(dir .. 'gates/' .. run, 'r')
    local text = file and file:read('a') or ''
    if file then
        file:close()
    end
    return tonumber(text)
end
function handle(r)
    local body = r:requestbody()
    local input = json.decode(body)
    local key = r.headers_in['Idempotency-Key']
    local line = string.format('%s %s %d', key, input.run, input.step)
    r:mkdir(dir .. 'effects/' .. line:gsub('/', '_'):gsub(' ', '~'))
    note('ledger', line .. process())
    for i = 1, 3000 do
        if held(input.run) ~= input.step then
            break
        end
        r.usleep(20000)
    end
    note('passed', line)
    r.content_type = 'application/json'
    r:puts(json.encode({ run = input.run, step = input.step }))
    return apache2.OK
end
END
}

# The gate of a run's step is closed; none is.
sub hold {
    my ($self, $run, $step) = @_;
    my $gate = "$self->{traces}/gates/$run";
    write_file("$gate-new", $step);
    rename "$gate-new", $gate or die "$gate: $!";
}

sub open_gates { my ($self, @runs) = @_; unlink map { "$self->{traces}/gates/$_" } @runs }

# {step => how often} of a run, by the folders
sub effects {
    my ($self, $run) = @_;
    my %count;
    for (glob "$self->{traces}/effects/*~$run~*") {
        $count{$1}++ if /~(\d+)$/;
    }
    return \%count;
}

# How often a run's step has come to its gate, or has gone through.
sub calls {
    my ($self, $run, $step, $file) = @_;
    return scalar grep { $_->[1] == $step } $self->noted($run, $file);
}

# {run => process} of the runs that go on. A child that is being killed may still take the question.
sub owners {
    my $self = shift;
    my ($rows, $why);
    MastraTest::wait_for(sub {
        my $answer = eval { $self->api_post('/tools/owners/execute', { data => {} }, timeout => 10) };
        $why  = $answer ? "$answer->{status} $answer->{body}" : $@;
        $rows = $answer->{json} if $answer && $answer->{status} == 200;
    }, 30) or die "owners: $why";
    return { map { $_->{id} => $_->{owner} =~ /\.(\d+)-/ ? $1 : 0 } @$rows };
}

# As MastraHttpd's, for a project without agents.
sub freeze {
    my ($self, $pid) = @_;
    for (1 .. 20) {
        kill STOP => $pid;
        my $answer = eval { $self->api_post('/tools/write/execute', { data => { run => 'freeze', step => 1 } },
            timeout => 2) };
        return if $answer && $answer->{status} == 200;
        kill CONT => $pid;
        # time to be done with what it had begun, and to begin something else
        sleep 0.1 + rand 0.4;
    }
    die "process $pid always has the database's lock";
}

# Whatever wants to write to the database, on PostgreSQL to the table of runs or another one, waits
# while the code runs: for less than five seconds.
sub while_locked {
    my ($self, $code, $table) = @_;
    $table //= 'mastra_x_runs';
    if ($self->{params}) {
        open my $psql, '|-', 'psql', $self->{params}, '-X', '-q', '-o', '/dev/null' or die "psql: $!";
        $psql->autoflush(1);
        print $psql "BEGIN; LOCK TABLE $table IN EXCLUSIVE MODE;\n";
        MastraTest::wait_for(sub { Postgres::psql($self->{params}, 'SELECT 1 FROM pg_locks WHERE granted '
            . "AND mode = 'ExclusiveLock' AND relation = '$table'::regclass") }, 10);
        my @said = $code->();
        # processes that the code has made have this end of the pipe, too
        print $psql "ROLLBACK;\n\\q\n";
        close $psql;
        return @said;
    }
    # the byte that store/lock.c locks
    open my $file, '+<', $self->database_file . '-mastra-lock' or die "lock: $!";
    my $range = pack 's s x4 q q l x4', F_WRLCK, SEEK_SET, 0, 1, 0;
    fcntl $file, F_SETLKW, $range or die "lock: $!";
    my @said = $code->();
    close $file;
    return @said;
}

# {step => how often} of a run, by the database
sub written {
    my ($self, $run) = @_;
    my $rows = $self->api_post('/tools/read/execute', { data => { run => $run } })->{json};
    return { map { $_->{step} => $_->{n} } @$rows };
}

# the calls of a run, by the file: [key, step, process]
sub noted {
    my ($self, $run, $file) = @_;
    open my $fh, '<', "$self->{traces}/" . ($file // 'ledger') or return;
    return map { my ($key, $of, $step, $pid) = split; $of eq $run ? [$key, $step, $pid] : () } <$fh>;
}

sub view {
    my ($self, $workflow, $run) = @_;
    return eval { $self->api_get("/workflows/$workflow/runs/$run")->{json} } || {};
}

sub begin {
    my ($self, $workflow, $run) = @_;
    $self->api_post("/workflows/$workflow/create-run?runId=$run", {});
    return $self->api_post("/workflows/$workflow/start?runId=$run", { inputData => { run => $run } });
}

sub wait_end {
    my ($self, $workflow, $run, $seconds) = @_;
    my $view;
    MastraTest::wait_for(sub { $view = $self->view($workflow, $run);
        ($view->{status} // '') =~ /success|failed|canceled/ }, $seconds // 30);
    return $view;
}

1;
