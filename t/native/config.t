# What is wrong with code of other modules is found when the configuration is read.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

my $tool = "<MastraTool more>\nMastraExecute provider %s\n</MastraTool>";
my @bad = (
    [sprintf($tool, ''), qr/"execute\.provider": the name of the provider is missing/],
    [sprintf($tool, 'provider=none'),
        qr/no module offers "none"; there is: .*sample-tell/],
    [sprintf($tool, 'provider=sample-future'),
        qr/"sample-future" is there for version 2 of mod_mastra\.h, this mod_mastra has 1/],
    [sprintf($tool, 'provider=sample-other-major'),
        qr/compiled for version 2\.0 of mod_mastra\.h, this mod_mastra has 1\.0/],
    [sprintf($tool, 'provider=sample-newer'),
        qr/compiled for version 1\.1 of mod_mastra\.h, this mod_mastra has 1\.0/],
    [sprintf($tool, 'provider=sample-short'), qr/struct of 8 bytes, version 1\.0 has at least \d+/],
    [sprintf($tool, 'provider=sample-empty'), qr/its module gives no function execute/],
    [sprintf($tool, 'provider=sample-tell please=refuse'),
        qr/the sample refuses this definition/],
    [sprintf($tool, 'provider=sample-tell timeout=-1'), qr/"execute\.timeout": not between 0 and/],
    ['MastraModelProvider m provider:none', qr/m: no module offers "none"; there is: .*sample/],
    ['MastraModelProvider m provider:sample-other-major', qr/compiled for version 2\.0/],
    ['MastraModelProvider m provider:', qr/no module offers ""/],
);
plan tests => 4 * @bad + 2;

for my $order (qw(before after)) {
    for (@bad) {
        my ($conf, $words) = @$_;
        my ($status, $said) = Sample->new(order => $order, conf => $conf)->configtest;
        my ($line) = $conf =~ /(Mastra(?:Execute|ModelProvider).*)/;
        isnt $status, 0, "$order: $line";
        like $said =~ s/\n/ /gr, $words, '... in plain words';
    }
}

# --- without the module there is nothing to find, without mod_mastra nothing to fetch
my $alone = MastraHttpd->new(name => 'alone',
    conf => "MastraEngine On\n<MastraTool t>\nMastraExecute provider provider=sample-tell\n</MastraTool>");
like +($alone->configtest)[1], qr/no module offers "sample-tell"\n|no module offers "sample-tell"$/m,
    'a module that is not loaded offers nothing';
my $bare = MastraHttpd->new(name => 'bare', first => Sample::load(), mastra => 0,
    conf => "<Location /sample/>\nSetHandler sample\nRequire all granted\n</Location>\n");
$bare->up;
is JSON::PP::decode_json($bare->request(GET => '/sample/counts')->{body})->{version}, 0,
    'a module works without mod_mastra, too';
$bare->stop;
