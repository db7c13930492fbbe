# A server whose workflows leave traces: a ledger in the database, written by sql tools, and one in a
# file, written by a uri tool that notes the key of each call.
package Ledger;
use strict;
use warnings FATAL => 'all';

use parent 'MastraHttpd';
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

my $step_in = { type => 'object', properties => { run => { type => 'string' }, step => { type => 'integer' } },
    required => ['run', 'step'] };

sub tool {
    my ($self, $id, %definition) = @_;
    write_file("$self->{project}/tools/$id.json", $json->encode({ id => $id, description => $id, %definition }));
}

sub sql {
    my ($self, $id, $statement, $params, $result, %more) = @_;
    $self->tool($id, %more, execute => { kind => 'sql', statement => $statement, params => $params, result => $result });
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

# start(steps => 20, conf => TEXT, ...)
sub start {
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
    $self->sql('size', 'SELECT count(*) AS steps, sum(length(record)) AS bytes FROM mastra_x_steps WHERE run = ?',
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
    $setup->($self) if $setup;
    mkdir "$self->{dir}/scripts";
    write_file("$self->{dir}/scripts/ledger.lua", $self->script);
    chmod 0755, "$self->{dir}/scripts";
    $self->write_conf(<<"END" . $conf);
MastraEngine On
MastraProject "\@state\@/project"
Alias "/tools/" "\@dir\@/scripts/"
<Directory "\@dir\@/scripts">
    Require all granted
</Directory>
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
END
    $self->up;
    $self->api_post('/tools/make/execute', { data => {} });
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
    local file = io.open('$self->{dir}/state/ledger', 'a')
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

# {step => how often} of a run, by the database
sub written {
    my ($self, $run) = @_;
    my $rows = $self->api_post('/tools/read/execute', { data => { run => $run } })->{json};
    return { map { $_->{step} => $_->{n} } @$rows };
}

# the calls of a run, by the file: [key, step]
sub noted {
    my ($self, $run) = @_;
    open my $fh, '<', "$self->{dir}/state/ledger" or return;
    return map { my ($key, $of, $step) = split; $of eq $run ? [$key, $step] : () } <$fh>;
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
