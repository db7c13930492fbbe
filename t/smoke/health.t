# The server is up, whatever its MPM and database.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use Apache::TestRequest;
use JSON::PP;

plan tests => 4;

my $answer = GET '/health';
is $answer->code, 200, 'health answers';
like $answer->header('Content-Type'), qr{^application/json}, '... in JSON';
is_deeply decode_json($answer->content), { success => JSON::PP::true }, '... that all is well';
is GET('/nothing-here')->code, 404, 'what does not exist is not found';
