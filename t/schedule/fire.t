# Schedules fire by themselves: each time once among all children, whoever dies, and once for all that
# was missed.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 26;

my $json = JSON::PP->new->canonical;

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}

my $limits = mpm() eq 'prefork' ? "StartServers 4\nMinSpareServers 3\nMaxSpareServers 6\nMaxRequestWorkers 10\n"
    : "StartServers 3\nMinSpareThreads 10\nMaxSpareThreads 40\nThreadsPerChild 10\nMaxRequestWorkers 40\n";
my $httpd = Ledger->start(name => 'schedule', steps => 2, limits => $limits, setup => sub {
    my $self = shift;
    my $dir  = $self->{project};
    # the first may come before the table of the ledger
    $self->expect_log(qr/no such table|relation "t_ledger" does not exist/);
    mkdir "$dir/schedules";
    write_file("$dir/workflows/own.json", $json->encode({ id => 'own', inputSchema => { type => 'object' },
        outputSchema => { type => 'object' }, graph => [Ledger::chain('write', 1)],
        schedule => [
            { id => 'often', cron => '* * * * * *', inputData => { run => 'often' } },
            { id => 'never', cron => '0 0 0 1 1 * 2999', timezone => 'Asia/Tokyo', inputData => { run => 'never' } },
        ] }));
    write_file("$dir/schedules/yearly.json", $json->encode({ workflowId => 'own', cron => '0 0 1 1 *',
        timezone => 'Europe/Berlin', inputData => { run => 'yearly' }, metadata => { why => 'test' } }));
}, conf => <<'END');
MastraRunLease 2
# other servers of these tests have the same database
ServerName schedules.test
<MastraWorkflow contained>
    MastraInputSchema "{\"type\":\"object\"}"
    MastraOutputSchema "{\"type\":\"object\"}"
    MastraStep "{\"type\":\"sleep\",\"id\":\"z\",\"duration\":1}"
    MastraSchedule "0 4 * * 1-5" Europe/Berlin "input={\"a\":1}"
</MastraWorkflow>
END
$httpd->expect_log(qr/AH00052|AH00051|MA320\d|MA3009/);

sub schedule { return $httpd->api_get("/schedules/$_[0]")->{json} }
# a child that is just being killed may still take a request
sub triggers {
    my $id = shift;
    return wait_for(sub { my $answer = eval { $httpd->api_get("/schedules/$id/triggers?limit=1000") };
        return $answer && ref $answer->{json} && $answer->{json}{triggers} });
}
sub kill_children { kill KILL => $httpd->children }
sub distinct { my %seen; $seen{$_}++ for @_; return \%seen }

# --- what stands in definitions

ok wait_for(sub { schedule('wf_own__often')->{id} }, 10), 'a schedule of a definition is there';
is schedule('wf_own__never')->{timezone}, 'Asia/Tokyo', '... another one of it, too';
is schedule('wf_own__never')->{nextFireAt}, 32472111600000, '... with the time of its zone';
is schedule('schedule_yearly')->{metadata}{why}, 'test', '... one in a file of its own';
is schedule('wf_contained')->{cron}, '0 4 * * 1-5', '... one in a container';
is_deeply schedule('wf_contained')->{inputData}, { a => 1 }, '... with its input';

# --- each second, once

ok wait_for(sub { @{ triggers('wf_own__often') } >= 4 }, 20), 'it fires by itself';
my @fired = @{ triggers('wf_own__often') };
is_deeply [grep { $_ != 1 } values %{ distinct(map { $_->{scheduledFireAt} } @fired) }], [],
    '... each time once, although there are several children';
is_deeply distinct(map { "$_->{outcome} $_->{triggerKind}" } @fired), { 'published schedule-fire' => scalar @fired },
    '... as schedules do';
is scalar(grep { $_->{scheduledFireAt} % 1000 } @fired), 0, '... at the full second';
cmp_ok schedule('wf_own__often')->{lastFireAt}, '>=', $fired[0]{actualFireAt}, '... and is remembered';

# --- children that die

for (1 .. 6) {
    sleep 0.2 + rand 0.6;
    kill_children();
}
ok triggers('wf_own__often'), 'children come back';
my $count = @{ triggers('wf_own__often') };
ok wait_for(sub { @{ triggers('wf_own__often') } > $count + 1 }, 20), '... and it fires';
$httpd->request(POST => '/api/schedules/wf_own__often/pause', json => {});
sleep 1.5;
@fired = @{ triggers('wf_own__often') };
is_deeply [grep { $_ != 1 } values %{ distinct(map { $_->{runId} } @fired) }], [], 'no firing is there twice';
ok wait_for(sub {
    !grep { ($_->{run}{status} // 'lost') !~ /success|failed/ } @{ triggers('wf_own__often') };
}, 40), 'each has begun its run, and each run ends' or diag explain triggers('wf_own__often');
@fired = @{ triggers('wf_own__often') };
is_deeply $httpd->written('often'), { 1 => scalar grep { $_->{run}{status} eq 'success' } @fired }, '... and each has done its work once';
sleep 1.5;
is scalar @{ triggers('wf_own__often') }, scalar @fired, 'one that is paused does not fire';

# --- what was missed

my $paused_at = schedule('wf_own__often')->{nextFireAt};
$httpd->request(POST => '/api/schedules/wf_own__often/resume', json => {});
cmp_ok schedule('wf_own__often')->{nextFireAt}, '>', $paused_at, 'one that goes on starts from now';
wait_for(sub { @{ triggers('wf_own__often') } > @fired }, 10);
$httpd->kill_all;
sleep 4;
my $back = time * 1000;
$httpd->up;
ok wait_for(sub { (grep { $_->{scheduledFireAt} > $back } @{ triggers('wf_own__often') }) >= 2 }), 'the server comes back';
my @late = grep { $_->{actualFireAt} > $back && $_->{scheduledFireAt} < $back } @{ triggers('wf_own__often') };
is scalar @late, 1, 'what was missed meanwhile is made up for once' or diag explain \@late;

# --- a definition changes

$httpd->request(POST => '/api/schedules/wf_own__never/pause', json => {});
write_file("$httpd->{project}/workflows/own.json", $json->encode({ id => 'own', inputSchema => { type => 'object' },
    outputSchema => { type => 'object' }, graph => [Ledger::chain('write', 1)],
    schedule => [{ id => 'never', cron => '0 0 0 1 1 * 2998', timezone => 'Asia/Tokyo' }] }));
$httpd->graceful;
ok wait_for(sub { !schedule('wf_own__often')->{id} }, 15), 'a schedule that is taken out of a definition goes';
ok wait_for(sub { schedule('wf_own__never')->{cron} =~ /2998/ }, 15), 'one that is changed changes';
is schedule('wf_own__never')->{status}, 'paused', '... and stays paused';

# --- what is wrong

for (
    ['cron', { cron => '61 * * * *' }, qr/own\.json:\d+: "schedule\.cron": Invalid cron expression "61 \* \* \* \*"/],
    ['timezone', { cron => '1 * * * *', timezone => 'Mars/Base' },
        qr/own\.json:\d+: "schedule\.timezone": Invalid timezone "Mars\/Base"/],
    ['id', [{ cron => '1 * * * *' }], qr/own\.json:\d+: "schedule\.0\.id": each of several schedules needs an id/],
) {
    my ($what, $schedule, $error) = @$_;
    write_file("$httpd->{project}/workflows/own.json", $json->encode({ id => 'own',
        inputSchema => { type => 'object' }, outputSchema => { type => 'object' },
        graph => [Ledger::chain('write', 1)], schedule => $schedule }));
    my ($code, $said) = $httpd->configtest;
    like $said // $code, $error, "configtest names a wrong $what";
}
