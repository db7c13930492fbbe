# Restarts and ends while code of other modules runs: what is asked is answered, what listens is
# told, what never returns does not keep a child, and nothing crashes when modules are unloaded.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use MastraTest;
use Sample;
use Time::HiRes qw(time);

plan tests => 2 * 14 + 7;

sub send_to {
    my ($httpd, $path, $data) = @_;
    my $client = MastraTest::connection({ port => $httpd->port });
    $client->send_request(POST => $path, json => $data);
    return $client;
}

for my $order (qw(before after)) {
    my $says  = sub { "$order: $_[0]" };
    my $httpd = Sample->start(order => $order);
    $httpd->expect_log($_) for qr/MA600/, qr/MA601/, qr/MA3002/, qr/MA3003/;

    # --- graceful restarts, while calls are under way
    my @before = $httpd->children;
    my $slow   = send_to($httpd, '/api/tools/odd/execute', { data => { do => 'slow' } });
    my $model  = $httpd->stream('/agents/threaded/stream', { messages => 'slowly' });
    $model->next_frame;
    ok $httpd->reached(begun => 2), $says->('a tool and a model are at work');
    my $start = time;
    $httpd->graceful;
    is $slow->read_answer->{body}, '"late"', $says->('a restart lets the tool answer');
    my @frames = $model->frames;
    ok scalar(grep({ ref $_->{json} && $_->{json}{type} eq 'error' } @frames)),
        $says->('... and the stream until the limit');
    ok $httpd->replaced(\@before, 15), $says->('... then the old children leave');
    ok $httpd->reached(cancelled => 1), $says->('... having told the model');
    ok time - $start < 50, $says->('... in time');

    is $httpd->api_post('/agents/native/generate', { messages => 'hi' })->{json}{text},
        'word0 word1 word2 ', $says->('the modules that were loaded anew serve');
    is +($httpd->ask('generate', { messages => 'hi' }, id => 'native'))[0]{rv}, 'ok',
        $says->('... and are found');

    # --- calls in C meanwhile
    my ($done, $begun) = @{ $httpd->counts }{qw(done begun)};
    my $waiting = send_to($httpd, '/sample/generate?id=threaded', { messages => 'slowly' });
    my ($open)  = $httpd->ask('open', { messages => 'slowly' }, id => 'threaded', n => 3);
    is $open->{begun}, 3, $says->('calls in C are open');
    $httpd->reached(begun => $begun + 4);
    @before = $httpd->children;
    $httpd->graceful;
    like $waiting->read_answer->{body}, qr/"rv":"(?:aborted|ok)"/, $says->('one that waits ends');
    ok $httpd->replaced(\@before, 15), $says->('... and its child');
    ok $httpd->reached(done => $done + 3), $says->('those with callbacks end, too');

    # --- at once
    $begun = $httpd->counts->{begun};
    my @clients = (send_to($httpd, '/api/tools/patient/execute', { data => { do => 'never' } }),
        send_to($httpd, '/sample/generate?id=threaded', { messages => 'slowly' }));
    $httpd->ask('open', { messages => 'slowly' }, id => 'threaded', n => 3);
    $httpd->reached(begun => $begun + 5);
    $start = time;
    kill TERM => $httpd->pid;
    is $httpd->wait_exit(10), 0, $says->('told to leave at once, it leaves');
    ok time - $start < 50, $says->('... at once');
    $httpd->stop;
}

# --- a tool that never returns
my $httpd = Sample->start(conf => "MastraJobThreads 2\n");
$httpd->expect_log($_) for qr/MA601/, qr/MA3003/, qr/MA651/;
is $httpd->api_post('/tools/odd/execute', { data => { do => 'stuck' } })->{status}, 422,
    'a tool that never returns is given up';
is $httpd->api_post('/tools/odd/execute', { data => { do => 'nothing' } })->{status}, 200,
    'others go on';
my @before = $httpd->children;
$httpd->graceful;
ok $httpd->replaced(\@before, 20), 'its child ends nevertheless';
ok $httpd->wait_log(qr/MA651.* 1 calls? of code/), '... and says why';
is $httpd->api_post('/agents/native/generate', { messages => 'hi' })->{status}, 200,
    '... and the next one serves';
$httpd->api_post('/tools/odd/execute', { data => { do => 'stuck' } });
kill TERM => $httpd->pid;
is $httpd->wait_exit(15), 0, 'nor does it keep the server';
unlike $httpd->log, qr/exit signal|AH00052/, 'nothing crashed';
$httpd->stop;
