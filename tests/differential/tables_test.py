#!/usr/bin/env python3
"""Tables made by chance, of each type that both have: `postmap -q` of Debian's Postfix 3.7 and
ours: what is found, what is said about mistakes, and how it ends."""
import os
import re
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from concurrent.futures import ThreadPoolExecutor
from harness import check, finish, is_root, program, skip
import postfix37
from generated import Dice, numbers

KEYS = 12  # asked of each table
WORDS = ["a", "b", "key", "Key", "KEY2", "u1@one.example", "@one.example", "x+y@two.example", "u1",
         "one.example", ".one.example", "10.1.2.3", "10.1", "192.0.2.7", "2001:db8::1", "ü", "a b",
         "b\"c", "c\\d", "<>", "*", "k=v", "{k}", "k:v", "#no", "aab", "abab", "a.b", "foo.bar", "/x/",
         "$1", "a,b", "'q'", "longer words with blanks", "passwd", "root", "nobody"]


# ---- tables with fixed keys: a text that postmap reads ----

def source(dice):
    lines = []
    for _ in range(dice.randint(1, 12)):
        key = dice.choice(WORDS)
        if " " in key or dice.often(0.1):
            key = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
        form = dice.random()
        value = " ".join(dice.choice(WORDS) for _ in range(dice.randint(1, 3)))
        if form < 0.1:
            lines.append(f"# {key} {value}")
        elif form < 0.2:
            lines += [f"{key} {value}", f"{dice.choice([' ', chr(9), '    '])}{dice.choice(WORDS)}"]
        elif form < 0.27:
            lines += [f"{key}", f"  {value}"]
        elif form < 0.32:
            lines += [f"{key}\t{value}", "", "# between", f"  {dice.choice(WORDS)}  "]
        elif form < 0.36:
            lines.append(key)  # no value
        elif form < 0.39:
            lines.append(f"  {key} {value}")
        else:
            lines.append(key + dice.choice([" ", "\t", "   "]) + value + dice.choice(["", " ", "\t"]))
    return "\n".join(lines) + "\n"


# ---- tables of patterns ----

ATOMS = ["a", "b", ".", "[ab]", "[^a]", "(a)", "(b|ab)", "a*", "b+", "(a+)", "x?", "^a", "b$", "\\.",
         "one", "(one|two)", "@", "\\+", "(.*)", "[0-9]+", "([a-z]+)", "Key", "[[:space:]]", "a{2}"]
PERL = ["\\d", "\\w+", "(?:a|b)", "(?i)KEY", "a+?", "(?<n>a)", "\\bkey\\b", "(?=a)", "\\x61"]
BROKEN = ["(", "[", "*a", "a{2", "(?P<", "a\\", ")", "[b-a]", "a{3,1}"]
RESULTS = ["found", "OK $1", "${1}x", "$(1)", "$2", "$$", "two  words", "REJECT $1$2", "$0", "$9",
           "$", "${1", "", "$1.$1", "a$b", "  x  "]


def pattern(dice, perl):
    atoms = ATOMS + (PERL if perl else [])
    text = "".join(dice.choice(atoms) for _ in range(dice.randint(1, 4)))
    if dice.often(0.05):
        text += dice.choice(BROKEN)
    mark = dice.choice("///|,%")
    flags = "".join(dice.some("imsxAEU" if perl else "imx", 2)) if dice.often(0.3) else ""
    if dice.often(0.02):
        flags += "q"
    return ("!" if dice.often(0.15) else "") + mark + text.replace("/", "\\/") + mark + flags


def network(dice):
    net = dice.choice(["10.1.2.3", "10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "0.0.0.0/0", "::/0",
                       "2001:db8::/32", "[2001:db8::]/32", "2001:db8::1", "10.1.2.3/8", "10.1.2",
                       "192.0.2.0/33", "[10.0.0.0]/8", "[10.0.0.0/8]", "host", "::ffff:10.1.2.3",
                       "192.0.2.7/32", "10.1.2.3/31"])
    return ("!" if dice.often(0.15) else "") + net


def rules(dice, kind):
    lines, depth = [], 0
    for _ in range(dice.randint(1, 9)):
        head = network(dice) if kind == "cidr" else pattern(dice, kind == "pcre")
        form = dice.random()
        if form < 0.12:
            lines.append(dice.choice(["if", "IF", "If"]) + " " + head)
            depth += 1
        elif form < 0.24 and (depth or dice.often(0.1)):
            lines.append(dice.choice(["endif", "ENDIF", "endif  "]))
            depth -= 1
        elif form < 0.28:
            lines.append(dice.choice(["# comment", "", "nothing", "endif x", "if"]))
        elif form < 0.34:
            lines += [head + " " + dice.choice(RESULTS), "   " + dice.choice(RESULTS)]
        else:
            lines.append(head + dice.choice([" ", "\t", "  "]) + dice.choice(RESULTS))
    lines += ["endif"] * max(depth, 0) if dice.often(0.9) else []
    return "\n".join(lines) + "\n"


# ---- tables without a file ----

def plain_word(dice):
    return dice.choice([w for w in WORDS if not set("{}, ") & set(w)])


def braced(dice, text):
    return "{" + dice.choice(["", " "]) + text + dice.choice(["", " "]) + "}"


def inline(dice):
    items = []
    for _ in range(dice.randint(0 if dice.often(0.05) else 1, 5)):
        key, value = plain_word(dice).replace("=", "").replace('"', ""), plain_word(dice)
        items.append(braced(dice, f"{key} = {value} {plain_word(dice)}") if dice.often(0.4)
                     else f"{key}={value}")
    if dice.often(0.04):
        items.append(dice.choice(["novalue", "{x", "=x", "{ = y }"]))
    return "inline:{" + dice.choice([", ", ",", " "]).join(items) + "}"


def static(dice):
    return dice.choice(["static:all", "static:two", "static:{two words}", "static:{ x }",
                        "static:/etc/nowhere"])


def simple(dice):
    return dice.choice([inline, inline, static, lambda d: "fail:no",
                        lambda d: "regexp:{{/a/ x$0}, {/(b)/ y$1}}", lambda d: "environ:x",
                        lambda d: "pcre:{{/k(.)/ z$1}}"])(dice)


def combined(dice, kind):
    if kind == "randmap":
        return "randmap:{" + ", ".join([dice.choice(["x", "{x}"])] * dice.randint(1, 3)) + "}"
    parts = [simple(dice) for _ in range(dice.randint(1, 3))]
    if dice.often(0.05):
        parts.append(dice.choice(["nocolon", "bogus:x", "{", "inline:x"]))
    parts = [f"{{{p}}}" if dice.often(0.5) and p.count("{") == p.count("}") else p for p in parts]
    return f"{kind}:{{" + ", ".join(parts) + "}"


BUILT = ["hash", "btree", "lmdb", "cdb"]
RULES = ["pcre", "regexp", "cidr"]
KINDS = BUILT + ["texthash", "inline", "static", "environ", "fail", "unix", "internal", "unionmap",
                 "pipemap", "randmap", "pcre", "regexp", "cidr", "pcre", "regexp", "pipemap",
                 "unionmap", "inline"]
# What no program shows alike: the number of a message's line in our sources, say.
SAID = re.compile(r"^.*?post\w+: (?=warning|fatal)", re.M)


class Place:
    """One of the two, with files of its own."""

    def __init__(self, home, theirs):
        self.home = home
        self.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "VARIABLE": "it is set",
                    "key": "lower case"}
        self.postmap = program("postmap")
        if theirs:
            self.postmap = os.path.join(postfix37.HOME, "usr/sbin/postmap")
            self.env["LD_LIBRARY_PATH"] = postfix37.LIBRARIES
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        os.mkdir(home)
        self.write("main.cf", "compatibility_level = 3.6\nmail_owner = mail\nsetgid_group = utmp\n"
                   f"myhostname = host.example\nqueue_directory = {home}\ndata_directory = {home}\n"
                   f"shlib_directory = {postfix37.LIBRARIES}\nmeta_directory = {home}\n"
                   f"daemon_directory = {postfix37.LIBRARIES}/sbin\n"
                   "import_environment = MAIL_CONFIG LD_LIBRARY_PATH VARIABLE key LC_ALL\n")
        self.write("master.cf", "")
        self.write("dynamicmaps.cf", "".join(
            f"{name}\tpostfix-{name}.so\tdict_{name}_open\tmkmap_{name}_open\n"
            for name in ("lmdb", "cdb", "pcre")))

    def write(self, name, text):
        with open(os.path.join(self.home, name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *arguments, text=""):
        done = subprocess.run([self.postmap, "-c", self.home, *arguments], cwd=self.home,
                              input=text.encode(), env=self.env, capture_output=True, check=False)
        said = SAID.sub("", done.stderr.decode("utf-8", "replace").replace(self.home, "@"))
        return done.stdout.decode("utf-8", "replace"), sorted(said.splitlines()), done.returncode

    def answers(self, name, case):
        kind, spec, text, keys = case
        told = []
        if text is not None:
            self.write(name, text)
            spec = f"{kind}:{self.home}/{name}"
            if kind in BUILT:
                told.append(self.run(spec))
        told.append(self.run("-q", "-", spec, text="".join(key + "\n" for key in keys)))
        told.append(self.run("-q", keys[0], spec))
        return told


def make_case(number):
    dice = Dice(2000 + number)
    kind = KINDS[number % len(KINDS)]
    spec = text = None
    keys = [dice.choice(WORDS) + (dice.choice(WORDS) if dice.often(0.2) else "") for _ in range(KEYS)]
    if kind in BUILT + ["texthash"]:
        text = source(dice)
    elif kind in RULES:
        text = rules(dice, kind)
    elif kind == "inline":
        spec = inline(dice)
    elif kind == "static":
        spec = static(dice)
    elif kind in ("unionmap", "pipemap", "randmap"):
        spec = combined(dice, kind)
    elif kind == "unix":
        spec = "unix:" + dice.choice(["passwd.byname", "group.byname", "bogus.byname"])
    else:
        spec = f"{kind}:x"
        keys[1:3] = ["VARIABLE", "key"]
    return kind, spec, text, keys


def same(want, got):
    """In what is found, and how it ends. Mistakes are told in other words (VIOLATIONS.md), but one
    that is told must be told."""
    return all(w[0] == g[0] and w[2] == g[2] and (not w[1] or g[1]) for w, g in zip(want, got))


def main():
    if not is_root():
        skip("needs root: Postfix trusts root's dynamicmaps.cf only")
    check(postfix37.is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    with tempfile.TemporaryDirectory(prefix="postern-tables-") as top:
        theirs, ours = Place(f"{top}/theirs", True), Place(f"{top}/ours", False)
        sets = list(numbers(132, 1500))
        cases = [make_case(number) for number in sets]

        def both(n):
            return [place.answers(f"t{sets[n]}", cases[n]) for place in (theirs, ours)]
        with ThreadPoolExecutor(8) as pool:  # Postfix sleeps for a second when it fails
            for number, case, (want, got) in zip(sets, cases, pool.map(both, range(len(sets)))):
                if not check(same(want, got), f"set {number}: {case[0]} {case[1] or ''}"):
                    print(f"{case[2] or ''}   keys {case[3]}\n   theirs {want}\n   ours   {got}")


main()
finish()
