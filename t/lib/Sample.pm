# A server of its own with mod_sample, another module that uses mod_mastra.h; see
# t/modules/mod_sample.c.
package Sample;
use strict;
use warnings FATAL => 'all';

use base 'MastraHttpd';

use File::Basename qw(dirname);
use JSON::PP ();
use MastraTest ();

# The LoadModule line.
sub load {
    return sprintf "LoadModule sample_module \"%s/mod_sample.so\"\n",
        dirname(MastraTest::needed('MODULE'));
}

# start([order => 'before' or 'after' mod_mastra,] [conf => more,] ...)
sub new {
    my ($class, %opt) = @_;
    my $order = delete $opt{order} // 'after';
    my $conf  = delete $opt{conf} // '';
    my $load  = load();
    return $class->SUPER::new(
        name => 'sample', %opt, $order eq 'before' ? (first => $load) : (),
        conf => ($order eq 'before' ? '' : $load) . <<'END' . $conf);
MastraEngine On
SendBufferSize 65536
MastraStopLimit 2
SampleHooks On
MastraModelProvider mock mock
MastraModelProvider own provider:sample timeout=2s
<Location /sample/>
    SetHandler sample
    Require all granted
</Location>
<MastraTool tell>
    MastraDescription "Tells what it was called with"
    MastraInputSchema '{"type":"object","properties":{"text":{"type":"string"}}}'
    MastraExecute provider provider=sample-tell extra=7
</MastraTool>
<MastraTool odd>
    MastraExecute provider provider=sample-odd timeout=2500
</MastraTool>
<MastraTool patient>
    MastraExecute provider provider=sample-odd timeout=60000
</MastraTool>
<MastraTool ask>
    MastraExecute provider provider=sample-ask
</MastraTool>
<MastraAgent plain>
    MastraName Plain
    MastraModel mock/echo
    MastraInstructions "You echo."
</MastraAgent>
<MastraAgent native>
    MastraName Native
    MastraModel own/job
    MastraInstructions "You are {{color}}."
    MastraTools tell
    MastraMemory On
</MastraAgent>
<MastraAgent threaded>
    MastraName Threaded
    MastraModel own/thread
    MastraInstructions "You are fast."
    MastraTools tell
</MastraAgent>
<MastraAgent nested>
    MastraName Nested
    MastraModel mock/echo
    MastraInstructions "You call."
    MastraTools ask
</MastraAgent>
END
}

# What the sample's handler says to an operation: its lines, from JSON.
sub ask {
    my ($self, $op, $body, %query) = @_;
    my $query  = join '&', map { "$_=" . $query{$_} =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }
        sort keys %query;
    my $answer = $self->request(POST => "/sample/$op?$query",
        body => ref $body ? JSON::PP::encode_json($body) : $body // '');
    return map { JSON::PP->new->allow_nonref->decode($_) } grep { length } split /\n/,
        $answer->{body};
}

sub counts { return JSON::PP::decode_json($_[0]->request(GET => '/sample/counts')->{body}) }

# Waits until a count is at least so high.
sub reached {
    my ($self, $name, $least, $seconds) = @_;
    return MastraTest::wait_for(sub { $self->counts->{$name} >= $least }, $seconds);
}

1;
