# What tools of kind sql make of the texts that databases answer with.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use Ledger;
use MastraTest;

my $double = $ENV{DB} && $ENV{DB} eq 'pgsql' ? q('%s'::double precision) : '%s';
my %of     = map { $_ => { type => 'object', properties => { d => { type => $_ } } } } qw(number integer string);
my @cases  = (
    ['an infinity is no number of JSON', 'number', $double eq '%s' ? '1e999' : "'Infinity'::double precision", 'null'],
    ['nor is one below zero', 'number', $double eq '%s' ? '-1e999' : "'-Infinity'::double precision", 'null'],
    ['a number is one', 'number', '0.5', '0.5'],
    ['an integer is one', 'integer', '9007199254740993', '9007199254740993'],
    ['what is to be a text stays one', 'string', "'Inf'", '"Inf"'],
    $double eq '%s' ? ['a statement may print all digits', 'number', "printf('%!.17g', 0.1 + 0.2)", '0.30000000000000004'] : (),
);
plan tests => scalar @cases;

my $httpd = Ledger->start(name => 'sql', steps => 1, setup => sub {
    my $self = shift;
    $self->sql("t-$_", "SELECT $cases[$_][2] AS d", [], 'row', outputSchema => $of{ $cases[$_][1] }) for 0 .. $#cases;
});
for my $i (0 .. $#cases) {
    my $answer = $httpd->api_post("/tools/t-$i/execute", { data => {} });
    is $answer->{body}, qq({"d":$cases[$i][3]}), $cases[$i][0];
}
$httpd->stop;
