# Reading the project's own files, for the guards.
package Source;
use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Find ();
use Test::More ();

our @EXPORT = qw(c_files committed slurp code code_and_strings functions none);

# The list of what is wrong has to be empty; all of it is shown.
sub none {
    my ($wrong, $name) = @_;
    Test::More::ok(!@$wrong, $name);
    Test::More::diag("    $_") for @$wrong;
}

# The C sources and headers of the product.
sub c_files {
    my @files = grep { -f } glob 'mod_mastra/*.[ch] mod_mastra/*/*.[ch] include/*.h';
    die "no sources below mod_mastra\n" if !@files;
    return @files;
}

# What the repository holds; in a copy without one, all that is not made by the build.
sub committed {
    my @files;
    if (-e '.git' && open my $fh, '-|', 'git', '-c', 'safe.directory=*', 'ls-files') {
        chomp(@files = <$fh>);
        close $fh or @files = ();
    }
    if (!@files) {
        File::Find::find({ no_chdir => 1, wanted => sub {
            if (m{^\./(?:\.git|build[^/]*|t/logs|t/state|t/htdocs|t/client/node_modules)\z}) {
                $File::Find::prune = 1;
                return;
            }
            push @files, s{^\./}{}r if -f && !m{^\./t/conf/(?!\w+\.(?:in|inc)$|httpd\.conf\.in$)};
        } }, '.');
    }
    return sort grep { -f } @files;
}

sub slurp {
    my $file = shift;
    open my $fh, '<', $file or die "$file: $!";
    local $/;
    return <$fh>;
}

my $comment = qr{/\*.*?\*/|//[^\n]*}s;
my $string  = qr{"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'};

sub blank { return $_[0] =~ s/[^\n]/ /gr }

# The text of a C file with comments blanked, line numbers kept.
sub code_and_strings {
    my $text = shift;
    return $text =~ s{($string)|($comment)}{defined $1 ? $1 : blank($2)}ger;
}

# ... and what stands between quotes as well.
sub code {
    my $text = shift;
    return $text =~ s{$string|$comment}{blank($&)}ger;
}

# The functions of a C file: { name, line, lines }. The house style has the braces of a
# function, and no others of more than a type, in the first column.
sub functions {
    my @lines = split /\n/, code(shift);
    my @found;
    my $start;
    for my $i (0 .. $#lines) {
        if ($lines[$i] =~ /^\{/) {
            $start = $i;
        }
        elsif (defined $start && $lines[$i] =~ /^\}/) {
            my $head = join ' ', @lines[($start > 5 ? $start - 6 : 0) .. $start - 1];
            my ($name) = $head =~ /(\w+)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)[\s\w()]*\z/;
            push @found, { name => $name // '?', line => $start + 1, lines => $i - $start + 1 };
            undef $start;
        }
    }
    return @found;
}

1;
