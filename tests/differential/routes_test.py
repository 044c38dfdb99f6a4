#!/usr/bin/env python3
"""Where addresses lead under settings made by chance: `sendmail -bv` of Debian's Postfix 3.7 and
ours. Each transport is a discard(8) of its own name, so that the log tells it and the next hop."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, finish, is_root, skip
from postfix37 import Postfix37, is_there
from generated import Dice, numbers, route_settings

ADDRESSES = 40  # of each set
TOGETHER = 10   # of them in a message
TRANSPORTS = [f"{name} unix - - n - - discard\n  -o syslog_name=postfix/{name}"
              for name in ("t1", "t2", "loc", "virt", "rel", "dflt")]
LINE = re.compile(r"postfix/(\w+)\S*: (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=\w+, .*?"
                  r"dsn=([\d.]+), status=(\w+) \((.*)\)$", re.M)
# What 3.12 says otherwise than 3.7 under a setting that 3.7 does not know.
NEWER = {("relocated_prefix_enable", "no"): (r"^user has moved to ", "")}
NO_AGENT = ("qmgr", "error", "retry")  # VIOLATIONS.md: qmgr says itself what needs no agent


def forget_refused(mta):
    """Else pickup offers it again with each message that comes, and logs its refusal again."""
    mta.stop()
    maildrop = os.path.join(mta.queue, "maildrop")
    for name in os.listdir(maildrop):
        os.unlink(os.path.join(maildrop, name))
    mta.start()


def outcome(mta, sender, addresses):
    since = mta.log_position()
    done = mta.run("sendmail", "-C", mta.etc, "-bv", "-f", sender, "--", *addresses)
    check(done.returncode == 0, f"sendmail -bv: {done.stderr}")
    found = mta.wait_for_log(r"qmgr\[\d+\]: (\w+): from=<|(unreasonable virtual_alias_maps)",
                             since=since)
    if found and found[2]:
        forget_refused(mta)
    if not found or found[2]:
        return set()
    mta.wait_for_log(rf"{found[1]}: removed", since=since)
    lines = set()
    for tag, qid, *rest in LINE.findall(mta.log_text(since)):
        if qid == found[1]:
            # The case of a next hop's name is no matter (VIOLATIONS.md).
            lines.add(("none" if tag in NO_AGENT else tag, *rest[:-1], rest[-1].lower()))
    return lines


def as_newer(lines, settings):
    for setting, (pattern, text) in NEWER.items():
        if setting in settings.items():
            lines = {(*rest, re.sub(pattern, text, why)) for *rest, why in lines}
    return lines


def judge(what, mtas, settings, sender, addresses):
    """Some of the addresses in one message: a bad alias among them refuses it."""
    want, got = (outcome(mta, sender, addresses) for mta in mtas)
    want = as_newer(want, settings)
    check(len(want) >= len(addresses) / 3 or not got, f"{what}: {len(want)} recipients looked at")
    for entry in sorted(want ^ got):
        check(False, f"{what}, from {sender}: only {'theirs' if entry in want else 'ours'}: {entry}")
    for _ in want & got:
        check(True, "")


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    for number in numbers(6, 80):
        dice = Dice(1000 + number)
        settings = {**route_settings(dice), "default_destination_recipient_limit": "1000"}
        sender = "" if dice.often(0.1) else dice.address(0.05, 0)
        addresses = [dice.address() for _ in range(ADDRESSES)]
        mtas = (Postfix37(settings, extra_services=TRANSPORTS),
                Instance(settings, extra_services=TRANSPORTS))
        with mtas[0], mtas[1]:
            for mta in mtas:
                mta.start()
            for at in range(0, ADDRESSES, TOGETHER):
                judge(f"set {number}", mtas, settings, sender, addresses[at:at + TOGETHER])


main()
finish()
