# A client that asks again at once is waited for between its requests: each gets its answer, and
# one that does not come, leaves or meets a stopping child finds what it would find otherwise.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;
use Time::HiRes qw(sleep time);

plan tests => 10, need { 'the event MPM alone parks' => sub { mpm() eq 'event' } };

my $httpd = Exchange->start(conf => "KeepAliveTimeout 1\n");

sub answers {
    my ($client, $n, $size) = @_;
    my @answers;
    for my $i (1 .. $n) {
        $client->send_request(GET => "/x?n=$i&size=$size");
        my $answer = $client->read_answer;
        push @answers, "$answer->{status}:" . (() = Exchange::words($answer->{body}));
    }
    return "@answers";
}

sub lines {
    my $path = shift;
    return scalar(() = $httpd->access_log =~ /\Q$path\E/g);
}

my $client = $httpd->client;
is answers($client, 9, 10), join(' ', map { "200:$_" } 1 .. 9), 'each request has its answer';
ok wait_for(sub { lines('size=10') == 9 }, 30), '... and its line, the last one, too';
is $client->fill, 0, 'a client that asks no more is closed by KeepAliveTimeout';

$client = $httpd->client;
answers($client, 4, 11);
sleep 0.3;
is answers($client, 1, 12), '200:1', 'a client that pauses is answered';
is answers($client, 4, 13), '200:1 200:2 200:3 200:4', '... and is quick again';
$client->leave;
ok wait_for(sub { lines('size=13') == 4 }, 30), 'the answers of one that leaves have their lines';
ok $httpd->settled(30), 'nothing stays open';

$client = $httpd->client;
answers($client, 3, 15);
$client->send_raw("GET /x?n=1&size=15 HTTP/1.1\r\nHost: a\r\n\r\n" x 40);
$client->{method} = 'GET';
is scalar(grep { $client->read_answer->{status} == 200 } 1 .. 40), 40,
    'requests that are sent ahead are answered';

my @clients = map { $httpd->client } 1 .. 3;
answers($_, 4, 14) for @clients;
my @before = $httpd->children;
$httpd->graceful;
ok $httpd->replaced(\@before, 60), 'a child that stops waits for nobody';
is lines('size=14'), 12, '... and has told all';
$httpd->stop;
