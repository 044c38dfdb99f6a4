"""rig.py -- the two mail systems of `./dev bench scale`, and what asks and serves them.

How each is set up, started and asked is the shared bench's affair (POSTERN_SHARED/bench,
its targets/NAME.sh); its driver is used as a module here. Clients and the server that takes
the relayed mail are ours (load.c, sink.c): they cost a tenth of smtp-source and smtp-sink."""
import importlib.machinery
import importlib.util
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import tempfile
import time

SHARED = os.environ["POSTERN_SHARED"] + "/bench"
TOOLS = os.environ["BENCH_TOOLS"]    # where load, sink and slowdisk were built
HOME = os.environ["BENCH_HOME"]
PREFIX = os.environ["POSTERN_PREFIX"]
DEAD_PORT = int(os.environ.setdefault("DEAD_PORT", "2599"))  # of u@dead.test
FAN = [f"127.0.1.{i}" for i in range(1, 101)]  # d1.fan.test .. d100.fan.test


def shared_driver():
    loader = importlib.machinery.SourceFileLoader("run_bench", SHARED + "/run-bench")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_bench", loader))
    loader.exec_module(module)
    return module


driver = shared_driver()
now = time.monotonic


class System(driver.Target):
    """postern or postfix37, running."""

    @property
    def port(self):
        return self.addr[1]

    def control(self, verb, *arguments):
        return driver.ctl(self.name, verb, *arguments)

    def restart(self):
        self.control("stop")
        self.control("start")

    def load(self, mode, *options, timeout=600):
        """Runs load.c against it; gives what it reported."""
        p = subprocess.run([f"{TOOLS}/load", "-p", str(self.port), *map(str, options), mode],
                           capture_output=True, text=True, timeout=timeout, check=True)
        return json.loads(p.stdout.splitlines()[-1])

    def load_tls(self, sessions, seconds, *keep):
        """The same with tlsmail.c, for the host of TlsSink."""
        p = subprocess.run([f"{TOOLS}/tlsmail", "load", str(self.port), self.rcpt("dead"),
                            str(sessions), str(seconds), *keep],
                           capture_output=True, text=True, check=True)
        return json.loads(p.stdout)

    def park(self, count, addresses=1):
        """Holds that many idle sessions; see Parked."""
        return Parked(self, count, addresses)

    def cpu_of(self, work):
        """Seconds of CPU that the mail system spent on work(), and on what it left behind."""
        before = self.cpu()
        result = work()
        self.drained(60)
        return self.cpu() - before, result

    def pss_kb(self, program=None):
        per = driver.mem(self.pids())["per"]
        return sum(kb for name, (_, kb) in per.items() if program in (None, name))


class Postern(System):
    def __init__(self):
        super().__init__("postern")
        self.conf = f"{HOME}/run/postern/conf"
        self.queue = f"{HOME}/run/postern/spool"

    def tool(self, name, *arguments):
        return subprocess.run([f"{PREFIX}/sbin/{name}", "-c", self.conf, *arguments],
                              capture_output=True, text=True, timeout=600).stdout

    def queued_now(self):
        """Messages by spool's own count: listing a million of them takes its time."""
        while True:  # spool may be starting
            found = re.search(r"messages: (\d+)", self.tool("postqueue", "--spool"))
            if found:
                return int(found[1])
            time.sleep(0.05)

    def is_indexed(self):
        return re.search(r"^messages: \d+$", self.tool("postqueue", "--spool"), re.M)

    def start_empty(self):
        self.control("stop")
        subprocess.run(["rm", "-rf", f"{self.queue}/log", f"{self.queue}/corrupt"], check=True)
        self.control("start")


class Parked:
    """Sessions that said EHLO and nothing more. Two processes hold them, since none may have
    more than 20,000 descriptors here."""

    def __init__(self, system, count, addresses):
        self.processes = [
            subprocess.Popen([f"{TOOLS}/load", "-p", str(system.port), "-s", str(count // 2),
                              "-a", str(addresses), "hold"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
        self.held = sum(json.loads(p.stdout.readline())["held"] for p in self.processes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.communicate("")
        time.sleep(1)  # they hang up all at once


class Sink:
    """Takes the relayed mail of both systems; on DEAD_PORT, that for the dead host, who lives."""

    def __init__(self, port=driver.SINK_PORT):
        self.path = f"/dev/shm/bench-sink.{os.getpid()}.{port}"
        self.process = subprocess.Popen(
            [f"{TOOLS}/sink", self.path, str(port), "127.0.0.1", *FAN])
        while not is_listening(port):
            time.sleep(0.01)

    def read(self):
        """(messages, recipients, when the last one came) so far"""
        with open(self.path, "rb") as f:
            messages, rcpts, last = struct.unpack("QQQ", f.read(24))
        return messages, rcpts, last / 1e6

    def wait(self, what, count, seconds=120):
        """Until that many messages (what=0) or recipients (1) came; when the last one did."""
        end = now() + seconds
        while self.read()[what] < count:
            if now() > end:
                raise TimeoutError(f"{count - self.read()[what]} of {count} did not arrive")
            time.sleep(0.001)
        return self.read()[2]

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.unlink(self.path)


class TlsSink:
    """The dead host lives, and offers STARTTLS."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-tls-")
        chain = f"{self.folder.name}/chain.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=sink.test", "-keyout", chain, "-out", f"{chain}.crt"],
                       check=True, capture_output=True)
        with open(chain, "a") as f, open(f"{chain}.crt") as certificate:
            f.write(certificate.read())
        self.process = subprocess.Popen([f"{TOOLS}/tlsmail", "sink", str(DEAD_PORT), chain])
        while not is_listening(DEAD_PORT):
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class SlowDisk:
    """A journaled file system in the place of a directory, on a disk in memory whose flush
    takes that long."""

    def __init__(self, at, flush_us, megabytes=1500):
        self.at, self.image, self.fuse = at, "/dev/shm/bench-slow.img", f"{HOME}/slow"
        os.makedirs(self.fuse, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "nodiscard", self.image], check=True)
        self.disk = subprocess.Popen([f"{TOOLS}/slowdisk", self.image, self.fuse, str(flush_us)])
        while not os.path.exists(f"{self.fuse}/disk"):
            time.sleep(0.01)
        self.loop = subprocess.run(["losetup", "-f", "--show", f"{self.fuse}/disk"], check=True,
                                   capture_output=True, text=True).stdout.strip()
        subprocess.run(["mount", "-o", "noatime", self.loop, at], check=True)
        os.chmod(at, 0o755)

    def close(self):
        subprocess.run(["umount", self.at], check=True)
        subprocess.run(["losetup", "-d", self.loop], check=True)
        subprocess.run(["umount", self.fuse], check=True)
        self.disk.wait()
        os.unlink(self.image)


class KernelMemory:
    """What the kernel keeps for the processes of a system: sockets, epoll entries, page
    tables. Charged to a group that they join here."""

    def __init__(self, system):
        self.group = f"/sys/fs/cgroup/memory/bench-{system.name}-{os.getpid()}"
        os.mkdir(self.group)
        for pid in system.pids():
            with open(self.group + "/cgroup.procs", "w") as f:
                f.write(str(pid))

    def kb(self):
        with open(self.group + "/memory.kmem.usage_in_bytes") as f:
            return int(f.read()) / 1024

    def close(self):
        """Its processes go where all others are."""
        with open(self.group + "/cgroup.procs") as f:
            pids = f.read().split()
        for pid in pids:
            with open("/sys/fs/cgroup/memory/cgroup.procs", "w") as f:
                f.write(pid)
        os.rmdir(self.group)


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def interleaved(rounds, systems, measure):
    """Median of what measure(system) gives, for each system, in turns."""
    got = {s.name: [] for s in systems}
    for _ in range(rounds):
        for s in systems:
            with driver.Lock():
                got[s.name].append(measure(s))
    return {name: statistics.median(values) for name, values in got.items()}
