# Files of a project: each fault is told with its file, its line and its field.
use strict;
use warnings FATAL => 'all';

use Apache::Test '-withtestmore';
use File::Basename qw(dirname);
use File::Path qw(make_path);
use MastraHttpd;
use MastraTest;

my $agent = <<'END';
{
  "name": "A",
  "instructions": "Hello",
  "model": "mock/echo"
}
END
my $tool = <<'END';
{
  "description": "T",
  "inputSchema": {
    "type": "object"
  },
  "execute": {
    "kind": "uri",
    "uri": "/tools/x"
  }
}
END

my $workflow = <<'END';
{
  "inputSchema": { "type": "object" },
  "outputSchema": { "type": "object" },
  "graph": [
    {
      "type": "tool",
      "id": "first",
      "toolId": "t"
    },
    {
      "type": "sleep",
      "id": "nap",
      "duration": 10
    }
  ]
}
END

# what is wrong with one file of a project that is otherwise fine
my @faults = (
    ['agents/a/agent.json', $agent =~ s{mock/}{foo/}r,
        qr{agents/a/agent\.json:4: "model": .*foo.*\(MastraModelProvider\)}, 'an unknown provider'],
    ['agents/a/agent.json', $agent =~ s{"mock/echo"}{"echo"}r,
        qr{agents/a/agent\.json:4: "model": }, 'a model without a provider'],
    ['agents/a/agent.json', $agent =~ s{"mock/echo"}{42}r,
        qr{agents/a/agent\.json:4: "model": }, 'a model that is no text'],
    ['agents/a/agent.json', $agent =~ s{"mock/echo"}{"env:MASTRA_TEST_MISSING"}r,
        qr{agents/a/agent\.json:4: "model": the environment has no MASTRA_TEST_MISSING},
        'a variable that is not set'],
    ['agents/a/agent.json', $agent =~ s{\}\s*\z}{, "tools": [\n"t",\n"none"\n] \}}r,
        qr{agents/a/agent\.json:5: "tools": .*none}, 'an unknown tool'],
    ['agents/a/agent.json', '{ "name": "A"', qr{agents/a/agent\.json:1: is not valid JSON: Expected},
        'half a file'],
    ['agents/a/agent.json', "{\n\n  'name': 1 }", qr{agents/a/agent\.json:3: is not valid JSON: },
        'wrong quotes'],
    ['agents/a/agent.json', '[]', qr{agents/a/agent\.json:1: must be a JSON object}, 'an array'],
    ['agents/a/agent.json', '', qr{agents/a/agent\.json:1: is not valid JSON}, 'an empty file'],
    ['agents/a/agent.json', ' ' x 1100000, qr{agents/a/agent\.json: is larger than 1 MiB}, 'a huge file'],
    ['agents/a/instructions.md', "\xff\xfe", qr{agents/a/instructions\.md: is not valid UTF-8},
        'instructions that are no text'],
    ['tools/t.json', $tool =~ s/uri",/nokind",/r, qr{tools/t\.json:7: "execute\.kind": },
        'an unknown kind'],
    ['tools/t.json', $tool =~ s{/tools/x}{http://x/}r, qr{tools/t\.json:8: "execute\.uri": },
        'a URI that is none'],
    ['tools/t.json', $tool =~ s/"object"/"strange"/r, qr{tools/t\.json:[34]: "inputSchema},
        'a schema that is none'],
    ['workflows/w.json', $workflow =~ s/"t"/"none"/r,
        qr{workflows/w\.json:8: "graph\.0\.toolId": there is no tool "none"}, 'a step of an unknown tool'],
    ['workflows/w.json', $workflow =~ s/"sleep"/"doze"/r,
        qr{workflows/w\.json:11: "graph\.1\.type": there is no kind of step "doze"}, 'an unknown kind of step'],
    ['workflows/w.json', $workflow =~ s/"nap"/"first"/r,
        qr{workflows/w\.json:12: "graph\.1\.id": another step has the id}, 'an id that is there twice'],
    ['workflows/w.json', $workflow =~ s/: 10/: "long"/r,
        qr{workflows/w\.json:13: "graph\.1\.duration": must be a number}, 'a sleep without end'],
    ['agents/a/agent.json', $agent =~ s/"A"/7/r,
        qr{agents/a/agent\.json:2: "name": .*expected string}, 'a name that is no text'],
    ['agents/a/agent.json', $agent =~ s{\}\s*\z}{,\n"memory": "on"\n\}}r,
        qr{agents/a/agent\.json:6: "memory": must be object or boolean or null}, 'a memory that is none'],
    ['agents/a/agent.json',
        $agent =~ s{\}\s*\z}{, "defaultOptions": \{ "modelSettings": \{\n"temperature": "hot" \} \} \}}r,
        qr{agents/a/agent\.json:6: "defaultOptions\.modelSettings\.temperature": .*expected number},
        'a setting of a wrong type'],
    ['tools/t.json', $tool =~ s{\}\s*\z}{, "requireApproval": "yes" \}}r,
        qr{tools/t\.json:10: "requireApproval": .*expected boolean}, 'an approval that would not be asked for'],
    ['tools/t.json', $tool =~ s{("/tools/x")}{$1,\n"timeout": "5s"}r,
        qr{tools/t\.json:9: "execute\.timeout": .*expected number}, 'a time with a unit'],
    ['workflows/w.json', $workflow =~ s{"toolId": "t"}{"toolId": "t", "options": \{ "retries": "x" \}}r,
        qr{workflows/w\.json:8: "graph\.0\.options\.retries": .*expected}, 'retries that are no number'],
);

# members that nobody reads: the definition is used, and they are told
my @idle = (
    ['agents/a/agent.json', $agent =~ s/"name"/"nmae"/r, qr{agents/a/agent\.json:2: "nmae": }, 'a misspelt member'],
    ['agents/a/agent.json', $agent =~ s{\}\s*\z}{, "memory": \{ "options": \{\n"lastMesages": 3 \} \} \}}r,
        qr{agents/a/agent\.json:6: "memory\.options\.lastMesages": }, '... further inside'],
    ['agents/a/agent.json', $agent =~ s{\}\s*\z}{, "inputProcessors": ["x"] \}}r,
        qr{agents/a/agent\.json:5: "inputProcessors": }, 'a part of Mastra that is not served'],
    ['tools/t.json', $tool =~ s/"uri": "/"adress": "x", "uri": "/r, qr{tools/t\.json:8: "execute\.adress": },
        'what no tool has'],
    ['workflows/w.json', $workflow =~ s/"id": "nap"/"id": "nap", "opts": { "concurency": 2 }/r,
        qr{workflows/w\.json:12: "graph\.1\.opts\.concurency": }, 'what no step has'],
);

plan tests => 2 * @faults + 2 * @idle + 21;

my $number = 0;

# A server whose project has the given files beside those that are fine.
sub project {
    my (%files) = @_;
    my $httpd = MastraHttpd->new(name => 'project', conf => <<'END', env => delete $files{env} // {});
MastraEngine On
MastraProject "@state@/project"
END
    %files = ('agents/a/agent.json' => $agent, 'tools/t.json' => $tool, %files);
    for my $name (keys %files) {
        next if !defined $files{$name};
        my $path = $httpd->dir . "/state/project/$name";
        make_path(dirname($path));
        open my $fh, '>:raw', $path or die "$path: $!";
        print $fh $files{$name};
        close $fh;
    }
    return $httpd;
}

for (@faults) {
    my ($file, $text, $sentence, $name) = @$_;
    my ($status, $said) = project($file => $text)->configtest;
    isnt $status, 0, "$name is refused";
    like $said, $sentence, '... with its place';
}

for (@idle) {
    my ($file, $text, $sentence, $name) = @$_;
    my (undef, $said) = project($file => $text)->configtest;
    like $said, qr/MA611: \S*$sentence/, "$name is told";
    unlike $said, qr/MA630: \S*$sentence/, '... and no fault';
}
my ($rv, $words) = project('agents/a/agent.json' => $agent =~ s{\}\s*\z}{, "inputProcessors": null \}}r,
    'tools/t.json' => $tool =~ s/"uri"/"provider"/r =~ s{"uri": "/tools/x"}{"provider": "none", "own": 1}r)->configtest;
unlike $words, qr/MA611/, 'what is off, and what a provider of another module reads, is passed over';
like $words, qr/no module offers "none"/, '... whether that module is there or not';

my ($status, $said) = project('agents/a/agent.json' => '{', 'tools/t.json' => '{')->configtest;
like $said, qr{agents/a/agent\.json:1: .*}, 'all faults are told at once';
like $said, qr{tools/t\.json:1: .*}, '... each of them';
($status, $said) = project(map { ("tools/x$_.json" => '{') } 1 .. 30)->configtest;
like $said, qr/and 1\d more faults/, '... up to a number';

# --- what is fine ------------------------------------------------------------

my $httpd = project('agents/b/agent.json' => $agent =~ s/Hello/From JSON/r,
    'agents/b/instructions.md' => "From a file.\n\n", 'agents/README' => 'x', 'tools/notes.txt' => 'x',
    'workflows/w.txt' => 'not read', '.git/config' => 'x', 'tools/.hidden.json' => '{',
    'agents/c/agent.json' => $agent =~ s{mock/echo}{env:MASTRA_TEST_A|mock/other}r,
    'agents/d/agent.json' => $agent =~ s{mock/echo}{env:MASTRA_TEST_B|mock/other}r,
    'agents/e/notes.md' => 'no agent here', env => { MASTRA_TEST_B => 'mock/from-env' });
($status, $said) = $httpd->configtest;
is $status, 0, 'other files are left alone' or diag $said;
like $said, qr{MA610: .*/agents/e has no agent\.json}, '... with a word about a directory';
$httpd->up;
is $httpd->api_get('/agents/b')->{json}{instructions}, 'From a file.',
    'instructions.md wins over agent.json';
is $httpd->api_get('/agents/c')->{json}{modelId}, 'other', 'a model has a default';
is $httpd->api_get('/agents/d')->{json}{modelId}, 'from-env', '... beside the environment';
is_deeply [sort keys %{ $httpd->api_get('/agents')->{json} }], [qw(a b c d)], 'all agents are there';
is_deeply [sort keys %{ $httpd->api_get('/tools')->{json} }], [qw(t)], '... and all tools';

# --- restarts ----------------------------------------------------------------

my $dir = $httpd->dir . '/state/project';
make_path("$dir/agents/new");
open my $fh, '>', "$dir/agents/new/agent.json" or die $!;
print $fh $agent;
close $fh;
is $httpd->api_get('/agents/new')->{status}, 404, 'a new file is not seen';
my @before = $httpd->children;
$httpd->graceful;
ok $httpd->replaced(\@before), '... before a graceful restart';
is $httpd->api_get('/agents/new')->{status}, 200, '... and is after it';
for (1 .. 3) {
    @before = $httpd->children;
    $httpd->graceful;
    $httpd->replaced(\@before);
}
is $httpd->api_post('/agents/new/generate', { messages => 'x' })->{status}, 200,
    'several restarts do no harm';
is $httpd->request(GET => '/health')->{status}, 200, '... and the server goes on';

# --- virtual hosts -----------------------------------------------------------

my $hosts = MastraHttpd->start(name => 'hosts', conf => <<'END');
MastraEngine On
<MastraAgent one>
    MastraName One
    MastraInstructions First
    MastraModel mock/echo
</MastraAgent>
<VirtualHost *:@port@>
    ServerName first.example
</VirtualHost>
<VirtualHost *:@port@>
    ServerName second.example
    <MastraAgent one>
        MastraName Another
        MastraInstructions Second
        MastraModel mock/echo
    </MastraAgent>
    <MastraAgent two>
        MastraName Two
        MastraInstructions Third
        MastraModel mock/echo
    </MastraAgent>
</VirtualHost>
<VirtualHost *:@port@>
    ServerName third.example
    MastraEngine Off
</VirtualHost>
END
sub of_host {
    my ($host, $path) = @_;
    return $hosts->api_get($path, headers => [Host => $host]);
}
is of_host('first.example', '/agents/one')->{json}{name}, 'One', 'a virtual host inherits agents';
is of_host('second.example', '/agents/one')->{json}{name}, 'Another', '... or has its own';
is of_host('first.example', '/agents/two')->{status}, 404, '... which others have not';
is of_host('third.example', '/agents')->{status}, 404, '... or none';
