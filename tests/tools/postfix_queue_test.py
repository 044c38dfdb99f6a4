#!/usr/bin/env python3
"""A queue goes from Debian's Postfix to us and back: held, deferred with reasons, with DSN
wishes, SMTPUTF8, of 10 MB, partly delivered, not picked up yet. Envelopes, arrival times,
next attempts, reasons and bodies are the same afterwards, and Postfix delivers each to each
recipient once. The queue files are read by a reader of its own, not by ours."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there
from counting_sink import Sink

MODE = os.environ.get("TEST_MODE", "default")
MESSAGES = {"quick": 120, "default": 2000, "long": 10000}[MODE]
LARGE = {"quick": 1, "default": 3, "long": 20}[MODE]
CLOSED = "inline:{good.example=discard: bad.example=smtp:[127.0.0.1]:1}"
PATIENCE = 60 + MESSAGES / 20


# ---- an independent reader ----

def records(data):
    at, jumps = 0, 0
    while at < len(data):
        kind, offset, length, shift = chr(data[at]), at, 0, 0
        at += 1
        while True:
            length |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                break
        text = data[at:at + length]
        at += length
        if kind == "p" and int(text):
            at, jumps = int(text), jumps + 1
            assert jumps < 1000
        yield kind, offset, text


REPEATED = (b"create_time=", b"client_address_type=", b"log_")


def read_message(path):
    """What a queue file says, and which recipient's record is where."""
    with open(path, "rb") as file:
        data = file.read()
    text, inside, rcpts, pending, places = [], False, [], {}, {}
    out = {"attributes": set(), "warn": None}
    for kind, offset, value in records(data):
        if kind == "M":
            inside = True
        elif kind == "X":
            inside = False
        elif inside and kind in "NL":
            text.append(value + (b"\n" if kind == "N" else b""))
        elif kind == "A" and value.startswith((b"dsn_orig_rcpt=", b"notify_flags=")):
            name, pending[name] = value.split(b"=", 1)[0], value
        elif kind == "A" and not value.startswith(REPEATED):
            out["attributes"].add(value)
        elif kind == "O":
            pending["O"] = value
        elif kind in "RD":
            places[offset] = len(rcpts)
            rcpts.append((kind, value, sorted(pending.items(), key=repr)))
            pending = {}
        elif kind in "STVL>":
            out[kind] = value
        elif kind == "W":
            out["warn"] = int(value)
        elif kind == "C":
            out["utf8"] = int(value.split()[5]) & 5  # 2: in the header, ours and theirs
            out["rcpt_count"] = int(value.split()[2])
    out["rcpts"] = rcpts
    content = b"".join(text)
    out["content"] = (len(content), hashlib.sha256(content).hexdigest())
    return out, places


def read_log(path, places):
    """{recipient's number: what happened}, whatever the place of its record."""
    found = {}
    if not os.path.exists(path):
        return found
    with open(path) as file:
        for part in file.read().split("\n\n"):
            fields = dict(line.split("=", 1) for line in part.split("\n")
                          if "=" in line and not line.startswith("<"))
            if fields:
                found[places[int(fields.pop("offset"))]] = fields
    return found


def snapshot(queue):
    """{queue id: all that the queue has about it}."""
    found = {}
    for name in ("hold", "deferred", "active", "incoming"):
        for folder, _, files in os.walk(os.path.join(queue, name)):
            for queue_id in files:
                path = os.path.join(folder, queue_id)
                message, places = read_message(path)
                status = os.stat(path)
                below = os.path.relpath(folder, os.path.join(queue, name))
                message.update(queue=name, mode=oct(status.st_mode), folder=below,
                               next=int(status.st_mtime) if name == "deferred" else 0,
                               owner=status.st_uid)
                for log in ("defer", "bounce", "trace"):
                    for sub in ("", queue_id[0], below):
                        path = os.path.join(queue, log, sub, queue_id)
                        message.setdefault(log, {}).update(read_log(path, places))
                found[queue_id] = message
    return found


# ---- mail of all kinds ----

FILTERED = 8  # goes through a filter that is not there

def kinds(number):
    """MAIL FROM and RCPT TO parameters, extra text; by number."""
    body = f"X-Number: {number}\nSubject: {number}\n\nhello {number}\n.dot\n"
    a, b, good = f"a{number}@bad.example", f"b{number}@bad.example", f"g{number}@good.example"
    return [
        ("<s@x.example>", [(a, "")], body),
        ("<s@x.example>", [(a, ""), (good, ""), (b, "")], body),
        ("<hold@x.example>", [(a, ""), (b, "")], body),
        (f"<s+x@x.example> RET=HDRS ENVID=id+2B{number}",
         [(a, " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;orig@x.example"), (b, " NOTIFY=NEVER")], body),
        ("<ü@x.example> SMTPUTF8", [(f"jörg{number}@bad.example", ""), (a, "")], body),
        ("<> BODY=8BITMIME", [(a, "")], body.replace("hello", "h\u00e4llo")),
        ("<v@x.example> XVERP=+=", [(a, "")], body),
        ("<s@x.example> RET=FULL", [(good, " NOTIFY=FAILURE"), (a, "")],
         body + "x" * 70000 + "\n"),
        ("<filter@x.example>", [(a, "")], body),
        ("<s@x.example>", [(f"alias{number}@old.example", "")],
         body.replace("Subject", "Delivered-To: first@x.example\nSubject")),
    ][number % 10]


def submit(mta, numbers):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    for number in numbers:
        sender, rcpts, text = kinds(number)
        smtp.say(f"MAIL FROM:{sender}", "250")
        for address, parameters in rcpts:
            smtp.say(f"RCPT TO:<{address}>{parameters}", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n.", "\n..").replace("\n", "\r\n") + ".\r\n")
        smtp.expect("250")
    smtp.say("QUIT", "221")
    smtp.close()


def submit_large(mta):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    line = "0123456789" * 7 + "\n"
    for number in range(LARGE):
        smtp.message("large@x.example", [f"large{number}@bad.example"],
                     f"X-Number: L{number}\nSubject: large\n\n" + line * (10_000_000 // 71))
    smtp.close()


def by_content(messages):
    """Names change on the way, texts do not; and no two are the same. The folder goes by the name."""
    return {message["content"]: {**message, "folder": len(message["folder"])}
            for message in messages.values()}


BASE51 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"


def names_are_inodes(peer, long_ids):
    """By Postfix's rule, so that its postsuper has nothing to rename."""
    names = set()
    for folder, _, files in os.walk(peer.queue):
        for name in files:
            if not re.search("/(hold|deferred)(/|$)", folder):
                continue
            if long_ids:
                inode = 0
                for digit in name.rsplit("z", 1)[1]:
                    inode = inode * 51 + BASE51.index(digit)
            else:
                inode = int(name[5:], 16)
            if inode != os.stat(os.path.join(folder, name)).st_ino:
                names.add(name)
    check_equal(sorted(names)[:5], [], "names without their inode numbers")
    before = set(snapshot(peer.queue))
    done = peer.run("postsuper", "-c", peer.etc, timeout=300)
    check_equal((done.returncode, done.stderr), (0, ""), "Postfix's postsuper")
    check_equal(sorted(set(snapshot(peer.queue)) ^ before)[:5], [], "names that it changed")


def listed(mta):
    """{queue id: what postqueue -j says}, without what counts records."""
    out = mta.run("postqueue", "-c", mta.etc, "-j", timeout=120).stdout
    found = {}
    for line in out.splitlines():
        entry = json.loads(line)
        if entry["queue_name"] == "maildrop":
            continue
        entry.pop("message_size")
        for rcpt in entry["recipients"]:
            rcpt.setdefault("delay_reason", "")
            rcpt.pop("orig_address", None)  # newer than 3.7
        entry["recipients"].sort(key=repr)
        found[entry.pop("queue_id")] = entry
    return found


def settled(mta, count):
    """Nothing is on its way any more."""
    def look():
        names = {name: sum(len(files) for _, _, files in os.walk(os.path.join(mta.queue, name)))
                 for name in ("active", "incoming", "deferred", "hold")}
        return (names["active"] + names["incoming"] == 0 and
                names["deferred"] + names["hold"] == count)
    wait_until(look, "a quiet queue", PATIENCE)


def compare(got, want, what, ignore=()):
    check_equal(sorted(set(want) - set(got))[:5], [], f"{what}: missing")
    check_equal(sorted(set(got) - set(want))[:5], [], f"{what}: too many")
    different = 0
    for queue_id in set(got) & set(want):
        for name in want[queue_id]:
            if name in ignore or got[queue_id].get(name) == want[queue_id][name]:
                continue
            different += 1
            if different < 10:
                check_equal(got[queue_id].get(name), want[queue_id][name],
                            f"{what}: {queue_id} {name}")
    check_equal(different, 0, f"{what}: differences")


def fill(peer):
    """All kinds; three are to expire, one was put on hold."""
    numbers = range(MESSAGES)
    threads = [threading.Thread(target=submit, args=(peer, numbers[i::8])) for i in range(8)]
    for thread in threads:
        thread.start()
    submit_large(peer)
    for thread in threads:
        thread.join()
    settled(peer, MESSAGES + LARGE)
    some = [queue_id for queue_id, entry in sorted(listed(peer).items())
            if entry["sender"] == "filter@x.example"]
    for queue_id in some[:3]:
        peer.run("postsuper", "-c", peer.etc, "-e", queue_id)
    peer.run("postsuper", "-c", peer.etc, "-h", some[3])


def snapshot_ids(queue, name):
    return [x for _, _, files in os.walk(os.path.join(queue, name)) for x in files]


def wanted():
    """{(number, recipient): 1} of what is not delivered yet, and can be."""
    want = {}
    for number in range(MESSAGES):
        for address, _ in kinds(number)[1]:
            if "good.example" not in address and number % 10 != FILTERED:
                want[(str(number), address.replace("@old.example", "@bad.example"))] = 1
    for number in range(LARGE):
        want[(f"L{number}", f"large{number}@bad.example")] = 1
    return want


def local_mail(mta, number):
    done = mta.run("sendmail", "-C", mta.etc, "-N", "delay", "-V", "env", "-F", "Full Name",
                   "-f", "l@x.example", f"l{number}@bad.example",
                   input=f"X-Number: {number}\nSubject: local\n\nhello\n")
    check_equal(done.returncode, 0, "sendmail")


def interrupted(mta, folder, *arguments):
    """The command again and again, killed each time when some more files are in the folder."""
    killed = 0
    for count in (1, MESSAGES // 3, MESSAGES // 2):
        there = len(snapshot_ids(folder, ""))
        run = subprocess.Popen(mta._argv(["postern", "-c", mta.etc, *arguments]),
                               env=mta._environment(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        while run.poll() is None and len(snapshot_ids(folder, "")) < there + count:
            pass
        run.kill()
        killed += run.wait() < 0
    check(killed > 0, f"{arguments}: never interrupted")


def number_in(output):
    """The first number that a command printed."""
    return int(output.split()[0])


def test_round_trip(long_ids, cut_off, engine):
    sink = Sink()
    settings = {
        "mydestination": "", "transport_maps": CLOSED, "delay_warning_time": "4h",
        "maximal_backoff_time": "4000s", "minimal_backoff_time": "2000s",
        "virtual_alias_maps": "regexp:{{/^(alias.*)@old.example/ $1@bad.example}}",
        "smtpd_sender_restrictions": "check_sender_access regexp:{"
        "{/^hold@/ HOLD} {/^filter@/ FILTER smtp:[127.0.0.1]:1}}",
        "smtpd_authorized_verp_clients": "127.0.0.1", "message_size_limit": "20000000",
        "smtpd_client_connection_count_limit": "0", "enable_long_queue_ids": long_ids,
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
    }
    with Postfix37(settings) as peer, Instance({
            "mydestination": "", "transport_maps": CLOSED, "defer_transports": "smtp",
            "queue_engine": engine},
            services=["cleanup", "qmgr", "smtp", "bounce", "showq"]) as mta:
        peer.start()
        fill(peer)
        before = listed(peer)
        peer.stop()
        local_mail(peer, "local1")
        first = snapshot(peer.queue)
        check_equal(len(first), MESSAGES + LARGE, "messages of Postfix")

        # To us.
        if cut_off:
            interrupted(mta, f"{peer.queue}/imported", "import", peer.etc, "--queue-only")
        done = mta.postern("import", peer.etc, "--queue-only")
        if not cut_off:
            check_equal(number_in(done.stdout), MESSAGES + LARGE, "taken over")
            check_match("1 local ones", done.stdout, "import")
        check_equal(snapshot(peer.queue), {}, "left behind")
        if engine == "files":
            mta.postern("spool", "convert", "log")  # what is held is not "being imported" then
        done = mta.postern("import", peer.etc, "--queue-only")
        check_match("^0 messages taken over", done.stdout, "second import")
        done = mta.postern("spool", "check")
        check_match(rf"^{MESSAGES + LARGE} messages are whole, 0 are damaged", done.stdout,
                    "spool check")
        mta.start()
        compare(listed(mta), before, "postqueue -j")
        mta.stop()

        # And back.
        if cut_off:
            interrupted(mta, f"{peer.queue}/exported", "export", "--postfix", peer.etc,
                        "--queue-only")
        done = mta.postern("export", "--postfix", peer.etc, "--queue-only")
        if not cut_off:
            check_equal(number_in(done.stdout), MESSAGES + LARGE, "given")
            check_match("1 local ones", done.stdout, "export")
        check(not os.path.exists(os.path.join(peer.queue, "exported")), "folders are left")
        compare(by_content(snapshot(peer.queue)), by_content(first), "after the round trip")
        names_are_inodes(peer, long_ids == "yes")
        done = mta.postern("export", "--postfix", peer.etc, "--queue-only")
        check_match("^0 messages given", done.stdout, "second export")

        # Postfix delivers them.
        deliver_everything(peer, sink)
    sink.shutdown()


def deliver_everything(peer, sink):
    to = f"smtp:[127.0.0.1]:{sink.port}"
    peer.write_configuration(transport_maps=f"inline:{{bad.example={to} x.example=discard:}}",
                             default_destination_concurrency_limit="20")
    peer.start()
    peer.run("postsuper", "-c", peer.etc, "-H", "ALL")
    peer.run("postqueue", "-c", peer.etc, "-f")
    want = wanted()
    want[("local1", "llocal1@bad.example")] = 1
    wait_until(lambda: len(sink.got) >= len(want), "all deliveries", PATIENCE)
    with sink.lock:
        got = dict(sink.got)
    check_equal(sorted(set(want) - set(got))[:5], [], "not delivered")
    if set(want) - set(got):
        print(peer.run("postqueue", "-c", peer.etc, "-p").stdout[-3000:])
    check_equal([key for key, n in got.items() if n != 1][:5], [], "delivered twice")


if not is_root():
    skip("needs root")
if not is_there():
    check(False, "Debian's Postfix is not unpacked: ./dev does it")
    finish()
test_round_trip("no", cut_off=False, engine="log")
MESSAGES, LARGE = min(MESSAGES, 600), 1
test_round_trip("yes", cut_off=True, engine="log")
MESSAGES = min(MESSAGES, 300)
test_round_trip("no", cut_off=True, engine="files")
finish()
