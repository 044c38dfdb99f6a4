#!/usr/bin/env python3
"""Commands as Debian's Postfix 3.7 answers them: output, complaints, exit status, and what
became of the files. *.compared holds what was seen, section by section:

    --- main.cf          a file that each command finds; @ stands for its folder, @bin for
                         where commands are; a folder ends in /
    === COMMAND          in a shell; the answer of both
    === ours: REASON     the same command, when we answer otherwise, and why
    === 3.7: REASON      what Postfix 3.7 said to the command above

Lines of an answer: "out", "err", "exit", and for files that changed "FILE -" and "FILE +".
Complaints are sorted and each counts once, their program is without its path.

Debian's Postfix is asked, too, where ./dev unpacked it, but in --quick. With --print WHO FILE
the answers of "ours" or "3.7" are printed in the form of the file."""
import concurrent.futures
import difflib
import glob
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import postfix37
from harness import COMMANDS, check, finish, is_root, program

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = postfix37.HOME


class Place:
    """The files of a .compared file, and commands to be called by their names."""

    def __init__(self, who, files):
        self.who, self.files = who, files
        self.top = tempfile.mkdtemp(prefix="postern-compared-")
        self.bin = os.path.join(self.top, "bin")
        self.etc = os.path.join(self.top, "etc")
        os.mkdir(self.bin)
        for name in COMMANDS:
            path = (program(name) if who == "ours" else
                    os.path.join(PEER, "usr/sbin", {"mailq": "sendmail", "newaliases":
                                                    "sendmail"}.get(name, name)))
            if path and os.path.exists(path):
                os.symlink(path, os.path.join(self.bin, name))

    def close(self):
        shutil.rmtree(self.top)

    def fresh(self):
        shutil.rmtree(self.etc, ignore_errors=True)
        os.mkdir(self.etc)
        for name, text in self.files.items():
            path = os.path.join(self.etc, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if name.endswith("/"):
                continue
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("@bin", self.bin).replace("@", self.etc))

    def texts(self):
        found = {}
        for name in sorted(os.listdir(self.etc)):
            path = os.path.join(self.etc, name)
            if os.path.isfile(path) and not name.endswith(".db"):
                with open(path, encoding="utf-8", errors="replace") as file:
                    found[name] = file.read().splitlines()
        return found

    def plain(self, text):
        text = text.replace(self.etc, "@").replace(self.bin + "/", "")
        text = re.sub(r"^\S*/(?=post\w+: |sendmail: )", "", text, flags=re.M)
        return text.splitlines()

    def answer(self, command):
        self.fresh()
        before = self.texts()
        env = {"PATH": f"{self.bin}:/usr/bin:/bin", "MAIL_CONFIG": self.etc, "LC_ALL": "C",
               "TZ": "UTC"}
        if self.who != "ours":
            env["LD_LIBRARY_PATH"] = os.path.join(PEER, "usr/lib/postfix")
        elif "ASAN_OPTIONS" in os.environ:
            env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        done = subprocess.run(["/bin/sh", "-c", command], env=env, cwd=self.etc, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        lines = ["out " + line for line in self.plain(done.stdout)]
        lines += ["err " + line for line in sorted(set(self.plain(done.stderr)))]
        lines.append(f"exit {done.returncode}")
        after = self.texts()
        for name in sorted(set(before) | set(after)):
            for line in list(difflib.unified_diff(before.get(name, []), after.get(name, []),
                                                  n=0, lineterm=""))[2:]:
                if line[0] in "-+":
                    lines.append(f"{name} {line[0]}{line[1:]}".replace(self.etc, "@"))
        return lines


def parse(path):
    """The files, and [command, {who: answer}]."""
    files, sections, target = {}, [], None
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "---":
                target = files.setdefault(rest, [])
            elif kind == "===" and re.match(r"(ours|3\.7): ", rest):
                target = sections[-1][1].setdefault(rest.split(":")[0], [])
            elif kind == "===":
                target = []
                sections.append([rest, {"both": target}])
            elif target is not None:
                target.append(line)
    return {name: "".join(line + "\n" for line in lines) for name, lines in files.items()}, \
        sections


def answers(files, commands, who):
    """Side by side: Postfix's commands sleep for a second when something is wrong."""
    places = queue.SimpleQueue()
    at_once = 8
    for _ in range(at_once):
        places.put(Place(who, files))

    def answer(command):
        place = places.get()
        try:
            return place.answer(command)
        finally:
            places.put(place)
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(answer, commands))
    while not places.empty():
        places.get().close()
    return found


def compare(path, who):
    files, sections = parse(path)
    if os.geteuid() != 0:  # postsuper is root's
        sections = [section for section in sections if "postsuper" not in section[0]]
    commands = [command for command, _ in sections]
    for (command, wanted), got in zip(sections, answers(files, commands, who)):
        want = wanted.get(who) or wanted["both"]
        check(got == want, f"{os.path.basename(path)}: {who}: {command}\n" + "\n".join(
            difflib.unified_diff(want, got, "as written", "as answered", lineterm="")))


def show(path, who):
    files, sections = parse(path)
    commands = [command for command, _ in sections]
    for command, answer in zip(commands, answers(files, commands, who)):
        print("=== " + command, *answer, sep="\n")


if sys.argv[1:2] == ["--print"]:
    show(sys.argv[3], sys.argv[2])
    sys.exit(0)
for compared in sorted(glob.glob(os.path.join(HERE, "*.compared"))):
    compare(compared, "ours")
    # Postfix's commands look for its user, and trust links of root's only.
    if postfix37.is_there() and is_root() and os.environ.get("TEST_MODE") != "quick":
        compare(compared, "3.7")
finish()
