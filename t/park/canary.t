# An event MPM that does not come back to a parked connection is found out within a second: what
# is parked ends well, and nothing more is parked.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use File::Basename qw(dirname);
use MastraTest;
use Time::HiRes qw(time);

plan tests => 9, need { 'the event MPM alone parks' => sub { mpm() eq 'event' } };

my $blind = dirname($ENV{MODULE}) . '/mod_blind.so';
# the sanitizers' libraries have to come first
my $name  = $ENV{HTTPD} =~ /asan-httpd$/ ? 'PRELOAD' : 'LD_PRELOAD';
my $httpd = Exchange->start(mpm => 'event', env => { $name => $blind },
    conf => 'Timeout 120');
$httpd->expect_log('MA402');

# the answer has to be open still when the child looks, also when all of this is slow
my $client = $httpd->ask('/x?n=10&ms=500');
my $head   = $client->read_head;
ok !$head->{headers}{connection}, 'the first answer is parked';
is scalar(my @frames = $client->frames), 11, '... and comes whole';
ok $httpd->wait_log('MA402'), 'the child notices that the MPM is blind';
is $client->fill, 0, '... and ends the connection after the answer';
# httpd's Timeout would end it as well, later
ok time - $frames[-1]{at} < 60, '... by itself';

$client = $httpd->ask('/x?n=2&ms=50');
my $answer = $client->read_answer;
is $answer->{headers}{connection}, 'close', 'the next answer closes its connection';
is join(' ', Exchange::words($answer->{body})), '0 1', '... and is whole';
is scalar(() = $httpd->log =~ /MA402/g), 1, 'it is said once';
ok $httpd->settled(5), 'what was begun is released';
$httpd->stop;
