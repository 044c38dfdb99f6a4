#!/usr/bin/env python3
"""main.cf and master.cf with all sorts of mistakes, each followed by a reload: the system never
dies of it, and nobody does what the jail refuses; the good files make everything as before."""
import os
import random
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, kill, wait_until

MUTATIONS = {"long": 2000, "quick": 40}.get(os.environ.get("TEST_MODE"), 500)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
AFRESH = 10  # mutations between two looks whether mail goes through
# Where the log goes and the instance lies stays: without these a test sees nothing.
KEPT = ("queue_directory", "data_directory", "daemon_directory", "command_directory",
        "maillog_file", "maillog_file_prefixes", "mail_owner", "setgid_group", "net_owner")
ODD = ["", " ", "\0", "\t x", "=", "$", "${", "}", "{ ", "#", "\\", "'\"", "-o", "99999999999999999",
       "-1", "10x", "$mydomain$$", "${x?{y}:{z}}", "\xff\xfe", "yes", "hash:", "pcre:/none", "a" * 5000,
       "$myhostname $myhostname", "inline:{a=b", "!static:all", "[::1", "127.0.0.1/99", ",,,"]


def mutate_line(dice, lines):
    at = dice.randrange(len(lines))
    kind = dice.randrange(7)
    line = lines[at]
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(dice.randrange(len(lines)), line)
    elif kind == 2:
        place = dice.randrange(len(line) + 1)
        lines[at] = line[:place] + dice.choice(ODD) + line[place:]
    elif kind == 3:
        lines[at] = line[:dice.randrange(len(line) + 1)]
    elif kind == 4:
        words = line.split(" ")
        words[dice.randrange(len(words))] = dice.choice(ODD)
        lines[at] = " ".join(words)
    elif kind == 5:
        lines[at] = " " + line
    else:
        del lines[at + 1:]


def mutated(dice, text, names):
    """The text, one to three mistakes further."""
    lines = [line for line in text.split("\n") if line.split(" ")[0] not in KEPT] or [""]
    kept = [line for line in text.split("\n") if line.split(" ")[0] in KEPT]
    for _ in range(dice.randrange(1, 4)):
        if names and dice.random() < 0.4:
            lines.append(f"{dice.choice(names)} = {dice.choice(ODD)}")
        elif lines:
            mutate_line(dice, lines)
    return "\n".join(lines + kept) + "\n"


def reload(mta):
    at = mta.log_position()
    kill(mta.master(), 1)
    mta.wait_for_log(r"master\[\d+\]: (reload -- |error: reload: )", since=at)
    return mta.logged(r"master\[\d+\]: reload -- ", since=at) == 1


def mail_goes_through(mta, number):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    queue_id = smtp.message("a@test.example", "b@gone.example", f"Subject: {number}\n\nx\n")
    smtp.say("QUIT", "221 ")
    smtp.close()
    mta.wait_for_log(queue_id + r": to=<b@gone.example>.*status=sent")
    mta.wait_for_log(queue_id + r": removed")


dice = random.Random(SEED)
print(f"seed {SEED}", flush=True)
with Instance({"default_transport": "discard:", "service_throttle_time": "1s"}) as mta:
    mta.start()
    master = mta.master()
    good = {}
    for name in ("main.cf", "master.cf"):
        with open(os.path.join(mta.etc, name), encoding="utf-8") as file:
            good[name] = file.read()
    listed = mta.run("postconf", "-d").stdout.splitlines()
    settable = [name for name in (line.split(" ")[0] for line in listed) if name not in KEPT and
                "owner" not in name and not name.startswith("syslog")]
    taken = 0
    for number in range(MUTATIONS):
        name = dice.choice(sorted(good))
        text = mutated(dice, good[name], settable if name == "main.cf" else None)
        mta.write(name, text)
        used = reload(mta)
        taken += used
        if not check_equal(mta.master(), master, f"master lives: {name}: {text!r}"):
            break
        for restored, whole in good.items():
            mta.write(restored, whole)
        if used or number % AFRESH == 0:
            check(reload(mta), "the good files are taken")
        if number % AFRESH == 0:
            mail_goes_through(mta, number)
    mail_goes_through(mta, MUTATIONS)
    for service in ("broker", "spool", "qmgr"):
        wait_until(lambda: len(mta.processes(service)) == 1, f"one {service}")
    print(f"{MUTATIONS} mutations, {taken} of them were taken")
    check(0 < taken < MUTATIONS, "some were taken and some were not")
finish()
