#!/usr/bin/env python3
"""postdrop and postqueue called by somebody who means ill: arguments, environment, descriptors,
limits and standard input drawn at random, as another user, of set-gid copies (as an ordinary user:
of plain ones). Neither ever crashes, hangs, says what its caller may not read, or leaves anything
but whole messages. TEST_SEED repeats a run; its number is printed."""
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import OWNERS, PATIENCE, Instance, check, check_equal, finish, is_root, kill, program

RUNS = {"quick": 60, "default": 300, "long": 30000}[os.environ.get("TEST_MODE", "default")]
SEED = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(1 << 32)))
SECRET = "nobody-but-the-group-reads-this"
NOBODY = 65534
# What a crash looks like; CPU time that is used up ends as it should.
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE,
           signal.SIGSYS, signal.SIGTRAP}
LINES_MOST = 1000  # of the two programs, and what is only theirs
SOURCES = "postdrop.c postqueue.c queue_list.c setgid.c setgid.h user.c user.h".split()

WORDS = ["-c", "-r", "-v", "-p", "-f", "-j", "-i", "-s", "-h", "--spool", "--help", "--", "-", "",
         "ABCDEF", "box.example", "../../etc/passwd", "%s%n%s%n", "a" * 300, "x" * 100000,
         "-i" + "A" * 32, "\xff\xfe\n\t", "-cvpfji", "-S", "localhost\r\nF", "|id", "`id`"]
NAMES = ["MAIL_CONFIG", "TZ", "LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "IFS", "LC_ALL", "LANGUAGE",
         "GCONV_PATH", "MALLOC_CHECK_", "MALLOC_PERTURB_", "TMPDIR", "RESOLV_HOST_CONF", "NAME",
         "MAIL_VERBOSE", "MAIL_DEBUG", "MAIL_LOGTAG", "POSTLOG_SERVICE", "LOCALDOMAIN", "HOME"]
LIMITS = {
    resource.RLIMIT_NOFILE: (0, 1, 2, 3, 4, 5, 6, 8, 16),
    resource.RLIMIT_FSIZE: (0, 1, 7, 100, 4096),
    resource.RLIMIT_AS: (12 << 20, 16 << 20, 20 << 20, 32 << 20, 64 << 20),
    resource.RLIMIT_NPROC: (0, 1),
    resource.RLIMIT_CPU: (1,),
    resource.RLIMIT_CORE: (resource.RLIM_INFINITY,),
    resource.RLIMIT_MEMLOCK: (0,),
}


class Plan:
    """One way to call one of them."""

    def __init__(self, dice, mta, frame):
        self.name = dice.choice(("postdrop", "postdrop", "postqueue"))
        places = [mta.etc, mta.evil, "/nonexistent", "/proc/self/fd/0", "/", ".", "a" * 5000]
        self.arguments = [dice.choice(WORDS + places) for _ in range(dice.choice((0, 0, 1, 2, 5)))]
        if dice.random() < 0.7:
            self.arguments[:0] = ["-c", mta.etc] + (["-p"] if self.name == "postqueue" else [])
        self.environment = {dice.choice(NAMES): dice.choice(places + WORDS[:-4] + [":/etc/shadow"])
                            for _ in range(dice.choice((0, 1, 3, 8)))}
        self.closed = [fd for fd in (0, 1, 2) if dice.random() < 0.15]
        self.extra = dice.choice((0, 0, 1, 50))
        self.limits = {}
        if dice.random() < 0.5:
            which = dice.choice(list(LIMITS))
            self.limits[which] = dice.choice(LIMITS[which])
        self.ignored = [s for s in (signal.SIGTERM, signal.SIGXFSZ, signal.SIGPIPE, signal.SIGCHLD)
                        if dice.random() < 0.1]
        self.directory = dice.choice(("/", mta.home, "/proc/self"))
        self.stdin = self.draw_input(dice, frame)

    @staticmethod
    def draw_input(dice, frame):
        kind = dice.randrange(6)
        if kind < 2:
            return frame
        if kind == 2:
            return frame[:dice.randrange(len(frame))]
        if kind == 3:
            broken = bytearray(frame)
            for _ in range(dice.randrange(1, 5)):
                broken[dice.randrange(len(broken))] = dice.randrange(256)
            return bytes(broken)
        if kind == 4:
            return frame + bytes(dice.randrange(256) for _ in range(dice.randrange(100)))
        return bytes(dice.randrange(256) for _ in range(dice.randrange(2000)))

    def __str__(self):
        return (f"{self.name} {[a[:60] for a in self.arguments]} environment "
                f"{ {n: v[:60] for n, v in self.environment.items()} } closed {self.closed} extra "
                f"{self.extra} limits {self.limits} ignored {self.ignored} in {self.directory} "
                f"input {self.stdin[:80]!r} ({len(self.stdin)} bytes)")


def child(mta, plan, files):
    """In the child: everything as planned, and the program."""
    if is_root():
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    for fd in range(3):
        os.dup2(files[fd].fileno(), fd)
    for _ in range(plan.extra):
        os.set_inheritable(os.dup(files[1].fileno()), True)
    for fd in plan.closed:
        os.close(fd)
    os.chdir(plan.directory)
    for signo in plan.ignored:
        signal.signal(signo, signal.SIG_IGN)
    for which, value in plan.limits.items():
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard) if value != resource.RLIM_INFINITY else hard
        resource.setrlimit(which, (value, value))
    path = os.path.join(mta.bin, plan.name)
    os.execve(path, [path] + [a.encode("latin-1") for a in plan.arguments],
              {n: v.encode("latin-1") for n, v in plan.environment.items()})


def call(mta, plan):
    """Its wait status, and what it said; None when it did not end."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, \
            tempfile.TemporaryFile() as err:
        given.write(plan.stdin)
        given.seek(0)
        pid = os.fork()
        if pid == 0:
            try:
                child(mta, plan, (given, out, err))
            finally:
                os._exit(126)
        watch = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        ended = poll.poll(PATIENCE * 2000)
        if not ended:
            kill(pid)
        _, status = os.waitpid(pid, 0)
        os.close(watch)
        out.seek(0)
        err.seek(0)
        return (status if ended else None), out.read() + err.read()


def crashed(plan, status):
    """Ended as by a mistake of ours. Before main() libc opens what is closed of the first three
    descriptors of a set-gid program; where it cannot, it ends it in the same way."""
    libc = plan.closed and plan.limits.get(resource.RLIMIT_NOFILE, 3) < 3
    return not libc and os.WIFSIGNALED(status) and os.WTERMSIG(status) in CRASHES


def everything_below(top):
    return {os.path.relpath(os.path.join(folder, name), top) for folder, folders, names in
            os.walk(top) for name in names if not folder.endswith("/log")}


def check_maildrop(mta, plan, status):
    """Whole messages are as they were given, and nothing else stays. How many there were."""
    folder = os.path.join(mta.queue, "maildrop")
    whole = 0
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            text = file.read()
        if os.stat(path).st_mode & 0o100:
            check(plan.stdin.startswith(text), f"what is in maildrop was given: {plan}")
            check(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, f"it says so: {plan}")
            whole += 1
        else:
            check(os.WIFSIGNALED(status), f"half a message stays although it ended: {plan}")
        os.unlink(path)
    return whole


def attack(mta, dice, frame):
    whole = 0
    before = everything_below(mta.queue)
    for _ in range(RUNS):
        plan = Plan(dice, mta, frame)
        status, said = call(mta, plan)
        if not check(status is not None, f"it does not end: {plan}"):
            continue
        check(not crashed(plan, status), f"ended by signal {os.WTERMSIG(status)}: {plan}: {said}")
        if is_root():  # an ordinary user's commands have no other group
            check(SECRET.encode() not in said, f"told what it should not: {plan}: {said}")
        whole += check_maildrop(mta, plan, status)
    check(whole > 0, "not every caller was refused")
    check_equal(everything_below(mta.queue) - before, set(), "files that appeared in the queue")
    check(not os.listdir(mta.evil)[1:], "files that appeared in the configuration of a stranger")


def a_frame(mta):
    """What sendmail writes to postdrop."""
    folder = os.path.join(mta.home, "stub")
    os.mkdir(folder)
    stub = os.path.join(folder, "postdrop")
    with open(stub, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\ncat >frame\n")
    os.chmod(stub, 0o755)
    mta.write_configuration(command_directory=folder)
    done = mta.run("sendmail", "-f", "s@box.example", "u@box.example", "w@box.example",
                   input="Subject: x\n\n" + "hello\n" * 50)
    check_equal(done.returncode, 0, "sendmail writes to a postdrop")
    mta.write_configuration(command_directory=mta.bin)
    with open(os.path.join(mta.home, "frame"), "rb") as file:
        return file.read()


def own_mounts():
    """As root the test goes on in a mount namespace of its own."""
    if is_root() and "SETGID_TEST_INSIDE" not in os.environ:
        os.environ["SETGID_TEST_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__)])


def make_default(mta):
    """Only the default main.cf says which others a set-gid command may read: ours is that."""
    default = mta.run("postconf", "-dh", "config_directory").stdout.strip()
    parent = os.path.dirname(default)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", parent], check=True)
    os.makedirs(default)
    subprocess.run(["mount", "--bind", mta.etc, default], check=True)


def make_set_gid(mta):
    shutil.rmtree(mta.evil, ignore_errors=True)
    os.mkdir(mta.evil)
    with open(os.path.join(mta.evil, "main.cf"), "w", encoding="utf-8") as file:
        file.write(f"{SECRET} = {SECRET}\n{SECRET}\n")
    if not is_root():
        return
    make_default(mta)
    mta.write_configuration(alternate_config_directories=mta.etc)
    os.chmod(os.path.join(mta.evil, "main.cf"), 0o640)
    shutil.chown(os.path.join(mta.evil, "main.cf"), group=OWNERS["setgid_group"])
    for name in ("postdrop", "postqueue"):
        path = os.path.join(mta.bin, name)
        os.unlink(path)
        shutil.copy(program(name), path)
        shutil.chown(path, group=OWNERS["setgid_group"])
        os.chmod(path, 0o2755)


def as_nobody(mta, *command, **how):
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root() else {}
    return subprocess.run([os.path.join(mta.bin, command[0]), "-c", mta.etc, *command[1:]],
                          env={}, capture_output=True, cwd="/", timeout=60, **options, **how)


def what_they_are_for(mta, frame):
    """Without ill will, and with the directory allowed, both do their work."""
    check_equal(as_nobody(mta, "postdrop", input=frame).returncode, 0, "postdrop for nobody")
    check_equal(len(os.listdir(os.path.join(mta.queue, "maildrop"))), 1, "one message")
    listed = as_nobody(mta, "postqueue", "-j").stdout.decode()
    check('"sender": "s@box.example"' in listed, f"postqueue for nobody: {listed}")
    for name in os.listdir(os.path.join(mta.queue, "maildrop")):
        os.unlink(os.path.join(mta.queue, "maildrop", name))
    for command in (("postdrop",), ("postqueue", "-iA/B")):
        at = mta.log_position()
        done = as_nobody(mta, *command, input=frame[:-1])
        check(done.returncode in (69, 75) and done.stderr, f"{command}: says what is wrong")
        mta.wait_for_log(rf"postfix/{command[0]}\[\d+\]: (fatal|warning): ", since=at)


def descriptors(mta, frame):
    """While it waits for its input it holds what it needs and nothing that it was given."""
    reading, writing = os.pipe()
    gift = os.open("/", os.O_RDONLY)
    with subprocess.Popen([os.path.join(mta.bin, "postdrop"), "-c", mta.etc], stdin=reading,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[gift],
                          env={}) as process:
        os.close(reading)
        os.write(writing, frame[:40])
        drop = os.path.join(mta.queue, "maildrop")
        while process.poll() is None and not os.listdir(drop):
            select.select([], [], [], 0.01)
        held = {os.readlink(f"/proc/{process.pid}/fd/{fd}")
                for fd in os.listdir(f"/proc/{process.pid}/fd") if int(fd) > 2}
        check(not any(path in ("/", gift) for path in held), f"descriptors: {held}")
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(PATIENCE), -signal.SIGTERM, "postdrop ends by the signal")
        check_equal(os.listdir(drop), [], "and removes what it had")
    os.close(writing)
    os.close(gift)


def unauthorized(mta):
    if not is_root():
        return
    for name in ("postdrop", "postqueue"):
        done = subprocess.run([os.path.join(mta.bin, name), "-c", mta.evil, "-v"], env={},
                              capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[],
                              stdin=subprocess.DEVNULL, cwd="/", timeout=60)
        check(done.returncode != 0 and SECRET.encode() not in done.stderr + done.stdout,
              f"{name} reads no configuration of a stranger: {done.stderr}")


def lines():
    folder = os.path.join(os.environ.get("TOP_SRCDIR", os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..")), "tools")
    total = 0
    for name in SOURCES:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            total += len(file.readlines())
    check(total < LINES_MOST, f"the set-gid programs have {total} lines")


own_mounts()
print(f"seed {SEED}", flush=True)
lines()
with Instance(services=["cleanup", "qmgr", "showq", "flush", "postlog", "bounce"]) as main_instance:
    main_instance.evil = os.path.join(main_instance.home, "evil")
    make_set_gid(main_instance)
    some_frame = a_frame(main_instance)
    main_instance.start()
    unauthorized(main_instance)
    descriptors(main_instance, some_frame)
    what_they_are_for(main_instance, some_frame)
    attack(main_instance, random.Random(SEED), some_frame)
finish()
