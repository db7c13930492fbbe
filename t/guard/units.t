# Every unit program and every command line program is built, and every test is run.
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my $build = $ENV{BUILD} || 'build';
my %run   = map { $_ => 1 } split ' ', $ENV{UNIT} // '';
my @units = glob 't/unit/*.c t/unit/*/*.c';
my @mains = glob 'mod_mastra/*/main_*.c';

pass 'the list of unit programs was read';
none [grep { !$run{ "$build/" . s/\.c$//r } } @units], 'every program of t/unit is run';
none [grep { !-x } map { m{main_(\w+)\.c$} ? "$build/mastra-$1" : () } @mains],
    'every command line program is built';
none [grep { !m{^t/[^/]+/[^/]+\.t$} } grep { /\.t$/ } committed()], 'every test file is found';
done_testing;
