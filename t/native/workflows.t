# Workflows started, resumed and followed in C by another module.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;

plan tests => 29;

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

# --- with callbacks

sub async { my ($op, $body, %more) = @_; return $httpd->ask('async', $body, op => $op, %more) }

($said, my $more) = async(start => { inputData => { n => 1 } }, id => 'net-flow');
is "$said->{rv} $said->{status} $said->{json}{status}", 'ok 200 success', 'a run that somebody is told of';
ok $more->{deadlock}, '... on the loop';
($said) = async(start => { inputData => { n => 'x' } }, id => 'net-flow');
is "$said->{rv} $said->{status}", 'ok 400', '... with input that does not fit';
($said) = async(start => {}, id => 'none');
is "$said->{rv} $said->{status}", 'ok 404', '... of a workflow that is not there';
$run = "later-$$";
($said) = async(start => { runId => $run, inputData => { q => 'why' } }, id => 'net-wait', resource => 'me');
is $said->{json}{status}, 'suspended', '... that waits for a person';
($said) = async(resume => { resumeData => {} }, id => 'net-wait');
is $said->{status}, 400, '... is resumed by its id';
($said) = async(resume => { runId => $run, resumeData => { answer => 'so' } }, id => 'net-wait', resource => 'you');
is $said->{status}, 403, '... by whose it is';
($said) = async(resume => { runId => $run, resumeData => { answer => 'so' } }, id => 'net-wait', resource => 'me');
is "$said->{status} $said->{json}{status}", '200 success', '... with what he said';
is_deeply $said->{json}{result}, { answer => 'so' }, '... to its end';
($said, $more) = async(watch => { inputData => { n => 2 } }, id => 'net-flow');
is "$said->{rv} $said->{status}", 'ok 200', 'a stream';
is $more->{chunks}, 4, '... of all chunks';
($said, $more) = async(watch => { inputData => { n => 2 } }, id => 'net-flow', stop => 2);
is "$said->{rv} $more->{chunks}", 'aborted 2', '... until one has heard enough';
($said) = async(start => { inputData => { n => 1 } }, id => 'net-flow', cancel => 0);
like $said->{rv}, qr/^(?:ok|aborted)$/, 'a call that is cancelled at once ends once';
($said) = async(start => { inputData => {} }, id => 'net-flow', context => '[1]');
is $said->{rv}, 'einval', 'what a waiting call would have returned is told, too';
is $httpd->api_get('/agents')->{status}, 200, 'the server goes on';
