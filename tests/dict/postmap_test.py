#!/usr/bin/env python3
"""postmap: source files, queries, changes, modes, exit codes. What is expected was seen with
postmap of Debian 12 (3.7.11), but for the file and line that we name in more warnings."""
import os
import re
import stat
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish, is_root, program

POSTMAP = program("postmap")
FOLDER = tempfile.TemporaryDirectory()
HERE = FOLDER.name
os.chmod(HERE, 0o755)
os.mkdir(f"{HERE}/etc")
TYPES = subprocess.run([POSTMAP, "--help"], capture_output=True, text=True)


def put(name, text, mode=0o644):
    path = os.path.join(HERE, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


def run(*arguments, stdin=""):
    """(stdout, stderr, status) of one postmap, run in the folder."""
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    p = subprocess.run([POSTMAP, "-c", f"{HERE}/etc", *arguments], cwd=HERE, input=data,
                       capture_output=True)
    return p.stdout.decode("utf-8", "surrogateescape"), p.stderr.decode(), p.returncode


put("etc/main.cf", "compatibility_level = 3.6\n")
put("etc/master.cf", "")

SOURCE = '''# comment

Foo  Bar baz  
  cont
# comment in

  more
key3
"quo ted\\"x\\\\y" val
"unterminated val
a\tb
Foo again
foo: alias
empty  
  contin
"a"b c
"abc" 
"" v
last nolf'''
ENTRIES = {
    "foo": "Bar baz    cont  more", '"quo ted\\"x\\\\y"': "val", "a": "b", "foo:": "alias",
    "empty": "contin", '"a"b': "c", '""': "v", "last": "nolf",
}
WARNINGS = '''postmap: warning: source, line 8: expected format: key whitespace value
postmap: warning: source, line 10: unbalanced '"' in '"unterminated val' -- ignoring this line
postmap: warning: source, line 12: duplicate entry: "foo"
postmap: warning: source, line 13: record is in "key: value" format; is this an alias file?
postmap: warning: source, line 17: expected format: key whitespace value
'''


def has_type(name):
    return "unsupported dictionary type" not in run("-q", "x", f"{name}:/nonexistent")[1]


def building(kind, suffix):
    put("source", SOURCE, 0o640)
    out, err, status = run(f"{kind}:source")
    check_equal((out, err, status), ("", WARNINGS, 0), f"building {kind}")
    mode = stat.S_IMODE(os.stat(f"{HERE}/source{suffix}").st_mode)
    check_equal(oct(mode), oct(0o640), f"mode of {kind}")
    for key, value in ENTRIES.items():
        check_equal(run("-q", key, f"{kind}:source"), (value + "\n", "", 0), f"{kind} {key}")
    check_equal(run("-q", "FOO", f"{kind}:source")[0], "Bar baz    cont  more\n", "folding")
    check_equal(run("-fq", "FOO", f"{kind}:source"), ("", "", 1), "no folding")
    check_equal(run("-q", "key3", f"{kind}:source"), ("", "", 1), "not found")
    listed = dict(line.split("\t") for line in run("-s", f"{kind}:source")[0].splitlines())
    check_equal(listed, ENTRIES, f"listing {kind}")
    out, err, status = run("-q", "-", f"{kind}:source", stdin="nobody\nA\nfoo\n")
    check_equal((out, status), ("A\tb\nfoo\tBar baz    cont  more\n", 0), "keys from stdin")
    check_equal(run("-q", "-", f"{kind}:source", stdin="nobody\n"), ("", "", 1), "none found")
    check_equal(run("-w", f"{kind}:source")[1].count("duplicate"), 0, "-w")
    run("-r", f"{kind}:source")
    check_equal(run("-q", "foo", f"{kind}:source")[0], "again\n", "-r")
    run("-p", f"{kind}:source")
    mode = stat.S_IMODE(os.stat(f"{HERE}/source{suffix}").st_mode)
    check_equal(oct(mode), oct(0o644), f"-p: mode of {kind}")
    for nul in "-n", "-N":
        run(nul, "-w", f"{kind}:source")
        check_equal(run("-q", "a", f"{kind}:source")[0], "b\n", f"{kind} made with {nul}")
    left = [n for n in os.listdir(HERE) if n.startswith(f"source{suffix}.")]
    check_equal(left, [], "temporary files")


def changing(kind):
    put("change", "a 1\nb 2\nc 3\n")
    run(f"{kind}:change")
    check_equal(run("-i", f"{kind}:change", stdin="D 4\na 5\n"),
                ("", 'postmap: warning: stdin, line 2: duplicate entry: "a"\n', 0), "-i")
    check_equal(run("-q", "a", f"{kind}:change")[0], "1\n", "a duplicate changes nothing")
    check_equal(run("-q", "d", f"{kind}:change")[0], "4\n", "added")
    run("-ir", f"{kind}:change", stdin="a 5\n")
    check_equal(run("-q", "a", f"{kind}:change")[0], "5\n", "replaced")
    check_equal(run("-d", "A", f"{kind}:change"), ("", "", 0), "deleted")
    check_equal(run("-d", "a", f"{kind}:change"), ("", "", 1), "deleted before")
    check_equal(run("-d", "-", f"{kind}:change", stdin="b\nnone\n"), ("", "", 0), "some")
    check_equal(run("-d", "-", f"{kind}:change", stdin="b\nnone\n"), ("", "", 1), "none")
    check_equal(sorted(run("-s", f"{kind}:change")[0].split("\n")), ["", "c\t3", "d\t4"], "left")
    check_equal(run("-i", f"{kind}:fresh-{kind}", stdin="a 1\n"), ("", "", 0), "-i makes a table")
    check_equal(run("-q", "a", f"{kind}:fresh-{kind}")[0], "1\n", "the fresh one")


def refusals():
    usage = "postmap: fatal: usage: postmap "
    rows = [
        ([], usage),
        (["-x"], "postmap: invalid option -- 'x'\n" + usage),
        (["-q"], "postmap: option requires an argument -- 'q'\n" + usage),
        (["-q", "a", "-d", "b", "x"], "postmap: fatal: specify only one of -s -q or -d\n"),
        (["-q", "a", "nosuch:x"], "postmap: fatal: unsupported dictionary type: nosuch\n"),
        (["-q", "a", "cdb:none"],
         "postmap: fatal: open database none.cdb: No such file or directory\n"),
        (["cdb:none"], "postmap: fatal: open none: No such file or directory\n"),
        (["-q", "a", "pcre:none"], "postmap: fatal: open none: No such file or directory\n"),
        (["-q", "a", ":none"], 'postmap: fatal: open dictionary: expecting "type:name" form '
                               'instead of ":none"\n'),
        (["texthash:source"], "postmap: fatal: unsupported dictionary type: texthash does not "
                              "support bulk-mode creation.\n"),
        (["-s", "static:x"],
         "postmap: fatal: table static:x: sequence operation is not supported\n"),
        (["-q", "a", "-b", "static:x"],
         'postmap: fatal: specify -b -h or -m only with "-q -"\n'),
        (["-q", "a", "fail:x"], "postmap: fatal: table fail:x: query error: "),
        (["-q", "a", "inline:{a}"], 'postmap: fatal: missing \'=\' after attribute name: '
                                    '"inline:{a}"; need "inline:{name=value...}"\n'),
    ]
    for arguments, want in rows:
        out, err, status = run(*arguments)
        check(err.startswith(want), f"{arguments}: got {err!r}, want {want!r}")
        check_equal((out, status), ("", 1), f"{arguments}")
    out, err, status = run("-q", "a", "inline:{a=}")
    check_equal((out, status), ("\n", 0), "an empty value is shown")
    check_match("key a: empty string result is not allowed", err, "and warned about")


def several_tables():
    check_equal(run("-q", "a", "inline:{b=1}", "inline:{a=2}", "fail:x")[0], "2\n", "in order")
    check_equal(run("-q", "-", "inline:{b=1}", "inline:{a=2}", stdin="a\nb\n")[0],
                "a\t2\nb\t1\n", "each key in order")
    put("one", "a 1\n")
    put("two", "b 2\n")
    check_equal(run("cdb:one", "cdb:two"), ("", "", 0), "two at once")
    check_equal(run("-s", "cdb:one", "cdb:two")[0], "a\t1\nb\t2\n", "listed one by one")


def default_type():
    put("etc/main.cf", "compatibility_level = 3.6\ndefault_database_type = cdb\n")
    put("plain", "a 1\n")
    check_equal(run("plain"), ("", "", 0), "made by default_database_type")
    check(os.path.exists(f"{HERE}/plain.cdb"), "plain.cdb is there")
    check_equal(run("-q", "a", "plain")[0], "1\n", "and asked")
    put("etc/main.cf", "compatibility_level = 3.6\n")


def files_as_values():
    put("cert", b"\0\1binary\xff")
    put("key", "text\n")
    put("chains", "host cert, key\n")
    check_equal(run("-F", "cdb:chains"), ("", "", 0), "-F builds")
    check_equal(run("-q", "host", "cdb:chains")[0], "AAFiaW5hcnn/CnRleHQK\n", "in base64")
    raw = subprocess.run([POSTMAP, "-c", f"{HERE}/etc", "-Fq", "host", "cdb:chains"], cwd=HERE,
                         capture_output=True)
    check_equal(raw.stdout, b"\0\1binary\xff\ntext\n\n", "-F decodes")
    put("chains", "host nosuchfile\n")
    check_match("chains, line 1: open nosuchfile: No such file", run("-F", "cdb:chains")[1],
                "-F without the file")
    check_match("malformed BASE64", run("-Fq", "a", "inline:{a=*}")[1], "-F without base64")


def json_output():
    check_equal(run("-jq", "a", 'inline:{{a = b"c\\d}}')[0], '{"a": "b\\"c\\\\d"}\n', "-j -q")
    check_equal(run("-js", "inline:{a=b}")[0], '{"a": "b"}\n', "-j -s")


MESSAGE = """From: a
Subject : x
  folded
Content-Type: multipart/mixed; boundary="b1"
X-A: 1

preamble
--b1
Content-Type: text/plain
X-B: 2

body1
--b1
Content-Type: message/rfc822

Subject: inner

inner body
--b1--
epilogue
"""


def messages():
    def keys(options):
        return [line.split("\t")[0] for line in
                run(options, "-q", "-", "regexp:{{/(.*)/m <$1>}}", stdin=MESSAGE)[0].split("\n")]
    top = ["From: a", "Subject: x", "  folded", 'Content-Type: multipart/mixed; boundary="b1"',
           "X-A: 1"]
    body = ["", "preamble", "--b1", "Content-Type: text/plain", "X-B: 2", "", "body1", "--b1",
            "Content-Type: message/rfc822", "", "Subject: inner", "", "inner body", "--b1--",
            "epilogue"]
    check_equal(keys("-h"), top + [""], "-h")
    check_equal(keys("-b"), body + [""], "-b")
    check_equal(keys("-bh"), top + body + [""], "-bh")
    check_equal(keys("-hm"), top + ["Content-Type: text/plain", "X-B: 2",
                                    "Content-Type: message/rfc822", "Subject: inner", ""], "-hm")
    check_equal(keys("-bm"), ["", "preamble", "--b1", "", "body1", "--b1", "", "", "inner body",
                              "--b1--", "epilogue", ""], "-bm")
    out, err, _ = run("-m", "-q", "-", "inline:{From: a=x}".replace("From: ", "from:"),
                      stdin="from:a\n")
    check_equal(out, "from:a\tx\n", "-m alone asks line by line")
    check_match("ignoring -m option without -b or -h", err, "and says so")


def hostile_sources():
    put("nul", b"a\0b c\nd e\n")
    out, err, status = run("cdb:nul")
    check_equal(status, 0, "a NUL in the source")
    check_match("nul, line 1: .*NUL", err, "is told")
    check_equal(run("-s", "cdb:nul")[0], "d\te\n", "and skipped")
    put("long", b"k" * 100000 + b" v\n" + b"k2 " + b"v" * 200000 + b"\n")
    out, err, status = run("cdb:long")
    check(status == 1 and "long, line 1: key or value too long" in err, "a key of 100,000 bytes")
    check(not os.path.exists(f"{HERE}/long.cdb"), "leaves no table")
    put("bytes", b"\xff\xfe \x80\x81\n")
    check_equal(run("cdb:bytes")[2], 0, "bytes that are not UTF-8")


def as_owner():
    """Root writes as the owner of the source: where that one may not write, it fails."""
    os.mkdir(f"{HERE}/theirs")
    os.chown(f"{HERE}/theirs", 65534, 65534)
    path = put("theirs/source", "a 1\n")
    os.chown(path, 65534, 65534)
    check_equal(run("cdb:theirs/source"), ("", "", 0), "in their own folder")
    check_equal(os.stat(f"{HERE}/theirs/source.cdb").st_uid, 65534, "the owner of the table")
    os.mkdir(f"{HERE}/ours")
    path = put("ours/source", "a 1\n")
    os.chown(path, 65534, 65534)
    out, err, status = run("cdb:ours/source")
    check_equal(status, 1, "in a folder of root's")
    check_match("create database ours/source.cdb: Permission denied", err, "says why")
    check_equal(run("-o", "cdb:ours/source"), ("", "", 0), "-o stays root")


def a_disk_that_is_full():
    """The old table stays when the new one cannot be written."""
    put("full", "a 1\n")
    run("cdb:full")
    put("full", "".join(f"key{i} value\n" for i in range(20000)))
    limited = subprocess.run(
        ["/bin/sh", "-c", f'trap "" XFSZ; ulimit -f 100; exec {POSTMAP} -c {HERE}/etc cdb:full'],
        cwd=HERE, capture_output=True, text=True)
    check_equal(limited.returncode, 1, "no room")
    check_match("File too large", limited.stderr, "says why")
    check_equal(run("-s", "cdb:full")[0], "a\t1\n", "the old table is still there")
    check_equal([n for n in os.listdir(HERE) if n.startswith("full.cdb.")], [], "nothing else is")


check_equal((TYPES.returncode, TYPES.stderr), (0, ""), "--help")
check_match("^usage: postmap", TYPES.stdout, "--help")
for kind, suffix in ("hash", ".db"), ("btree", ".db"), ("lmdb", ".lmdb"), ("cdb", ".cdb"):
    if not has_type(kind):
        print(f"not tested: this build is without {kind}")
        continue
    building(kind, suffix)
    if kind != "cdb":
        changing(kind)
refusals()
several_tables()
default_type()
files_as_values()
json_output()
messages()
hostile_sources()
a_disk_that_is_full()
if is_root():
    as_owner()
finish()
