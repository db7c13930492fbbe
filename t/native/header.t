# The header stands by itself, and the module of docs/extending.md compiles against what is
# installed and does what the page says.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Path qw(make_path);
use MastraHttpd;
use MastraTest;
use Source;

plan tests => 14;

my $top = top_dir();
my $dir = "$ENV{MASTRA_LOGS}/extending-$$";
make_path($dir);

sub said {
    my $command = shift;
    my $text = `$command 2>&1`;
    return ($? >> 8, $text);
}

sub apxs { return join ' ', map { chomp(my $said = `apxs -q $_`); $said } @_ }

my $httpd_h = apxs('INCLUDEDIR');
my ($status, $text) = said("make -s -C '$top' install DESTDIR='$dir/root' BUILD='" . ($ENV{BUILD} || 'build') . "'");
is $status, 0, 'the header is installed' or diag $text;
my $installed = "$dir/root$httpd_h/mod_mastra.h";
ok -f $installed, '... beside those of httpd';

my $flags = "-std=gnu11 -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Werror -fPIC -isystem '$httpd_h' "
    . "\$(pkg-config --cflags apr-1 apr-util-1 | sed 's/-I/-isystem /g')";
open my $out, '>', "$dir/alone.c" or die $!;
print $out "#include \"$installed\"\nint main(void) { return MASTRA_API_VERSION == 0; }\n";
close $out;
($status, $text) = said("cc $flags -c -o '$dir/alone.o' '$dir/alone.c'");
is $status, 0, 'the header needs no other before it' or diag $text;
my @foreign = grep { !/^<(?:httpd|apr_\w+)\.h>$/ } slurp($installed) =~ /^\s*#\s*include\s+(\S+)/mg;
none \@foreign, '... and includes httpd and APR alone';
unlike slurp($installed), qr/json_t|jansson|curl/i, '... without any other library\'s types';

my ($example) = slurp("$top/docs/extending.md") =~ /^```c\n(.*?)^```/ms;
open $out, '>', "$dir/mod_dice.c" or die $!;
print $out $example;
close $out;
($status, $text) = said("cc $flags -fsyntax-only -I '$dir/root$httpd_h' '$dir/mod_dice.c'");
is $status, 0, 'the module of the page compiles without warnings' or diag $text;
($status, $text) = said("cd '$dir' && apxs -I '$dir/root$httpd_h' -c mod_dice.c");
is $status, 0, '... and as the page says' or diag $text;

my ($conf) = slurp("$top/docs/extending.md") =~ /^```apache\n(.*?)^```/ms;
$conf =~ s{modules/mod_dice\.so}{$dir/.libs/mod_dice.so};
$conf =~ s{openai/gpt-4o-mini}{mock/echo};
$conf =~ s{(SetHandler ask-agent)}{$1\n    Require all granted};
my $httpd = MastraHttpd->start(name => 'dice',
    conf => "MastraEngine On\nMastraModelProvider mock mock\n$conf");
my @team = (headers => ['X-Team' => 'blue']);
like $httpd->api_post('/tools/dice/execute', { data => {} }, @team)->{body}, qr/^\{"dice":[1-6]\}$/,
    'its tool rolls';
like $httpd->api_post('/agents/gambler/generate', { messages => 'CALL:dice {}' }, @team)->{json}{text},
    qr/dice/, '... for its agent, too';
is $httpd->request(GET => '/ask?agent=gambler')->{json}{text}, 'Echo: What is new?',
    'its handler asks an agent';
is $httpd->request(GET => '/ask?agent=none')->{status}, 404, '... and says what it is told';
is $httpd->api_get('/agents')->{status}, 401, 'its hook refuses';
is $httpd->api_get('/agents', @team)->{status}, 200, '... and lets through';
is $httpd->request(GET => '/health')->{status}, 200, '... and is not asked for public paths';
$httpd->stop;
