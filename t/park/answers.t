# Each way of holding a client gives the same answers: status and headers, words in order as
# they come, keep-alive, pipelines, bodies, HEAD, HTTP/1.0, large writes, cuts and departures.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Exchange;
use MastraTest;
use Time::HiRes qw(sleep time);

my @ways = mpm() eq 'event' ? qw(park suspend block) : qw(block);
plan tests => 37 * @ways;

for my $way (@ways) {
    my $httpd = Exchange->start(hold => $way);
    my $says  = sub { "$way: $_[0]" };

    # --- one answer
    my $answer = $httpd->request(GET => '/x?n=3&ms=50&status=201');
    is $answer->{status}, 201, $says->('the status is what was said');
    is $answer->{headers}{'x-exchange'}, 'yes', $says->('headers come through');
    is $answer->{headers}{'set-cookie'}, 'a=1, b=2', $says->('repeated ones, too');
    is $answer->{headers}{'content-type'}, 'text/event-stream', $says->('and the type');
    is join(' ', Exchange::words($answer->{body})), '0 1 2', $says->('words in order');
    ok !$answer->{cut}, $says->('the answer is whole');

    # --- each word at once
    my $client = $httpd->ask('/x?n=0&never=1');
    is $client->read_head->{status}, 200, $says->('the head does not wait for words');
    $client->leave;
    $client = $httpd->ask('/x?n=2&ms=600000');
    $client->read_head;
    like $client->next_frame->{data}, qr/"seq":0/, $says->('a word does not wait for the next');
    $client->leave;
    $client = $httpd->ask('/x?n=3&ms=200');
    $client->read_head;
    my $start  = time;
    my @frames = $client->frames;
    is scalar(@frames), 4, $says->('all frames come');
    ok $frames[-1]{at} - $start < 60, $says->('... to the end');

    # --- a known length
    $answer = $httpd->request(GET => '/x?n=2&ms=20&size=20&length=148');
    is $answer->{headers}{'content-length'}, 148, $says->('a length that was given is sent');
    ok !$answer->{headers}{'transfer-encoding'}, $says->('... and no chunks');

    # --- the connection goes on
    $client = $httpd->client;
    for my $n (1 .. 3) {
        last if $way eq 'suspend' && $n > 1;
        $client->send_request(GET => '/x?n=2&ms=20');
        $answer = $client->read_answer;
        is join(' ', Exchange::words($answer->{body})), '0 1', $says->("answer $n on one connection");
    }
    if ($way eq 'suspend') {
        is $answer->{headers}{connection}, 'close', $says->('the connection is announced to close');
        is $client->fill, 0, $says->('... and does');
    }

    # --- requests sent ahead
    $client = $httpd->client;
    $client->send_raw("GET /x?n=3&ms=100 HTTP/1.1\r\nHost: a\r\n\r\n"
        . "GET /x?n=1&ms=10&status=202 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    $client->{method} = 'GET';
    $answer = $client->read_answer;
    is join(' ', Exchange::words($answer->{body})), '0 1 2', $says->('first of a pipeline');
    SKIP: {
        skip 'a suspended connection closes', 1 if $way eq 'suspend';
        is $client->read_answer->{status}, 202, $says->('second of a pipeline');
    }

    # --- bodies
    $client = $httpd->client;
    $client->send_raw("POST /x?n=1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        . "Content-Length: 5\r\n\r\n");
    ok defined $client->fill && $client->{in} =~ m{^HTTP/1.1 100 }, $says->('100 Continue');
    $client->send_raw('hello');
    $client->{method} = 'POST';
    is $client->read_answer->{status}, 200, $says->('... and the answer');

    $client = $httpd->client;
    $client->send_request(POST => '/x?n=1&ms=10&unread=1', body => 'y' x 100_000);
    $client->read_answer;
    SKIP: {
        skip 'a suspended connection closes', 1 if $way eq 'suspend';
        $client->send_request(GET => '/x?n=1&ms=10&status=203');
        is $client->read_answer->{status}, 203, $says->('a body that was not read is no request');
    }

    # --- HEAD, HTTP/1.0
    $client = $httpd->client;
    $client->send_request(HEAD => '/x?n=2&ms=10&status=203');
    is $client->read_head->{status}, 203, $says->('HEAD has a head');
    SKIP: {
        skip 'a suspended connection closes', 1 if $way eq 'suspend';
        $client->send_request(GET => '/x?n=1&ms=10&status=202');
        is $client->read_answer->{status}, 202, $says->('... and no body');
    }
    my $old = raw("GET /x?n=3&ms=20 HTTP/1.0\r\n\r\n", port => $httpd->port);
    like $old, qr/\r\n\r\nevent: delta/, $says->('HTTP/1.0 gets no chunks');
    is join(' ', Exchange::words($old)), '0 1 2', $says->('... but all words');

    # --- much at once, to a client that reads slowly
    $client = $httpd->ask('/x?n=3&ms=10&size=4000000');
    $client->read_head;
    my $body = '';
    for my $pause (1 .. 10) {
        $body .= $client->read_piece // '';
        sleep 0.05;
    }
    while (length(my $piece = $client->read_piece)) {
        $body .= $piece;
    }
    is join(' ', Exchange::words($body)), '0 1 2', $says->('large writes arrive in order');
    is length($body =~ s/[^b]//gr), 4_000_000, $says->('... and whole');
    ok $httpd->counts->{drained}, $says->('their writer was told to wait');

    # --- more than can be kept for a client that does not read
    my $before = $httpd->counts;
    $client = $httpd->ask('/x?n=100&ms=1&size=1000000&honour=0');
    ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }, 5),
        $says->('a client that takes nothing is cut in the end');
    $client->leave;

    # --- cut
    $answer = $httpd->request(GET => '/x?n=2&ms=50&cut=1');
    is join(' ', Exchange::words($answer->{body})), '0 1', $says->('what was said before a cut arrives');
    ok $answer->{cut}, $says->('... and does not look complete');
    $client = $httpd->ask('/x?n=0&cut=1&status=0');
    ok !eval { $client->read_head }, $says->('a cut before the first word is no answer');

    # --- departures
    $httpd->settled(10);
    for my $how ('close', 'reset') {
        $before = $httpd->counts;
        $client = $httpd->ask('/x?n=100000&ms=50');
        $client->read_head;
        $client->leave($how);
        ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }),
            $says->("a client's $how is noticed");
    }
    $before = $httpd->counts;
    $client = $httpd->ask('/x?n=0&never=1&status=0');
    wait_for(sub { $httpd->counts->{begun} > $before->{begun} });
    $client->leave;
    ok wait_for(sub { $httpd->counts->{gone} > $before->{gone} }),
        $says->('... also before anything was said');

    # --- accounts
    ok $httpd->settled(10), $says->('what was begun is released');
    # the worker that ends the request gives the room back after that
    ok wait_for(sub { $httpd->counts->{open} == 0 }), $says->('nothing stays open');
    like $httpd->access_log, qr{^201 \d\d\d [-+] \d+ /x\?\?n=3&ms=50&status=201$}m,
        $says->('the access log has status and bytes');
    $httpd->stop;
}
