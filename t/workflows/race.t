# Several at once: resumes, cancels and starts of one run, in several processes; watching from others.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraClient;
use MastraTest;
use POSIX ();
use Time::HiRes qw(sleep time);

plan tests => 21;

my $id    = "race-$$";
# nobody dies here, so no lease is to end
my $httpd = Ledger->start(name => 'races', steps => 3, conf => "MastraRunLease 60\n",
    limits => mpm() eq 'prefork' ? "StartServers 6\nMinSpareServers 4\nMaxSpareServers 8\nMaxRequestWorkers 12\n"
        : "StartServers 3\nMinSpareThreads 10\nMaxSpareThreads 60\nThreadsPerChild 10\nMaxRequestWorkers 60\n",
    setup => sub {
        my $self = shift;
        $self->tool('ask', execute => { kind => 'human' });
        $self->workflow('asks', { type => 'tool', id => 'q', toolId => 'ask' }, Ledger::chain('note', 1));
        $self->workflow('slow', Ledger::chain('slow', 3));
        $self->workflow('long', Ledger::chain('slow', 30));
    });
$httpd->expect_log(qr/AH00052|AH00051|MA320\d|MA3009/);

# The statuses of the same request, asked at once by several.
sub at_once {
    my ($n, $path, $body) = @_;
    my @from;
    for (1 .. $n) {
        my $pid = open(my $fh, '-|') // die "fork: $!";
        if (!$pid) {
            my $status = eval { $httpd->api_post($path, $body)->{status} } || 0;
            syswrite STDOUT, "$status\n";
            POSIX::_exit(0);
        }
        push @from, $fh;
    }
    my @said = map { my $line = readline $_; close $_; chomp $line; $line } @from;
    return sort @said;
}

# True when a run of many steps does no more than the step that was on its way, while another one of
# the same length, which says how fast this machine is, does four.
sub stands_still {
    my ($run, $other) = @_;
    my ($calls, $from) = map { scalar(my @noted = $httpd->noted($_)) } $run, $other;
    wait_for(sub { $httpd->noted($other) >= $from + 4 }, 60) or return 0;
    my $now = () = $httpd->noted($run);
    diag "$run: $calls calls, then $now" if $now > $calls + 1;
    return $now <= $calls + 1;
}

sub calls_of { my ($run) = @_; return scalar(my @noted = $httpd->noted($run)) }

# --- resumes

my %count;
for my $round (1 .. 6) {
    my $run = "$id-resume-$round";
    $httpd->api_post("/workflows/asks/start-async?runId=$run", { inputData => { run => $run } });
    $count{$_}++ for at_once(5, "/workflows/asks/resume-async?runId=$run", { resumeData => { ok => true } });
    is calls_of($run), 1, "resume $round: what follows is done once";
}
is $count{200}, 6, 'of several resumes one is taken';
is $count{409}, 24, '... the others are told so';
ok $count{409}, '... that somebody was faster';

# --- starts

%count = ();
for my $round (1 .. 4) {
    my $run = "$id-start-$round";
    $httpd->api_post("/workflows/uri-held/create-run?runId=$run", {});
    # not over before all have asked: then it may be begun anew
    $httpd->hold($run, 1);
    $count{$_}++ for at_once(4, "/workflows/uri-held/start?runId=$run", { inputData => { run => $run } });
    $httpd->open_gates($run);
    $httpd->wait_end('uri-held', $run);
    $count{calls} += calls_of($run);
}
is_deeply \%count, { 200 => 4, 409 => 12, calls => 12 }, 'of several starts one is taken';

# --- cancels

my $run = "$id-cancel";
$httpd->begin('long', $_) for $run, "$run-other";
wait_for(sub { scalar $httpd->noted($run) }, 20);
my @said = at_once(4, "/workflows/long/runs/$run/cancel", {});
is $said[0], 200, 'a running run is cancelled';
my $view = $httpd->wait_end('long', $run);
is $view->{status}, 'canceled', '... whoever has it';
ok stands_still($run, "$run-other"), '... and does nothing more';
is $httpd->api_post("/workflows/long/resume?runId=$run", { resumeData => {} })->{status}, 409,
    '... nor can it be resumed';

# --- watching from other processes

$run = "$id-watch";
$httpd->begin('slow', $run);
my @watch = map { $httpd->stream("/workflows/slow/observe?runId=$run", undef, separator => "\x1e") } 1 .. 6;
my @seen  = map { [map { $_->{data} } $_->frames] } @watch;
is scalar(grep { $_->[-1] =~ /"workflow-finish"/ } @seen), 6, 'all who watch see the end';
is scalar(grep { "@$_" eq "@{ $seen[0] }" } @seen), 6, '... and the same';
is scalar(@{ $seen[0] }), 14, '... all of it';

# --- a run that is deleted while it goes on

$run = "$id-delete";
$httpd->begin('long', $_) for $run, "$run-other";
wait_for(sub { scalar $httpd->noted($run) }, 20);
is $httpd->request(DELETE => "/api/workflows/long/runs/$run")->{status}, 200, 'a running run is deleted';
is $httpd->api_get("/workflows/long/runs/$run")->{status}, 404, '... and gone';
ok stands_still($run, "$run-other"), '... and does not go on';
$httpd->request(DELETE => "/api/workflows/long/runs/$_-other") for "$id-cancel", "$id-delete";

# --- a graceful restart

$run = "$id-graceful";
$httpd->begin('slow', $run);
wait_for(sub { scalar $httpd->noted($run) }, 5);
$httpd->graceful;
$view = $httpd->wait_end('slow', $run, 20);
is $view->{status}, 'success', 'a run goes on over a graceful restart';
$httpd->stop;
