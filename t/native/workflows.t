# Workflows started, resumed and followed in C by another module.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

plan tests => 14;

my $httpd = Sample->start(env => { MASTRA_TEST_KEY => 'x' }, conf => <<'END');
MastraProject "@top@/t/project"
MastraModelProvider up openai http://127.0.0.1:9/v1 key=env:MASTRA_TEST_KEY
MastraModelProvider dead openai http://127.0.0.1:9/v1 key=env:MASTRA_TEST_KEY
Alias "/tools/" "@top@/t/project/scripts/"
<Location "/tools/">
    SetHandler lua-script
    Require mastra-internal
</Location>
END
my ($said) = $httpd->ask('start', { inputData => { n => 1 } }, id => 'net-flow');
is $said->{rv}, 'ok', 'a workflow is started in C';
is $said->{json}{status}, 'success', '... and waited for';
is_deeply $said->{json}{input}, { n => 1 }, '... with its input';
($said) = $httpd->ask('start', { inputData => { n => 'x' } }, id => 'net-flow');
is $said->{status}, 400, 'input that does not fit is refused';
($said) = $httpd->ask('start', {}, id => 'none');
is $said->{status}, 404, '... as is a workflow that is not there';
my $run = "native-$$";
($said) = $httpd->ask('start', { runId => $run, inputData => { q => 'why' } }, id => 'net-wait',
    resource => 'me');
is $said->{json}{status}, 'suspended', 'a run may wait for a person';
is $httpd->api_get("/workflows/net-wait/runs/$run")->{json}{resourceId}, 'me',
    '... stored as its resource\'s';
($said) = $httpd->ask('resume', { runId => $run, resumeData => { answer => 'so' } },
    id => 'net-wait', resource => 'me');
is $said->{json}{status}, 'success', '... is resumed';
is_deeply $said->{json}{result}, { answer => 'so' }, '... with what he said';
($said) = $httpd->ask('resume', { runId => $run, resumeData => {} }, id => 'net-wait');
cmp_ok $said->{status}, '>=', 400, '... once';
($said) = $httpd->ask('resume', { resumeData => {} }, id => 'net-wait');
is $said->{status}, 400, 'which run has to be said';
my @lines = $httpd->ask('watch', { inputData => { n => 2 } }, id => 'net-flow');
$said = pop @lines;
is join(' ', map { $_->{type} // '' } @lines),
    'workflow-start workflow-step-start workflow-step-result workflow-finish',
    'a stream tells all chunks';
is $said->{rv}, 'ok', '... and ends';
is $said->{status}, 200, '... well';
