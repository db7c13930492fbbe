# A process is stopped while it has runs, for longer than its lease: others go on with them, and what it
# would write when it wakes up is refused.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Ledger;
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 14;

my $steps = 20;
my $id    = "late-$$";
my %once  = map { $_ => 1 } 1 .. $steps;
my $httpd = Ledger->start(name => 'late', steps => $steps, conf => "MastraRunLease 3\nKeepAlive Off\n",
    limits => mpm() eq 'prefork' ? "StartServers 12\nMinSpareServers 8\nMaxSpareServers 16\nMaxRequestWorkers 24\n"
        : "StartServers 3\nMinSpareThreads 1\nMaxSpareThreads 75\nThreadsPerChild 25\nMaxRequestWorkers 75\n");
$httpd->expect_log(qr/MA320\d|MA30[234]/);

# at the beginning, in the middle, before the end; a child of prefork has one call at a time
my %at = map { ("$id-$_->[0]-$_->[1]" => { chain => $_->[0], step => $_->[1] }) }
    mpm() eq 'prefork' ? ['sql-held', 10] : map { (['sql-held', $_], ['uri-held', $_]) } 1, 10, 20;
for my $run (sort keys %at) {
    $httpd->hold($run, $at{$run}{step});
    $httpd->begin($at{$run}{chain}, $run);
}
ok wait_for(sub { !grep { !$httpd->calls($_, $at{$_}{step}) } keys %at }, 30), 'runs are at their steps';
# from here on who loses a run says so, also one that is held up before it is stopped
my $log    = -s $httpd->log_file;
my $before = $httpd->owners;
my %owner  = map { $before->{$_} => 1 } keys %at;
my @stopped = sort keys %owner;
# one that answers remains
my @children = $httpd->children;
pop @stopped if @stopped == @children;
my @meant = grep { my $run = $_; grep { $before->{$run} == $_ } @stopped } keys %at;
ok scalar(@meant), scalar(@meant) . ' of them in processes that are stopped';
$httpd->freeze($_) for @stopped;

ok wait_for(sub { my $now = $httpd->owners; !grep { $now->{$_} == $before->{$_} } @meant }, 40),
    '... have another owner when the lease is over';
ok wait_for(sub { !grep { $httpd->calls($_, $at{$_}{step}) < 2 } @meant }, 40), '... who does the step again';
# the late ones are let go before the others go on: both want to store the same step
kill CONT => @stopped;
$httpd->open_gates(keys %at);
my %ends;
$ends{ $httpd->wait_end($at{$_}{chain}, $_, 40)->{status} // 'lost' }++ for keys %at;
is_deeply \%ends, { success => scalar keys %at }, 'all come to their ends';
is_deeply [grep { keys %{ $httpd->effects($_) } != $steps } keys %at], [], '... no effect is lost';
is_deeply [grep { grep { $_ != 1 } values %{ $httpd->effects($_) } } keys %at], [], '... none is there twice';
is_deeply [grep { !eq_hash($httpd->written($_), \%once) } grep { /sql/ } keys %at], [],
    '... nor in the database';
ok wait_for(sub { (() = $httpd->log($log) =~ /MA320[15]/g) >= @meant }, 20),
    'each late one was told that the run is not its own any more';
my %now = map { $_ => 1 } $httpd->children;
is_deeply [grep { !$now{$_} } @stopped], [], '... and lives';

# --- who was told to cancel a run dies before it does

my $run = "$id-canceled";
$httpd->hold($run, 3);
$httpd->begin('uri-held', $run);
ok wait_for(sub { $httpd->calls($run, 3) }, 30), 'a run is at a step';
my $owner = $httpd->owners->{$run};
$httpd->freeze($owner);
my $said = wait_for(sub {
    my $answer = eval { $httpd->api_post("/workflows/uri-held/runs/$run/cancel", {}, timeout => 5) };
    return $answer && $answer->{status} }, 30);
like $said, qr/^(?:200|409)$/, '... and is cancelled, which its process does not hear of';
kill KILL => $owner;
$httpd->open_gates($run);
is $httpd->wait_end('uri-held', $run, 30)->{status}, 'canceled', '... whoever takes it up, cancels it';
sleep 0.5;
is $httpd->calls($run, 4), 0, '... and does nothing more';
$httpd->stop;
