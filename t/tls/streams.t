# A virtual host with TLS: streams of agents are flushed frame by frame, over HTTP/1.1 and HTTP/2,
# and client certificates say who asks.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraHttpd;
use MastraTest;
use Upstream;

my $port  = MastraHttpd::free_port();
my $certs = "$ENV{MASTRA_LOGS}/tls-$$";
my $h2    = mpm() ne 'prefork';
mkdir $certs or die "$certs: $!";

sub openssl {
    my $said = `openssl @_ 2>&1`;
    die "openssl @_: $said" if $?;
}

openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Test -keyout $certs/ca.key -out $certs/ca.crt");
for my $name ('127.0.0.1', 'ann', 'bob') {
    openssl("req -newkey rsa:2048 -nodes -subj '/O=x/OU=other, team/CN=$name/emailAddress=$name\@x.example' -keyout $certs/$name.key -out $certs/$name.csr");
    openssl("x509 -req -days 2 -in $certs/$name.csr -CA $certs/ca.crt -CAkey $certs/ca.key -CAcreateserial "
        . "-out $certs/$name.crt");
}

my $up     = Upstream->start(port => 0);
my $plain  = MastraHttpd::free_port();
my $server = MastraHttpd->start(name => 'tls',
    env => { MASTRA_TEST_KEY => 'sk-test', MASTRA_DEMO_MODEL => 'up/mock-model' }, conf => <<"END");
MastraModelProvider mock mock
MastraModelProvider up openai @{[ $up->url ]} key=env:MASTRA_TEST_KEY
Listen 127.0.0.1:$port https
<VirtualHost 127.0.0.1:$port>
    MastraEngine On
    MastraProject "\@top\@/conf/demo"
    MastraAuth httpd claim=email:SSL_CLIENT_S_DN_Email claim=unit:SSL_CLIENT_S_DN_OU claim=x:NONE roles=unit
    MastraRole team *
    SSLOptions +StdEnvVars
    MastraAuthOwner sub
    SSLEngine on
    SSLCertificateFile "$certs/127.0.0.1.crt"
    SSLCertificateKeyFile "$certs/127.0.0.1.key"
    SSLCACertificateFile "$certs/ca.crt"
    SSLVerifyClient optional
    SSLUserName SSL_CLIENT_S_DN_CN
    Protocols h2 http/1.1
</VirtualHost>
# of which nothing but SSLEngine says that TLS is spoken there
Listen 127.0.0.1:$plain
<VirtualHost 127.0.0.1:$plain>
    ServerName quiet.example
    MastraEngine On
    MastraProject "\@top\@/conf/demo"
    SSLEngine on
    SSLCertificateFile "$certs/127.0.0.1.crt"
    SSLCertificateKeyFile "$certs/127.0.0.1.key"
</VirtualHost>
END

# Asks: asking(USER, options ...) is what to read from.
sub asking {
    my ($user, @args) = @_;
    my @who = $user ? ('--cert', "$certs/$user.crt", '--key', "$certs/$user.key") : ();
    open my $fh, '-|', 'curl', '-sN', '--stderr', '/dev/null', '--cacert', "$certs/ca.crt", '-m', 60,
        '-w', "\n%{http_code} %{http_version}", @who, @args or die "curl: $!";
    return $fh;
}

# The answer, behind what was read of it already.
sub answer {
    my ($fh, $text) = @_;
    1 while sysread $fh, $text, 65536, length $text;
    close $fh;
    my ($status, $version) = $text =~ s/\n(\d+) (\S+)\z// ? ($1, $2) : (0, '');
    return { status => $status, version => $version, body => $text };
}

sub curl { return answer(asking(@_), '') }

sub posting {
    my ($path, $json, @args) = @_;
    return ('-H', 'Content-Type: application/json', '-d', JSON::PP::encode_json($json), @args,
        "https://127.0.0.1:$port/api$path");
}

sub post { my ($user, @what) = @_; return curl($user, posting(@what)) }

sub frames { return map { JSON::PP::decode_json($_) } $_[0] =~ /^data: (\{.*\})$/mg }

like $server->log, qr/MA634: .* cannot be called on quiet\.example:$plain/,
    'a port with TLS is not taken for a plain one';

my @versions = (['--http1.1', '1.1'], $h2 ? ['--http2', '2'] : ());
for (@versions) {
    my ($option, $version) = @$_;
    my $stream = asking(ann => posting('/agents/plain-agent/stream', { messages => 'GATE one two three' },
        $option));
    my ($text, @said) = ('');
    for my $word (qw(Echo: GATE one two three)) {
        $up->gated or last;
        $up->go;
        while ($text !~ /"text":"$word/) {
            sysread $stream, $text, 65536, length $text or last;
        }
        push @said, map { $_->{payload}{text} } (grep { $_->{type} eq 'text-delta' } frames($text))[-1];
    }
    is join('', @said), 'Echo: GATE one two three', "HTTP $version: a stream comes word by word, each when it is said";
    my ($first) = frames($text);
    is $first->{type}, 'start', '... behind its start';
    my $answer = answer($stream, $text);
    is "$answer->{status} $answer->{version}", "200 $version", '... as it should';
    like $answer->{body}, qr/^data: \[DONE\]\n\n\z/m, '... to its end';
    is post(ann => '/agents/plain-agent/generate', { messages => 'hello' }, $option)->{status}, 200,
        '... and answers in one piece';
    is post(ann => '/tools/add-one-tool/execute', { data => { n => 1 } }, $option)->{body}, '{"n":2}', '... and tools';

    is curl(undef, $option, "https://127.0.0.1:$port/api/agents")->{status}, 401, 'without a certificate';
    my $me = curl('bob', $option, "https://127.0.0.1:$port/api/auth/me");
    is $me->{body}, '{"id":"bob","email":"bob@x.example","name":"bob","roles":["other","team"],"permissions":["*"]}',
        'a certificate says who it is, and what else is asked of it';
    post(ann => '/memory/threads?agentId=weather-agent', { resourceId => 'bob', threadId => "t-$version" }, $option);
    is JSON::PP::decode_json(curl('ann', $option,
        "https://127.0.0.1:$port/api/memory/threads/t-$version?agentId=weather-agent")->{body})->{resourceId}, 'ann',
        '... and whose threads are';
    is curl('bob', $option, "https://127.0.0.1:$port/api/memory/threads/t-$version?agentId=weather-agent")->{status},
        403, '... which others do not see';
}

SKIP: {
    skip 'mod_http2 does not work with prefork', 3 if !$h2;
    # several streams of one connection
    my @same = ('-sN', '--http2', '--cacert', "$certs/ca.crt", '--cert', "$certs/ann.crt", '--key', "$certs/ann.key",
        '-H', 'Content-Type: application/json');
    my $answer = curl('ann', '--parallel', map { ($_ > 1 ? '--next' : (), @same, '-d',
        qq({"messages":"SLOW one two three $_"}), "https://127.0.0.1:$port/api/agents/plain-agent/stream") } 1 .. 6);
    my $done = () = $answer->{body} =~ /^data: \[DONE\]/mg;
    is $done, 6, 'several streams at once';
    # a client that leaves ends its run
    post(ann => '/agents/plain-agent/stream', { messages => 'SLOW ' . 'word ' x 100 }, '--http2', '-m', 1);
    ok wait_for(sub { post(ann => '/agents/plain-agent/generate', { messages => 'x' }, '--http2')->{status} == 200 }),
        'a client that leaves takes nothing with it';
    my $large = post(ann => '/agents/plain-agent/stream', { messages => 'w ' x 20_000 }, '--http2');
    like $large->{body}, qr/^data: \[DONE\]/m, 'a large stream comes whole';
}
$server->stop;
done_testing;
