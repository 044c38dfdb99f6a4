#!/usr/bin/env python3
"""pipe(8) of Debian's Postfix 3.7 and ours: what the end of a command means, for every exit code, some
signals, and what it says; and what a command gets, its arguments and its input, under flags and
words made by chance."""
import os
import re
import shutil
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, finish, is_root, skip
from postfix37 import Postfix37, is_there
from contents import text as body_text
from generated import Dice, numbers, quoted

LINE = re.compile(r"postfix/(\w+)\S*: (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(\S+), .*?"
                  r"dsn=([\d.]+), status=(\w+) \((.*)\)$", re.M)
SETTINGS = {
    "mydestination": "", "relay_domains": "static:all", "disable_dns_lookups": "yes",
    "myorigin": "here.example", "notify_classes": "", "maximal_queue_lifetime": "0",
    "bounce_queue_lifetime": "0", "default_transport": "discard", "recipient_delimiter": "+",
    "command_time_limit": "10s", "export_environment": "TZ MAIL_CONFIG LANG",
}
RECIPIENTS = ["ann", "Ann+Ext", "bob", "two words", "a+b+c", "q\"q", "UPPER", "+x", "b\\s"]
WORDS = ["$sender", "${recipient}", "x$user", "$(extension)", "${mailbox}", "$domain", "$nexthop",
         "to=$original_recipient", "$(mailbox)/$extension", "plain", "$$", "a$$b",
         "$client_helo/$client_protocol/$client_address", "$sasl_username.", "${user}+${extension}",
         "$sender:$recipient", "{two words}", "{$user and ${domain}}"]
DATED = "Date: Fri, 27 Nov 2026 10:00:00 +0000\nMessage-Id: <x@x.example>\n"

# ---- how commands end ----

SAID = ["", "4.2.2 later", "5.7.1 no", "2.0.0 fine", "some words", "5.1.1", "4.2.2", "  4.2.2 blanks",
        "4.2.x odd", "5.7.1 one\\ntwo", "one\\ntwo\\n", "3.0.0 x", "5.1234.1 x", "5.1.1x", "a\\001b",
        "\\n5.1.1 second", "4.2.2\\ttab", "gr\\303\\274n", "5.7.1  many   blanks ",
        "one\\ttwo", "5.7.1 one\\ttwo", "one\\r\\ntwo"]
# Behind a code alone, Postfix tells what an earlier command said.
NOTHING = {str(n): "?" for n, text in enumerate(SAID) if text in ("5.1.1", "4.2.2")}
ENDS = [str(code) for code in (0, 1, 2, *range(64, 79), 99, 126, 127, 255)] + ["s1", "s9", "s15"]
ENDER = """#!/bin/sh
# how it ends, number of what it says
cat >/dev/null
case ${{2:-0}} in
{cases}esac
case $1 in
s*) kill -${{1#s}} $$ ;;
*) exit $1 ;;
esac
""".format(cases="".join(f"{n}) printf '{text}' ;;\n" for n, text in enumerate(SAID)))


def endings():
    """Recipients, END+SAID; quick ones leave most combinations out."""
    all_codes = [str(code) for code in range(256)]
    pairs = [(end, n) for end in ENDS for n in range(1, len(SAID))]
    if os.environ.get("TEST_MODE") != "long":
        pairs = pairs[::7]
        all_codes = all_codes[:80]
    return all_codes + [f"{end}+{n}" for end, n in pairs] + ["s1", "s9", "s15"]


# ---- what commands get ----

RECORDER = """#!/bin/sh
# Its arguments, then its input.
out=$1; shift
exec >"$out/$$"
for word; do printf '%s\\n' "<$word>"; done
echo ----
cat
"""


class Service:
    """A line of master.cf, and what main.cf says of it."""

    def __init__(self, dice, name, script):
        self.name = name
        flags = "".join(dice.some(list("BDFORXhqu.>"), 6))
        words = [f"user={dice.choice(['nobody', 'nobody:nogroup', 'daemon'])}"]
        if flags:
            words.append(f"flags={flags}")
        for word, chance, values in (
                ("null_sender", 0.3, ["", "nobody"]),
                ("eol", 0.25, ["\\r\\n", "\\n", "!\\012", "\\t\\n"]),
                ("directory", 0.2, ["/tmp", "/no/such"]), ("size", 0.2, ["200", "100000"])):
            if dice.often(chance):
                words.append(f"{word}={dice.choice(values)}")
        words.append(f"argv={script} {{out}}")
        words += dice.sample(WORDS, dice.randint(1, 6))
        self.line = f"{name} unix - n n - - pipe {' '.join(words)}"
        self.one_each = set(flags) & set("DO") or dice.often(0.5)


class System:
    def __init__(self, kind, settings, services, folder):
        self.out = folder
        self.mta = kind(settings, extra_services=[
            line.replace("{out}", folder) for line in services])
        os.chmod(self.mta.etc, 0o755)

    def send(self, sender, rcpts, text):
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        for rcpt in rcpts:
            smtp.say(f"RCPT TO:<{rcpt}>", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n")
        qid = re.search(r"queued as (\w+)", smtp.reply())[1]
        smtp.close()
        return qid

    def outcome(self, case):
        """What is logged of the recipients, and what the commands wrote down."""
        shutil.rmtree(self.out, ignore_errors=True)
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        since = self.mta.log_position()
        qid = self.send(*case)
        self.mta.wait_for_log(rf"{qid}: removed", since=since)
        # Pipes tell; the queue manager says itself what needs no agent (VIOLATIONS.md).
        lines = {(to, *rest, NOTHING.get(to.partition("+")[2].partition("@")[0], plain(why)))
                 for _, of, to, *rest, why in LINE.findall(self.mta.log_text(since)) if of == qid}
        written = []
        for entry in os.scandir(self.out):
            with open(entry.path, encoding="latin-1", newline="") as file:
                words, _, text = file.read().partition("----\n")
                # In the order of recipients, which is the queue manager's.
                written.append("\n".join(sorted(words.splitlines())) + re.sub(r"^Received: .*\n([ \t].*\n)*|(?<=^From )(\S+).*?(?=\r?\n)",
                                      lambda m: m[2] or "", text, flags=re.M))
        return lines, sorted(written)


def plain(why):
    """We say why it is a temporary failure."""
    return re.sub(r"(temporary failure)\. Command output: .*cannot change directory.*", r"\1", why)


def judge(what, theirs, ours):
    for want, got in zip(theirs, ours):
        for entry in want:
            check(entry in got, f"{what}: only theirs: {entry!r}")
        for entry in got:
            if entry not in want:
                check(False, f"{what}: only ours: {entry!r}")


def both(settings, services, cases):
    with tempfile.TemporaryDirectory(prefix="postern-pipe-") as folder:
        os.chmod(folder, 0o755)
        for name, text in (("record", RECORDER), ("end", ENDER)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(file.name, 0o755)
        services = [line.replace("{scripts}", folder) for line in services]
        out = os.path.join(folder, "out")
        theirs = System(Postfix37, settings, services, out)
        ours = System(Instance, settings, services, out)
        with theirs.mta, ours.mta:
            theirs.mta.start()
            ours.mta.start()
            for what, *case in cases:
                judge(what, theirs.outcome(case), ours.outcome(case))


def ends():
    both({**SETTINGS, "transport_maps": "static:end:", "end_destination_recipient_limit": "1"},
         ["end unix - n n - 20 pipe user=nobody argv={scripts}/end $user $extension"],
         [("endings", "s@x.example", [f"{end}@end.example" for end in endings()],
           "Subject: x\n\nx\n")])


def run_set(number):
    dice = Dice(5000 + number)
    services = [Service(dice, f"p{n}", "{scripts}/record") for n in range(8)]
    settings = dict(SETTINGS, transport_maps="inline:{" + ", ".join(
        f"{s.name}.example={s.name}:{dice.choice(['Next.Hop', 'x:y'])}" for s in services) + "}")
    settings.update({f"{s.name}_destination_recipient_limit": "1" for s in services if s.one_each})
    cases = []
    for service in services:
        for _ in range(3):
            rcpts = [f"{quoted(local)}@{dice.choice([service.name, service.name.upper()])}.example"
                     for local in dice.sample(RECIPIENTS, dice.randint(1, 3))]
            sender = dice.choice(["s@x.example", "", '"two words"@x.example', "S+e@X.Example"])
            field = dice.choice(["", "", f"Delivered-To: {rcpts[0]}\n", "Return-Path: <x@y>\n"])
            cases.append((f"set {number}: {service.line}", sender, rcpts,
                          f"From: s@x.example\n{field}{DATED}Subject: x\n\n" + re.sub(
                              r"^\.", "..", body_text(dice), flags=re.M)))
    both(settings, [s.line for s in services], cases)


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    if not sys.argv[1:]:
        ends()
    for number in numbers(1, 20):
        run_set(number)


main()
finish()
