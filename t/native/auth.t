# Code of another module knows callers and decides what they may.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraHttpd;
use MastraTest;
use Sample;
use Token;

my $secret = 'a secret that has more than 32 bytes';

sub status {
    my ($server, $token, @more) = @_;
    return $server->api_get('/agents/plain', headers => [$token ? @{ bearer($token) } : (), @more])->{status};
}

sub execute {
    my ($server, $token) = @_;
    return $server->api_post('/agents/plain/generate', { messages => 'hi' }, headers => bearer($token));
}

for my $order (qw(before after)) {
    my $says   = sub { "$order: $_[0]" };
    my $server = Sample->start(order => $order, env => { T_SECRET => $secret }, conf => <<'END');
MastraAuth provider:sample door=front door=back house=7 cookie=badge
MastraAuth jwt secret=env:T_SECRET
MastraAuthOwner sub
MastraRole ann *
MastraRole visitor *
MastraRole broken *
<Location /reports>
    AuthType mastra
    Require mastra-permission agents:execute
</Location>
END
    $server->expect_log($_) for qr/MA652:/, qr/MA653:/, qr/MA654:/;
    is status($server, 'badge:ann'), 200, $says->('who it knows is let in');
    is_deeply $server->api_get('/auth/me', headers => bearer('badge:ann'))->{json},
        { id => 'ann', roles => ['ann'], permissions => ['*'] }, $says->('... with their roles');
    is_deeply $server->api_post('/tools/tell/execute', { data => {} },
        headers => bearer('badge:ann'))->{json}{context}{user}{options},
        { door => ['front', 'back'], house => '7' }, $says->('... it was told the options of its line');
    is status($server), 401, $says->('nobody is not');
    is status($server, 'u'), 401, $says->('nor who it refuses');
    is status($server, token({ sub => 'x', role => 'ann' }, $secret)), 200, $says->('the next line is asked');
    is status($server, 'list'), 503, $says->('who is no object is not let in');
    is status($server, 'nothing'), 503, $says->('... nor who is nothing');
    is status($server, 'away'), 503, $says->('a module that cannot tell');
    is status($server, undef, Cookie => 'x=1; badge=badge:ann'), 200, $says->('a cookie has a token, too');

    is execute($server, 'badge:ann')->{status}, 200, $says->('who may');
    my $answer = execute($server, 'badge:visitor');
    is "$answer->{status} $answer->{body}", '403 {"error":"Access denied"}',
        $says->('who may not, whatever roles say');
    is status($server, 'badge:visitor'), 200, $says->('... may do something else');
    is status($server, 'badge:broken'), 503, $says->('a module that cannot decide');
    is $server->api_get('/auth/me', headers => bearer('badge:broken'))->{status}, 200,
        $says->('public paths are not asked about');
    is execute($server, token({ sub => 'visitor', role => 'ann' }, $secret))->{status}, 200,
        $says->('it decides about those whom its line knew');
    open my $fh, '>', $server->dir . '/htdocs/reports' or die $!;
    print $fh 'there';
    close $fh;
    is $server->request(GET => '/reports', headers => bearer('badge:ann'))->{status}, 200,
        $says->('httpd asks it for other paths');
    is $server->request(GET => '/reports', headers => bearer('badge:visitor'))->{status}, 403,
        $says->('... and what they may there');
    $server->stop;

    # --- beside other providers
    $server = Sample->start(order => $order, env => { T_SECRET => $secret },
        conf => "MastraAuth jwt secret=env:T_SECRET authorize=provider:sample-judge\n");
    is execute($server, token({ sub => 'ann' }, $secret))->{status}, 200, $says->('code that only decides');
    is execute($server, token({ sub => 'visitor' }, $secret))->{status}, 403, $says->('... does');
    $server->stop;
}

# --- what cannot be configured

for (['provider:none', qr/MastraAuth: provider:none: no module offers "none"; there is: .*sample/],
    ['provider:', qr/MastraAuth provider:: a provider has a name/],
    ['provider:sample bad=1', qr/MastraAuth: provider:sample: bad= is refused/],
    ['provider:sample-judge', qr/its module knows no callers/],
    ['provider:sample-other-major', qr/compiled for version 2\.0 .* has 1\.0/],
    ['httpd authorize=provider:none', qr/authorize=provider:none: no module offers/],
    ['httpd authorize=x', qr/authorize= must be a path of this server or provider:NAME/],
    ['httpd authorize=/api/x', qr{/api/x is below /api, where it would ask itself}],
    ['httpd cookie=x', qr/there is no option cookie=x/],
    ['uri uri=/x cookie=a;b', qr/cookie= is no name of a cookie/]) {
    my ($line, $says) = @$_;
    my ($rc, $text) = Sample->new(conf => "MastraAuth $line\n")->configtest;
    isnt $rc, 0, "MastraAuth $line";
    like $text, $says, '... is refused';
}
done_testing;
