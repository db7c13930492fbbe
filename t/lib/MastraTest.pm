# What test files share; filled below.
package MastraTest;
use strict;
use warnings FATAL => 'all';
1;
