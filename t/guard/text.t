# What is committed speaks of the product alone, and works elsewhere than where it was made.
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my %never = (
    'a place to finish later'      => qr/\b(?:TODO|FIXME|XXX)\b/,
    'a path of some machine'       => qr{(?<![\w.])/(?:work|home)/\w+|/root/|/tmp/\w{1,2}/},
    'a package registry'           => qr/registry\.npmjs|npmjs\.(?:org|com)|artifactory|jfrog|verdaccio
                                        |\bpypi\b|"resolved":\s*"http/ix,
    # with a hyphen it is the id of a model
    'the making of the software'   => qr/(?<!-)\b(?:claude|copilot|chatgpt|codex)\b(?!-)|\bworktree\b|\bsubagent(?!ThreadId|ResourceId|ToolResults)
                                        |\bthe lead\b|\bissues?\s+\#?\d+\b|\bthis session\b
                                        |\bAI[- ]generated\b/ix,
);

my ($read, @found) = (0);
for my $file (committed()) {
    next if $file =~ m{^(?:LICENSE$|t/guard/text\.t$|t/fuzz/corpus/)} || -B $file;
    $read++;
    my $n = 0;
    for my $line (split /\n/, slurp($file)) {
        $n++;
        for my $what (sort keys %never) {
            push @found, "$file:$n: $what: $&" if $line =~ $never{$what};
        }
    }
}
ok $read, "$read files were read";
none \@found, 'nothing in them is out of place';
done_testing;
