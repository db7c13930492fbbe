# Who may include whom: lower layers know nothing of higher ones, and only those on top of
# http know httpd.
use strict;
use warnings FATAL => 'all';

use Source;
use Test::More;

my @low    = qw(jose schema net store);
my @middle = qw(observe model vector tool memory run agent workflow network schedule eval);
my @high   = qw(api responses mcp a2a voice openapi studio);

# the areas that each area may include, beside itself
my %may = (base => []);
$may{$_} = ['base'] for @low;
for my $i (0 .. $#middle) {
    $may{ $middle[$i] } = ['base', @low, $i ? @middle[0 .. $i - 1] : ()];
}
$may{http} = ['base', @low, @middle];
$may{$_}   = ['base', @low, @middle, 'http'] for @high;
$may{glue} = ['base', @low, @middle, 'http', @high];
my %knows_httpd = map { $_ => 1 } 'http', @high, 'glue';

# headers of httpd, as they are named
my $httpd = qr/^(?:httpd|http_\w+|ap_\w+|util_\w+|mod_(?!mastra)\w+|mpm_\w+|scoreboard
              |heartbeat|unixd|os)\.h$/x;
# outside libraries and their one home
my @homes = (
    [qr/^jansson\.h$/   => qr{^mod_mastra/base/json(?:_pack|_shared)?\.[ch]$}],
    [qr{^curl/}         => qr{^mod_mastra/net/curl\w*\.[ch]$}],
    [qr{^jose/}         => qr{^mod_mastra/jose/}],
    [qr/^apr_dbd\.h$/   => qr{^mod_mastra/store/}],
    [qr/^mod_dbd\.h$/   => qr{^mod_mastra/(?:http|store)/|^mod_mastra/mod_mastra}],
    [qr/^pcre/          => qr{^mod_mastra/(?:base|schema|net|tool|model|memory)/}],
);

sub area_of {
    my $file = shift;
    return $file =~ m{^mod_mastra/(\w+)/} ? $1 : 'glue';
}

# The file that an #include line means, from the folder of the one that has it; undef: not ours.
sub target {
    my ($file, $name) = @_;
    my ($folder) = $file =~ m{^(.*)/};
    for my $base ($folder, 'mod_mastra', 'include') {
        my $path = "$base/$name";
        1 while $path =~ s{[^/.]+/\.\./}{};
        return $path if -e $path;
    }
    return undef;
}

my ($checked, @wrong) = (0);
for my $file (c_files()) {
    my $area = area_of($file);
    push @wrong, "$file: $area is no area of the layout" if !$may{$area};
    my %allowed = map { $_ => 1 } $area, @{ $may{$area} || [] };
    my $n = 0;
    for my $line (split /\n/, code_and_strings(slurp($file))) {
        $n++;
        my ($name) = $line =~ /^\s*#\s*include\s*["<]([^">]+)[">]/ or next;
        $checked++;
        my $ours = target($file, $name);
        if (defined $ours) {
            my $other = area_of($ours);
            push @wrong, "$file:$n: $area may not include $ours" if !$allowed{$other}
                && $ours !~ m{^include/};
            push @wrong, "$file:$n: $ours is internal to its area"
                if $other ne $area && $ours =~ m{/internal\.h$};
            next;
        }
        push @wrong, "$file:$n: $area is below http and may not include $name"
            if $name =~ $httpd && !$knows_httpd{$area}
            && !($name eq 'mod_dbd.h' && $area eq 'store');
        for (@homes) {
            my ($library, $home) = @$_;
            push @wrong, "$file:$n: $name has another home" if $name =~ $library && $file !~ $home;
        }
    }
}
ok $checked, "$checked include lines were read";
none \@wrong, 'each includes only what lies below it';
done_testing;
