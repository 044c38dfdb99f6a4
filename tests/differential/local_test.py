#!/usr/bin/env python3
"""local(8) under aliases, .forward files, lists and settings made by chance: what Debian's Postfix
3.7 and we log about each recipient, what becomes of the mail that is forwarded, and what is on disk
behind it."""
import os
import pwd
import re
import shutil
import stat
import sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "local"))
from harness import Instance, check, check_equal, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there
from private_users import with_users
from generated import Dice, numbers
from local_cases import USERS, Files, aliases, local_settings, recipients

RECIPIENTS = 20  # of each set
LINE = re.compile(r"postfix/(\w+)\S*: (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(\S+), .*?"
                  r"dsn=([\d.]+), status=(\w+) \((.*)\)$", re.M)
NO_AGENT = ("qmgr", "error", "retry")  # VIOLATIONS.md: qmgr says itself what needs no agent
MESSAGE = ("From: s@far.example\r\nTo: all@far.example\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\n"
           "Message-Id: <x@far.example>\r\nSubject: x\r\n\r\nFrom here\r\n\r\n")
TRACES = re.compile(r"^Received: .*\n(?:[ \t].*\n)*|(?<=^From )(\S+ +).*(?=\n)", re.M)
NOTICE = re.compile(r"^Date: .*\nFrom: Mail Delivery System (.*\n)*", re.M)


def removed(entry):
    """A notice may be on its way into it."""
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)
    return not os.path.lexists(entry.path)


class Places:
    """The directories that deliveries write to: the same ones for both."""

    def __init__(self, homes):
        self.homes = homes
        self.paths = {user: os.path.join(homes, user) for user in USERS}
        for place in ("out", "lists", "spool"):
            self.paths[place] = os.path.join(homes, place)
            os.makedirs(self.paths[place], exist_ok=True)

    def fill_in(self, text):
        for name, path in self.paths.items():
            text = text.replace("{" + name + "}", path)
        return text

    def empty(self):
        for name, path in self.paths.items():
            for entry in os.scandir(path):
                wait_until(lambda: removed(entry), f"the end of {entry.path}")
        for name, mode, group in (("out", 0o777, "root"), ("lists", 0o755, "root"),
                                  ("spool", 0o2775, "mail")):
            shutil.chown(self.paths[name], "root", group)
            os.chmod(self.paths[name], mode)

    def put(self, files):
        for path, (text, owner, mode) in files.items():
            path = self.fill_in(path)
            if text is None:
                os.mkdir(path)
            else:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.fill_in(text))
            who = pwd.getpwnam(owner)
            os.chown(path, who.pw_uid, who.pw_gid)
            os.chmod(path, mode)

    def found(self, home):
        """{what: (owner, mode, content)} of all that is there; home is whose it is."""
        seen = {}
        for folder, _, names in os.walk(self.homes):
            for number, name in enumerate(sorted(names)):
                path = os.path.join(folder, name)
                about = os.lstat(path)
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = TRACES.sub(lambda m: m[1] or "", file.read()).replace(home, "@")
                text = NOTICE.sub("A notice.\n", text)
                if os.path.basename(folder) in ("new", "tmp", "cur"):
                    path = os.path.join(folder, str(number))
                seen[os.path.relpath(path, self.homes)] = (
                    about.st_uid, oct(stat.S_IMODE(about.st_mode)), text)
        return seen


class System:
    def __init__(self, kind, settings, alias_text, places):
        self.places = places
        # What an alias leads to and a transport takes is mail of its own (VIOLATIONS.md).
        self.passes = any("_transport" in name and name != "default_transport" for name in settings)
        self.mta = kind({name: places.fill_in(value) for name, value in settings.items()})
        self.mta.write_configuration(alias_maps=f"hash:{self.mta.etc}/aliases",
                                     mail_spool_directory=places.paths["spool"])
        # Who hears of failures within such a list (VIOLATIONS.md).
        self.owners = "owner-" in alias_text
        path = self.mta.write("aliases", places.fill_in(alias_text))
        done = self.mta.run("postalias", f"hash:{path}")
        check_equal(done.returncode, 0, f"postalias: {done.stderr}")

    def send(self, recipient):
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.say("MAIL FROM:<s@far.example>", "250")
        smtp.send(f"RCPT TO:<{recipient}>\r\n")
        said = smtp.reply()
        if said.startswith("250"):
            smtp.say("DATA", "354")
            smtp.send(MESSAGE + ".\r\n")
            said = smtp.reply()
        smtp.close()
        return said

    def records(self, qid, since, forwarder=None):
        """What is logged about the message, which forwarder made, about what it was forwarded as,
        and about notices."""
        self.mta.wait_for_log(rf"{qid}: removed", since=since)
        text = self.mta.log_text(since)
        sender = re.search(rf"qmgr\[\d+\]: {qid}: from=<(.*?)>", text)[1]
        if self.passes and self.owners:  # a list's owner is the sender of such mail
            sender = ""
        lines, himself = set(), False
        for tag, of, to, original, relay, dsn, status, why in LINE.findall(text):
            if of != qid:
                continue
            # Whom a list of his own names, theirs forgets (VIOLATIONS.md).
            if to == forwarder and why.startswith("mail forwarding loop"):
                himself = True
                continue
            forwarded = re.match(r"forwarded as (\w+)$", why)
            if forwarded and self.passes:
                lines |= self.records(forwarded[1], since)
                continue
            if forwarded:
                why = tuple(sorted(self.records(forwarded[1], since, to), key=str))
            elif why == "nothing to deliver to":  # theirs says nothing (VIOLATIONS.md)
                continue
            elif "alias database loop" in why:  # where it is seen depends on the depth (VIOLATIONS.md)
                to, original, why = "", "", "loop"
            else:
                # The case of a next hop's name is no matter (VIOLATIONS.md).
                why = re.sub(r"(temporary failure)\. .*cannot change directory.*", r"\1", why)
                why = re.sub(r"create maildir file .*: ", "create maildir file: ", why)
                why = why.replace(self.mta.home, "@").replace("Far.Example", "far.example")
            lines.add((sender, "none" if tag in NO_AGENT else tag, to, original, relay, dsn, status,
                       why))
        for notice in re.findall(rf"{qid}: sender .*notification: (\w+)", text):
            if self.owners or himself:
                self.records(notice, since)
                continue
            lines.add(("notice", tuple(sorted(self.records(notice, since), key=str))))
        return lines

    def outcome(self, files, recipient):
        """What came of it; once more where Postfix had trouble with its own bounce service."""
        for _ in range(5):
            found = self.try_once(files, recipient)
            if "bounce or trace service failure" not in str(found[1]):
                break
        return found

    def try_once(self, files, recipient):
        self.places.empty()
        self.places.put(files)
        since = self.mta.log_position()
        said = self.send(recipient)
        qid = re.search(r"queued as (\w+)", said)
        if not qid:
            return said[:9], set(), {}
        lines, places = self.records(qid[1], since), self.places.found(self.mta.home)
        if self.owners:
            places = {path: what for path, what in places.items() if "A notice.\n" not in what[2]}
        return "250", lines, places


def judge(what, theirs, ours):
    differences = []
    if theirs[0] != ours[0]:
        differences.append(f"reply: theirs {theirs[0]}, ours {ours[0]}")
    for line in sorted(theirs[1] ^ ours[1], key=str):
        differences.append(f"log, only {'theirs' if line in theirs[1] else 'ours'}: {line}")
    for path in sorted(set(theirs[2]) | set(ours[2])):
        if theirs[2].get(path) != ours[2].get(path):
            differences.append(f"{path}:\n      theirs {theirs[2].get(path)}\n"
                               f"      ours   {ours[2].get(path)}")
    if not check(not differences, what):
        print("   " + "\n   ".join(differences))


def run_set(number, places):
    dice = Dice(4000 + number)
    settings, alias_text = local_settings(dice), aliases(dice)
    theirs = System(Postfix37, settings, alias_text, places)
    ours = System(Instance, settings, alias_text, places)
    with theirs.mta, ours.mta:
        theirs.mta.start()
        ours.mta.start()
        for recipient in recipients(dice, RECIPIENTS):
            files = Files(dice).files
            judge(f"set {number}: {recipient}", theirs.outcome(files, recipient),
                  ours.outcome(files, recipient))


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    places = Places(with_users(*USERS))
    for number in numbers(2, 30):
        run_set(number, places)


main()
finish()
