# Values of 300 KB in the steps of a run: what jobs parse, print and free is what anybody sees.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use JSON::PP ();
use MastraTest;
use Served;

plan tests => 12;

my $object = { type => 'object' };
my $n      = 300_000;
my $httpd  = Served->start(name => 'large');

sub tool { my ($id, $tool) = @_; return { type => 'tool', id => $id, toolId => $tool } }

sub store {
    my ($id, @graph) = @_;
    my $answer = $httpd->api_post('/stored/workflows', { id => $id, inputSchema => { type => 'object',
            properties => { bytes => { type => 'integer' } }, required => ['bytes'] },
        outputSchema => $object, graph => \@graph });
    is $answer->{status}, 200, "$id is stored" or diag explain $answer->{json};
}

# every text of that length in a value, by its path
sub long {
    my ($value, $path, $found) = (@_, {})[0 .. 2];
    if (ref $value eq 'HASH') {
        long($value->{$_}, "$path.$_", $found) for keys %$value;
    }
    elsif (ref $value eq 'ARRAY') {
        long($value->[$_], "$path.$_", $found) for 0 .. $#$value;
    }
    elsif (defined $value && length $value > 1000) {
        $found->{$path} = length($value) . ($value =~ /\Ax+\z/ ? '' : ' wrong');
    }
    return $found;
}

store('lots', tool('big', 'big-tool'), tool('echo', 'echo-tool'));
my $input  = { inputData => { bytes => $n } };
my $answer = $httpd->api_post('/workflows/lots/start-async?runId=lots-1', $input);
is $answer->{json}{status}, 'success', 'a run with large values';
my $found = long($answer->{json}, 'answer');
is join(' ', grep { $_ ne $n } values %$found), '', '... shows each text whole';
is $found->{'answer.steps.big.output.text'}, $n, '... that of the tool';
is $found->{'answer.result.input.text'}, $n, '... and the result';

my $seen = $httpd->api_get('/workflows/lots/runs/lots-1')->{json};
is_deeply $seen->{steps}{$_}{output}, $answer->{json}{steps}{$_}{output}, "storage has the same of $_"
    for qw(big echo);

my @chunks = map { JSON::PP::decode_json($_) }
    split /\x1e/, $httpd->api_post('/workflows/lots/stream?runId=lots-2', $input)->{body};
is $chunks[-1]{type}, 'workflow-finish', 'a stream of it ends';
my %results = map { $_->{payload}{id} => $_->{payload}{output} }
    grep { $_->{type} eq 'workflow-step-result' } @chunks;
is $results{echo}{input}{text}, 'x' x $n, '... and tells the same';

# one that nobody waits for any more, while its values are read or printed
my $client = $httpd->ask('/workflows/lots/stream?runId=left', $input);
$httpd->api_post('/workflows/lots/runs/left/cancel');
$client->leave;
ok wait_for(sub { ($httpd->api_get('/workflows/lots/runs/left?fields=error')->{json}{status} // '')
    !~ /running|pending/ }, 60), 'a run that is canceled ends';
is $httpd->api_post('/workflows/lots/start-async?runId=lots-3', { inputData => { bytes => 10 } })
    ->{json}{status}, 'success', 'the child goes on';
$httpd->stop;
is scalar(grep /exit signal|AddressSanitizer/, split /\n/, $httpd->log), 0, 'it has not crashed';
