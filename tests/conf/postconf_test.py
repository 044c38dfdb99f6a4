#!/usr/bin/env python3
"""postconf: the twelve configurations of the shared folder as Postfix 3.7 prints them, and
options, warnings and exit codes.

sets.expected holds what postconf of Debian 12 printed, a section for each set and option."""
import json
import os
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish, program

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.environ.get("POSTERN_SHARED", os.path.join(HERE, "..", "..", "..", "shared"))
POSTCONF = program("postconf")
FIXED = ["-o", "data_directory=/DATA", "-o", "mail_name=NAME", "-o", "mail_version=VERSION"]
MASTER = """smtp inet n - y - - smtpd
  -o smtpd_client_restrictions=$mua -o { smtpd_helo_restrictions = permit, $nowhere }
slow unix - - n - - smtp -o own=1 -v
filter unix - n n - - pipe flags=Rq user=mail argv=/bin/filter -f ${sender} { two words }
"""


def run(arguments, cwd=None, environment=None):
    done = subprocess.run([POSTCONF, *arguments], cwd=cwd, capture_output=True, text=True,
                          env=dict(os.environ, **environment or {}))
    return done.stdout, done.stderr.splitlines(), done.returncode


def sections():
    name, lines = None, []
    with open(os.path.join(HERE, "sets.expected"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("== "):
                if name:
                    yield name, "".join(lines)
                name, lines = line.split()[1:], []
            else:
                lines.append(line)
    yield name, "".join(lines)


def twelve_sets():
    configs = os.path.join(SHARED, "configs")
    if not os.path.isdir(configs):
        print(f"not compared: the twelve configurations are not in {configs} (POSTERN_SHARED)")
        return
    for (folder, option), want in sections():
        got, _, status = run(["-q", "-c", folder, *FIXED, option], cwd=configs)
        check_equal(status, 0, f"status of {folder} {option}")
        for a, b in zip(got.splitlines(), want.splitlines()):
            check_equal(a, b, f"{folder} {option}")
        check_equal(len(got.splitlines()), len(want.splitlines()), f"lines of {folder} {option}")


class Folder:
    """A configuration of our own."""

    def __init__(self, main_cf, master_cf=MASTER):
        self.where = tempfile.TemporaryDirectory()
        for name, text in (("main.cf", main_cf), ("master.cf", master_cf)):
            if text is not None:
                with open(os.path.join(self.where.name, name), "w", encoding="utf-8") as f:
                    f.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.where.cleanup()

    def says(self, arguments, out=None, err=None, status=0):
        """err: the lines after "postconf: ", with @ for the folder; None: do not look."""
        got = run(["-c", self.where.name, *arguments])
        if out is not None:
            check_equal(got[0], out, f"output of {arguments}")
        if err is not None:
            lines = [line.replace(self.where.name, "@").removeprefix("postconf: ")
                     for line in got[1]]
            check_equal(lines, err, f"complaints of {arguments}")
        check_equal(got[2], status, f"status of {arguments}")


def options():
    with Folder("relayhost = a,   b\n  c\nmydomain = d.example\nmine = x$mydomain\n"
                "always_bcc = $mine\n", "") as f:
        f.says(["relayhost"], "relayhost = a, b c\n", [])
        f.says(["-h", "relayhost"], "a, b c\n", [])
        f.says(["-H", "relayhost", "mydomain"], "relayhost\nmydomain\n", [])
        f.says(["-d", "relayhost"], "relayhost =\n", [])
        f.says(["-x", "always_bcc"], "always_bcc = xd.example\n", [])
        f.says(["-xo", "mydomain=y", "always_bcc"], "always_bcc = xy\n", [])
        f.says(["mine", "-n"], "mine = x$mydomain\n", ["warning: -n: unknown parameter"])
        f.says(["-n", "smtpd_banner"], "", [])
        f.says(["-p", "mydomain"], "mydomain = d.example\n", [])
        f.says(["-n", "-C", "user"], "mine = x$mydomain\n", [])
        f.says(["-d", "mine"], "", ["warning: mine: unknown parameter"])
        f.says(["nope", "relayhost"], "relayhost = a, b c\n", ["warning: nope: unknown parameter"])
        f.says(["-l"], "flock\nfcntl\ndotlock\n", [])
        f.says(["-hH"], "", ["fatal: specify one of -h -H"], 1)
        f.says(["-dn"], "", ["fatal: specify one of -d -n"], 1)
        f.says(["-Md"], "", ["fatal: with option -M, do not specify -d"], 1)
        f.says(["-C", "foo"], "", ['fatal: unknown -C option value "foo" in "foo"'], 1)
        f.says(["-o", "x", "relayhost"], "",
               ["fatal: invalid parameter override: x: missing '=' after attribute name"], 1)
        f.says(["-Z"], "", None, 1)
    names = run(["-dH", "-c", "/"])[0].splitlines()
    check_equal(names, sorted(names), "names are sorted")
    check(len(names) > 1000, f"only {len(names)} defaults")
    out, _, status = run(["--help"])
    check_match(r"postconf \[-dfhHjnpqx\]", out, "help")
    check_equal(status, 0, "status of --help")


def support():
    check_equal(run(["--support", "smtpd_timeout", "qmqpd_timeout", "nope"]),
                (f"{'smtpd_timeout':60} 1 yes 0.1.0\n{'qmqpd_timeout':60} 3 no\n",
                 ["postconf: warning: nope: unknown parameter"], 0), "--support")
    out, err, status = run(["--support", "-j"])
    rows = [json.loads(line) for line in out.splitlines()]
    check_equal((err, status), ([], 0), "--support -j")
    check(len(rows) > 1045 and {tuple(row) for row in rows} ==
          {("name", "tier", "honoured", "since"), ("name", "tier", "honoured")}, "its rows")


def raw_defaults_are_not_expanded():
    with Folder("") as f:
        f.says(["-qx", "default_rbl_reply"],
               "default_rbl_reply = $rbl_code Service unavailable; $rbl_class [$rbl_what] blocked "
               "using $rbl_domain${rbl_reason?; $rbl_reason}\n")


def warnings():
    with Folder("relayhost = $nothing # no comment\nunused = 1\nslow_time_limit = 5\n"
                "slow_destination_rate_delay = 5s\nsmtpd_restriction_classes = class\n"
                "class = reject\nsmtp_use_tls = yes\nsmtp_tls_cipherlist = x\n"
                "virtual_alias_maps = proxy:mysql:users\nusers_dbname = x\nmua = permit\n") as f:
        want = ["warning: @/main.cf: undefined parameter: nothing",
                "warning: @/main.cf: unused parameter: unused=1",
                "warning: @/main.cf: unused parameter: slow_time_limit=5",
                "warning: @/main.cf: unused parameter: smtp_tls_cipherlist=x",
                "warning: @/master.cf: undefined parameter: nowhere",
                "warning: @/master.cf: unused parameter: own=1",
                'warning: @/main.cf: support for parameter "smtp_use_tls" will be removed; '
                'instead, specify "smtp_tls_security_level"',
                'warning: @/main.cf: support for parameter "smtp_tls_cipherlist" has been '
                'removed; instead, specify "smtp_tls_ciphers"',
                "warning: postconf(5) tells more about each of these parameters"]
        f.says(["-h", "relayhost"], "$nothing # no comment\n", want)
        f.says(["-hq", "relayhost"], "$nothing # no comment\n", [])
    with Folder("a = 1\na = 2\nrelayhost = $a\n", None) as f:
        f.says(["a"], "a = 2\n", ["warning: open @/master.cf: No such file or directory",
                                  "warning: @/main.cf, line 2: overriding earlier entry: a=1"])


def mistakes():
    with Folder("\nnonsense\n") as f:
        f.says(["-n"], "",
               ["fatal: @/main.cf, line 2: missing '=' after attribute name: \"nonsense\""], 1)
    with Folder("relayhost = ${a\n") as f:
        f.says(["-qx", "relayhost"], "",
               ['warning: truncated macro reference: "${a"', "fatal: macro processing error"], 1)
        f.says(["-q", "relayhost"], "relayhost = ${a\n", [])
    with Folder(None, None) as f:
        f.says(["-n"], "", ["fatal: open @/main.cf: No such file or directory"], 1)
    with Folder("", "smtp inet n - y - -\n") as f:
        f.says(["-M"], "", ["fatal: file @/master.cf: line 1: bad field count"], 1)


def services():
    with Folder("mua = permit\n") as f:
        f.says(["-qM"], """\
smtp       inet  n       -       y       -       -       smtpd -o smtpd_client_restrictions=$mua \
-o {smtpd_helo_restrictions=permit, $nowhere}
slow       unix  -       -       n       -       -       smtp -o own=1 -v
filter     unix  -       n       n       -       -       pipe flags=Rq user=mail \
argv=/bin/filter -f ${sender} {two words}
""", [])
        f.says(["-qMf", "slow/unix", "filter"], """\
slow       unix  -       -       n       -       -       smtp
    -o own=1
    -v
filter     unix  -       n       n       -       -       pipe flags=Rq
    user=mail argv=/bin/filter -f ${sender} {two words}
""", [])
        f.says(["-qM", "slow/inet"], "", ['warning: unmatched request: "slow/inet"'])


def the_environment_names_the_folder():
    with Folder("relayhost = here\n") as f:
        got = run(["-qh", "relayhost"], environment={"MAIL_CONFIG": f.where.name})
        check_equal(got, ("here\n", [], 0), "MAIL_CONFIG")


check(POSTCONF is not None, "postconf is not built")
for test in (twelve_sets, options, support, raw_defaults_are_not_expanded, warnings, mistakes, services,
             the_environment_names_the_folder):
    test()
finish()
