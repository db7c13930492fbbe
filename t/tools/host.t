# Virtual hosts that share an address: each one's tools of kind uri reach its own handlers.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Path qw(make_path);
use MastraHttpd;
use MastraTest;

plan tests => 9;

my $port   = MastraHttpd::free_port();
my $loop   = MastraHttpd::free_port();
my $server = MastraHttpd->new(name => 'names', conf => '');
for my $name (qw(first second third)) {
    make_path($server->dir . "/state/$name/tools", $server->dir . "/www/$name");
    open my $tool, '>', $server->dir . "/state/$name/tools/who.json" or die $!;
    print $tool '{ "description": "Who answers", "execute": { "kind": "uri", "uri": "/who.lua" } }';
    close $tool;
    open my $script, '>', $server->dir . "/www/$name/who.lua" or die $!;
    print $script qq{function handle(r)\n r.content_type = "application/json"\n}
        . qq{ r:puts('{"who":"$name","host":"' .. r.headers_in["Host"] .. '"}')\n return apache2.OK\nend\n};
    close $script;
}
chmod 0755, $server->dir, map { ($_, glob "$_/*") } $server->dir . '/www';
my $host = sub {
    my ($name, $more) = @_;
    return <<"END";
    ServerName $name.example
    DocumentRoot "\@dir\@/www/$name"
    <Directory "\@dir\@/www/$name">
        Require all granted
        SetHandler lua-script
    </Directory>
    MastraEngine On
    MastraProject "\@state\@/$name"
    $more
END
};
$server->write_conf(<<"END");
Listen 127.0.0.1:$port
Listen 127.0.0.1:$loop
<VirtualHost 127.0.0.1:$port>
@{[ $host->('first', '') ]}</VirtualHost>
<VirtualHost 127.0.0.1:$port>
@{[ $host->('second', '') ]}</VirtualHost>
<VirtualHost 127.0.0.1:$port 127.0.0.1:$loop>
@{[ $host->('third', "MastraSelfURL http://127.0.0.1:$loop") ]}</VirtualHost>
END
$server->up;

for (['first', $port], ['second', $port], ['third', $loop]) {
    my ($name, $to) = @$_;
    my $answer = request(POST => '/api/tools/who/execute', port => $port, headers => [Host => "$name.example"], json => { data => {} });
    is $answer->{status}, 200, "$name: its tool answers";
    is $answer->{json}{who}, $name, '... by its own handler';
    is $answer->{json}{host}, "$name.example:$to", '... which sees its name and the port that was asked';
}
$server->stop;
