# Medians, ratios and targets, as a table for people and JSON for the rest.
package Bench::Report;

use strict;
use warnings;

use JSON::PP ();

use Bench::Workflows;

# Of the rounds' values of a field, the middle one.
sub median {
    my ($rounds, $field) = @_;
    my @v = sort { $a <=> $b } grep { defined } map { $_->{$field} } @{$rounds || []};
    return undef if !@v;    # also in a list, where it stands in a row
    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

sub worst {
    my ($rounds, $field) = @_;
    my ($max) = sort { $b <=> $a } grep { defined } map { $_->{$field} } @{$rounds || []};
    return $max;
}

sub ratio {
    my ($x, $y) = @_;
    return defined $x && $y ? $x / $y : undef;
}

sub fmt {
    my ($format, $value) = @_;
    return defined $value ? sprintf $format, $value : '-';
}

# A table: the first row is its head, the first two columns stand left.
sub table {
    my ($title, @rows) = @_;
    my @width;
    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $len = length($row->[$i] // '');
            $width[$i] = $len if $len > ($width[$i] || 0);
        }
    }
    my $text = "\n$title\n";
    for my $row (@rows) {
        $text .= '  ' . join('  ', map {
            sprintf $_ > 1 ? "%$width[$_]s" : "%-$width[$_]s", $row->[$_] // ''
        } 0 .. $#$row) . "\n";
    }
    return $text;
}

# ------------------------------------------------------------------ targets

# Each: name, what is had, the limit, whether more is better, unit.
sub targets {
    my ($r) = @_;
    my @t;
    my $rate = sub { median($r->{$_[0]}{$_[1]}, 'rate') };
    push @t, ['GET agent, of the floor\'s rate',
              ratio($rate->('get', 'module'), $rate->('get', 'floor')),
              0.7, 1, ''] if $r->{get};
    for my $part (qw(generate stream generate-memory stream-memory)) {
        for my $name (grep { $r->{$part}{$_} } qw(peer traced)) {
            push @t, ["$part, times the rate of $name",
                      ratio($rate->($part, 'module'), $rate->($part, $name)),
                      50, 1, 'x'];
        }
    }
    my $s = $r->{streams} || {};
    if (my $ten = $s->{10000}) {
        push @t, ['10000 streams: failed', worst($ten->{module}, 'failed'),
                  0, 0, ''],
                 ['10000 streams: memory each',
                  median($ten->{module}, 'kib_per_stream'), 64, 0, ' KiB'];
    }
    if (my $five = $s->{5000}) {
        push @t, ['5000 streams: failed', worst($five->{module}, 'failed'),
                  0, 0, ''],
                 ['5000 streams: lag p99', median($five->{module}, 'lag_p99'),
                  25, 0, ' ms'];
    }
    push @t, Bench::Workflows::targets($r);
    push @t, ['start-up to first answer',
              median($r->{startup}{module}, 'ready_ms'), 100, 0, ' ms']
        if $r->{startup};
    return map {
        my ($name, $value, $limit, $more, $unit) = @$_;
        {
            name  => $name,
            value => $value,
            limit => $limit,
            unit  => $unit,
            want  => $more ? 'at least' : 'at most',
            met   => !defined $value ? undef
                   : ($more ? $value >= $limit : $value <= $limit)
                     ? JSON::PP::true : JSON::PP::false,
        };
    } @t;
}

# ------------------------------------------------------------------- tables

sub rates_table {
    my ($r) = @_;
    my @rows = ['part', 'server', 'rate/s', 'p50 ms', 'p99 ms', 'CPU us',
                'kernel', 'upstr.', 'load', 'failed', 'to peer', 'to traced', 'to floor'];
    for my $part (qw(get generate stream generate-memory stream-memory)) {
        my $by = $r->{$part} or next;
        for my $name (qw(floor proxy module peer traced)) {
            my $rounds = $by->{$name} or next;
            my $rate = median($rounds, 'rate');
            push @rows, [
                $part, $name, fmt('%.0f', $rate),
                fmt('%.2f', median($rounds, 'latency_p50')),
                fmt('%.2f', median($rounds, 'latency_p99')),
                map({ fmt('%.0f', median($rounds, "${_}_us")) }
                    qw(server server_kernel upstream load)),
                worst($rounds, 'failed'),
                map({ fmt('%.1fx', ratio($rate, median($by->{$_}, 'rate'))) }
                    qw(peer traced)),
                fmt('%.2f', ratio($rate, median($by->{floor}, 'rate'))),
            ];
        }
    }
    return @rows > 1 ? table('Requests, closed loop', @rows) : '';
}

sub latency_table {
    my ($r) = @_;
    my $parts = $r->{latency} or return '';
    my @rows = ['part', 'server', 'p50 ms', 'added ms', 'p99 ms'];
    for my $part (qw(generate stream)) {
        my $direct = median($parts->{$part}{direct}, 'latency_p50');
        for my $name (qw(direct module peer)) {
            my $rounds = $parts->{$part}{$name} or next;
            my $p50 = median($rounds, 'latency_p50');
            push @rows, [$part, $name, fmt('%.3f', $p50),
                         $name eq 'direct' ? '-' : fmt('%.3f', $p50 - $direct),
                         fmt('%.3f', median($rounds, 'latency_p99'))];
        }
    }
    return table('One at a time: what a turn adds to its upstream', @rows);
}

sub streams_table {
    my ($r) = @_;
    my $parts = $r->{streams} or return '';
    my @rows = ['streams', 'server', 'failed', 'first p50', 'first p99',
                'lag p50', 'lag p99', 'KiB/stream', 'threads', 'CPU us/word',
                'idle MiB', 'after MiB'];
    for my $n (sort { $a <=> $b } keys %$parts) {
        for my $name (qw(direct module peer)) {
            my $rounds = $parts->{$n}{$name} or next;
            my @mib = map {
                my $which = $_;
                fmt('%.0f', median([map { {v => ($_->{$which}
                    ? $_->{$which}{pss} / 1024 : undef)} } @$rounds], 'v'))
            } qw(idle after);
            push @rows, [
                $n, $name, worst($rounds, 'failed'),
                map({ fmt('%.1f', median($rounds, $_)) }
                    qw(first_p50 first_p99)),
                map({ fmt('%.2f', median($rounds, $_)) } qw(lag_p50 lag_p99)),
                fmt('%.1f', median($rounds, 'kib_per_stream')),
                fmt('%d', worst([map { $_->{plateau} || () } @$rounds],
                                'threads')),
                fmt('%.0f', median($rounds, 'server_us')), @mib,
            ];
        }
    }
    return table('Streams at a word a second, times in ms', @rows);
}

sub footprint_table {
    my ($r) = @_;
    my @rows = ['server', 'start-up ms', 'idle MiB', 'after load MiB',
                'threads'];
    for my $name (qw(floor module peer traced)) {
        my $ready = median($r->{startup}{$name}, 'ready_ms');
        my $mem = $r->{footprint}{$name};
        next if !$mem && !defined $ready;
        push @rows, [$name, fmt('%.0f', $ready),
                     map({ fmt('%.1f', $mem->{$_} && $mem->{$_}{pss} / 1024) }
                         qw(idle after)),
                     fmt('%d', $mem->{after} && $mem->{after}{threads})];
    }
    return @rows > 1 ? table('Start-up and memory (own share)', @rows) : '';
}

sub targets_table {
    my (@targets) = @_;
    my @rows = ['target', 'value', 'wanted', ''];
    for my $t (@targets) {
        push @rows, [
            $t->{name},
            defined $t->{value} ? sprintf('%.4g', $t->{value}) . $t->{unit} : '-',
            "$t->{want} $t->{limit}$t->{unit}",
            !defined $t->{met} ? 'not measured' : $t->{met} ? 'met' : 'MISSED',
        ];
    }
    return @rows > 1 ? table('Targets', @rows) : '';
}

sub text {
    my ($result) = @_;
    my $r = $result->{parts};
    my $text = join '', rates_table($r), latency_table($r), streams_table($r),
                        footprint_table($r), Bench::Workflows::tables($r),
                        targets_table(@{$result->{targets}});
    for (['Not measured', 'skipped'], ['Went wrong', 'errors']) {
        my ($title, $field) = @$_;
        $text .= join "\n  ", "\n$title", @{$result->{$field}}
            if @{$result->{$field}};
        $text .= "\n";
    }
    return $text;
}

sub write_json {
    my ($result, $path) = @_;
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh JSON::PP->new->canonical->pretty->encode($result);
    close $fh or die "$path: $!\n";
    return;
}

1;
