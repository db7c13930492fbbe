# Reading error logs: which lines no test announced.
package MastraLog;
use strict;
use warnings FATAL => 'all';

# what nobody can announce away
my $fatal = qr/Sanitizer|runtime\ error:
              |exit\ signal\ (?:Segmentation|Abort|Bus|Illegal|Floating)
              |corrupted|double\ free|Assertion.*failed/x;
# what has to be announced
my $loud = qr/:(?:emerg|alert|crit)\]|\[mastra:error\]/;

# The lines of a log that should not be there. The second file holds what tests announced,
# one "offset<TAB>pattern" per line: a pattern covers what was logged after that offset.
sub unexpected {
    my ($log, $announced) = @_;
    open my $fh, '<', $log or return;
    my @expected = announced($announced);
    my @bad;
    my $at = 0;
    while (my $line = <$fh>) {
        my $start = $at;
        $at += length $line;
        if ($line =~ $fatal) {
            push @bad, $line;
        }
        elsif ($line =~ $loud) {
            push @bad, $line if !grep { $start >= $_->[0] && $line =~ $_->[1] } @expected;
        }
    }
    return @bad;
}

sub announced {
    my $file = shift;
    return if !defined $file;
    open my $fh, '<', $file or return;
    my @expected;
    while (<$fh>) {
        chomp;
        my ($offset, $pattern) = split /\t/, $_, 2;
        push @expected, [$offset, qr/$pattern/];
    }
    return @expected;
}

1;
