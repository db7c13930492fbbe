# Files and functions stay short enough to be read.
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my ($file_limit, $function_limit, $column_limit) = (700, 100, 100);

my ($functions, @files, @long, @wide) = (0);
for my $file (c_files()) {
    my $text  = slurp($file);
    my @lines = split /\n/, $text;
    push @files, "$file: " . @lines . ' lines' if @lines > $file_limit;
    for my $i (0 .. $#lines) {
        push @wide, sprintf '%s:%d', $file, $i + 1 if length $lines[$i] > $column_limit;
    }
    for my $function (functions($text)) {
        $functions++;
        push @long, "$file:$function->{line}: $function->{name} has $function->{lines} lines"
            if $function->{lines} > $function_limit;
    }
}
ok $functions, "$functions functions were measured";
none \@files, "no file has more than $file_limit lines";
none \@long, "no function has more than $function_limit lines";
none \@wide,  "no line has more than $column_limit columns";
done_testing;
