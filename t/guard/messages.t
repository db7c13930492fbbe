# Messages that an administrator may have to act on have a number of their own, and
# docs/messages.md explains each under a heading "## MA<number>".
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my (%at, @twice, @bare, $calls);
for my $file (c_files()) {
    my $text = code_and_strings(slurp($file));
    while ($text =~ /^(?!\s*#\s*define).*?\bMASTRA_ID\(\s*(\d+)\s*\)/mg) {
        # more than one on a line would be missed: go back to behind this one
        my $line = 1 + (substr($text, 0, $-[1]) =~ tr/\n//);
        push @twice, "MA$1: $file:$line and $at{$1}" if $at{$1};
        $at{$1} = "$file:$line";
    }
    while ($text =~ /\b(?:mastra_log|ap_log_[rc]?error|ap_log_perror)\s*\(/g) {
        my $call = substr $text, $-[0], 400;
        $calls++;
        my ($level) = $call =~ /\b(?:AP|MASTRA_)LOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG|TRACE\d)\b/
            or next;
        next if $level !~ /^(?:EMERG|ALERT|CRIT|ERR|WARNING)$/;
        next if $call =~ /\A[^;]*?\bMASTRA_ID\(/;
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        push @bare, "$file:$line";
    }
}

my $doc = slurp('docs/messages.md');
my %explained;
while ($doc =~ /^## MA(\d+)\b[^\n]*\n+(?=[^#\s])/mg) {
    $explained{$1}++;
}
my %headed = map { $_ => 1 } $doc =~ /^## MA(\d+)\b/mg;

pass 'sources and docs/messages.md were read';
none \@twice, 'no number is used twice';
none \@bare, 'every warning and error has a number';
none [map { "MA$_ ($at{$_})" } grep { !$explained{$_} } sort { $a <=> $b } keys %at],
    'docs/messages.md explains each number';
none [map { "MA$_" } grep { !$at{$_} } sort { $a <=> $b } keys %headed],
    'docs/messages.md explains no other number';
none [map { "MA$_" } grep { $explained{$_} > 1 } sort keys %explained],
    'docs/messages.md explains each number once';
done_testing;
