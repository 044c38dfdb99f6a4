#!/usr/bin/env python3
"""postalias: the syntax of aliases(5), as postalias of Debian 12 (3.7.11) stores it."""
import os
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check_equal, check_match, finish, program

POSTALIAS = program("postalias")
FOLDER = tempfile.TemporaryDirectory()
HERE = FOLDER.name
os.mkdir(f"{HERE}/etc")


def put(name, text):
    with open(f"{HERE}/{name}", "w", encoding="utf-8") as f:
        f.write(text)


def run(*arguments, stdin=""):
    p = subprocess.run([POSTALIAS, "-c", f"{HERE}/etc", *arguments], cwd=HERE, input=stdin,
                       capture_output=True, text=True)
    return p.stdout, p.stderr, p.returncode


SOURCE = '''# aliases
Postmaster: Root , Bob@Example.COM
"quoted name": x
"Quo\\"te": y
pipe: "|/usr/bin/cmd arg \\"x\\""
pipe2: |/bin/cmd
pipe3: |"/bin/cmd x y"
pipe4: | /bin/cmd arg, foo
file: /var/mail/x
incl: :include:/etc/list
incl2: ":include:/etc/list x"
noval:
noval2
multi: a,
  b,
# comment
\tc (comment) , d
brack: <a@b>, Name <c@d>, "Q N" <e@f>
ab c d
bs: a\\ b@c, \\user
dup: 1
DUP: 2
a@b: c@d
u8ü: ü
emp: ""
quote"d: x
dot.ted: x. y .z
unbal: "abc
:include:: y
'''
ENTRIES = {
    "postmaster": "Root, Bob@Example.COM", "quoted name": "x", 'quo"te': "y",
    "pipe": '"|/usr/bin/cmd arg \\"x\\""', "pipe2": "|/bin/cmd", "pipe3": '|"/bin/cmd x y"',
    "pipe4": "|/bin/cmd arg, foo", "file": "/var/mail/x", "incl": ":include:/etc/list",
    "incl2": '":include:/etc/list x"', "multi": "a, b, c (comment), d",
    "brack": '<a@b>, Name <c@d>, "Q N" <e@f>', "bs": '"a b"@c, user', "dup": "1", "u8ü": "ü",
    "emp": '""', "dot.ted": "x.y.z", "unbal": '"abc"',
}
WARNINGS = '''postalias: warning: aliases, line 12: need name:value pair
postalias: warning: aliases, line 13: need name:value pair
postalias: warning: aliases, line 19: need name:value pair
postalias: warning: aliases, line 22: duplicate entry: "dup"
postalias: warning: aliases, line 23: name must be local
postalias: warning: aliases, line 26: need name:value pair
postalias: warning: aliases, line 29: need name:value pair
'''

put("etc/main.cf", "compatibility_level = 3.6\n")
put("etc/master.cf", "")
put("aliases", SOURCE)
check_equal(run("cdb:aliases"), ("", WARNINGS, 0), "building")
listed = dict(line.split(":\t", 1) for line in run("-s", "cdb:aliases")[0].splitlines())
check_equal(listed, ENTRIES, "the entries")
for name, value in ENTRIES.items():
    check_equal(run("-q", name, "cdb:aliases"), (value + "\n", "", 0), name)
check_equal(run("-q", '"quoted name"', "cdb:aliases"), ("", "", 1), "a name has no quotes")
check_equal(run("-q", "-", "cdb:aliases", stdin="PIPE2\nnone\n"), ("PIPE2:\t|/bin/cmd\n", "", 0),
            "names from stdin")
out, err, status = run("-x")
check_equal(status, 1, "an unknown option")
check_match("^postalias: invalid option -- 'x'\npostalias: fatal: usage: postalias ", err, "usage")
check_match("^usage: postalias", subprocess.run([POSTALIAS, "--help"], capture_output=True, text=True).stdout, "--help")
put("etc/main.cf", "compatibility_level = 3.6\ndefault_database_type = cdb\n")
put("more", "root: admin\n")
check_equal(run("more"), ("", "", 0), "default_database_type")
check_equal(run("-q", "ROOT", "more")[0], "admin\n", "default_database_type")
finish()
