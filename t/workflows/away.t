# PostgreSQL is stopped, and killed, while runs go on: clear errors meanwhile, no child is lost, and
# afterwards each run goes on to its end.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Outage;
use Postgres;

plan tests => $Outage::CHECKS + 2, need { 'once is enough' => sub { database() eq 'sqlite3' && mpm() eq 'event' } };

my $pg = Postgres->start;
my $httpd = Outage::start(name => 'gone-pgsql', db => $pg->params);
my @pids = $httpd->children;
my $at   = begin('pg');
$pg->down;
$httpd->open_gates(keys %$at);
check_errors('PostgreSQL away', 'pg', 0);
$pg->up;
check_after('PostgreSQL', 'pg', $at, @pids);
# killed while steps are committed
my @runs = map { "pg-busy-$_" } 1 .. 8;
$httpd->begin($_ =~ /[02468]$/ ? 'sql-chain' : 'uri-chain', $_) for @runs;
$pg->restart('immediate');
is_deeply [grep { ($httpd->wait_end($_ =~ /[02468]$/ ? 'sql-chain' : 'uri-chain', $_, 40)->{status} // '')
    ne 'success' } @runs], [], 'PostgreSQL killed: each run comes to its end';
is_deeply [grep { !eq_hash($httpd->written($_), once()) } grep { /[02468]$/ } @runs], [], '... each step once';
$httpd->stop;
$pg->stop;

