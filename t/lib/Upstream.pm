# A scripted model server: OpenAI's chat completions and embeddings, deterministic, in a process
# of its own. What the last user message says decides the answer; see plan() and trouble().
package Upstream;
use strict;
use warnings FATAL => 'all';

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MastraClient;
use MastraTest ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->allow_nonref->canonical;

# start([port => N,] [script => CODE]): the port is the one that the suite's server has its
# provider "up" at, unless given (0: any). The script sees each request { method, path, headers,
# body, json, n } first, in the other process, and returns a reply (see reply()) or undef.
sub start {
    my ($class, %opt) = @_;
    my $port   = $opt{port} // $ENV{MASTRA_UPSTREAM} // 0;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
        Listen => 1024, Proto => 'tcp', ReuseAddr => 1) or croak "upstream port $port: $!";
    my $self = bless { port => $listen->sockport, owner => $$ }, $class;

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = 'DEFAULT';
        my $ok = eval { Upstream::Server->new($listen, $opt{script})->loop; 1 };
        print STDERR "upstream: $@" if !$ok;
        POSIX::_exit(1);
    }
    $self->{pid} = $pid;
    return $self;
}

sub port { $_[0]{port} }
sub url  { "http://127.0.0.1:$_[0]{port}/v1" }

# What it was asked so far: { method, path, headers, json, at }, oldest first.
sub requests { @{ $_[0]->ask('/_log') } }

# Connections and answers: open (now), opened, answered, cancelled (the peer left in the middle).
sub stats { $_[0]->ask('/_stats') }

sub reset { $_[0]->ask('/_reset') }

# Lets answers that stand at a gate go on to the next one; "all": to their end. So a test decides
# what has happened by then, and not the speed of a machine.
sub go     { $_[0]->ask('/_go') }
sub go_all { $_[0]->ask('/_go_all') }

# Waits until so many answers stand at a gate.
sub gated {
    my ($self, $n) = @_;
    return MastraTest::wait_for(sub { $self->stats->{gated} >= ($n // 1) });
}

sub ask {
    my ($self, $path) = @_;
    my $client = MastraClient->new(port => $self->{port});
    $client->send_request(GET => $path, headers => [Connection => 'close']);
    return $json->decode($client->read_answer->{body});
}

sub stop {
    my $self = shift;
    return if $$ != $self->{owner} || !$self->{pid};
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}

sub DESTROY { local ($@, $?, $!); $_[0]->stop }

# Reads a stream whose model stops at a gate before each of so many words: the next one is said
# when the client has the last one. All its frames.
sub follow {
    my ($self, $client, $words) = @_;
    my @frames;
    for my $word (1 .. $words) {
        $self->gated or croak "the model does not come to word $word";
        $self->go;
        do {
            push @frames, $client->next_frame // croak "word $word did not come";
        } until ref $frames[-1]{json} && $frames[-1]{json}{type} eq 'text-delta';
    }
    return (@frames, $client->frames);
}

# --- what scripts return -----------------------------------------------------

# reply(STATUS, DATA, [headers]): a JSON answer.
sub reply {
    my ($status, $data, @headers) = @_;
    my $body = $json->encode($data);
    return [send => head($status, 'Content-Type' => 'application/json',
        'Content-Length' => length $body, @headers) . $body];
}

sub head {
    my ($status, @headers) = @_;
    my $text = "HTTP/1.1 $status Scripted\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    return "$text\r\n";
}

# One piece of a chunked body.
sub chunk { return sprintf("%x\r\n", length $_[0]) . "$_[0]\r\n" }

# Steps that a script strings together: (send => BYTES), (wait => SECONDS), (cut => 1: the
# connection breaks), (hang => 1: nothing more, ever), (gate => 1: nothing more before go()).
sub sse_head { return (send => head(200, 'Content-Type' => 'text/event-stream',
    'Transfer-Encoding' => 'chunked')) }
sub sse_data { return (send => chunk("data: " . (ref $_[0] ? $json->encode($_[0]) : $_[0]) . "\n\n")) }
sub sse_end  { return (send => chunk("data: [DONE]\n\n") . "0\r\n\r\n") }

# --- the answers -------------------------------------------------------------

sub text_of {
    my $content = shift;
    return $content if defined $content && !ref $content;
    return join '', map { $_->{text} // '' } @$content if ref $content eq 'ARRAY';
    return '';
}

# An instance of a JSON Schema: the first choice everywhere.
sub instance {
    my ($schema, $root, $depth) = @_;
    $root //= $schema;
    $depth //= 0;
    return undef if ref $schema ne 'HASH' || $depth > 8;
    if (my $ref = $schema->{'$ref'}) {
        my $at = $root;
        $at = ref $at ? $at->{$_} : undef for grep { length } split m{/}, $ref =~ s/^#//r;
        return instance($at, $root, $depth + 1);
    }
    return $schema->{const} if exists $schema->{const};
    return $schema->{enum}[0] if $schema->{enum};
    for (qw(anyOf oneOf)) {
        return instance($schema->{$_}[0], $root, $depth + 1) if $schema->{$_};
    }
    my $type = ref $schema->{type} ? $schema->{type}[0] : $schema->{type} // '';
    if ($type eq 'object' || $schema->{properties}) {
        my $properties = $schema->{properties} || {};
        return { map { $_ => instance($properties->{$_}, $root, $depth + 1) } keys %$properties };
    }
    return [instance($schema->{items}, $root, $depth + 1)] if $type eq 'array';
    return $schema->{minimum} // 7 if $type =~ /^(?:number|integer)$/;
    return JSON::PP::true if $type eq 'boolean';
    return undef if $type eq 'null';
    return 'mock';
}

# What the leader of a network is asked: ROUTE:NAME:KIND:PROMPT; in the task says who is next, NOTYET
# that the task is never complete, and PLAIN that the last result says it all. ROUTES:[[NAME, KIND,
# PROMPT], ...]! names one after the other, then it is complete.
sub network {
    my ($said, $format, @messages) = @_;
    my $asked = $format->{json_schema} || {};
    my $wants = ($asked->{schema} || {})->{properties} || {};
    if ($said =~ /ROUTES:(\[.*?\])!/s) {
        my $routes = JSON::PP->new->decode($1);
        my $n = () = join(' ', map { text_of($_->{content}) } grep { $_->{role} eq 'assistant' } @messages)
            =~ /"isNetwork":true/g;
        return { text => $json->encode({ selectionReason => 'told',
            map { (qw(primitiveId primitiveType prompt))[$_] => $routes->[$n][$_] // 'none' } 0 .. 2 }) }
            if $wants->{primitiveId};
        $said = $n < @$routes ? 'NOTYET' : 'over';
    }
    if ($wants->{primitiveId}) {
        my ($id, $type, $prompt) = $said =~ /ROUTE:([\w-]+):(\w+):(.*?);/s;
        return { text => $json->encode({ primitiveId => $id // 'none',
            primitiveType => $type // 'none', prompt => $prompt // '',
            selectionReason => 'told' }) };
    }
    return undef if !$wants->{isComplete};
    return { text => $json->encode({ isComplete => JSON::PP::false,
        completionReason => 'not yet' }) } if $said =~ /NOTYET/;
    return { text => $json->encode({ isComplete => JSON::PP::true, completionReason => 'done',
        finalResult => $said =~ /PLAIN/ ? '' : 'Final network answer' }) };
}

# STEPS:[[[NAME, {arguments}], ...], ...]: the calls of each step, all of one at once; then "Done".
sub steps {
    my ($text, @messages) = @_;
    my $steps = JSON::PP->new->decode($text);
    my $n     = grep { $_->{role} eq 'assistant' && $_->{tool_calls} } @messages;
    return { text => 'Done' } if $n >= @$steps;
    return { calls => [map { [$_->[0], $json->encode($_->[1])] } @{ $steps->[$n] }] };
}

# What the model says to a request: { text, reason } or { calls => [[name, arguments]], pre }.
sub plan {
    my $request  = shift;
    my @messages = @{ $request->{messages} || [] };
    my ($user)   = grep { $_->{role} eq 'user' } reverse @messages;
    my $said     = text_of($user ? $user->{content} : '');
    my @tools    = map { $_->{function}{name} } @{ $request->{tools} || [] };
    my $last     = $messages[-1] || {};

    return steps($1, @messages) if $said !~ /ROUTES:/ && $said =~ /STEPS:(\[.*\])/s;
    return { text => 'Tool result: ' . text_of($last->{content}) }
        if ($last->{role} // '') eq 'tool';
    if ($said =~ /CALL:([\w.-]+):(\{.*\})/s && grep { $_ eq $1 } @tools) {
        return { calls => [[$1, $2]] };
    }
    my ($weather) = grep { /weather/i } @tools;
    if ($weather && $said =~ /weather/i) {
        my @cities = $said =~ /\btwo\b/i ? qw(Paris Rome) : 'Paris';
        return {
            calls => [map { [$weather, $json->encode({ city => $_ })] } @cities],
            pre   => $said =~ /PRE/ ? 'Let me check. ' : '',
        };
    }
    my ($delete) = grep { /delete/i } @tools;
    return { calls => [[$delete, $json->encode({ path => '/tmp/x' })]] }
        if $delete && $said =~ /delete/i;
    return { calls => [['updateWorkingMemory',
        $json->encode({ memory => "# User\n- name: Bob" })]] }
        if $said =~ /remember/i && grep { $_ eq 'updateWorkingMemory' } @tools;

    my $format = $request->{response_format} || {};
    my $network = network($said, $format, @messages);
    return $network if $network;
    return { text => $json->encode(instance($format->{json_schema}{schema})) }
        if ($format->{type} // '') eq 'json_schema';
    my $system = join "\n", map { text_of($_->{content}) }
        grep { $_->{role} eq 'system' } @messages;
    my ($inline) = $system =~ /JSON schema.*?(\{.*\})/is;
    if (($format->{type} // '') eq 'json_object' || $inline) {
        my $schema = $inline && eval { $json->decode($inline) };
        return { text => $json->encode($schema ? instance($schema) : { answer => 'mock' }) };
    }
    return { text => 'Mock title' } if $system =~ /title/i && $system !~ /workflow|agent/i;
    return { text => join ' ', map { "w$_" } 1 .. $1 } if $said =~ /WORDS:(\d+)/;
    return { text => 'x' x $1 } if $said =~ /BIG:(\d+)/;
    return { text => "Echo: $said", reason => $said =~ /REASON/ ? 'Thinking about it.' : undef };
}

# Failures that a user message asks for; undef when it asks for none.
#   FAIL401 FAIL429 FAIL500 FAIL503   that status; RETRY:n adds Retry-After
#   ONCE500 ONCE429                   that status, and a good answer when asked again
#   MUTE                              the request is read and nothing comes back
sub trouble {
    my ($said, $seen) = @_;
    return [hang => 1] if $said =~ /MUTE/;
    my ($once, $status) = $said =~ /(FAIL|ONCE)(4\d\d|5\d\d)/ or return undef;
    return undef if $once eq 'ONCE' && $seen->{$said}++;
    my @headers = $said =~ /RETRY:(\d+)/ ? ('Retry-After' => $1) : ();
    return reply($status, { error => { message => "mock failure $status",
        type => 'server_error', code => undef, param => undef } }, @headers);
}

sub words { my @words = $_[0] =~ /\S+\s*/g; return @words ? @words : $_[0] }

my $serial = 0;

sub completion {
    my ($request, $seen) = @_;
    my ($user) = grep { $_->{role} eq 'user' } reverse @{ $request->{messages} || [] };
    my $said   = text_of($user ? $user->{content} : '');
    my $steps  = trouble($said, $seen);
    return $steps if $steps;

    my $plan = plan($request);
    my $n    = ++$serial;
    my @calls = map { {
        id => "call_${n}_$_", type => 'function',
        function => { name => $plan->{calls}[$_][0], arguments => $plan->{calls}[$_][1] },
    } } 0 .. $#{ $plan->{calls} || [] };
    my %base = (id => "chatcmpl-$n", created => 1700000000, model => $request->{model});
    return $request->{stream} ? streamed($request, $said, $plan, \@calls, \%base)
                              : whole($said, $plan, \@calls, \%base);
}

my %usage = (prompt_tokens => 10, completion_tokens => 5, total_tokens => 15);

sub whole {
    my ($said, $plan, $calls, $base) = @_;
    my $message = {
        role => 'assistant', content => @$calls ? $plan->{pre} || undef : $plan->{text},
        defined $plan->{reason} ? (reasoning_content => $plan->{reason}) : (),
        @$calls ? (tool_calls => $calls) : (),
    };
    my $steps = reply(200, { %$base, object => 'chat.completion', usage => \%usage, choices => [{
        index => 0, message => $message, finish_reason => @$calls ? 'tool_calls' : 'stop' }] });
    unshift @$steps, wait => 1.5 if $said =~ /SLOW/;
    unshift @$steps, gate => 1 if $said =~ /GATE/;
    if ($said =~ /CUT/) {
        substr $steps->[-1], -20, 20, '';
        push @$steps, cut => 1;
    }
    return reply_text(200, '{"id": not JSON') if $said =~ /GARBAGE/;
    return $steps;
}

sub reply_text {
    my ($status, $body) = @_;
    return [send => head($status, 'Content-Type' => 'application/json',
        'Content-Length' => length $body) . $body];
}

# Words come one chunk each; SLOW waits 400 ms before each, PACE:n n milliseconds, GATE until the
# test says so. After the third word CUT breaks the connection, SILENT says nothing more, GARBAGE
# sends a chunk that is not JSON; NODONE ends the body without [DONE], NOUSAGE counts no tokens.
sub streamed {
    my ($request, $said, $plan, $calls, $base) = @_;
    my $pace = $said =~ /PACE:(\d+)/ ? $1 / 1000 : $said =~ /SLOW/ ? 0.4 : 0;
    my $part = sub {
        my ($delta, $finish, @extra) = @_;
        return sse_data({ %$base, object => 'chat.completion.chunk', @extra,
            choices => [{ index => 0, delta => $delta, finish_reason => $finish }] });
    };
    my @steps = (sse_head(), $part->({ role => 'assistant', content => '' }));
    push @steps, map { $part->({ reasoning_content => $_ }) } words($plan->{reason})
        if defined $plan->{reason};
    push @steps, map { $part->({ content => $_ }) } words($plan->{pre}) if $plan->{pre};
    for my $i (0 .. $#$calls) {
        my ($call, $text) = ($calls->[$i], $calls->[$i]{function}{arguments});
        my $half = int((length($text) + 1) / 2);
        push @steps, $part->({ tool_calls => [{ index => $i, id => $call->{id},
            type => 'function', function => { name => $call->{function}{name},
            arguments => '' } }] });
        push @steps, $part->({ tool_calls => [{ index => $i,
            function => { arguments => $_ } }] })
            for substr($text, 0, $half), substr($text, $half);
    }
    if (!@$calls) {
        my $sent = 0;
        for my $word (words($plan->{text})) {
            return [@steps, broken($said)] if $sent++ == 3 && $said =~ /CUT|SILENT|GARBAGE/;
            push @steps, wait => $pace if $pace;
            push @steps, gate => 1 if $said =~ /GATE/;
            push @steps, $part->({ content => $word });
        }
        return [@steps, broken($said)] if $said =~ /CUT|SILENT|GARBAGE/;
    }
    my $asked = ($request->{stream_options} || {})->{include_usage} && $said !~ /NOUSAGE/;
    push @steps, $part->({}, @$calls ? 'tool_calls' : 'stop',
        $asked || $said =~ /NOUSAGE/ ? () : (usage => \%usage));
    push @steps, sse_data({ %$base, object => 'chat.completion.chunk', choices => [],
        usage => \%usage }) if $asked;
    return [@steps, $said =~ /NODONE/ ? (send => "0\r\n\r\n") : sse_end()];
}

sub broken {
    my $said = shift;
    return (cut  => 1) if $said =~ /CUT/;
    return (hang => 1) if $said =~ /SILENT/;
    return (sse_data('{"choices": [{"delta": {"content'), sse_end());
}

# Eight numbers from the letters of a text, of length one.
sub embedding {
    my $text = shift;
    my @v = (0) x 8;
    $v[ord($_) % 8]++ for split //, $text;
    my $length = 0;
    $length += $_ ** 2 for @v;
    $length = sqrt($length) || 1;
    return [map { 0 + sprintf '%.6f', $_ / $length } @v];
}

sub embeddings {
    my $request = shift;
    my @input = ref $request->{input} ? @{ $request->{input} } : $request->{input};
    return reply(200, { object => 'list', model => $request->{model},
        usage => { prompt_tokens => 3, total_tokens => 3 },
        data  => [map { { object => 'embedding', index => $_,
            embedding => embedding($input[$_] // '') } } 0 .. $#input] });
}

sub answer {
    my ($request, $seen) = @_;
    my $path = $request->{path};
    return completion($request->{json} || {}, $seen) if $path =~ m{/chat/completions$};
    return embeddings($request->{json} || {}) if $path =~ m{/embeddings$};
    return reply(200, { object => 'list', data => [{ id => 'mock-model', object => 'model',
        created => 0, owned_by => 'mock' }] }) if $path =~ m{/models$};
    return reply(200, { ok => JSON::PP::true }) if $path =~ m{^/health};
    return reply(404, { error => { message => "no such path $path",
        type => 'invalid_request_error' } });
}

# --- the process that answers: one loop over its connections ------------------

package Upstream::Server;

use Time::HiRes qw(time);

sub new {
    my ($class, $listen, $script) = @_;
    $listen->blocking(0);
    return bless { listen => $listen, script => $script, peers => {}, seen => {}, log => [],
        count => { opened => 0, answered => 0, cancelled => 0 } }, $class;
}

sub loop {
    my $self = shift;
    while (1) {
        my @peers = values %{ $self->{peers} };
        my $read  = IO::Select->new($self->{listen}, map { $_->{socket} } @peers);
        my $write = IO::Select->new(map { $_->{socket} } grep { length $_->{out} } @peers);
        my ($due) = sort { $a <=> $b } map { $_->{due} // () } @peers;
        my $wait  = defined $due ? ($due > time ? $due - time : 0) : 3600;
        my ($readable, $writable) = IO::Select->select($read, $write, undef, $wait);
        for my $socket (@{ $readable || [] }) {
            $socket == $self->{listen} ? $self->take_in : $self->hear($self->{peers}{$socket});
        }
        for my $socket (@{ $writable || [] }) {
            $self->speak($self->{peers}{$socket}) if $self->{peers}{$socket};
        }
        for my $peer (values %{ $self->{peers} }) {
            next if !defined $peer->{due} || $peer->{due} > time;
            delete $peer->{due};
            $self->advance($peer);
        }
    }
}

sub take_in {
    my $self = shift;
    while (my $socket = $self->{listen}->accept) {
        $socket->blocking(0);
        $self->{peers}{$socket} = { socket => $socket, in => '', out => '', steps => [] };
        $self->{count}{opened}++;
    }
}

sub drop {
    my ($self, $peer) = @_;
    delete $self->{peers}{ $peer->{socket} };
    close $peer->{socket};
}

sub hear {
    my ($self, $peer) = @_;
    return if !$peer;
    my $n = sysread $peer->{socket}, $peer->{in}, 65536, length $peer->{in};
    return if !defined $n && $!{EAGAIN};
    if (!$n) {
        $self->{count}{cancelled}++ if $peer->{busy};
        $self->drop($peer);
        return;
    }
    $self->next_request($peer);
}

sub next_request {
    my ($self, $peer) = @_;
    return if $peer->{busy} || $peer->{in} !~ /\A(.*?)\r\n\r\n/s;
    my ($head, $length) = ($1, length $1);
    my ($size) = $head =~ /^content-length:\s*(\d+)/mi;
    $size //= 0;
    if ($head =~ /^expect:\s*100/mi && !$peer->{continued}++) {
        syswrite $peer->{socket}, "HTTP/1.1 100 Continue\r\n\r\n";
    }
    return if length $peer->{in} < $length + 4 + $size;
    delete $peer->{continued};
    my $body = substr $peer->{in}, $length + 4, $size;
    substr $peer->{in}, 0, $length + 4 + $size, '';

    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;
    my %headers = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } @lines;
    my %request = (method => $method, path => $path, headers => \%headers, body => $body,
        json => scalar(eval { $json->decode($body) }), at => time);
    $peer->{busy} = 1;
    $peer->{last} = ($headers{connection} // '') =~ /close/i;
    $peer->{steps} = [@{ $self->control($path) || $self->scripted(\%request) }];
    $self->advance($peer);
}

# What the test asks for, beside what the server under test does.
sub control {
    my ($self, $path) = @_;
    return Upstream::reply(200, $self->{log}) if $path eq '/_log';
    if ($path eq '/_stats') {
        # the one who asks is not counted
        return Upstream::reply(200, { %{ $self->{count} },
            open => scalar(keys %{ $self->{peers} }) - 1,
            gated => scalar(grep { $_->{gated} } values %{ $self->{peers} }),
            busy => scalar(grep { $_->{busy} } values %{ $self->{peers} }) - 1 });
    }
    if ($path =~ m{^/_go(_all)?$}) {
        $self->pass($_, $1) for grep { $_->{gated} } values %{ $self->{peers} };
        return Upstream::reply(200, {});
    }
    return undef if $path ne '/_reset';
    $self->{log}  = [];
    $self->{seen} = {};
    $_ = 0 for values %{ $self->{count} };
    return Upstream::reply(200, {});
}

sub scripted {
    my ($self, $request) = @_;
    push @{ $self->{log} }, { map { $_ => $request->{$_} } qw(method path headers json at) };
    $request->{n} = @{ $self->{log} };
    my $steps = $self->{script} && $self->{script}->($request);
    return $steps || Upstream::answer($request, $self->{seen});
}

# Lets an answer through its gate, or through all that it has.
sub pass {
    my ($self, $peer, $all) = @_;
    delete $peer->{gated};
    if ($all) {
        my @steps;
        while (my ($what, $value) = splice @{ $peer->{steps} }, 0, 2) {
            push @steps, $what, $value if $what ne 'gate';
        }
        $peer->{steps} = \@steps;
    }
    $self->advance($peer);
}

# Goes through the steps up to the next wait.
sub advance {
    my ($self, $peer) = @_;
    while (my ($what, $value) = splice @{ $peer->{steps} }, 0, 2) {
        if ($what eq 'send') {
            $peer->{out} .= $value;
        }
        elsif ($what eq 'wait') {
            $self->speak($peer);
            $peer->{due} = time + $value;
            return;
        }
        elsif ($what eq 'gate') {
            $self->speak($peer);
            $peer->{gated} = 1;
            return;
        }
        elsif ($what eq 'cut') {
            $self->speak($peer);
            $self->drop($peer);
            return;
        }
        else {
            $self->speak($peer);
            return;
        }
    }
    $peer->{finished} = 1;
    $self->speak($peer);
}

sub speak {
    my ($self, $peer) = @_;
    return if !$self->{peers}{ $peer->{socket} };
    while (length $peer->{out}) {
        my $n = syswrite $peer->{socket}, $peer->{out};
        if (!defined $n) {
            return if $!{EAGAIN};
            $self->{count}{cancelled}++;
            $self->drop($peer);
            return;
        }
        substr $peer->{out}, 0, $n, '';
    }
    return if !delete $peer->{finished};
    $peer->{busy} = 0;
    $self->{count}{answered}++;
    return $self->drop($peer) if $peer->{last};
    $self->next_request($peer);
}

1;
