#!/usr/bin/env python3
"""postern spool check, export, backup, import and convert, with the system running and stopped: what is
exported from one instance and imported into another is the same queue, a large body too."""
import os
import re
import shutil
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, wait_until

# A port on which nobody listens: everything is deferred.
SETTINGS = {"relayhost": "[127.0.0.1]:1", "message_size_limit": "30000000",
            "minimal_backoff_time": "4000s"}


def send(mta, n, size=100):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    lines = "".join(f"line {i} of {n}\n" for i in range(size // 10))
    queue_id = smtp.message(f"a{n}@c.test", [f"b{n}@x.test", f"c{n}@x.test"],
                            f"Subject: {n}\n\n{lines}")
    smtp.close()
    return queue_id


def shown(mta, ids):
    """What postcat shows of each, but for where it lies in the log."""
    return {i: [line for line in mta.run("postcat", "-q", i).stdout.splitlines()
                if not line.startswith("message_size:") and not line.startswith("***")]
            for i in ids}


def listed(mta):
    return sorted(mta.run("postqueue", "-j").stdout.splitlines())


def spool(mta, *arguments, status=0):
    return mta.postern("spool", *arguments, status=status)


def whole(mta, n, what):
    check_equal(spool(mta, "check").stdout, f"{n} messages are whole, 0 are damaged\n", what)


def fill(mta):
    ids = [send(mta, n) for n in range(5)] + [send(mta, 9, 2500000)]
    mta.wait_for_log(r"status=deferred", count=12)
    mta.run("postsuper", "-h", ids[1])
    mta.run("postsuper", "-h", ids[2])
    mta.run("postsuper", "-H", ids[2])
    mta.wait_for_log(r"status=deferred", count=14)
    return ids


def take_out(mta, ids):
    """Exports and backups of the running system; gives the backup's folder."""
    out, one, kept = (os.path.join(mta.home, n) for n in ("out", "one", "kept"))
    whole(mta, 6, "check while it runs")
    check_match("6 messages written", spool(mta, "export", out).stdout, "export")
    check_equal(sorted(os.listdir(out)), sorted(ids), "exported")
    spool(mta, "export", one, ids[3])
    check_equal(os.listdir(one), [ids[3]], "one exported")
    shutil.copytree(out, kept)
    mta.run("postsuper", "-d", ids[0])
    wait_until(lambda: ids[0] not in mta.run("postqueue", "-j").stdout, "the end of one")
    spool(mta, "backup", kept)
    check_equal(sorted(os.listdir(kept)), sorted(ids[1:]), "backup follows the queue")
    return kept


def space(mta):
    """postqueue --spool as {what: value}."""
    said = mta.run("postqueue", "--spool")
    check_equal(said.returncode, 0, f"postqueue --spool: {said.stderr}")
    return dict(line.split(": ", 1) for line in said.stdout.splitlines())


def look_at_space(mta):
    told = space(mta)
    check_equal(told["messages"], "6", "messages of postqueue --spool")
    check(4100000 < int(told["live bytes"]) < 4200000, f"live bytes: {told['live bytes']}")
    disk, limit = (int(n) for n in told["on disk"].split(" of at most "))
    log = os.path.join(mta.queue, "log")
    there = sum(os.path.getsize(os.path.join(folder, name))
                for folder, _, names in os.walk(log) for name in names if name != "lock")
    check(disk == there <= limit, f"on disk: {disk}, {there} there, at most {limit}")
    check_match(r"^\d+, 0% of it by the cleaner$", told["written since the start"], "written")
    check_equal(told["new mail"], "taken", "new mail")
    if os.geteuid() == 0:
        other = subprocess.run([f"{mta.bin}/postqueue", "--spool"], user="nobody",
                               env=mta._environment(), capture_output=True, text=True)
        check(other.returncode != 0, f"postqueue --spool by nobody: {other.stdout}")


def bring_in(mta, kept, ids, before):
    """Into an instance with an empty queue."""
    refused = spool(mta, "import", kept, status=1)
    check_match("is running; stop it first", refused.stderr, "import into a running system")
    mta.stop()
    check_match("5 messages taken in, 0 refused", spool(mta, "import", kept).stdout, "import")
    check_match("0 messages taken in, 5 refused", spool(mta, "import", kept, status=1).stdout,
                "again")
    whole(mta, 5, "check of what was imported")
    mta.start()
    wait_until(lambda: len(listed(mta)) == 5, "the imported queue")
    check_equal(shown(mta, ids), before[0], "messages as postcat shows them")
    check_equal(listed(mta), before[1], "the queue as postqueue lists it")


def damage(mta, queue_id):
    """A flipped bit in a content: check says whose, and export leaves it out."""
    mta.stop()
    log = os.path.join(mta.queue, "log")
    for path in (os.path.join(folder, name) for folder, _, names in os.walk(log)
                 for name in names):
        with open(path, "r+b") as file:
            at = file.read().find(b"line 3 of 4\n")
            if at >= 0:
                file.seek(at)
                file.write(b"LINE")
    said = spool(mta, "check", status=1)
    check_match("4 messages are whole, 1 are damaged", said.stdout, "damaged")
    check_match(f"{queue_id}: damaged", said.stderr, "whose")


def files_of(mta):
    return [n for _, _, names in os.walk(os.path.join(mta.queue, "log", "files"))
            for n in names if re.fullmatch("[0-9a-f]{16}", n)]


def in_engine(mta, engine):
    """How many of the queue's messages are in it."""
    files = len(files_of(mta))
    return files if engine == "files" else len(listed(mta)) - files


def convert(mta, ids, engine):
    """The stopped queue into the other engine and back; and new mail where queue_engine says."""
    other = {"log": "files", "files": "log"}[engine]
    mta.start()
    wait_until(lambda: len(listed(mta)) == 5, "the queue before it is converted")
    before = shown(mta, ids), listed(mta)
    check_equal(in_engine(mta, engine), 5, f"messages in {engine}")
    refused = spool(mta, "convert", other, status=1)
    check_match("is running; stop it first", refused.stderr, "convert a running system")
    mta.stop()
    check_match("5 messages moved", spool(mta, "convert", other).stdout, f"into {other}")
    check_equal(len(files_of(mta)), 5 if other == "files" else 0, "files")
    whole(mta, 5, f"check of {other}")
    mta.write_configuration(queue_engine=other)
    mta.start()
    wait_until(lambda: len(listed(mta)) == 5, f"the queue of {other}")
    check_equal((shown(mta, ids), listed(mta)), before, f"what is in {other}")
    new = send(mta, 11)
    wait_until(lambda: len(listed(mta)) == 6, "a new one")
    check_equal(in_engine(mta, other), 6, f"in {other} with the new one")
    check_equal(space(mta)["messages"], "6", f"messages of postqueue --spool, {other}")
    out = os.path.join(mta.home, f"from-{other}")
    spool(mta, "export", out)
    check_equal(sorted(os.listdir(out)), sorted([*ids, new]), f"exported from {other}")
    mta.write_configuration(queue_engine=engine)
    mta.reload()
    mta.run("postsuper", "-d", new)
    wait_until(lambda: len(listed(mta)) == 5 and
               (other == "log" or len(files_of(mta)) == 5), "its end")
    mta.stop()
    check_match("5 messages moved", spool(mta, "convert", engine).stdout, f"into {engine}")
    check_equal(len(files_of(mta)), 5 if engine == "files" else 0, "files left")
    whole(mta, 5, f"check of {engine}")
    mta.start()
    wait_until(lambda: len(listed(mta)) == 5, f"the queue of {engine}")
    check_equal((shown(mta, ids), listed(mta)), before, f"what is in {engine} again")
    mta.stop()


def run(engine):
    settings = {**SETTINGS, "queue_engine": engine}
    with Instance(settings) as source, Instance(settings) as target:
        source.start()
        ids = fill(source)
        look_at_space(source)
        kept = take_out(source, ids)
        source.stop()
        whole(source, 5, "check of a stopped system")
        source.start()
        wait_until(lambda: len(listed(source)) == 5, "the queue")
        target.start()
        bring_in(target, kept, ids[1:], (shown(source, ids[1:]), listed(source)))
        check_equal(in_engine(target, engine), 5, f"imported into {engine}")
        damage(target, ids[4])
        source.stop()
        convert(source, ids[1:], engine)
        check_equal(spool(source, "frobnicate", status=1).stdout, "", "nonsense")


if __name__ == "__main__":
    for queue_engine in ("log", "files"):
        print(queue_engine, flush=True)
        run(queue_engine)
    finish()
