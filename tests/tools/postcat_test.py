#!/usr/bin/env python3
"""postcat on files of Postfix's queue, each option against Debian's; and on messages of our queue,
which it shows as Debian's shows the files that postern export makes of them."""
import json
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there

OPTIONS = [[], ["-b"], ["-h"], ["-e"], ["-bh"], ["-eh"], ["-d"], ["-o"], ["-do"], ["-r"],
           ["-v"], ["-rvd"], ["-s", "97"], ["-s", "97", "-oe"], ["-hd"], ["-s", "x"]]
HEAD = 400  # where the content of FILE begins


def record(kind, text=""):
    data = text.encode()
    length, out = len(data), kind.encode()
    while length > 127:
        out += bytes([length & 127 | 128])
        length >>= 7
    return out + bytes([length]) + data


def queue_file():
    """One with records of every kind, a pointer that leads past one, and two parts of a line."""
    first = (record("T", "1795774232 5") + record("A", "create_time=1795774232") +
             record("F", "Full Name") + record("S", "a@b"))
    rest = b"".join(record(kind, text) for kind, text in [
        ("O", "r@x"), ("/", "gone@x"), ("R", "r@x"), ("D", "d@x"), (">", "redir@x"),
        ("L", "smtp:foo"), ("I", "insp"), ("V", "+="), ("i", "env"), ("o", "rfc822;x"),
        ("n", "5"), ("r", "ret"), ("f", "1"), ("W", "0"), ("e", "ee"), ("P", "pp"), ("0", "xx")])
    skipped, mark = record("A", "skip=1"), record("M")
    at = 97 + len(first) + 17 + len(skipped)
    front = first + record("p", f"{at:15d}") + skipped + record("p", f"{0:15d}") + rest
    padding = HEAD - 97 - len(front) - len(mark) - 2
    text = (record("N", "Subject: x") + record("N", "X-Folded: a") + record("N", "\tb") +
            record("N", "not a header") + record("N", "y: z") + record("N") + record("L", "long ") +
            record("N", "line") + record("L", "cut"))
    size = record("C", "".join(f"{n:15d} " for n in (len(text), HEAD, 1, 0, len(text), 0))[:-1])
    return (size + front + record("w", "z" * padding) + mark + text + record("X") +
            record("A", "found=1") + record("R", "late@x") + record("E"))


def postcat(mta, *arguments, **more):
    done = mta.run("postcat", *arguments, **more)
    # With -v Debian's tells more than we do of what it is at.
    told = re.sub(r"^.*(?=fatal: |warning: )", "", done.stderr)
    return done.returncode, done.stdout, "" if re.match("-.*v", arguments[0]) else told


def shown_by_both(mta, peer, path, options):
    for option in options:
        if postcat(peer, *option, path) != postcat(mta, *option, path):
            check_equal(postcat(mta, *option, path), postcat(peer, *option, path),
                        f"postcat {' '.join(option)} {os.path.basename(path)}")
        else:
            check(True, "the same")


def of_strangers(mta, peer):
    path = os.path.join(mta.home, "hand-made")
    with open(path, "wb") as file:
        file.write(queue_file())
    os.chmod(path, 0o644)
    # Offsets behind records that are not shown are those of the latter with Debian's, and -r
    # follows pointers there all the same.
    shown_by_both(mta, peer, path, [o for o in OPTIONS if not re.search("[or]", "".join(o))])
    check("\nnamed_attribute: skip=1\n" in postcat(mta, "-r", path)[1], "-r")
    check(f"\n{HEAD - 2:9d} *** MESSAGE CONTENTS" in postcat(mta, "-o", path)[1], "-o")
    check_equal(postcat(mta, "-fb", path)[1].split("\n")[0], f"{path}: not a header", "-f")
    check_equal(mta.run("sh", "-c", f"{mta.bin}/postcat -b <{path}").stdout,
                postcat(mta, "-b", path)[1], "standard input")
    for size in 50, 130, HEAD + 5:
        with open(path, "wb") as file:
            file.write(queue_file()[:size])
        status, _, error = postcat(mta, path)
        check(status == 1 and "record read error" in error, f"{size} bytes: {status} {error}")
    for bad in "/etc/passwd", "/nonexistent":
        check_equal(postcat(mta, bad), postcat(peer, bad), bad)


def send(mta):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.message("a@x.example", ["b@y.example", "c@y.example"],
                 "Subject: x\nX-Folded: a\n b\n\nbody\n\n.dot\n" + "long " * 1000 + "\n")
    smtp.say("MAIL FROM:<ü@x.example> SMTPUTF8 RET=HDRS ENVID=e+2B1", "250")
    smtp.say("RCPT TO:<jörg@y.example> NOTIFY=FAILURE ORCPT=rfc822;o@p", "250")
    smtp.say("DATA", "354")
    smtp.send("Subject: ü\r\n\r\n8 bit\r\n.\r\n")
    smtp.expect("250")
    smtp.close()
    wait = r"to=<(?:b|c|jörg)@y.example>.*status=deferred"
    wait_until(lambda: mta.logged(wait) == 3, "three recipients that wait")
    wait_until(lambda: [m["queue_name"] for m in listed(mta)] == ["deferred"] * 2, "two messages")


def of_ours(mta, peer):
    mta.start()
    send(mta)
    running = {i: postcat(mta, "-q", i) for i in (m["queue_id"] for m in listed(mta))}
    mta.stop()
    shown = {i: {tuple(o): postcat(mta, "-q", *o, i)[:2] for o in OPTIONS[:-1]} for i in running}
    for i, text in running.items():
        check_equal(shown[i][()], text[:2], "with the mail system down and up")
    mta.postern("export", "--postfix", peer.etc, "--queue-only")
    paths = [os.path.join(folder, name) for folder, _, files in
             os.walk(os.path.join(peer.queue, "deferred")) for name in files]
    check_equal(len(paths), 2, "exported files")
    for path in paths:
        shown_by_both(mta, peer, path, OPTIONS)
        ident = re.search(r"log_ident=(\w+)", postcat(mta, "-e", path)[1])[1]
        for option, (status, text) in shown[ident].items():
            want = postcat(peer, *option, path)
            check_equal((status, text.replace(f"deferred/{ident}", path)), want[:2],
                        f"postcat -q {' '.join(option)}, and the exported file")


def listed(mta):
    return [json.loads(line) for line in mta.run("postqueue", "-j").stdout.splitlines()]


if not is_root():
    skip("needs root")
if not is_there():
    check(False, "Debian's Postfix is not unpacked: ./dev does it")
    finish()
settings = {"mydestination": "", "transport_maps": "static:smtp:[127.0.0.1]:1"}
with Postfix37(settings) as debians, Instance(settings) as ours:
    of_strangers(ours, debians)
    of_ours(ours, debians)
finish()
