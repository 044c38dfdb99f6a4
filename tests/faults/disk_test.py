#!/usr/bin/env python3
"""A disk that is full, of bytes or of inodes: mail is refused with 452 4.3.1, what was taken
stays, and all of it goes its way, once, when there is room again, without anybody's help. A
disk that became read-only, or went away under load, takes no mail and loses none.

With --enable-captured the spool can be told to answer before it writes: on a disk that is filled
and emptied, and killed, it must be found out.

The queue is on a file system of its own, in memory: only root can make one."""
import collections
import os
import fcntl
import signal
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish, is_root, skip, wait_until
from load import (BOX, RELAYED, Line, Sink, by_engine, copies_of, family, instance,
                  is_captured_build, queue_ends)

MEGABYTE = 1 << 20


class Disk:
    """A small file system in place of the queue directory."""

    def __init__(self, mta, options):
        self.mta, self.path = mta, mta.queue
        os.makedirs(self.path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self.path], check=True)
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.mta.stop()  # the file with its pid goes away
        subprocess.run(["umount", "-l", self.path], check=True)

    def read_only(self, yes):
        subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", self.path], check=True)

    def fill(self, name, leave=0):
        """Somebody else's file takes what is left, but for some bytes."""
        with open(os.path.join(self.path, name), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
            file.truncate(file.tell() - leave)

    def remove(self, *names):
        for name in names:
            os.unlink(os.path.join(self.path, name))


class Sender:
    """One client; `taken` has the (id, recipient) of what got its 250."""

    def __init__(self, mta):
        self.mta, self.taken, self.count = mta, [], 0

    def send(self, size, recipient=RELAYED):
        """Gives the reply that ended it, as text."""
        self.count += 1
        name = f"id-0-{self.count}"
        line = Line(self.mta.port(0))
        with line.socket:
            steps = ["EHLO client.test", "MAIL FROM:<sender@box.test>", f"RCPT TO:<{recipient}>",
                     "DATA", f"Subject: {name}\r\n\r\n" + ("x" * 64 + "\r\n") * (size // 66) + "."]
            line.line()
            for step in steps:
                line.socket.sendall(step.encode() + b"\r\n")
                said = line.line()
                while said[3:4] == b"-":
                    said = line.line()
                if said[:1] not in b"23":
                    return said.decode()
        self.taken.append((name, recipient))
        return said.decode()


def fill_up(sender, size, most=2000):
    """Sends until something is refused; gives the refusal."""
    for _ in range(most):
        said = sender.send(size)
        if said[0] != "2":
            return said
    return "(never full)"


def all_arrives(mta, sender, sink):
    def empty():
        mta.run("postqueue", "-f")
        done = mta.run("postqueue", "-j")
        return done.returncode == 0 and done.stdout == ""
    wait_until(empty, "an empty queue", 60)
    copies = collections.Counter(copies_of(mta, sink))
    check_equal([t for t in sender.taken if copies[t] == 0], [], "lost mail")
    check_equal([c for c, n in copies.items() if n > 1], [], "what came twice")


def becomes_free(sender):
    """By itself: nobody starts or flushes anything."""
    wait_until(lambda: sender.send(1000)[0] == "2", "mail is taken again", 30)


def start(sink, environment=None, **settings):
    return instance(sink, environment, spool_segment_size=str(MEGABYTE), spool_slack=str(MEGABYTE),
                    default_transport="smtp", message_size_limit="0",
                    mailbox_size_limit="0", virtual_mailbox_limit="0",
                    notify_classes="",  # a notice might find the room that mail did not
                    **settings)


def no_bytes(engine):
    """The relay is away; mail stays until the disk is full."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta, Disk(mta, "size=24m"):
        mta.write_configuration(defer_transports="smtp")
        mta.start()
        sender = Sender(mta)
        said = fill_up(sender, 30_000)
        check(said.startswith("452 4.3.1"), f"the reply of a full disk: {said}")
        check(len(sender.taken) > 100, f"{len(sender.taken)} messages fit")
        wait_until(lambda: mta.run("postqueue", "-j").stdout.count("\n") == len(sender.taken),
                   "a full queue can be listed")
        mta.write_configuration(defer_transports="")
        mta.reload()
        all_arrives(mta, sender, sink)
        becomes_free(sender)
        all_arrives(mta, sender, sink)
        check_equal(mta.logged("panic|killed by signal|bad command startup"), 0, "crashes")


def bytes_of_others(engine):
    """The disk is filled by others, then emptied, with mail in the queue."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta, Disk(mta, "size=24m") as disk:
        mta.write_configuration(defer_transports="smtp")
        mta.start()
        sender = Sender(mta)
        sender.send(1000, BOX)
        mta.wait_for_log(r"to=<u@box.test>.*status=sent")
        disk.fill("others")
        said = fill_up(sender, 30_000)
        check(said.startswith("452 4.3.1"), f"the reply when others fill the disk: {said}")
        disk.remove("others")
        becomes_free(sender)
        mta.write_configuration(defer_transports="")
        mta.reload()
        all_arrives(mta, sender, sink)
        check_equal(mta.logged("panic|killed by signal|bad command startup"), 0, "crashes")


def no_inodes(engine):
    """Mail in the log needs none; a large body does, and mail that becomes a file."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta, Disk(mta, "size=64m,nr_inodes=500") as disk:
        mta.start()
        sender = Sender(mta)
        sender.send(1000)
        names = []
        try:
            for i in range(1000):
                with open(os.path.join(mta.queue, f"inode{i}"), "wb"):
                    pass
                names.append(f"inode{i}")
        except OSError:
            pass
        check(10 < len(names) < 500, "no inode is left")
        said = sender.send(1000)
        check(said.startswith("250" if engine == "log" else "452 4.3.1"),
              f"the reply to small mail with no inode left: {said}")
        said = sender.send(2_000_000)
        check(said.startswith("452 4.3.1"), f"the reply to a large body: {said}")
        disk.remove(*names)
        wait_until(lambda: sender.send(2_000_000)[0] == "2", "large mail is taken again", 30)
        all_arrives(mta, sender, sink)
        check_equal(mta.logged("panic|killed by signal|bad command startup"), 0, "crashes")


def read_only(engine):
    """Nothing is taken, nothing is lost; it goes on when the disk does."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta, Disk(mta, "size=64m") as disk:
        mta.write_configuration(defer_transports="smtp")
        mta.start()
        sender = Sender(mta)
        for _ in range(20):
            sender.send(30_000)
        mta.stop()
        disk.read_only(True)
        done = mta.postern("start", status=None)
        check(done.returncode != 0, "no start on a read-only disk")
        disk.read_only(False)
        mta.write_configuration(defer_transports="")
        mta.start()
        all_arrives(mta, sender, sink)


def least_free(engine, **what):
    """Refused at MAIL, while what was begun before is taken."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta, Disk(mta, "size=64m") as disk:
        mta.write_configuration(**what)
        mta.start()
        sender, line = Sender(mta), Line(mta.port(0))
        check_equal(sender.send(1000)[:3], "250", "mail while there is room")
        with line.socket:
            line.reply()
            for command in ("EHLO client.test", f"MAIL FROM:<s@box.test>", f"RCPT TO:<{BOX}>"):
                check_equal(line.say(command), b"250", command)
            # The log has room of its own; a file needs some.
            disk.fill("others", 0 if engine == "log" else 5 * MEGABYTE)
            wait_until(lambda: sender.send(1000).startswith("452 4.3.1"), "no new mail is taken")
            check_equal(line.say("DATA"), b"354", "DATA of what was begun")
            check_equal(line.say("Subject: id-1-1\r\n\r\nbegun\r\n."), b"250", "its end")
        disk.remove("others")
        becomes_free(sender)
        sender.taken.append(("id-1-1", BOX))
        all_arrives(mta, sender, sink)


EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


class Ext4:
    """In a file, on a loop device."""

    def __init__(self, mta):
        self.path, self.image = mta.queue, os.path.join(mta.home, "image")
        with open(self.image, "wb") as file:
            file.truncate(64 * MEGABYTE)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        os.makedirs(self.path, exist_ok=True)

    def __enter__(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)
        return self

    def __exit__(self, *_):
        # While anybody uses it, mounting it again gives the same dead file system.
        wait_until(lambda: subprocess.run(["umount", self.path], capture_output=True).returncode == 0,
                   "the end of everybody who uses the disk")

    def goes_away(self):
        """Nothing more can be written or read, as when the disk was pulled out."""
        fd = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, sys.byteorder))
        os.close(fd)


def away(engine):
    """Under our hands: what was taken before is there when the disk is back."""
    sink = Sink()
    with start(sink, queue_engine=engine) as mta:
        disk = Ext4(mta)
        with disk:
            mta.write_configuration(defer_transports="smtp")
            mta.expect_trouble(r"spool.*(fatal|cannot|retired|error)", r"Input/output error",
                               r"killed by signal")
            mta.start()
            sender = Sender(mta)
            for _ in range(20):
                sender.send(30_000)
            master = mta.master()
            disk.goes_away()
            refused = sender.send(30_000)
            check(refused.startswith("4"), f"the reply without a disk: {refused}")
            os.kill(master, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(f"/proc/{master}"), "the end of master", 60)
        with disk:
            mta.write_configuration(defer_transports="")
            mta.start()
            all_arrives(mta, sender, sink)
            mta.stop()


def found_out(engine):
    sink = Sink()
    with start(sink, {"POSTERN_SPOOL_BROKEN": "order"}, queue_engine=engine) as mta, Disk(mta, "size=24m") as disk:
        mta.start()
        sender = Sender(mta)
        for _ in range(10):
            disk.fill("others")
            sender.send(1000)
            disk.remove("others")
            sender.send(1000)
            for pid in family(mta).get("spool", []):
                os.kill(pid, signal.SIGKILL)
            becomes_free(sender)
        queue_ends(mta)
        copies = set(copies_of(mta, sink))
        check([t for t in sender.taken if t not in copies],
              "a spool that answers before it writes is found out")


if is_root():
    for engine, _ in by_engine(1):
        least_free(engine, queue_minfree=str(10 * MEGABYTE))
        least_free(engine, message_size_limit=str(7 * MEGABYTE))  # and half of that
        away(engine)
        if is_captured_build():
            found_out(engine)
        no_bytes(engine)
        bytes_of_others(engine)
        no_inodes(engine)
        read_only(engine)
else:
    skip("a file system of our own needs root")
finish()
