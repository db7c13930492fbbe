# Signed tokens for tests: HS256 by hand, public keys by openssl.
package Token;
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha256 sha1);
use Exporter 'import';
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);

our @EXPORT = qw(token bearer rsa_key rsa_jwk rsa_token);

my $json = JSON::PP->new->canonical->utf8;

sub unsigned {
    my ($header, $claims) = @_;
    return join '.', map { encode_base64url(ref $_ ? $json->encode($_) : $_) } $header, $claims;
}

# token({ sub => 'alice' }, SECRET, [HEADER])
sub token {
    my ($claims, $secret, $header) = @_;
    my $text = unsigned($header // { alg => 'HS256', typ => 'JWT' }, $claims);
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

# As headers of a request.
sub bearer { return [Authorization => "Bearer $_[0]"] }

# The name of a file with a new private key; it lives as long as the object.
sub rsa_key {
    my $file = File::Temp->new(SUFFIX => '.pem');
    system("openssl genpkey -algorithm RSA -out $file 2>/dev/null") == 0
        or die 'openssl genpkey';
    return $file;
}

sub rsa_jwk {
    my ($key, %more) = @_;
    my ($hex) = `openssl rsa -in $key -noout -modulus 2>/dev/null` =~ /Modulus=(\w+)/ or die 'openssl rsa';
    return { kty => 'RSA', n => encode_base64url(pack 'H*', $hex), e => 'AQAB', use => 'sig',
        alg => 'RS256', %more };
}

sub rsa_token {
    my ($key, $claims, %header) = @_;
    my $text = unsigned({ alg => 'RS256', %header }, $claims);
    my $in   = File::Temp->new;
    print $in $text;
    close $in;
    my $signature = `openssl dgst -sha256 -sign $key $in`;
    die 'openssl dgst' if $?;
    return "$text." . encode_base64url($signature);
}

# A password as htpasswd -s writes it.
sub encode_base64_sha1 { return encode_base64(sha1($_[0]), '') }

1;
