/** Where what keeps a command's job control hears of its end: above every descriptor that a value can have. */
export const LIFE_DESCRIPTOR = 64;

/**
 * Executes the command in its own place, its environment untouched, once two small processes stand beside it. The
 * kernel stops a process group for Ctrl-Z only where one of the group has its parent in another group of the session:
 * somebody who could continue it. The command leads its session and its parent is the daemon, so that nobody is. Hence
 * a keeper in a group of its own, whose child is of the command's group; both are `cat`, wait for the end of a pipe that
 * whoever started the command holds, hear none of the signals that are meant for the command, and have nothing of its
 * environment, which a command may take from itself. The keeper is a grandchild: the command has no child that it did not start.
 */
const SCRIPT = `
my ($life, $others, $cat) = splice @ARGV, 0, 3;
delete $ENV{PERL_BADLANG};
open my $end, '<&=', $life;
if ($end and pipe my $made, my $making and defined(my $child = fork)) {
  if (!$child) {
    my $keeper = fork;
    exit if $keeper or !defined $keeper;
    $SIG{$_} = 'IGNORE' for qw(HUP INT QUIT USR1 USR2 PIPE ALRM TERM TSTP TTIN TTOU);
    open STDIN, '<&', $end;
    open STDOUT, '>', '/dev/null';
    open STDERR, '>&', STDOUT;
    close $end;
    for (split /,/, $others) { close $_ if open $_, '<&=', $_ }
    my $member = fork;
    exit if !defined $member;
    setpgrp 0, 0 if $member;
    %ENV = ();
    chdir '/';
    exec { $cat } $cat;
  }
  waitpid $child, 0;
  close $making;
  sysread $made, my $nothing, 1;
}
close $end if $end;
exec { $ARGV[0] } @ARGV;
my $code = $! == 2 ? 127 : 126;
print STDERR "warden: $ARGV[0]: $!\\n";
exit $code;
`;

/** What perl looks at, and may load code or write warnings for. */
const PERL = /^PERL/;

/** Variables that must not be there while perl runs; the command has them again. */
export function takenFromPerl(name: string): boolean {
  return PERL.test(name);
}

/** A language that this machine does not have is no matter for a word on the command's terminal. */
export const PERL_VARIABLES: Readonly<Record<string, string>> = { PERL_BADLANG: '0' };

/** The link of the chain; `descriptors` are those of values. */
export function withJobControl(perl: string, cat: string, descriptors: Iterable<number>): readonly string[] {
  return [perl, '-e', SCRIPT, '--', String(LIFE_DESCRIPTOR), [...descriptors].join(','), cat];
}
