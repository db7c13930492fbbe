# What becomes of files that fail: counted, and run once more where that is allowed.
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use TAP::Harness;
use Test::More;

use MastraRun;

my $dir = tempdir(CLEANUP => 1);

sub file {
    my ($name, $text) = @_;
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    print $fh $text;
    close $fh or die "$dir/$name: $!";
    return "$dir/$name";
}

sub slurp {
    my $path = shift;
    open my $fh, '<', $path or return '';
    return join '', <$fh>;
}

# passes from its second run on
sub unsteady {
    my $name = shift;
    return file($name, "print qq(1..2\\nok 1\\n), -e '$dir/$name.ran' ? 'ok 2' : 'not ok 2', qq(\\n);"
        . "open my \$fh, '>', '$dir/$name.ran';");
}

my $good   = file('good',   'print qq(1..1\nok 1\n)');
my $bad    = file('bad',    'print qq(1..2\nok 1\nnot ok 2\n)');
my $broken = file('broken', 'print qq(1..3\nok 1\n)');

# passed and failed assertions, and the files that passed when run again
sub run_files {
    my ($again, @files) = @_;
    local $ENV{AGAIN}   = $again;
    local $ENV{RESULTS} = tempdir(CLEANUP => 1) . '/results';
    local @ENV{qw(MPM DB)} = qw(event sqlite3);
    my $harness = TAP::Harness->new({ verbosity => -3, exec => sub { [$^X, $_[1]] } });
    my $run     = bless {}, 'MastraRun';
    my $out     = '';
    {
        open my $quiet, '>', \$out or die $!;
        my $old = select $quiet;
        my $total = $harness->runtests(@files);
        $run->note_results($total, scalar $run->again($harness, $total), scalar @files);
        select $old;
    }
    my ($passed, $failed) = split ' ', slurp("$ENV{RESULTS}/event-sqlite3");
    return [$passed, $failed, $run->{failed} || 0, slurp("$ENV{RESULTS}.unsteady")];
}

is_deeply run_files(2, $good), [1, 0, 0, ''], 'a good file';
is_deeply run_files(0, $good, $bad), [2, 1, 1, ''], 'a bad one';
is_deeply run_files(2, $good, $bad), [2, 1, 1, ''], '... is as bad the second time';
is_deeply run_files(2, $broken), [1, 1, 1, ''], 'one that ends early is a failure';
is_deeply run_files(0, unsteady('a')), [1, 1, 1, ''], 'an unsteady one has failed';
is_deeply run_files(2, $good, unsteady('b')), [3, 0, 0, "$dir/b (event, sqlite3)\n"],
    '... or is run again, and named';
is_deeply run_files(2, $bad, unsteady('c')), [3, 1, 1, "$dir/c (event, sqlite3)\n"],
    '... beside one that is bad';
is_deeply run_files(2, map { unsteady($_) } 'd' .. 'f'), [3, 3, 1, ''],
    'many that fail are not run again';
done_testing;
