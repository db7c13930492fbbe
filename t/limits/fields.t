# Each member of each route's body and query, sent with the wrong type, too long, too deep or not
# at all: the answer names it, and nothing that a client may write brings a child down. The
# members are those of the schemas in the route tables, which mod_routes hands out.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Basename qw(dirname);
use JSON::PP ();
use MastraClient;
use MastraTest;
use Served;

my $json   = JSON::PP->new->utf8->canonical->allow_nonref;
my $module = dirname($ENV{MODULE}) . '/mod_routes.so';
my $httpd  = Served->start(name => 'fields', conf => <<"END");
LoadModule routes_module "$module"
MaxKeepAliveRequests 0
<Location /routes>
    SetHandler routes
    Require all granted
</Location>
END
my @children = $httpd->children;
my @routes   = grep { $_->{path} =~ m{^/(?:agents|auth|memory|tools)\b} }
    @{ $httpd->request(GET => '/routes')->{json} };

my ($outside, $streams, $no_json) = (2, 4, 16);      # the MASTRA_ROUTE_ flags
my %word = (agentId => 'memory-agent', toolId => 'echo-tool', threadId => 'fields', runId => 'none',
    modelConfigId => 'none', messageId => 'none');

# --- one connection for as long as the server keeps it ------------------------

my $client;

sub ask {
    my ($route, %opt) = @_;
    my $path = $route->{path} =~ s/:(\w+)/$word{$1} \/\/ 'x'/ger;
    $path = "/api$path" if !($route->{flags} & $outside);
    $path .= '?' . ($opt{query} // join '&', needed($route, ''));
    my @headers = defined $opt{body} ? ('Content-Type' => 'application/json') : ();
    my $answer;
    for my $fresh (0, 1) {
        $client = MastraClient->new(port => $httpd->port) if $fresh || !$client;
        $client->send_request($route->{method}, $path, headers => \@headers, body => $opt{body});
        $answer = eval { $client->read_head };
        last if $answer;
        $client = undef;
    }
    return { status => 0, body => $@ } if !$answer;
    # what streams may do so for long
    if ($answer->{status} == 200 && $answer->{headers}{'content-type'} =~ m{^text/}) {
        $client->leave;
        $client = undef;
        return { %$answer, body => '' };
    }
    my $body = '';
    while (length(my $piece = $client->read_piece // '')) {
        $body .= $piece;
    }
    $client = undef if ($answer->{headers}{connection} // '') eq 'close';
    return { %$answer, body => $body };
}

# The parameters that a route must have, but for one.
sub needed {
    my ($route, $but) = @_;
    my $query = $route->{query} or return;
    return map { "$_=" . ($word{$_} // fitting($query->{properties}{$_})) }
        grep { $_ ne $but } sort @{ $query->{required} || [] };
}

# --- what a schema lets through and what not -----------------------------------

my %kinds = (
    string  => 'text',
    number  => 42.5,
    boolean => JSON::PP::true,
    null    => undef,
    array   => [42],
    object  => { x => 1 },
);

# The names of the types that one value may have.
sub types {
    my $schema = shift;
    return map { types($_) } @{ $schema->{anyOf} || $schema->{oneOf} }
        if $schema->{anyOf} || $schema->{oneOf};
    return 'string' if defined $schema->{const} || $schema->{enum};
    return keys %kinds if !defined $schema->{type};
    return map { $_ eq 'integer' ? 'number' : $_ }
        ref $schema->{type} ? @{ $schema->{type} } : $schema->{type};
}

# A value that fits.
sub fitting {
    my $schema = shift;
    my ($first) = @{ $schema->{anyOf} || $schema->{oneOf} || [] };
    return fitting($first) if $first;
    return $schema->{const} if defined $schema->{const};
    return $schema->{enum}[0] if $schema->{enum};
    my ($type) = sort { $b cmp $a } types($schema);
    return $schema->{minimum} // 1 if $type eq 'number';
    return [map { fitting($schema->{items} || {}) } 1 .. $schema->{minItems} // 0]
        if $type eq 'array';
    return $kinds{$type} if $type ne 'object';
    return { map { $_ => fitting($schema->{properties}{$_}) } @{ $schema->{required} || [] } };
}

# [where, value, what it is] for all that does not fit; where is the list of names down to it,
# and its issue may stand at the union of types that it lies in, which is "at".
sub misfits {
    my ($schema, $where, $at) = @_;
    my @made;
    my %may = map { $_ => 1 } types($schema);
    for my $kind (sort keys %kinds) {
        push @made, [$where, $kinds{$kind}, $kind, $at] if !$may{$kind};
    }
    if ($may{string} && !$may{object} && ($schema->{enum} || defined $schema->{const})) {
        push @made, [$where, 'something else', 'another word', $at];
    }
    push @made, [$where, 'x' x ($schema->{maxLength} + 1), 'too long a text', $at]
        if $schema->{maxLength};
    push @made, [$where, '', 'too short a text', $at] if $schema->{minLength};
    push @made, [$where, $schema->{minimum} - 1, 'too small a number', $at]
        if defined $schema->{minimum};
    push @made, [$where, $schema->{exclusiveMinimum}, 'the number it has to exceed', $at]
        if defined $schema->{exclusiveMinimum};
    push @made, [$where, 1.5, 'a fraction', $at] if ($schema->{type} // '') eq 'integer';
    push @made, [$where, [], 'too short a list', $at] if $schema->{minItems};

    my @arms = @{ $schema->{anyOf} || $schema->{oneOf} || [] };
    for my $arm (@arms) {
        # other arms may take what this one does not
        my @others = grep { $_ != $arm } @arms;
        next if grep { my $type = $_; grep { $type eq $_ } types($arm) } map { types($_) } @others;
        push @made, inner_misfits($arm, $where, $at // $where);
    }
    push @made, inner_misfits($schema, $where, $at) if !@arms;
    return @made;
}

sub inner_misfits {
    my ($schema, $where, $at) = @_;
    my @made;
    my $members = $schema->{properties} || {};
    for my $name (sort keys %$members) {
        push @made, misfits($members->{$name}, [@$where, $name], $at);
    }
    for my $name (@{ $schema->{required} || [] }) {
        push @made, [[@$where, $name], undef, 'nothing', $at, 1];
    }
    push @made, misfits($schema->{items}, [@$where, 0], $at) if ref $schema->{items};
    push @made, misfits($schema->{additionalProperties}, [@$where, 'any'], $at)
        if ref $schema->{additionalProperties};
    return @made;
}

# The body that fits, with one value in its place; what lies around it fits too.
sub planted {
    my ($schema, $where, $value, $gone) = @_;
    my ($name, @rest) = @$where or return $value;
    if (my $arms = $schema->{anyOf} || $schema->{oneOf}) {
        ($schema) = grep { $_->{properties}{$name} || $_->{items} || $_->{additionalProperties} }
            @$arms;
    }
    if ($name =~ /^\d+$/) {
        return [planted($schema->{items}, \@rest, $value, $gone)];
    }
    my $made = { %{ fitting({ %$schema, type => 'object' }) } };
    if ($gone && !@rest) {
        delete $made->{$name};
    }
    else {
        my $inner = $schema->{properties}{$name} || $schema->{additionalProperties} || {};
        $made->{$name} = planted($inner, \@rest, $value, $gone);
    }
    return $made;
}

sub names {
    my ($answer, $what, $where) = @_;
    return 0 if $answer->{status} != 400;
    my $said = eval { $json->decode($answer->{body}) } || {};
    return 0 if ($said->{error} // '') ne "Invalid $what";
    return grep { $_->{field} eq $where && length $_->{message} } @{ $said->{issues} || [] };
}

# An answer that puts no blame on the server. A run that nobody knows is one to the real server.
sub tame {
    my ($route, $answer) = @_;
    return 1 if $route->{path} =~ /send-tool-approval$/ && $answer->{status} == 500
        && $answer->{body} =~ /could not find an active or suspended run/;
    return $answer->{status} >= 200 && $answer->{status} < 500;
}

sub told {
    my ($answer, $sent) = @_;
    return sprintf '%.200s: %d %.200s', $sent, $answer->{status}, $answer->{body};
}

# what takes the encoder long, or has it warn of its recursion, is written in afterwards
my %large = (DEEP => '{"a":[' x 100 . ']}' x 100, 
    LONG => '"' . join('', map { sprintf '%08x', $_ * 2654435761 & 0xffffffff } 1 .. 25_000) . '"');
my $sent  = 0;
sub none_wrong {
    my ($wrong, $count, $name) = @_;
    $sent += $count;
    ok !@$wrong, "$name ($count)" or diag join "\n", @$wrong > 8 ? @$wrong[0 .. 7] : @$wrong;
}

my @bodies  = grep { $_->{body} && !($_->{flags} & $no_json) } @routes;
my @queries = grep { $_->{query} } @routes;
plan tests => 5 * @bodies + @queries + 5;
cmp_ok scalar @bodies, '>', 25, 'the routes are there';

for my $route (@bodies) {
    my $name   = "$route->{method} $route->{path}";
    my $schema = $route->{body};
    my (@wrong, $count);

    # each member, and the body as a whole
    my @misfits = misfits($schema, []);
    for (@misfits) {
        my ($where, $value, $kind, $at, $gone) = @$_;
        my $body   = $json->encode(planted($schema, $where, $value, $gone));
        my $answer = ask($route, body => $body);
        my @places = map { join('.', @$_) || 'root' } $where, $at // ();
        push @wrong, "$kind at @places: " . told($answer, $body)
            if !grep { names($answer, 'request body', $_) } @places;
    }
    none_wrong(\@wrong, scalar @misfits, "$name: what does not fit is refused by name");

    # a text that stops anywhere, and such that are none
    my $whole = $json->encode({ %{ fitting($schema) }, more => [1, "\x{e9}", { a => undef }] });
    my @broken = ((map { substr $whole, 0, $_ } 1 .. length($whole) - 1), "$whole}",
        "\xef\xbb\xbf{\xff}", "{\"a\":\"\xff\"}", "{\"\xc0\x80\":1}", "{\"a\":\"\xed\xa0\x80\"}",
        '{"a":"\ud800"}', '{"a":"\u0000"}', '{"a":1e999}', "{'a':1}", '{"a":1,}', '{a:1}',
        '{"a":NaN}', '{"a":01}', "\0", '{"a":' . '[' x 600 . ']' x 600 . '}');
    @wrong = ();
    for my $body (@broken) {
        my $answer = ask($route, body => $body);
        push @wrong, told($answer, $body) if !names($answer, 'request body', 'body');
    }
    none_wrong(\@wrong, scalar @broken, "$name: what is no JSON is refused");

    # nothing at all: for some routes that is fine
    my $answer = ask($route);
    my $needs  = @{ $schema->{required} || [] };
    ok $needs ? names($answer, 'request body', 'root') : $answer->{status} < 500,
        "$name: no body" or diag told($answer, '');

    # what the schema lets through and nobody expects
    @wrong = ();
    my @odd = (undef, JSON::PP::true, -1, 1e300, -0.0, '', "\x{1f600}\x{1}", 'LONG', [], {}, [[[[]]]],
        [(undef) x 100], { map { $_ => {} } 1 .. 100 }, 'DEEP', { type => 'x' }, [{}],
        { '__proto__' => 1 }, { '' => '' });
    $count = 0;
    for my $field (sort keys %{ $schema->{properties} || {} }) {
        for my $value (@odd) {
            my $body = $json->encode(planted($schema, [$field], $value)) 
                =~ s/"(DEEP|LONG)"/$large{$1}/r;
            $answer = ask($route, body => $body);
            $count++;
            push @wrong, "$field: " . told($answer, $body)
                if !tame($route, $answer);
        }
    }
    none_wrong(\@wrong, $count, "$name: what is odd is no fault of the server");

    # announced and too large: refused before it comes
    my $large = MastraClient->new(port => $httpd->port);
    my $path  = $route->{path} =~ s/:(\w+)/$word{$1} \/\/ 'x'/ger;
    $large->send_request($route->{method}, "/api$path", headers => ['Content-Type' =>
        'application/json', 'Content-Length' => 10_485_760]);
    is $large->read_head->{status}, 413, "$name: 10 MB are too many";
}

for my $route (@queries) {
    my $name    = "$route->{method} $route->{path}";
    my $members = $route->{query}{properties};
    my (@wrong, $count);
    my %need = map { $_ => 1 } @{ $route->{query}{required} || [] };
    my @body = $route->{body} ? (body => $json->encode(fitting($route->{body}))) : ();
    for my $field (sort keys %$members) {
        my $schema = $members->{$field};
        my %may    = map { $_ => 1 } types($schema);
        my @values = grep { length } (
            $may{string} || $may{boolean} ? () : 'x%20y',
            $may{array}  ? () : "1&$field=2",
            $schema->{enum} ? 'nothing' : '',
            defined $schema->{minimum} ? $schema->{minimum} - 1 : '',
            ($schema->{type} // '') eq 'integer' ? ('1.5', '1e999', '99999999999999999999') : '',
            $schema->{maxLength} ? 'x' x ($schema->{maxLength} + 1) : '');
        for my $value (@values) {
            my $query  = join '&', needed($route, $field), "$field=$value";
            my $answer = ask($route, query => $query, @body);
            $count++;
            push @wrong, told($answer, $query) if !names($answer, 'query parameters', $field);
        }
        for my $odd ('', '%00', '%ff', '%', '%zz', '%7B', '%5B%5D', '%7B%22a%22%3A%7B%7D%7D',
            'null', 'a%20b', 'x' x 3000, '-1', '0', '1e400', '%F0%9F%92%A9') {
            my $answer = ask($route, @body,
                query => join '&', needed($route, $field), "$field=$odd");
            $count++;
            push @wrong, told($answer, "$field=$odd")
                if !tame($route, $answer);
        }
        if ($need{$field}) {
            my $answer = ask($route, query => join('&', needed($route, $field)), @body);
            $count++;
            push @wrong, told($answer, "no $field") if !names($answer, 'query parameters', $field);
        }
    }
    none_wrong(\@wrong, $count // 0, "$name: parameters that do not fit");
}

# --- none the worse ------------------------------------------------------------

note "$sent requests";
my $here = $httpd->api_post('/agents/mock-agent/generate', { messages => 'still' });
is $here->{json}{text}, 'Echo: still', 'the server is none the worse';
# prefork makes and ends them as it sees fit
is_deeply [mpm() eq 'prefork' ? @children : $httpd->children], \@children,
    '... its children are those of the beginning';
unlike $httpd->log, qr/exit signal/, '... and none was lost';
unlike $httpd->log, qr/\[mastra:error\]/, '... nor did it complain';
$httpd->stop;
