#!/usr/bin/env python3
"""Mail under settings made by chance, through Debian's Postfix 3.7 and through us: what is
answered to each address, and the envelope and the header that arrive."""
import os
import re
import sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "smtp"))
from harness import Instance, check, check_equal, finish, is_root, skip
from postfix37 import Postfix37, is_there
from compared import envelope, plain
from sink import Sink
from generated import Dice, mail_settings, message, numbers

MESSAGES = 12  # of each set


class System:
    def __init__(self, kind, settings):
        self.sink = Sink()
        # Where "a@b" stays without a domain it keeps its quotes (VIOLATIONS.md).
        self.bare = settings.get("append_at_myorigin") == "no"
        self.mta = kind({**settings, "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}"})

    def send(self, sender, rcpts, text):
        """{path: code}, the queue id or the refusal. An address one of the two refuses is left out
        with the other, so replies are asked for first."""
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        codes = {}
        for verb, path in [("MAIL FROM", sender)] + [("RCPT TO", rcpt) for rcpt in rcpts]:
            smtp.send(f"{verb}:<{path}>\r\n")
            codes[f"{verb}:<{path}>"] = smtp.reply()[:9]
        smtp.send("DATA\r\n")
        said = smtp.reply()
        if said.startswith("354"):
            smtp.send(text.replace("\n", "\r\n") + ".\r\n")
            said = smtp.reply()
        smtp.close()
        return codes, said

    def outcome(self, case):
        since, commands = self.mta.log_position(), len(self.sink.commands)
        before = len(self.sink.messages)
        codes, said = self.send(*case)
        qid = re.search(r"queued as (\w+)", said)
        if not qid:
            return codes, said[:9], None, None
        self.mta.wait_for_log(rf"{qid[1]}: removed", since=since)
        # Notices come when they come.
        pairs = [pair for pair in envelope(self.sink.commands[commands:])
                 if isinstance(pair, tuple) and (pair[0] or not case[0])]
        headers = [plain(lines)[0] for _, lines in self.sink.messages[before:]]
        headers = [h for h in headers if "Auto-Submitted:auto-replied" not in h]
        if self.bare:
            headers = [[re.sub('"a@b"(?!@)', "a@b", line) for line in h] for h in headers]
        return codes, "250", sorted(pairs), headers[:1]


def judge(number, case, theirs, ours):
    for what, want, got in zip(("replies", "end", "envelope", "header"), theirs, ours):
        if want != got:
            show = sorted(set(map(str, want or ())) ^ set(map(str, got or ()))) \
                if what in ("envelope", "header") else ""
            check(False, f"set {number}: {what} of {case}:\n   theirs {want}\n   ours   {got}\n"
                  f"   differ {show}")
            return
    check(True, "")


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    for number in numbers(6, 100):
        dice = Dice(number)
        settings = mail_settings(dice)
        cases = [message(dice) for _ in range(MESSAGES)]
        theirs, ours = System(Postfix37, settings), System(Instance, settings)
        with theirs.mta, ours.mta:
            theirs.mta.start()
            ours.mta.start()
            for case in cases:
                judge(number, case, theirs.outcome(case), ours.outcome(case))


main()
finish()
