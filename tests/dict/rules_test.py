#!/usr/bin/env python3
"""pcre, regexp and cidr files as postmap -q sees them, with what is said about mistakes."""
import os
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish, program

POSTMAP = program("postmap")
FOLDER = tempfile.TemporaryDirectory()
HERE = FOLDER.name
os.mkdir(f"{HERE}/etc")


def ask(kind, rules, keys):
    with open(f"{HERE}/rules", "w", encoding="utf-8") as f:
        f.write(rules)
    p = subprocess.run([POSTMAP, "-c", f"{HERE}/etc", "-q", "-", f"{kind}:rules"], cwd=HERE,
                       input="".join(k + "\n" for k in keys), capture_output=True, text=True)
    found = dict(line.split("\t") for line in p.stdout.splitlines())
    return [found.get(k) for k in keys], p.stderr


for name in "main.cf", "master.cf":
    with open(f"{HERE}/etc/{name}", "w", encoding="utf-8") as f:
        f.write("compatibility_level = 3.6\n" if name == "main.cf" else "")

PATTERNS = """# the first match wins
/^reject-(.*)@/ REJECT no $1 here
if /@example\\.com$/
if !/^root@/
/^(.*)@/ OK $1 ${1} $(1) $$
endif
/./ REJECT root
endif
!/\\./ no dot
"""
WRONG = """/foo
/foo/
/fo(o/ x
foo bar
/foo/z x
endif
if /c/ junk
/d/ y
if
/e/ $2
!/n/ $1
"""
SAID = """line 1: no closing regexp delimiter "/": skipping this rule
line 2: no replacement text: using empty string
line 3:
line 4: ignoring unrecognized request
line 5: unknown regexp option "z": skipping this rule
line 6: ignoring ENDIF without matching IF
line 7: ignoring extra text after IF statement: "junk"
line 7: do not prepend whitespace to statements between IF and ENDIF
line 9: no regexp: skipping this rule
line 10: out of range replacement index "2": skipping this rule
line 11: $number found in negative match replacement text: skipping this rule
line 7: IF has no matching ENDIF
"""
for kind in "pcre", "regexp":
    got, said = ask(kind, PATTERNS, ["reject-me@x", "user@example.com", "root@example.com",
                                     "USER@EXAMPLE.COM", "nodot", "a.b"])
    if "unsupported dictionary type" in said:
        print(f"not tested: this build is without {kind}")
        continue
    check_equal(got, ["REJECT no me here", "OK user user user $", "REJECT root",
                      "OK USER USER USER $", "no dot", None], kind)
    check_equal(said, "", f"{kind}: nothing to say")
    _, said = ask(kind, WRONG, ["x"])
    for got, want in zip(said.splitlines(), SAID.splitlines()):
        check(got.startswith(f"postmap: warning: {kind} map rules, {want}"),
              f"{kind}: got {got!r}, want {want!r}")
    check_equal(len(said.splitlines()), len(SAID.splitlines()), f"{kind}: warnings")

NETWORKS = """!10.0.0.0/8 not ten
if 10.0.0.0/16
10.0.1.0/24 inner
[10.0.2.0]/24 bracket
endif
10.0.0.0/8 ten
2001:db8::/32 doc
[2001:db9::/32] doc9
::/0 six
"""
got, said = ask("cidr", NETWORKS, ["192.0.2.1", "10.0.1.9", "10.0.2.9", "10.1.1.1", "2001:db8::1",
                                   "2001:DB9::1", "::1", "host", "[10.1.1.1]", "10.1.1"])
check_equal(got, ["not ten", "inner", "bracket", "ten", "doc", "doc9", "six", None, None, None],
            "cidr")
check_equal(said, "", "cidr: nothing to say")
_, said = ask("cidr", "192.168.1.1/24 x\n10.0.0.0/33 x\nfoo x\n10.0.0.1\nif\nendif\n", ["1.2.3.4"])
for got, want in zip(said.splitlines(), [
        'line 1: non-null host address bits in "192.168.1.1/24", perhaps you should use '
        '"192.168.1.0/24" instead: skipping this rule',
        'line 2: bad mask length in "10.0.0.0/33"', "line 3: bad ", "line 4: no lookup result",
        "line 5: no address pattern", "line 6: ignoring ENDIF"]):
    check(got.startswith(f"postmap: warning: cidr map rules, {want}"),
          f"cidr: got {got!r}, want {want!r}")
check_equal(len(said.splitlines()), 6, "cidr: warnings")
finish()
