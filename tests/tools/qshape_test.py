#!/usr/bin/env python3
"""qshape beside Postfix 3.7's: the same messages, of all ages, once as queue files for theirs,
once told by something that answers like showq for ours."""
import os
import pty
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import postfix37
from harness import check, check_equal, finish, program

THEIRS = os.path.join(postfix37.HOME, "usr/sbin/qshape")
HOME = tempfile.mkdtemp(prefix="postern-qshape-")
QUEUES = ["incoming", "active", "deferred", "hold"]
DOMAINS = ["example.org", "Mail.Example.org", "a.b.c.example", "b.c.example", "x.c.example",
           "a-name-that-is-longer-than-the-column.which-has-room-for-eighteen.example",
           "b-name-that-is-longer-than-the-column.which-has-room-for-eighteen.example",
           "xn--mller-kva.example", "a..b.example", "trailing.example.", "t.me", "localhost",
           "[192.0.2.1]"] + [f"host{n}.many.example" for n in range(7)]


def messages(seed):
    chance = random.Random(seed)
    now = int(time.time())
    for n in range(400):
        # Not near the edge of a bucket: the two programs do not look at the same moment.
        age = int(150 * 2 ** chance.randint(0, 12) * 1.3) + 60
        yield {"queue": chance.choice(QUEUES), "id": f"{0xA00000 + n:X}", "time": now - age,
               "sender": chance.choice(["", f"s{n}@{chance.choice(DOMAINS)}"]),
               "recipients": [f"r@{chance.choice(DOMAINS)}"
                              for _ in range(chance.choice([0, 1, 1, 1, 2, 5]))]}


# ---- as queue files ----

def record(kind, text):
    return kind.encode() + bytes([len(text)]) + text.encode()


def write_file(m):
    folder = os.path.join(HOME, m["queue"])
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, m["id"])
    with open(path, "wb") as file:
        file.write(record("C", f"{0:15d} {0:15d} {1:15d}"))
        file.write(record("T", f"{m['time']} 1"))
        file.write(record("S", m["sender"]))
        for rcpt in m["recipients"]:
            file.write(record("R", rcpt))
        file.write(record("D", "done@delivered.example"))
        file.write(record("M", "") + record("X", "") + record("E", ""))
    os.chmod(path, 0o700)


# ---- as from showq ----

def listing(all_messages):
    words = ["protocol", "mail_queue_list_protocol", ""]
    for m in all_messages:
        words += ["queue_name", m["queue"], "queue_id", m["id"], "time", str(m["time"]),
                  "size", "1000", "forced_expire", "0", "sender", m["sender"] or "MAILER-DAEMON"]
        for rcpt in m["recipients"]:
            words += ["original_recipient", rcpt, "recipient", rcpt, "reason", "later"]
        words += ["original_recipient", "", "recipient", "gone@failed.example",
                  "bounce_reason", "no such user", ""]
    return "\0".join(words + ["", ""]).encode()


def serve(path, data):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def answer():
        while True:
            client, _ = listener.accept()
            with client:
                client.sendall(data)
    threading.Thread(target=answer, daemon=True).start()


# ---- both ----

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "MAIL_CONFIG": HOME, "TERM": "xterm", "LC_ALL": "C"}


def rows(text):
    """Theirs prints rows with the same count and length in no order."""
    lines = text.splitlines()

    def place(line):
        name, count = line.split()[:2]
        return -int(count), min(len(name), 18), line
    return lines[:1] + sorted(lines[1:], key=place)


def ours(*arguments):
    return subprocess.run([program("qshape"), *arguments], env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=60)


def theirs(*arguments, queues):
    return subprocess.run([THEIRS, *arguments, *(os.path.join(HOME, q) for q in queues)],
                          env=ENVIRONMENT, text=True, capture_output=True, timeout=60)


def on_terminal(*command):
    """Its output when that is a terminal."""
    ours_end, its_end = pty.openpty()
    child = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                             stdout=its_end, stderr=subprocess.DEVNULL)
    os.close(its_end)
    text = b""
    try:
        while True:
            text += os.read(ours_end, 65536)
    except OSError:  # the other end is closed
        pass
    child.wait()
    os.close(ours_end)
    return text.decode().replace("\r\n", "\n")


os.mkdir(os.path.join(HOME, "public"))
with open(os.path.join(HOME, "main.cf"), "w", encoding="utf-8") as main_cf:
    main_cf.write(f"compatibility_level = 3.6\nqueue_directory = {HOME}\n")
SEED = random.randrange(1 << 32)
print(f"seed {SEED}")
MAIL = list(messages(SEED))
for queue in QUEUES:
    os.makedirs(os.path.join(HOME, queue), exist_ok=True)
for message in MAIL:
    write_file(message)
serve(os.path.join(HOME, "public/showq"), listing(MAIL))

check(os.path.exists(THEIRS), "Postfix 3.7 in build/debian: ./dev test puts it there")
for options in [[], ["-s"], ["-p"], ["-p", "-m", "2"], ["-p", "-m", "1", "-s"], ["-l"],
                ["-b", "3"], ["-b", "1"], ["-b", "14"], ["-b", "20", "-w", "132"],
                ["-t", "10"], ["-t", "1.5", "-b", "5"], ["-l", "-t", "1440", "-b", "12"],
                ["-w", "10"], ["-n", "3", "-N", "7"]]:
    for names in [["incoming", "active"], ["deferred"], ["hold", "incoming"], QUEUES]:
        done = ours(*options, *names)
        want = theirs(*options, queues=names)
        check_equal((done.stderr, done.returncode), ("", 0), f"qshape {options} {names}")
        check_equal(rows(done.stdout), rows(want.stdout), f"qshape {options} {names}")
check_equal(ours().stdout, ours("incoming", "active").stdout, "the usual queues")
check_equal(ours(os.path.join(HOME, "deferred")).stdout, ours("deferred").stdout, "a path")
check_equal(ours("bounce").stdout, theirs(queues=["public"]).stdout, "nothing")
check_equal(ours("-c", HOME, "hold").stdout, ours("hold").stdout, "-c")

# On a terminal: the first rows, and tables on the way. Which screen is cleared how is the
# terminal's.
seen = on_terminal(program("qshape"), "-n", "4", "-N", "100", *QUEUES)
tables = [t for t in seen.split("\033[H\033[2J\033[3J") if t]
check(len(tables) >= 3, f"tables on the way: {seen!r}")
check_equal([len(t.splitlines()) for t in tables], [5] * len(tables), "rows of each")
check_equal(tables[-1].splitlines(), ours(*QUEUES).stdout.splitlines()[:5], "the last one")

for wrong in (["-x"], ["-b"], ["no-such-queue"]):
    done = ours(*wrong)
    check_equal((done.returncode, done.stdout), (1, ""), f"qshape {wrong}")
    check("qshape: " in done.stderr, f"qshape {wrong}: {done.stderr}")
subprocess.run(["rm", "-r", HOME], check=True)
finish()
