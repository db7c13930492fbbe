# A second httpd starts, restarts, loses a child and stops.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;

plan tests => 11;

my $httpd = MastraHttpd->start(name => 'harness', conf => "MastraEngine On\n");
is $httpd->request(GET => '/health')->{status}, 200, 'it answers';
isnt $httpd->port, server_port(), '... on a port of its own';

my @before = $httpd->children;
ok scalar(@before), 'it has children';
$httpd->graceful;
ok $httpd->replaced(\@before), 'a graceful restart replaces them';
is $httpd->request(GET => '/health')->{status}, 200, '... and it answers again';

my ($child) = $httpd->children;
kill KILL => $child;
ok $httpd->replaced([$child]), 'a killed child is replaced';
ok wait_for(sub { (eval { $httpd->request(GET => '/health', timeout => 2) } || {})->{status} }),
    '... and the server goes on';

$httpd->graceful_stop;
is $httpd->wait_exit, 0, 'it stops when asked to';
$httpd->stop;

my $wrong = MastraHttpd->new(name => 'wrong', conf => "MastraEngine Perhaps\n");
my ($status, $said) = $wrong->configtest;
ok $status, 'a wrong value fails the test of the configuration';
like $said, qr/MastraEngine/, '... which names the directive';
ok !eval { $wrong->up; 1 }, '... and the server does not start with it';
