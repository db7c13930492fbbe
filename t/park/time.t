# Timeout: an answer may take longer and be silent for longer; a client that takes nothing of
# what is sent may not.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;
use Time::HiRes qw(sleep time);

my @ways = mpm() eq 'event' ? qw(park suspend block) : qw(block);
plan tests => 7 * @ways;

for my $way (@ways) {
    my $says  = sub { "$way: $_[0]" };
    my $httpd = Exchange->start(hold => $way, conf => "Timeout 1\n");

    my $silent = $httpd->ask('/x?n=2&ms=3500&wait=100');
    my $chatty = $httpd->ask('/x?n=40&ms=100');
    is scalar(my @frames = $chatty->frames_after_head), 41, $says->('an answer outlives Timeout');
    is scalar(@frames = $silent->frames_after_head), 3, $says->('... also when it is silent');
    ok !$silent->cut && !$chatty->cut, $says->('... to its end');

    my $before = $httpd->counts;
    my $start  = time;
    my $stuck  = $httpd->ask('/x?n=20&ms=10&size=1000000&honour=1');
    ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }, 8),
        $says->('a client that takes nothing is left');
    ok time - $start > 0.9, $says->('... not before Timeout');
    $stuck->leave;

    ok $httpd->settled(10), $says->('what was begun is released');
    unlike $httpd->log, qr/MA403/, $says->('the MPM met no parked connection');
    $httpd->stop;
}

package MastraClient;

sub frames_after_head {
    my $self = shift;
    $self->read_head;
    return $self->frames;
}
