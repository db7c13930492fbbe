# Keys of another server: fetched when needed, kept, rotated, and what holds while it is away.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Temp ();
use JSON::PP ();
use MastraHttpd;
use MastraTest;
use Time::HiRes qw(sleep time);
use Token;
use Upstream;

# each child has keys of its own: where children come and go by the number of clients, there is one
my @limits = mpm() eq 'prefork' ? (limits => "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\n"
    . "ServerLimit 1\nMaxRequestWorkers 1\n") : ();

my $published = File::Temp->new;

# What the other server has from now on: keys, or a text, or a status.
sub publish {
    my $what = shift;
    open my $fh, '>', "$published" or die "publish: $!";
    print $fh ref $what ? JSON::PP::encode_json({ keys => $what }) : $what;
    close $fh or die "publish: $!";
}

my $upstream = Upstream->start(port => 0, script => sub {
    open my $fh, '<', "$published" or die "published: $!";
    local $/;
    my $text = <$fh> // '';
    return [hang => 1] if $text eq 'hang';
    return Upstream::reply($1, {}) if $text =~ /^(\d{3})$/;
    return [send => Upstream::head(200, 'Content-Length' => length $text) . $text];
});
my $base = 'http://127.0.0.1:' . $upstream->port;

my ($first, $second) = (rsa_key(), rsa_key());
my $claims = { sub => 'a', iss => 'https://id.example/', aud => ['api', 'x'] };
my $old = rsa_token($first,  $claims, kid => 'one');
my $new = rsa_token($second, $claims, kid => 'two');
publish([rsa_jwk($first, kid => 'one')]);

sub server {
    my ($options, %more) = @_;
    return MastraHttpd->start(name => 'keys', @limits, %more, conf => <<"END");
MastraEngine On
MastraModelProvider mock mock
<MastraAgent a>
    MastraName A
    MastraInstructions Hello
    MastraModel mock/echo
</MastraAgent>
MastraAuth $options
END
}

sub status {
    my ($server, $token) = @_;
    return $server->api_get('/agents/a', headers => bearer($token))->{status};
}

sub fetched { return scalar $upstream->requests }

# --- one server, several tokens ----------------------------------------------

my $server = server("jwks url=$base/keys issuer=https://id.example/ audience=api retry=1s");
is fetched(), 0, 'no key is fetched before one is needed';
is status($server, 'x'), 401, 'what is no token';
is $server->api_get('/agents/a')->{status}, 401, 'no token';
is fetched(), 0, '... needs none';
is status($server, $old), 200, 'a token of a published key';
is status($server, $old), 200, '... and again';
is fetched(), 1, '... by one fetch';
is status($server, rsa_token($second, $claims, kid => 'one')), 401, 'a key under a wrong name';
is status($server, rsa_token($first, { %$claims, iss => 'https://other/' }, kid => 'one')), 401,
    'another issuer';
is status($server, rsa_token($first, { %$claims, aud => 'web' }, kid => 'one')), 401,
    'another audience';
is status($server, token($claims, 'AQAB')), 401, 'a secret where keys are public';
my ($public) = map { $_->{n} } rsa_jwk($first);
is status($server, token($claims, $public, { alg => 'HS256', kid => 'one' })), 401,
    '... even one made of the public key';
is fetched(), 1, '... fetch nothing either';

# --- rotation ------------------------------------------------------------------

publish([rsa_jwk($first, kid => 'one'), rsa_jwk($second, kid => 'two')]);
sleep 1.1;
is status($server, $new), 200, 'a new key is found by its first token';
is status($server, $old), 200, '... beside the old one';
is fetched(), 2, '... by one fetch';
my $began = time;
is status($server, rsa_token($first, $claims, kid => "unknown-$_")), 401, "unknown key $_" for 1 .. 5;
cmp_ok fetched(), '<=', 3 + int(time - $began), 'unknown keys are not looked for each time';

sleep 1.1;
publish('503');
$server->expect_log(qr/MA641: the keys at .* its server answers with 503/);
is status($server, rsa_token($first, $claims, kid => 'three')), 401, 'while the other server is away';
is status($server, $old), 200, '... what is known stays known';
sleep 1.1;
publish('not keys');
$server->expect_log(qr/MA642: what is at .* cannot be used as keys/);
is status($server, rsa_token($first, $claims, kid => 'four')), 401, 'nonsense in place of keys';
is status($server, $old), 200, '... changes nothing';
$server->stop;

# --- fresh and stale -------------------------------------------------------------

publish([rsa_jwk($first, kid => 'one')]);
$server = server("jwks url=$base/keys refresh=1s stale=6s retry=1s");
like $server->log, qr/MA640: line 1 of MastraAuth: it takes tokens of any issuer/,
    'a line that limits nothing is remarked upon';
is status($server, $old), 200, 'a key';
publish([rsa_jwk($second, kid => 'two')]);
sleep 1.2;
status($server, $old);
ok wait_for(sub { status($server, $old) == 401 }), 'a key that was withdrawn is forgotten';
is status($server, $new), 200, '... and its successor known';
$server->expect_log(qr/MA641:/);
publish('500');
sleep 1.2;
is status($server, $new), 200, 'keys are believed for some time while their server is away';
my $answer;
ok wait_for(sub {
    $answer = $server->api_get('/agents/a', headers => bearer($new));
    return $answer->{status} == 503;
}), '... not for ever';
is $answer->{body}, '{"error":"Authentication is not available at the moment"}', '... which is told';
ok $answer->{headers}{'retry-after'}, '... with a time to come back';
is $server->api_get('/agents/a')->{status}, 401, '... to who has a token';
publish([rsa_jwk($second, kid => 'two')]);
ok wait_for(sub { status($server, $new) == 200 }, 10), 'and it works again by itself';
$server->stop;

# --- a server that never answers -------------------------------------------------

publish('hang');
$server = server("jwks url=$base/keys issuer=https://id.example/ audience=api");
$server->expect_log(qr/MA641:/);
$began = time;
is status($server, $old), 503, 'a server of keys that does not answer';
cmp_ok time - $began, '<', 40, '... is not waited for long';
$began = time;
is status($server, $old), 503, 'the next one';
cmp_ok time - $began, '<', 40, '... neither';
is $server->request(GET => '/health')->{status}, 200, 'what needs no key goes on';
$server->stop;

# --- presets ---------------------------------------------------------------------

publish([rsa_jwk($first, kid => 'one')]);
my @presets = (
    ['auth0 domain=t.eu.auth0.com audience=api', { iss => 'https://t.eu.auth0.com/', aud => 'api' }],
    ['clerk domain=https://x.clerk.accounts.dev/', { iss => 'https://x.clerk.accounts.dev' }],
    ['supabase project=abc', { iss => 'https://abc.supabase.co/auth/v1', aud => 'authenticated' }],
    ['firebase project=p-1', { iss => 'https://securetoken.google.com/p-1', aud => 'p-1' }],
    ['workos client=client_1', { iss => 'https://api.workos.com/user_management/client_1' }],
    ['okta domain=t.okta.com', { iss => 'https://t.okta.com/oauth2/default', aud => 'api://default' }],
    ['okta domain=t.okta.com server=s1 audience=a', { iss => 'https://t.okta.com/oauth2/s1', aud => 'a' }],
);
for (@presets) {
    my ($line, $mine) = @$_;
    my $server = server("$line url=$base/keys");
    is status($server, rsa_token($first, { sub => 'u', %$mine }, kid => 'one')), 200, $line;
    is status($server, rsa_token($first, { sub => 'u', %$mine, iss => 'https://evil/' }, kid => 'one')),
        401, '... not from another issuer';
    next if !$mine->{aud};
    is status($server, rsa_token($first, { sub => 'u', %$mine, aud => 'other' }, kid => 'one')),
        401, '... nor for another audience';
}

# where they look when the line does not say; names that nobody has
for (['auth0 domain=auth0.invalid audience=a', 'https://auth0.invalid/.well-known/jwks.json'],
    ['clerk domain=clerk.invalid', 'https://clerk.invalid/.well-known/jwks.json'],
    ['supabase domain=supabase.invalid', 'https://supabase.invalid/auth/v1/.well-known/jwks.json'],
    ['okta domain=okta.invalid', 'https://okta.invalid/oauth2/default/v1/keys'],
    ['okta domain=okta.invalid server=s1', 'https://okta.invalid/oauth2/s1/v1/keys']) {
    my ($line, $address) = @$_;
    my $server = server($line);
    $server->expect_log(qr/MA641:/);
    is status($server, rsa_token($first, { sub => 'u' }, kid => 'one')), 503, "$line: keys that are away";
    like $server->log, qr{MA641: the keys at \Q$address\E cannot be had}, "... from $address";
    $server->stop;
}
done_testing;
