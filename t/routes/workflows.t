# Routes of the configuration lead to workflows.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP qw(decode_json);
use MastraTest;
use Served;
use Token;

plan tests => 15;

my $httpd = Served->start(name => 'workflows', env => { SECRET => 'x' x 32 }, conf => <<'END');
MastraAuth jwt secret=env:SECRET
MastraAuthOwner sub
MastraAuthProtected ^/api/
MastraRole reader workflows:read
MastraRole doer workflows:*
MastraRoute POST /flow workflow:net-flow auth=off
MastraRoute GET /flow/:n workflow:net-text auth=off
MastraRoute GET /flow workflow:net-text auth=off
MastraRoute POST /sse workflow:net-flow as=sse auth=off
MastraRoute POST /chunks workflow:net-flow as=chunks auth=off
MastraRoute POST /mine workflow:net-flow
END
my $post = sub { my ($path, $body, @headers) = @_;
    return $httpd->request(POST => $path, json => $body, headers => \@headers) };
my $token = sub { my ($sub, $role) = @_;
    return (Authorization => 'Bearer ' . Token::token({ sub => $sub, role => $role,
        exp => time + 600 }, 'x' x 32)) };

my $run = $post->('/flow', { inputData => { n => 1 } });
is $run->{status}, 200, 'a workflow behind a route';
is $run->{json}{status}, 'success', '... answers as start-async does';
is_deeply $run->{json}{input}, { n => 1 }, '... with inputData';
is_deeply $post->('/flow', { n => 2 })->{json}{input}, { n => 2 }, '... or the body as its input';
is $post->('/flow', { n => 'x' })->{status}, 400, '... checked';
is_deeply $httpd->request(GET => '/flow/7')->{json}{input}, { n => '7' }, 'the path is input, too';
is_deeply $httpd->request(GET => '/flow?n=8')->{json}{input}, { n => '8' }, '... and the query';
my $sse = $post->('/sse', { n => 1 });
my @seen = map { /^data: (\{.*)/ ? decode_json($1)->{type} : () } split /\n/, $sse->{body};
is "@seen", 'workflow-start workflow-step-start workflow-step-result workflow-finish',
    'events tell what it does';
like $sse->{body}, qr/data: \[DONE\]\n\n\z/, '... to the end';
my @chunks = map { decode_json($_)->{type} } split /\x1e/, $post->('/chunks', { n => 1 })->{body};
is "@chunks", "@seen", 'so do chunks';
is $post->('/mine', { n => 1 })->{status}, 401, 'without auth=off it asks who calls';
is $post->('/mine', { n => 1 }, $token->('ann', 'reader'))->{status}, 403,
    '... and what he may do';
is $post->('/mine', { n => 1 }, $token->('ann', 'doer'))->{json}{status}, 'success',
    '... and runs it for him';
my $runs = $httpd->request(GET => '/api/workflows/net-flow/runs?resourceId=ann',
    headers => [$token->('ann', 'doer')])->{json};
is $runs->{total}, 1, 'the run is stored';
is $runs->{runs}[0]{resourceId}, 'ann', '... as the caller\'s';
