#!/usr/bin/env python3
"""docs/friday-to-monday.md, as it stands: each of its commands is run on a Debian with a Postfix
that has mail in its queue, and after each step the mail is where the document says."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import check, check_equal, check_match, finish, is_root, skip, wait_until
from root import SOURCE, Root, built, debian_postfix, debs
from sink import Sink

STEPS = "check beside split swap back".split()


def blocks():
    """[(step, commands)] in the order of the document."""
    with open(f"{SOURCE}/docs/friday-to-monday.md") as file:
        return re.findall(r"^```sh (\w+)\n(.*?)^```$", file.read(), re.M | re.S)


class Weekend:
    def __init__(self, root, sink):
        self.root, self.sink, self.waiting = root, sink, None

    def run(self, step):
        """All commands of a step, a shell for each block; what they print."""
        text = ""
        for name, commands in blocks():
            if name == step:
                text += self.root.run("sh", "-ec", f"cd /packages\n{commands}")
        return text

    def sent_on(self, subject):
        return wait_until(lambda: any(f"Subject: {subject}".encode() in b"".join(lines)
                                      for _, lines in self.sink.messages),
                          f"{subject!r} at the next hop")

    def check(self):
        text = self.run("check")
        check_match(r"main\.cf", text, "import says what it changed")
        check(self.root.listens().startswith("220 mail.test.example ESMTP Postfix"),
              "Postfix still has its port")

    def beside(self):
        self.root.run("/usr/lib/postern/bin/postconf", "-e", f"relayhost = [127.0.0.1]:{self.sink.port}")
        self.run("beside")
        check_match("Postern", self.root.listens(2525), "the canary greets")
        self.root.has_subject("through the canary")
        self.root.send("ann@mail.test.example", "by Postfix meanwhile")
        self.root.has_subject("by Postfix meanwhile")

    def split(self):
        self.run("split")
        self.root.send("you@split.example", "split off")
        self.sent_on("split off")
        received = b"".join(self.sink.messages[-1][1])
        check_match(rb"\(Postern\)", received, "the canary had it")
        check_match(rb"\(Postfix\)", received, "and Postfix before")

    def swap(self):
        self.run("swap")
        check_match("Postern", self.root.listens(), "Postern has the port")
        check(self.waiting in self.root.queue(), "Postfix's mail waits on")
        self.root.send("ann@mail.test.example", "by Postern")
        self.root.has_subject("by Postern")
        for path in "/etc/postern", "/usr/lib/postern", "/var/spool/postern", "/var/lib/postern":
            check(not self.root.exists(path), f"{path}, of the canary, is still there")

    def back(self):
        self.run("back")
        check(self.root.listens().startswith("220 mail.test.example ESMTP Postfix"),
              "Postfix has its port again")
        check_equal(list(self.root.queue().values()), [["late@wait.example"]],
                    "the mail that Postfix had waits on")


def weekend():
    folder = built()
    with Root() as root, Sink() as sink:
        root.install_postfix()
        root.run("postfix", "start")
        root.listens()
        this = Weekend(root, sink)
        this.waiting = root.send("late@wait.example", "waits")
        wait_until(lambda: this.waiting in root.queue(), "a message that waits")
        root.packages(*debs(folder, "postern-canary", "postern", "postfix"), debian_postfix())
        for step in STEPS:
            getattr(this, step)()


check_equal(list(dict.fromkeys(step for step, _ in blocks())), STEPS, "the document's steps")
if not is_root():
    skip("needs root")
weekend()
finish()
