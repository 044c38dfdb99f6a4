"""scale.py -- the figures of scale: thousands of sessions, a million messages, large ones,
many recipients, slow disks. Against Debian's Postfix, tuned, in the same run, where a ratio
is asked; our own figure where it is an absolute one.

usage: ./dev bench scale [NAME ...], the names of FIGURES. One table at the end, where `ok`
and `MISSED` say how the figure compares with what is asked. Nothing is asserted: figures
of a busy machine say little."""
import os
import statistics
import subprocess
import sys
import time
from rig import (DEAD_PORT, PREFIX, KernelMemory, Postern, Sink, SlowDisk, System, TlsSink, driver,
                 interleaved, now)

MILLION = int(os.environ.get("BENCH_MESSAGES", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
rows = []


def row(what, value, asked, good, against=None):
    rows.append((what, value, against or "", asked, "ok" if good else "MISSED"))
    print("  ", *rows[-1], sep="\t", flush=True)


def ratio(what, figures, least, unit):
    """figures: of both systems, the larger the better."""
    ours, theirs = figures["postern"], figures["postfix37"]
    row(what, f"{ours:.4g} {unit}", f">= {least} x", ours / theirs >= least,
        f"{theirs:.4g} {unit}: {ours / theirs:.2f} x")


# ---- sessions ----

def sessions(postern, postfix, _):
    ratio("connect, EHLO, QUIT", interleaved(ROUNDS, (postfix, postern), lambda s: (
        lambda r: r["sessions"] / r["seconds"])(s.load("quit", "-s", 50, "-t", 2))), 2, "/s")


def idle_sessions(postern, _, __):
    """30,000 of them, and one client in ten at work beside them."""
    postern.restart()
    def honest():
        r = postern.load("mail", "-s", 10, "-t", 3, "-f", postern.rcpt("discard"))
        return r["accepted"] / r["seconds"]
    honest()
    alone = [honest() for _ in range(3)]
    kernel = KernelMemory(postern)
    pss, kmem = postern.pss_kb("smtpd"), kernel.kb()
    with postern.park(30000, 200) as parked:
        workers = driver.mem(postern.pids())["per"]["smtpd"][0]
        each = (postern.pss_kb("smtpd") - pss) / max(1, parked.held)
        kernel_each = (kernel.kb() - kmem) / max(1, parked.held)
        beside = [honest() for _ in range(3)]
    kernel.close()
    row("idle sessions held", f"{parked.held} in {workers} processes", "30000",
        parked.held == 30000)
    row("memory of an idle session", f"{each:.2f} KB", "<= 12 KB", each <= 12,
        f"and {kernel_each:.2f} KB in the kernel")
    share = statistics.median(beside) / statistics.median(alone)
    row("honest clients beside them", f"{share:.0%} of {statistics.median(alone):.0f}/s",
        ">= 80%", share >= 0.8)


def overload(postern, _, __):
    """Connections come at twice the rate at which they can be served."""
    postern.restart()
    to = ("-f", postern.rcpt("discard"))
    r = postern.load("mail", "-s", 50, "-t", 4, *to)
    served = r["accepted"] / r["seconds"]
    r = postern.load("mail", "-o", int(2 * served), "-a", 50, "-t", 8, *to)
    share = r["accepted"] / r["seconds"] / served
    row("accepted at twice the load", f"{share:.0%} of {served:.0f}/s", "flat", share >= 0.8,
        f"4xx: {r['tempfail']}, lost: {r['lost']}, waiting: {r['open']}, "
        f"not connected: {r['failed']}")
    postern.restart()


def acceptance(postern, postfix, _):
    def p99(system):
        system.drained(30)
        return system.load("mail", "-s", 50, "-t", 4)["p99"]
    got = interleaved(ROUNDS, (postfix, postern), p99)
    row("p99 of acceptance, 50 sessions", f"{got['postern']:.1f} ms", "below Postfix's",
        got["postern"] < got["postfix37"], f"{got['postfix37']:.1f} ms")


# ---- messages ----

def large(megabytes, count, sessions):
    def figure(postern, postfix, sink):
        def rate(system):
            begin, came = now(), sink.read()[0]
            system.load("mail", "-s", sessions, "-n", count, "-l", megabytes * 1000000)
            took = sink.wait(0, came + count) - begin
            system.drained(30)
            return megabytes * count / took
        ratio(f"messages of {megabytes} MB", interleaved(ROUNDS, (postfix, postern), rate), 2,
              "MB/s")
    return figure


def fanout(domains, least):
    names = [f"u{i}@d{i % domains + 1}.fan.test" if domains > 1 else f"u{i}@relay.test"
             for i in range(1000)]
    def figure(postern, postfix, sink):
        def rate(system):
            begin, came = now(), sink.read()[1]
            client = driver.Smtp(system.addr)
            client.send(names, driver.BODY4K)
            client.quit()
            took = sink.wait(1, came + len(names)) - begin
            system.drained(30)
            return len(names) / took
        for system in (postfix, postern):
            rate(system)  # the first one starts agents
        ratio(f"one message, 1000 recipients, {domains} destinations" if domains > 1 else
              "one message, 1000 recipients", interleaved(9, (postfix, postern), rate),
              least, "rcpt/s")
    return figure


def mailboxes(postern, postfix, _):
    """local(8), two deliveries at a time into one Maildir."""
    def rate(system):
        count = 400 if system is postfix else 3000
        new = f"{system.control('mailboxes')}/benchuser/new"
        for name in os.listdir(new) if os.path.isdir(new) else ():
            os.unlink(f"{new}/{name}")
        begin = now()
        system.load("mail", "-s", 10, "-n", count, "-f", "benchuser@local8.test")
        while (len(os.listdir(new)) if os.path.isdir(new) else 0) < count:
            if now() - begin > 120:
                raise TimeoutError("local(8) delivered too little")
            time.sleep(0.02)
        took = now() - begin
        system.drained(30)
        return count / took
    ratio("local(8), default concurrency", interleaved(3, (postfix, postern), rate), 2.5, "/s")


def slow_disk(postern, _, __):
    postern.control("stop")
    disk = SlowDisk(postern.queue, 5000)
    try:
        postern.control("start")
        to = ("-f", postern.rcpt("discard"))
        postern.load("mail", "-k", "-s", 50, "-t", 2, *to)
        r = postern.load("mail", "-k", "-s", 50, "-t", 5, *to)
        rate = r["accepted"] / r["seconds"]
        row("a flush takes 5 ms, 50 sessions", f"{rate:.0f}/s", ">= 3000/s", rate >= 3000,
            f"p50 {r['p50']:.1f} ms")
    finally:
        postern.control("stop")
        disk.close()
        postern.control("start")


# ---- TLS ----

def relay_tls(keep, least):
    """STARTTLS on both sides, RSA-2048; towards the sink sessions are resumed."""
    def figure(postern, postfix, _):
        def rate(system):
            begin = now()
            accepted = system.load_tls(50, 4, *keep)["accepted"]
            system.drained(60)
            return accepted / (now() - begin)
        def cost(system):
            spent, result = system.cpu_of(lambda: system.load_tls(50, 4, *keep))
            return result["accepted"] / spent
        name = "relay under TLS, " + ("50 sessions that stay" if keep else "a session each")
        with TlsSink():
            ratio(name, interleaved(ROUNDS, (postfix, postern), rate), least, "/s")
            ratio(f"{name}: of a core", interleaved(3, (postfix, postern), cost), least,
                  "/s CPU")
    return figure


# ---- queues ----

def queue_in(system, count):
    r = system.load("mail", "-s", 50, "-n", count, "-l", 1024, "-f", system.rcpt("dead"))
    return count / r["seconds"]


def deferred(postern, postfix, _):
    """Mail for a host that refuses connections. Postfix's rate only falls with the number, so
    a tenth of it has to do."""
    postern.start_empty()
    got = {"postfix37": queue_in(postfix, 10000), "postern": queue_in(postern, 100000)}
    ratio("queue-in, 100,000 deferred", got, 5, "/s")
    postfix.control("stop")
    postfix.control("flush")
    postfix.control("start")


def relay_cost(postern, count=6000, clients=None):
    """CPU seconds of so many messages that are relayed, by 50 sessions of one message each or,
    of so many clients that stay, always 50 at once."""
    left = postern.queued_now()
    keep = ("-k", "-s", clients, "-w", 50) if clients else ("-s", 50)
    before = postern.cpu()
    postern.load("mail", "-n", count, *keep)
    while postern.queued_now() > left:
        time.sleep(0.05)
    return postern.cpu() - before


def message_cost(postern):
    """CPU microseconds of one."""
    return statistics.median(relay_cost(postern) for _ in range(3)) / 6000 * 1e6


def flat(what, base, cost):
    row(what, f"{cost:.0f} us", "+- 10%", abs(cost / base - 1) <= 0.1, f"{base:.0f} us")


def clients(postern, _, __):
    """The same load, by 50 clients and by 10,000 in turns; what their connections cost is not
    a message's: it is what more messages over them cost more."""
    postern.restart()
    few, many = 10000, 30000
    costs = {n: [] for n in (50, 10000)}
    for _ in range(2):
        for n, got in costs.items():
            more = relay_cost(postern, many, n) - relay_cost(postern, few, n)
            got.append(more / (many - few) * 1e6)
    flat("CPU of a message, 10,000 clients", statistics.mean(costs[50]),
         statistics.mean(costs[10000]))


def million(postern, _, __):
    postern.start_empty()
    relay_cost(postern)
    base = message_cost(postern)
    qmgr = postern.pss_kb("qmgr")
    r = postern.load("mail", "-k", "-s", 100, "-n", MILLION, "-l", 600,
                     "-f", postern.rcpt("dead"), timeout=1200)
    settle(postern)
    print(f"   {MILLION} messages queued at {MILLION / r['seconds']:.0f}/s", flush=True)
    each = (postern.pss_kb("qmgr") - qmgr) * 1024 / MILLION
    row("qmgr, memory of a message", f"{each:.0f} bytes", "<= 300", each <= 300)
    flat(f"CPU of a message, {MILLION} queued", base, message_cost(postern))
    listing(postern)
    restart(postern)
    each = (postern.pss_kb("qmgr") - qmgr) * 1024 / MILLION
    row("qmgr, the same after a restart", f"{each:.0f} bytes", "<= 300", each <= 300)
    postern.start_empty()


def drain(postern, _, sink):
    """The dead host lives again, and all its mail is tried at once: how long that takes, and what
    new mail for others waits meanwhile."""
    postern.start_empty()
    postern.load("mail", "-k", "-s", 100, "-n", MILLION, "-l", 600, "-f", postern.rcpt("dead"),
                 timeout=1200)
    settle(postern)
    alive, delays, begin = Sink(DEAD_PORT), [], now()
    try:
        postern.tool("postqueue", "-f")
        while alive.read()[0] < MILLION:
            came, at = sink.read()[0], now()
            client = driver.Smtp(postern.addr)
            client.send([postern.rcpt("relay")], driver.BODY4K)
            client.quit()
            delays.append(sink.wait(0, came + 1) - at)
            time.sleep(0.2)
        took = alive.read()[2] - begin
    finally:
        alive.close()
    row(f"drain of {MILLION} after an outage", f"{MILLION / took:.0f}/s", "", True)
    row("new mail for another host meanwhile", f"at most {max(delays):.2f} s", "<= 5 s",
        max(delays) <= 5, f"median {statistics.median(delays) * 1e3:.0f} ms of {len(delays)}")
    postern.start_empty()


def settle(system):
    """Until it has nothing more to do."""
    before = system.cpu()
    while True:
        time.sleep(1)
        spent, before = system.cpu() - before, system.cpu()
        if spent < 0.05:
            return


def listing(postern):
    begin = now()
    p = subprocess.Popen([f"{PREFIX}/sbin/postqueue", "-c",
                          postern.conf, "-p"], stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    p.stdout.readline()
    first = now() - begin
    lines = sum(1 for _ in p.stdout)
    row("mailq, first message", f"{first * 1e3:.0f} ms", "at once", first < 1,
        f"all of it: {now() - begin:.1f} s, {lines} lines")
    p.wait()


def restart(postern):
    postern.control("stop")
    with open("/proc/sys/vm/drop_caches", "w") as f:  # as after a boot
        f.write("1")
    begin = now()
    subprocess.Popen([driver.HERE + "/targetctl", "postern", "start"],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            client = driver.Smtp(postern.addr, 5)
            client.send([postern.rcpt("discard")], driver.BODY4K)
            client.quit()
            break
        except OSError:
            time.sleep(0.01)
    took = now() - begin
    row(f"restart, {MILLION} queued: new mail", f"{took:.2f} s", "<= 2 s", took <= 2)
    while not postern.is_indexed():
        time.sleep(0.1)
    took = now() - begin
    row("the same: all indexed", f"{took:.1f} s", "<= 30 s", took <= 30)
    settle(postern)


# ---- nothing to do ----

def switches(system):
    total = 0
    for pid in system.pids():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as f:
                total += int(f.read().split("\nvoluntary_ctxt_switches:\t")[1].split()[0])
    return total


def nothing_to_do(postern, _, __):
    postern.restart()
    for to in ("relay", "discard", "local", "dead"):  # so that every daemon has been started
        postern.load("mail", "-n", 1, "-f", postern.rcpt(to))
    postern.load("mail", "-n", 1, "-f", "benchuser@local8.test")
    time.sleep(5)
    before, seconds = switches(postern), 20
    time.sleep(seconds)
    wakes = (switches(postern) - before) / seconds
    pss = postern.pss_kb() / 1024
    row("idle suite", f"{pss:.1f} MB", "<= 60 MB", pss <= 60,
        f"{len(postern.pids())} processes")
    row("wake-ups of all processes", f"{wakes:.2f}/s", "timers only", wakes <= 2)
    postern.control("flush")


FIGURES = {
    "idle": nothing_to_do,
    "idle-sessions": idle_sessions,
    "sessions": sessions,
    "overload": overload,
    "acceptance": acceptance,
    "large-1": large(1, 100, 10),
    "large-10": large(10, 20, 5),
    "fanout-1": fanout(1, 6.5),
    "fanout-100": fanout(100, 3),
    "local": mailboxes,
    "slow-disk": slow_disk,
    "clients": clients,
    "tls": relay_tls((), 6),
    "tls-keep": relay_tls(("keep",), 6),
    "deferred": deferred,
    "million": million,
    "drain": drain,
}


def main(names):
    unknown = [n for n in names if n not in FIGURES]
    if unknown:
        sys.exit(f"bench: no figure {unknown[0]}; there are {' '.join(FIGURES)}")
    postern, postfix, sink = Postern(), System("postfix37"), Sink()
    try:
        for name in names or FIGURES:
            print(f"bench: {name}", file=sys.stderr, flush=True)
            try:
                FIGURES[name](postern, postfix, sink)
            except Exception as e:  # one figure that fails does not cost the others
                rows.append((name, f"{type(e).__name__}: {e}", "", "", "FAILED"))
    finally:
        sink.close()
    table()


def table():
    titles = ("figure", "Postern", "Postfix, or beside it", "asked", "")
    widths = [max(len(r[i]) for r in (*rows, titles)) for i in range(5)]
    print()
    for r in (titles, *rows):
        print("  ".join(cell.ljust(w) for cell, w in zip(r, widths)).rstrip())
    print("load average:", open("/proc/loadavg").read().split()[0])


main(sys.argv[1:])
