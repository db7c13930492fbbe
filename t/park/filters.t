# What stands between an answer and its client: filters that may block or collect send the
# answer to a worker, compression stays off, TLS and HTTP/2 carry words as they are said.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;

my $tls_port = MastraHttpd::free_port();
my $tls      = needed_file("$ENV{MASTRA_LOGS}/../state/tls.crt")
            // make_certificate("$ENV{MASTRA_LOGS}/exchange-tls");
my $h2 = mpm() eq 'prefork' ? 0 : 1;

plan tests => 22;

my $httpd = Exchange->start(conf => <<"END");
<IfModule ratelimit_module>
<Location /x/limited>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 400
</Location>
</IfModule>
<Location /x/changed>
    SetOutputFilter INFLATE
</Location>
<Location /x/packed>
    SetOutputFilter DEFLATE
</Location>
<Location /x/squeezed>
    SetOutputFilter BROTLI_COMPRESS
</Location>
AddOutputFilterByType DEFLATE text/event-stream
AddOutputFilterByType BROTLI_COMPRESS text/event-stream
Header always set X-Added yes
Listen 127.0.0.1:$tls_port
<VirtualHost 127.0.0.1:$tls_port>
    SSLEngine on
    SSLCertificateFile "$tls.crt"
    SSLCertificateKeyFile "$tls.key"
    Protocols h2 http/1.1
</VirtualHost>
END
my @accept = (headers => ['Accept-Encoding' => 'gzip, br']);

# --- compression
for my $path ('/x', '/x/packed', '/x/squeezed') {
    my $answer = $httpd->request(GET => "$path?n=3&ms=20", @accept);
    ok !$answer->{headers}{'content-encoding'}, "$path: nothing is compressed";
    is join(' ', Exchange::words($answer->{body})), '0 1 2', "$path: ... and all words come";
}
is $httpd->request(GET => '/x?n=1')->{headers}{'x-added'}, 'yes', 'mod_headers does its part';

# --- filters that may block
SKIP: {
    skip 'a waiting worker is the only way here', 2 if mpm() ne 'event';
    like $httpd->log, qr/^(?!.*a worker waits for this answer)/s, 'so far no worker waited';
    $httpd->request(GET => '/x/changed?n=1');
    ok $httpd->wait_log('a worker waits for this answer.*inflate'), 'a foreign filter gets a worker';
}
my $answer = $httpd->request(GET => '/x/limited?n=3&ms=20&size=10');
is join(' ', Exchange::words($answer->{body})), '0 1 2', 'an answer passes mod_ratelimit';
SKIP: {
    skip 'a waiting worker is the only way here', 1 if mpm() ne 'event';
    ok $httpd->wait_log('a worker waits for this answer.*rate_limit'), '... on a worker';
}

# --- TLS
my $said = curl('--http1.1', "https://127.0.0.1:$tls_port/x?n=3&ms=30");
is join(' ', Exchange::words($said)), '0 1 2', 'TLS: all words come';
my $before = $httpd->counts;
is join(' ', Exchange::words(begun('--http1.1', "https://127.0.0.1:$tls_port/x?n=2&ms=600000"))), '0',
    'TLS: ... as they are said';
ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }), 'TLS: a departure is noticed';
$said = curl('--http1.1', "https://127.0.0.1:$tls_port/x?n=3&ms=10&size=1500000");
is large($said), 4_500_000, 'TLS: large writes arrive whole';
$said = curl('--http1.1', ("https://127.0.0.1:$tls_port/x?n=2&ms=10") x 3);
is join(' ', Exchange::words($said)), '0 1 0 1 0 1', 'TLS: one answer after another';

# --- HTTP/2
SKIP: {
    skip 'mod_http2 does not work with prefork', 5 if !$h2;
    $said = curl('--http2', "https://127.0.0.1:$tls_port/x?n=3&ms=30");
    is join(' ', Exchange::words($said)), '0 1 2', 'HTTP/2: all words come';
    $before = $httpd->counts;
    is join(' ', Exchange::words(begun('--http2', "https://127.0.0.1:$tls_port/x?n=2&ms=600000"))), '0',
        'HTTP/2: ... as they are said';
    ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }),
        'HTTP/2: a departure is noticed';
    $said = curl('--http2', "https://127.0.0.1:$tls_port/x?n=3&ms=10&size=1500000");
    is large($said), 4_500_000, 'HTTP/2: large writes arrive whole';
    my $code = system "curl -sk --http2 -o /dev/null 'https://127.0.0.1:$tls_port/x?n=2&ms=50&cut=1'";
    isnt $code >> 8, 0, 'HTTP/2: a cut does not look complete';
}
ok $httpd->settled(10), 'what was begun is released';
$httpd->stop;

# The body.
sub curl {
    my @args = @_;
    open my $fh, '-|', 'curl', '-skN', @args or die "curl: $!";
    local $/;
    my $body = <$fh>;
    close $fh;
    return $body;
}

# What comes up to the end of the first word, when the client leaves.
sub begun {
    my @args = @_;
    my $pid  = open(my $fh, '-|', 'curl', '-skN', '-m', 60, @args) // die "curl: $!";
    my $body = '';
    while ($body !~ /"seq":.*\n\n/s) {
        sysread $fh, $body, 65536, length $body or last;
    }
    kill KILL => $pid;
    close $fh;
    return $body;
}

# bytes of what the words were filled up with
sub large {
    my $n = 0;
    $n += length $_ for $_[0] =~ /"pad":"([^"]*)"/g;
    return $n;
}

sub needed_file { return -r $_[0] ? $_[0] =~ s/\.crt$//r : undef }

sub make_certificate {
    my $base = shift;
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        . "-keyout '$base.key' -out '$base.crt' 2>/dev/null") and die "openssl made no certificate\n";
    return $base;
}
