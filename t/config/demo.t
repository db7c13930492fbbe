# What "make run" does: the demo is served from a checkout wherever it lies, says so only when it
# is this server that answers, and ends with Ctrl-C.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Temp ();
use MastraHttpd;
use MastraTest;
use POSIX ();

plan tests => 14;

my $top  = top_dir();
my $dir  = File::Temp->newdir("mastra-demo-XXXXXX", TMPDIR => 1);
my $home = "$dir/it's here & there|or 2";
chmod 0755, $dir;
mkdir $home or die "$home: $!";
mkdir "$home/$_" or die "$home/$_: $!" for 'build', 'conf';
system('cp', '-r', "$top/conf/demo", "$home/conf/") and die 'no copy of the demo';
symlink $ENV{MODULE}, "$home/build/mod_mastra.so" or die $!;

open my $in, '<', "$top/t/conf/modules.conf" or die $!;
my ($moddir) = do { local $/; <$in> } =~ m{^LoadModule \S+ (.*)/mod_\w+\.so$}m;

# Starts what "make run" starts, in a session of its own as a terminal's job is.
sub serve {
    my ($port, $to) = @_;
    my $pid = fork() // die "fork: $!";
    return $pid if $pid;
    POSIX::setsid();
    $SIG{INT} = 'DEFAULT';
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>',  $to;
    open STDERR, '>&', \*STDOUT;
    delete @ENV{'BUILD', 'MASTRA_DEMO_MODEL'};
    @ENV{'PORT', 'MODDIR'} = ($port, $moddir);
    exec 'sh', "$home/conf/demo/serve" or POSIX::_exit(1);
}

sub text_of {
    open my $file, '<', shift or return '';
    return do { local $/; <$file> } // '';
}

my $port  = MastraHttpd::free_port();
my $first = serve($port, "$dir/first");
ok wait_for(sub { text_of("$dir/first") =~ /OpenAPI:/ || waitpid($first, POSIX::WNOHANG()) }, 60),
    'the demo starts';
my $said = text_of("$dir/first");
like $said, qr{^Serving the demo on http://127\.0\.0\.1:$port until Ctrl-C}m, '... and says where';
is scalar(() = $said =~ /^ +curl /mg), 4, '... and what to try';
my ($log, $database) = $said =~ /^Log: (.*?)   Database: (.*)$/m;
ok -e $log && -e $database, '... and where its files are' or diag $said;

my @at = (port => $port);
is request(GET => '/hello/World', @at)->{json}{hello}, 'World', 'its route answers';
my $answer = api_post('/agents/weather-agent/generate', { messages => 'weather',
    memory => { thread => 'd', resource => 'd' } }, @at);
is $answer->{status}, 200, 'an agent answers' or diag text_of($log);
like $answer->{json}{text}, qr/sunny/, '... with its tool';
is $answer->{json}{error}, undef, '... and its memory';

# another one in the same place
my $second = serve(MastraHttpd::free_port(), "$dir/second");
waitpid $second, 0;
isnt $?, 0, 'a second one does not start';
$said = text_of("$dir/second");
like $said, qr/already running.*did not start/s, '... and says why';
unlike $said, qr/Serving/, '... and nothing else';
is api_get('/agents', @at)->{status}, 200, 'the first one goes on';

kill INT => -$first;
waitpid $first, 0;
is $?, 0, 'Ctrl-C ends it in order' or diag text_of("$dir/first");
ok !MastraHttpd::listening($port), '... and all of it';
unlink $database;
system('rm', '-rf', $1) if $log =~ m{^(/run/mastra-demo-\d+)/};
