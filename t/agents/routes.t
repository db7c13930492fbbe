# Agents' routes that are older, or made for kinds of agents and models that are not served; and
# the one that rewrites instructions.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served;

my $httpd = Served->start(name => 'routes');
my $up    = $httpd->model;
my $agent = '/agents/up-agent';

my $ui     = 'This endpoint is deprecated. Please use the @mastra/ai-sdk package to for uiMessage '
    . 'transformations';
my $legacy = 'Models with specificationVersion "v2" are not supported for ';
my @cases  = (
    ['/streamVNext', 410, 'This endpoint is deprecated. Please use /stream instead.'],
    ['/stream/ui',      410, $ui],
    ['/stream/vnext/ui', 410, $ui],
    ['/generate-legacy', 400, "${legacy}generateLegacy(). Please use generate() instead."],
    ['/stream-legacy',   400, "${legacy}streamLegacy(). Please use stream() instead."],
);
plan tests => 2 * @cases + 15;

for (@cases) {
    my ($path, $status, $error) = @$_;
    my $answer = $httpd->api_post("$agent$path", { messages => 'x' });
    is_deeply [$answer->{status}, $answer->{json}], [$status, { error => $error }],
        "$path says what to use instead";
    is $httpd->api_post("$agent$path", {})->{status}, 400, '... to what it understands';
}
is $httpd->api_post('/agents/none/generate-legacy', { messages => 'x' })->{status}, 404,
    'of an agent that is there';

my $answer = $httpd->api_post("$agent/recover", { runId => 'nope' });
is_deeply [$answer->{status}, $answer->{json}], [400, { error => 'Agent does not support recover. '
    . 'Only durable agents (createDurableAgent) can recover runs.' }], 'there are no durable agents';
is $httpd->api_post("$agent/recover", {})->{status}, 400, '... whatever the body';
is $httpd->api_post('/agents/none/recover', { runId => 'x' })->{status}, 404, '... of an agent that is there';

$answer = $httpd->api_post("$agent/generate/vnext", { messages => 'x' });
is $answer->{status}, 200, 'generate/vnext answers';
is $answer->{json}{text}, 'Echo: x', '... as generate does';

# --- instructions

$up->reset;
$answer = $httpd->api_post("$agent/instructions/enhance",
    { instructions => 'You are plain.', comment => 'be nice' });
is $answer->{status}, 200, 'instructions are rewritten';
is_deeply [sort keys %{ $answer->{json} }], [qw(explanation new_prompt)],
    '... as text with an explanation';
my ($asked) = map { $_->{json} } $up->requests;
my $said = JSON::PP->new->canonical->encode($asked->{messages});
like $said, qr/You are plain\./, '... by the model, from the present ones';
like $said, qr/be nice/, '... and a wish';
is $asked->{tools}, undef, '... without tools';
is $httpd->api_post("$agent/instructions/enhance", { instructions => 'x' })->{status}, 400,
    'a wish is needed';
is $httpd->api_post("$agent/instructions/enhance", { instructions => 'x', comment => 5 })->{status}, 400,
    '... as text';
is $httpd->api_post('/agents/none/instructions/enhance', { instructions => 'x', comment => 'y' })->{status},
    404, '... for an agent that is there';
$httpd->expect_log(qr/MA3002/);
$answer = $httpd->api_post("$agent/instructions/enhance", { instructions => 'x', comment => 'FAIL400' });
is $answer->{status}, 422, 'what fails is not to be repeated';
$httpd->stop;
