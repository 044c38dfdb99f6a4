"""compared.py -- the same mail through Debian's Postfix 3.7 and through us, and what arrives at the
next hop, side by side. Blanks and folds in the header are not compared (VIOLATIONS.md)."""
import concurrent.futures
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "smtp"))
from harness import Instance, check, check_equal, is_root, skip
from postfix37 import Postfix37, is_there
from sink import Sink

AT_ONCE = 4  # groups
OWN = re.compile(r"^(?:Received|Date|Message-Id|Resent-Date|Resent-Message-Id): .*\n(?:[ \t].*\n)*",
                 re.M)


def send(mta, sender, rcpts, text, before=()):
    """The replies to commands before the message, and to the end of data."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    replies = "".join(smtp.say(command, "") for command in before)
    smtp.say(f"MAIL FROM:<{sender}>", "250")
    for rcpt in rcpts:
        smtp.say(f"RCPT TO:<{rcpt}>", "250")
    smtp.say("DATA", "354")
    smtp.send((text.replace("\n", "\r\n") + ".\r\n").encode("latin-1"))
    replies += smtp.reply()
    smtp.close()
    return replies


def plain(lines):
    """A message without what differs between any two systems, each field on one line."""
    text = b"".join(lines).decode("latin-1").replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    head = OWN.sub("", head + "\n")
    fields = re.sub(r"\n[ \t]+", " ", head).splitlines()
    return [re.sub(r"\s+", " ", re.sub(r"(^[\w-]+:|,)\s*", r"\1", f)).strip() for f in fields], body


def envelope(commands):
    """{(sender, recipient)} of what the sink was told, how it was greeted, and what MAIL said
    beyond a size."""
    sender, pairs = None, set()
    for _, line in commands:
        if line.startswith(("XFORWARD", "HELO")):
            pairs.add(re.sub(r"(?<=IDENT=)\w+|(?<=PORT=)\d+", "x", line))
        found = re.match(r"(MAIL FROM|RCPT TO):<(.*)>(.*)", line, re.I)
        if found and found[1].upper() == "MAIL FROM":
            sender = found[2]
            pairs.add("MAIL" + re.sub(r" SIZE=\d+", "", found[3]))
        elif found:
            pairs.add((sender, found[2]))
    return pairs


class System:
    """One of the two, and the server that gets all its mail."""
    program = "cleanup"
    passed_over = "message-id=|rules, line"

    def __init__(self, kind, base, settings, rules_text):
        self.sink = Sink(replies=settings.get("(sink)"))
        nexthop = f"smtp:[127.0.0.1]:{self.sink.port}"
        # The postmaster's mail about one case would arrive in the next.
        self.mta = kind({"notify_classes": "", **base, "transport_maps": f"static:{nexthop}"})
        rules = os.path.join(self.mta.etc, "rules")
        self.mta.write("rules", rules_text.replace("{sink}", str(self.sink.port)))
        self.mta.write_configuration(**{
            name: value.replace("{rules}", rules).replace("{sink}", str(self.sink.port))
            for name, value in settings.items() if name != "(sink)"})

    def outcome(self, case):
        """(reply without the queue id, envelope, header fields, body, what cleanup logged) of one
        message; envelope, fields and body None when nothing was sent on."""
        since, commands = self.mta.log_position(), len(self.sink.commands)
        before = len(self.sink.messages)
        reply = send(self.mta, *case)
        qid = re.search(r"queued as (\w+)", reply)
        if not qid:
            self.mta.wait_for_log("disconnect from", since=since)  # behind what cleanup said
            return reply, None, None, None, self.logged(since)
        self.mta.wait_for_log(rf"{qid[1]}: (removed|hold: |discard: )", since=since)
        said = re.sub(r"queued as \w+", "queued", reply)
        arrived = self.sink.messages[before:]
        if not arrived:
            return said, None, None, None, self.logged(since)
        return (said, envelope(self.sink.commands[commands:]), *plain(arrived[-1][1]),
                self.logged(since))

    def logged(self, since):
        """Lines of the program that is looked at about actions, and its warnings."""
        lines = re.findall(rf"{self.program}\[\d+\]: (?!.*(?:{self.passed_over}))(.*)",
                           self.mta.log_text(since))
        lines = [line.replace(f":{self.sink.port}", "") for line in lines]
        lines = [re.sub(r"\(Postern\) with (\w+) id \w+;.*? \(UTC\)",
                        r"(Postfix) with \1", re.sub(r"\(Postfix\) with (\w+) id \w+;.*? \(UTC\)",
                                                    r"(Postfix) with \1", line)) for line in lines]
        return [re.sub(r"^\w+: (?=\w+: )(?:[0-9A-F]{9,}: )?|^[0-9A-F]{9,}: |:\d+$", "", line) for line in lines]


def compare(name, case, theirs, ours):
    what = f"{name}: {case}"
    for part, want, got in zip(("reply", "envelope", "header", "body", "log"), theirs, ours):
        if part == "reply":
            want, got = want.replace("Postfix", "Postern"), got.replace("Postfix", "Postern")
        check_equal(got, want, f"{part} of {what}")


def compare_groups(groups, base, rules, names=()):
    """Each group, (name, settings, cases), with instances of its own; several at a time, since
    they wait most of the time."""
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    rows = [(name, cases, System(Postfix37, base, settings, rules),
             System(Instance, base, settings, rules))
            for name, settings, cases in groups if not names or name in names]

    def run(row):
        name, cases, theirs, ours = row
        with theirs.mta, ours.mta:
            theirs.mta.start()
            ours.mta.start()
            for case in cases:
                compare(name, case, theirs.outcome(case), ours.outcome(case))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(run, rows))
