#!/usr/bin/env python3
"""`postern spool convert` under kill -9: a queue goes from the log into files and back, and the
command dies at any system call that writes, syncs, renames or removes. After each death every
message is there once, as it was: content, who has it already, who holds it. In the end spool is
killed as well, while it sorts out what is in both, and each message is delivered to each
recipient once.

With --enable-captured the command can be told to take for stored what is not: that must be found
out. Needs strace. SEED repeats the choices of a run."""
import collections
import os
import random
import re
import shutil
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish, wait_until
from load import (BOX, LONG, RELAYED, Line, Sink, copies_of, family, instance, is_captured_build,
                  queue_ends)

ROUNDS = 200 if LONG else 10
MESSAGES = 40
SIZES = (100, 3000, 70_000, 700_000)  # the last one has a body file
CALLS = "pwrite64,pwritev,pwritev2,fdatasync,fsync,syncfs,renameat,renameat2,unlinkat"
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


# ---- a queue ----

def send(mta, number):
    """To a mailbox and to a relay, which is not asked yet; gives the queue id."""
    line = Line(mta.port(0))
    with line.socket:
        line.reply()
        for command, code in (("EHLO client.test", b"250"),
                              ("MAIL FROM:<sender@box.test>", b"250"),
                              (f"RCPT TO:<{BOX}>", b"250"), (f"RCPT TO:<{RELAYED}>", b"250"),
                              ("DATA", b"354")):
            check_equal(line.say(command), code, f"{command}: {line.last}")
        text = ("x" * 64 + "\r\n") * (SIZES[number % len(SIZES)] // 66)
        check_equal(line.say(f"Subject: id-0-{number}\r\n\r\n{text}."), b"250", "a message")
    return re.search(rb"queued as (\w+)", line.last)[1].decode()


def fill(mta):
    """Some are held, some were and wait for their time again; some have no states at all."""
    mta.write_configuration(defer_transports="smtp")
    mta.start()
    ids = [send(mta, number) for number in range(MESSAGES // 2)]
    mta.wait_for_log(r"to=<r@relay.test>.*status=deferred", count=len(ids))
    mta.wait_for_log(r"to=<u@box.test>.*status=sent", count=len(ids))
    for number, queue_id in enumerate(ids):
        if number % 3 == 0:
            mta.run("postsuper", "-h", queue_id)
        if number % 6 == 0:
            mta.run("postsuper", "-H", queue_id)
    mta.write_configuration(header_checks="static:HOLD")
    mta.reload()
    for number in range(MESSAGES // 2, MESSAGES):
        send(mta, number)
    mta.write_configuration(header_checks="")
    mta.stop()


def message(path):
    """An exported message without the number that the engine gave it."""
    with open(path, "rb") as file:
        head, content = file.read().split(b"\n\n", 1)
    lines = [re.sub(rb"^state \w{16}", b"state", line) for line in head.split(b"\n")]
    return lines, content


def queue_of(mta):
    """{queue id: message}, and how many there are."""
    out = os.path.join(mta.home, "exported")
    done = mta.postern("spool", "export", out, status=None)
    found = {name: message(os.path.join(out, name)) for name in os.listdir(out)}
    shutil.rmtree(out)
    return found, int(done.stdout.split()[0])


# ---- converting ----

def traced(mta, engine, *options):
    trace = os.path.join(mta.home, "trace")
    run = mta.run("strace", "-f", "-qq", "-o", trace, "-e", f"trace={CALLS}", *options,
                  os.path.join(mta.bin, "postern"), "-c", mta.etc, "spool", "convert", engine,
                  timeout=300)
    with open(trace) as file:
        return run, file.read()


def calls_of(mta, engine):
    """How many such calls the busiest thread makes in a whole conversion."""
    run, trace = traced(mta, engine)
    check_equal(run.returncode, 0, f"a whole conversion: {run.stderr}")
    return max(collections.Counter(re.findall(r"^(\d+) ", trace, re.M)).values())


def dies(mta, engine, number):
    """The command, killed at that call; whether it was."""
    run, _ = traced(mta, engine, "-e", f"inject={CALLS}:signal=SIGKILL:when={number}")
    return run.returncode != 0


def emptier(mta):
    """The engine that has fewer messages, so that there is much to do."""
    files = sum(len(name) == 16 for _, _, names in os.walk(os.path.join(mta.queue, "log", "files"))
                for name in names)
    return "files" if files < MESSAGES // 2 else "log"


def convert_and_die(mta, rng, rounds):
    """Gives what was wrong with the queue: [(what, queue id)]; ends early when it was."""
    want, count = queue_of(mta)
    check_equal((len(want), count), (MESSAGES, MESSAGES), "messages at first")
    calls = {engine: calls_of(mta, engine) for engine in ("files", "log")}
    deaths, wrong = 0, []
    for number in range(rounds):
        engine = emptier(mta)
        deaths += dies(mta, engine, rng.randrange(1, calls[engine]))
        got, count = queue_of(mta)
        wrong = [("lost", i) for i in set(want) - set(got)] + \
            [("new", i) for i in set(got) - set(want)] + \
            [("another", i) for i in set(want) & set(got) if want[i] != got[i]] + \
            [("twice", count)] * (count > len(got))
        if wrong:
            print(f"round {number}, into {engine}: {wrong[:5]}")
            break
        if number % 5 == 4:  # now and then it gets through
            mta.postern("spool", "convert", emptier(mta))
    print(f"{deaths} deaths in {number + 1} conversions of up to {calls} calls", flush=True)
    check(wrong or deaths > rounds // 3, "the command was killed in the middle")
    return wrong


# ---- and the rest of the way ----

def deliver(mta, sink, rng):
    """Half converted, with spool dying at its start; everything arrives once."""
    for engine in ("files", "log"):
        dies(mta, engine, rng.randrange(20, 100))
    mta.write_configuration(defer_transports="", queue_engine=rng.choice(("files", "log")))
    mta.start()
    for _ in range(3):
        before = wait_until(lambda: family(mta).get("spool"), "spool")
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(family(mta).get("spool", [])) - set(before), "the next spool")
    mta.wait_for_log(r"log opened: ")
    mta.run("postsuper", "-H", "ALL")
    queue_ends(mta)
    copies = collections.Counter(copies_of(mta, sink))
    want = {(f"id-0-{number}", to): 1 for number in range(MESSAGES) for to in (BOX, RELAYED)}
    check_equal(sorted((set(want.items()) ^ set(copies.items())))[:10], [], "what arrived")


def run(rounds, environment=None):
    rng, sink = random.Random(SEED), Sink()
    with instance(sink, message_size_limit="2000000", mailbox_size_limit="0",
                  virtual_mailbox_limit="0") as mta:
        fill(mta)
        mta.environment.update(environment or {})
        wrong = convert_and_die(mta, rng, rounds)
        if not environment:
            deliver(mta, sink, rng)
    return wrong


print(f"seed {SEED}", flush=True)
check_equal(run(ROUNDS), [], "a queue that was half converted")
if is_captured_build():
    check(run(80, {"POSTERN_SPOOL_BROKEN": "order"}),
          "a conversion that does not wait for the disk is found out")
finish()
