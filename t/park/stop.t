# A child that is told to stop: open answers go on up to a limit, then they are ended with a
# good-bye or cut; the log says how many. Told to leave at once, it leaves.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;
use Time::HiRes qw(sleep time);

my @ways = mpm() eq 'event' ? qw(park suspend block) : qw(block);
plan tests => 18 * @ways;

for my $way (@ways) {
    my $says = sub { "$way: $_[0]" };

    # --- a graceful restart, answers shorter than the limit
    my $httpd  = Exchange->start(hold => $way, stop => 60);
    my @before = $httpd->children;
    my @open   = map { $httpd->ask('/x?n=10&ms=500') } 1 .. 3;
    $_->read_head for @open;
    $httpd->graceful;
    sleep 0.7;
    is eval { $httpd->request(GET => '/x?n=1&ms=10')->{status} }, 200,
        $says->('during a graceful restart new requests are answered');
    is join(' ', map { scalar $_->frames } @open), '11 11 11', $says->('... and old ones to their end');
    ok !grep({ $_->cut } @open), $says->('... whole');
    ok $httpd->replaced(\@before, 10), $says->('... then the old children leave');
    my $n = () = $httpd->log =~ /is stopping: \d+ answers? may go on for 60 seconds/g;
    ok $n, $says->('... having said what was open');
    my $whole = 0;
    my $log   = $httpd->log;
    $whole += $1 while $log =~ /stopped answering: (\d+) answers? were completed, 0 .* 0 cut/g;
    is $whole, 3, $says->('... and how it ended');

    # --- a graceful stop
    my $last = $httpd->ask('/x?n=5&ms=100');
    $last->read_head;
    $httpd->graceful_stop;
    is scalar(my @rest = $last->frames), 6, $says->('a graceful stop lets an answer end');
    is $httpd->wait_exit(10), 0, $says->('... and stops');
    $httpd->stop;

    # --- answers longer than the limit
    $httpd  = Exchange->start(hold => $way, stop => 1);
    @before = $httpd->children;
    my $polite = $httpd->ask('/x?n=1000&ms=100');
    my $mute   = $httpd->ask('/x?n=1000&ms=100&mute=1');
    my $idle   = $httpd->ask('/x?n=0&never=1');
    $_->read_head for $polite, $mute, $idle;
    my $start = time;
    $httpd->graceful;
    my @frames = $polite->frames;
    like $frames[-1]{data}, qr/stopping/, $says->('at the limit an answer says good-bye');
    ok !$polite->cut, $says->('... and ends');
    ok time - $start < 50, $says->('... in time');
    $mute->frames;
    ok $mute->cut, $says->('what has no good-bye is cut');
    like join('', map { $_->{data} } $idle->frames), qr/stopping/, $says->('so are the silent');
    ok $httpd->replaced(\@before, 10), $says->('the old children leave');
    my ($bye, $cut) = (0, 0);
    $log = $httpd->log;
    ($bye, $cut) = ($bye + $1, $cut + $2)
        while $log =~ /(\d+) ended early with a good-bye, (\d+) cut/g;
    is "$bye $cut", '2 1', $says->('the log has the sums');
    is $httpd->request(GET => '/x?n=1&ms=10')->{status}, 200, $says->('and all goes on');
    $httpd->stop;

    # --- at once
    $httpd = Exchange->start(hold => $way);
    @open  = map { $httpd->ask('/x?n=100000&ms=20&size=2000') } 1 .. 4;
    $open[$_]->read_head for 0 .. 2;
    $start = time;
    kill TERM => $httpd->pid;
    is $httpd->wait_exit(10), 0, $says->('told to leave at once, it leaves');
    ok time - $start < 50, $says->('... at once');
    $httpd->stop;
}
