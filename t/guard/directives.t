# The directives of the command table are those of docs/directives.md (a heading
# "## MastraName" or "## <MastraName>", then Syntax, Default, Context and Example, which shows the
# directive itself) and those of conf/mastra.conf (a line "#MastraName value" or "MastraName value").
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my (%macro, %table);
my @sources = map { [$_, code_and_strings(slurp($_))] } c_files();
for (@sources) {
    my ($file, $text) = @$_;
    while ($text =~ /^\s*#\s*define\s+(\w+)\s+"(<?Mastra\w+>?)"/mg) {
        $macro{$1} = $2;
    }
}
my @unknown;
for (@sources) {
    my ($file, $text) = @$_;
    while ($text =~ /\bAP_INIT_\w+\s*\(\s*(?:"([^"]+)"|(\w+))/g) {
        my $name = $1 // $macro{$2};
        if (!defined $name) {
            push @unknown, "$file: $2" if $2 ne 'name' && $2 ne 'directive';
            next;
        }
        # others' directives that are read along are theirs to document
        $table{ $name =~ tr/<>//dr } = $file if $name =~ /^<?Mastra/;
    }
}

my $doc = slurp('docs/directives.md');
my (%documented, @unclear);
while ($doc =~ /^## <?(Mastra\w+)>?\s*\n(.*?)(?=^## |\z)/msg) {
    my ($name, $text) = ($1, $2);
    $documented{$name} = 1;
    for my $part (qw(Syntax Default Context Example)) {
        push @unclear, "$name: no $part" if $text !~ /^\Q$part\E: \S/m;
    }
    push @unclear, "$name: the example is of another" if $text !~ /^Example: `<?\Q$name\E[ >]/m;
}
my %sample = map { $_ => 1 } slurp('conf/mastra.conf') =~ /^\s*#?<?(Mastra\w+)/mg;

ok %table, 'the command table has directives';
none \@unknown, 'the names of all of them are known';
for (['docs/directives.md', \%documented], ['conf/mastra.conf', \%sample]) {
    my ($file, $there) = @$_;
    none [grep { !$there->{$_} } sort keys %table], "$file has all of them";
    none [grep { !$table{$_} } sort keys %$there],  "$file has no others";
}
none \@unclear, 'each is documented with syntax, default, context and an example';
done_testing;
