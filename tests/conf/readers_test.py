#!/usr/bin/env python3
"""The column .used_by of parameters.def, which the manuals' lists are printed from, against
the source: for what is honoured it names the programs that read it -- in their own folder, or
in functions of libraries that they call -- or "all" where libraries of every program do. And
each honoured parameter has its sentence in parameters.doc.

`readers_test.py --write` puts the column right."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish

TOP = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                "..", ".."))
TABLE = os.path.join(TOP, "lib/conf/parameters.def")
ROW = re.compile(r"^PARAM(?:_AS)?\((\w+),.*?\)$(?=\n[P#])", re.M | re.S)
# Every program has these libraries: what only they read is read by all.
COMMON = ("base", "log", "event", "conf", "net", "ipc", "dict", "service")
# `postern check` looks at what others read, import and export at Postfix's; posttls-finger is not
# smtp, in whose folder it is; postcat has names of records.
NO_READER = re.compile(r"_(?:test|fuzz|bench)\.c$|/play\.c$|tools/check|"
                       r"smtp/finger|tools/postcat_records|tools/config_copy|tools/postern_import|"
                       r"tools/queue_export|tools/export_")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


def sources():
    for folder, folders, names in os.walk(TOP):
        folders[:] = [d for d in folders if d not in (".git", "build", "tests")]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), TOP)
            if name.endswith((".c", ".h")) and not NO_READER.search(path):
                yield path, re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)


FILES = dict(sources())
WORDS = {path: set(re.findall(r"\w+", text)) for path, text in FILES.items()}


def library(path):
    return path.split("/")[1] if path.startswith("lib/") else None


# Functions for others, by the file of a library that has them.
DEFINED = {}
for source, text in FILES.items():
    if library(source) and library(source) not in COMMON:
        DEFINED[source] = {m[2] for m in re.finditer(r"^(.*)\n(\w+)\(", text, re.M)
                           if not m[1].startswith("static")}


def reached(paths):
    """These files, and those of libraries whose functions they call."""
    seen = set(paths)
    todo = list(paths)
    while todo:
        words = WORDS[todo.pop()]
        more = [f for f, names in DEFINED.items() if f not in seen and names & words]
        seen.update(more)
        todo += more
    return seen


def programs():
    """{name: files}: a folder for each daemon, a list of sources for each command."""
    found = {}
    for path in FILES:
        folder = path.split("/")[0]
        if folder not in ("lib", "tools"):
            found.setdefault(folder, set()).add(path)
    rules = read("tools/local.mk").replace("\\\n", " ")
    shared = re.search(r"^TABLE_TOOL = (.*)$", rules, re.M)[1]
    for rule in re.finditer(r"^tools_(\w+)_SOURCES \+?= (.*)$", rules, re.M):
        names = rule[2].replace("$(TABLE_TOOL)", shared).split()
        if not rule[1].endswith(("_test", "_fuzz")):
            found.setdefault(rule[1], set()).update(n for n in names if n in FILES)
    return found


# Not in strings: lib/service knows the names of many without reading them.
READ_BY_ALL = set().union(*(re.findall(r"\bp\.(\w+)", re.sub(r'"(?:[^"\\]|\\.)*"', "", FILES[p]))
                            for p in FILES if library(p) in COMMON and library(p) != "conf"))
READ_BY = {name: set().union(*(WORDS[p] for p in reached(paths) if library(p) not in COMMON))
           for name, paths in programs().items()}
SUFFIXES = {name: re.findall(r'conf_transport_\w+\([^"]*"(\w+)"',
                             "".join(FILES[p] for p in paths))
            for name, paths in programs().items()}


# smtpd names them to policy servers, but they matter to everybody, through defaults; and a
# word of C.
FOR_ALL = {"compatibility_level", "mail_version", "include"}


def readers(name):
    """What .used_by shall be."""
    if name in READ_BY_ALL or name in FOR_ALL:
        return "all"
    found = {program for program, words in READ_BY.items() if name in words}
    found = found or {program for program, suffixes in SUFFIXES.items()
                      if name.endswith(tuple("_" + s for s in suffixes))}
    if name.startswith("lmtp_"):  # one program, two names: conf_adopt()
        found |= {p for p, words in READ_BY.items() if "smtp_" + name[5:] in words}
        found = {"lmtp" if p == "smtp" else p for p in found} - {"stsd"}  # smtp's alone
    elif "smtp" in found and not name.startswith("smtp_"):
        found.add("lmtp")
    return ",".join(sorted(found)) or "all"


def used_by(row):
    return re.search(r'\.used_by\s*=\s*"([^"]*)"', row)[1]


def with_readers(row, names):
    """The row with the column put right, and the lines from there on filled again; those before
    stay, whose strings may have lines of their own."""
    if used_by(row) == names:
        return row
    start, rest = re.split(r"\s+(?=\.used_by)", row, maxsplit=1)
    rest = re.sub(r'"[^"]*"', f'"{names}"', rest, count=1)
    lines = start.split("\n")
    for part in re.split(r"(?<=,)\s+(?=\.)", rest):
        longer = f"{lines[-1]} {part}"
        if len(longer.expandtabs(8)) <= 90:
            lines[-1] = longer
        else:
            lines.append("\t" + part)
    return "\n".join(lines)


def honoured(row):
    return ".honoured = true" in row and ".used_by" in row


def column():
    for row in ROW.finditer(read("lib/conf/parameters.def")):
        if honoured(row[0]):
            check_equal(used_by(row[0]), readers(row[1]), f".used_by of {row[1]} (readers_test.py --write)")


def writing():
    row = ('PARAM(a, STRING, .preset =\n\t"one two "\n\t"three", .used_by = "smtp",\n'
           '\t.tier = 2, .honoured = true)')
    check_equal(with_readers(row, "smtp"), row, "a row that is right stays")
    many = ",".join(["smtp"] * 20)
    check_equal(with_readers(row, many),
                f'PARAM(a, STRING, .preset =\n\t"one two "\n\t"three",\n\t.used_by = "{many}",\n'
                '\t.tier = 2, .honoured = true)', "lines of a preset stay")


def sentences():
    names = [line.split(":")[0] for line in read("lib/conf/parameters.doc").splitlines()
             if line and line[0] not in "#\t"]
    check_equal(names, sorted(names), "parameters.doc is sorted")
    endings = tuple(name[1:] for name in names if name.startswith("*"))
    rows = {row[1].removeprefix("x_"): row[0] for row in
            ROW.finditer(read("lib/conf/parameters.def"))}
    for name, row in rows.items():
        if ".honoured = true" in row:
            check(name in names or name.endswith(endings) or
                  name.startswith("lmtp_") and "smtp_" + name[5:] in names,
                  f"{name} is honoured: lib/conf/parameters.doc has no sentence about it")
    for name in names:
        check(name.startswith("*") or name in rows, f"{name} is in parameters.doc only")


if sys.argv[1:] == ["--write"]:
    text = ROW.sub(lambda m: with_readers(m[0], readers(m[1])) if honoured(m[0]) else m[0],
                   read("lib/conf/parameters.def"))
    with open(TABLE, "w", encoding="utf-8") as out:
        out.write(text)
    sys.exit(0)
column()
writing()
sentences()
finish()
