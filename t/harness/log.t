# What the end of a run makes of an error log.
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use MastraLog;
use Test::More;

my $dir = tempdir(CLEANUP => 1);

sub put {
    my ($name, $text) = @_;
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    print $fh $text;
    close $fh;
    return length $text;
}

my @cases = (
    ['[x] [mastra:error] [pid 1] MA7: bad' => 1, 'an error of the module'],
    ['[x] [mastra:warn] [pid 1] MA7: hm'   => 0, 'a warning'],
    ['[x] [core:error] [pid 1] no file'    => 0, 'an error of another module'],
    ['[x] [core:crit] [pid 1] no'          => 1, 'something critical'],
    ['[x] [core:notice] [pid 1] AH00052: child pid 9 exit signal Segmentation fault (11)' => 1,
        'a crash'],
    ['[x] [core:notice] [pid 1] AH00052: child pid 9 exit signal Killed (9)' => 0,
        'a killed child'],
    ['==9==ERROR: AddressSanitizer: heap-use-after-free' => 1, 'a report of a sanitizer'],
    ['a.c:1:2: runtime error: signed integer overflow'   => 1, '... and of the other'],
);
for (@cases) {
    my ($line, $bad, $name) = @$_;
    put(log => "first\n$line\nlast\n");
    put(expected => '');
    my @bad = MastraLog::unexpected("$dir/log", "$dir/expected");
    is scalar(@bad), $bad, $name . ($bad ? ' is found' : ' is let pass');
}

my $before = put(log => "[mastra:error] MA7: early\n");
put(log => "[mastra:error] MA7: early\n[mastra:error] MA7: late\n[mastra:error] MA8: other\n");
put(expected => "$before\t(?^:MA7)\n");
is_deeply [MastraLog::unexpected("$dir/log", "$dir/expected")],
    ["[mastra:error] MA7: early\n", "[mastra:error] MA8: other\n"],
    'an announcement covers what it matches and what comes after it';
put(log => "==9==ERROR: AddressSanitizer: MA7\n");
put(expected => "0\t(?^:MA7)\n");
is scalar(my @all = MastraLog::unexpected("$dir/log", "$dir/expected")), 1,
    'a sanitizer cannot be announced away';
done_testing;
