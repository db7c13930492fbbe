# What hosts put between an agent and its client: compression that has to leave streams alone,
# limited rates, other output filters. Words still come as they are said.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Served qw(text_of_frames types);
use Time::HiRes qw(time);

plan tests => 23;

my $httpd = Served->start(name => 'between', conf => <<'END');
AddOutputFilterByType DEFLATE application/json text/event-stream text/plain
AddOutputFilterByType BROTLI_COMPRESS application/json text/event-stream text/plain
<Location "/api/agents/up-agent/">
    SetOutputFilter BROTLI_COMPRESS;DEFLATE
</Location>
<Location "/api/agents/limited-agent/">
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 8
</Location>
<Location "/api/agents/tool-agent/">
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 6000
</Location>
END
my @accept = (headers => ['Accept-Encoding' => 'gzip, deflate, br']);

# --- compression

my $words = 'GATE one two three';
for my $agent ('up-agent', 'mock-agent') {
    for my $path ('stream', 'stream/vnext') {
        my $stream = $httpd->stream("/agents/$agent/$path", { messages => $words }, @accept,
            $path eq 'stream' ? () : (separator => "\x1e"));
        is $stream->{head}{headers}{'content-encoding'}, undef, "$agent, $path: not compressed";
        my @frames = $agent eq 'up-agent' ? eval { $httpd->model->follow($stream, 5) }
            : $stream->frames;
        ok scalar @frames, '... each word at its time' or diag $@ if $agent eq 'up-agent';
        is text_of_frames(@frames), "Echo: $words", '... and whole';
    }
}
my $list = $httpd->api_get('/agents', @accept);
like $list->{headers}{'content-encoding'}, qr/^(?:br|gzip)$/, 'what is no stream is compressed';
is $httpd->api_post('/agents/up-agent/generate', { messages => 'hi' }, @accept)->{status}, 200,
    '... or not, and arrives';

# --- a limited rate

my $start   = time;
my $limited = $httpd->ask('/agents/limited-agent/stream', { messages => 'WORDS:150' });
my $quick   = $httpd->ask('/agents/mock-agent/stream', { messages => 'word ' x 1500 });
$quick->read_head;
like types($quick->frames), qr/finish \[DONE\]$/, 'a stream beside a limited one';
my $took = time - $start;
is $limited->read_head->{status}, 200, 'a limited stream';
my @frames = $limited->frames(300);
is text_of_frames(@frames), join(' ', map { "w$_" } 1 .. 150), '... has all its words';
like types(@frames), qr/^start .*finish \[DONE\]$/, '... in order';
ok !$limited->cut, '... to its end';
cmp_ok time - $start, '>', 1, '... and takes its time';
cmp_ok $took / 1500, '<', (time - $start) / 150, 'the one beside it was not limited';

$limited = $httpd->ask('/agents/limited-agent/stream', { messages => 'SILENT one two three' });
$limited->read_head;
@frames = map { $limited->next_frame } 1 .. 4;
$limited->leave;
ok wait_for(sub { $httpd->model->stats->{busy} == 0 }, 5), '... and ends when its client leaves';

# --- much through a limited rate

my $call   = { messages => 'CALL:big-tool:{"bytes":1000000}' };
my $stream = $httpd->stream('/agents/tool-agent/stream', $call);
@frames = $stream->frames(300);
like types(@frames), qr/tool-result .*finish \[DONE\]$/, 'a large tool result through a limited rate';
my ($result) = grep { ref $_->{json} && $_->{json}{type} eq 'tool-result' } @frames;
like $result->{data}, qr/x{30000}/, '... is whole';
my $answer = $httpd->api_post('/agents/tool-agent/generate', $call, timeout => 300);
is $answer->{status}, 200, '... and in a whole answer';
$httpd->stop;
