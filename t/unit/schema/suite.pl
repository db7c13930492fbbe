#!/usr/bin/perl
# Runs the official JSON-Schema-Test-Suite's required tests against
# mastra-schema:  t/unit/schema/suite.pl SUITE-DIRECTORY [PROGRAM]
# Remote references, vocabularies and dynamic references are left out unless
# ALL=1 is set. Prints what differs, and the numbers; exit 1 when some do.
use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;

my ($suite, $program) = @ARGV;
die "usage: $0 SUITE-DIRECTORY [PROGRAM]\n"
    unless $suite && -d "$suite/tests/draft7";
$program ||= 'build/mastra-schema';
die "$program: not built\n" unless -x $program;

my %left_out = map { $_ => 1 } qw(refRemote vocabulary dynamicRef);
my %dialect = (draft7 => 'http://json-schema.org/draft-07/schema#',
               'draft2020-12' => 'https://json-schema.org/draft/2020-12/schema');
my $json = JSON::PP->new->utf8->allow_nonref->allow_bignum->canonical;
my $dir = tempdir(CLEANUP => 1);
my $bad = 0;

sub spew {
    my ($name, $value) = @_;
    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $json->encode($value);
    close $out;
    return "$dir/$name";
}

sub check {
    my ($schema, $data) = @_;
    my $status = system("$program " . spew(schema => $schema) . ' '
                        . spew(instance => $data) . " >$dir/out 2>&1");
    return $status & 127 ? 'crash' : ('valid', 'invalid', 'unusable')[$status >> 8]
        // 'status ' . ($status >> 8);
}

for my $draft (sort keys %dialect) {
    my ($tests, $failed) = (0, 0);
    for my $file (glob "$suite/tests/$draft/*.json") {
        my ($name) = $file =~ m{([^/]+)\.json$};
        next if $left_out{$name} && !$ENV{ALL};
        open my $in, '<', $file or die "$file: $!\n";
        local $/;
        for my $case (@{ $json->decode(<$in>) }) {
            my $schema = $case->{schema};
            # the directory says which draft it is; schemas of draft-07 do not
            if (ref $schema eq 'HASH' && !$schema->{'$schema'}) {
                $schema = { %$schema, '$schema' => $dialect{$draft} };
            }
            for my $test (@{ $case->{tests} }) {
                my $want = $test->{valid} ? 'valid' : 'invalid';
                my $got = check($schema, $test->{data});
                $tests++;
                next if $got eq $want;
                $failed++;
                print "$draft $name: $case->{description}: "
                    . "$test->{description}: $got\n";
            }
        }
    }
    printf "%s: %d tests, %d passed, %d failed\n", $draft, $tests,
        $tests - $failed, $failed;
    $bad ||= $failed || !$tests;
}
exit($bad ? 1 : 0);
