#!/usr/bin/env python3
"""postscreen's own affairs: the cache over a restart, a reload, and shared by two; connections that a
load balancer passes on; limits, and stress; no smtpd. TEST_MODE=long: thousands of idle clients."""
import os
import resource
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, Smtp, check, check_equal, check_match, finish, own_memory,
                     wait_until)

SETTINGS = {"mydestination": "here.example", "local_recipient_maps": "", "mynetworks": "127.0.0.1/32",
            "postscreen_greet_wait": "1s", "postscreen_client_connection_count_limit": "0"}
SMTPD = "smtpd pass - - n - - smtpd"
FRONT = "127.0.0.1:{port1} inet n - n - 1 postscreen "
SECOND = "127.0.0.1:{port2} inet n - n - 1 postscreen "
IDLE = 5000


def visit(mta, source, number=1, before=b"", greeting="220"):
    """A client that waits for its greeting, and leaves."""
    smtp = Smtp(mta.port(number), greeting=None, source=(source, 0))
    smtp.send(before)
    got = smtp.expect(greeting)
    smtp.say("QUIT", "221 ")
    smtp.close()
    return got


def connect(mta, number, source, begin):
    """A client in the tests, or turned away: the first line that it reads begins so."""
    smtp = Smtp(mta.port(number), greeting=None, source=(source, 0))
    line = smtp.file.readline().decode()
    check(line.startswith(begin), f"{source}: {line!r}, want {begin!r}")
    return smtp


def passed(mta, age, source, since=0):
    mta.wait_for_log(rf"postscreen\[\d+\]: PASS {age} \[{source}\]", since=since)


def table(mta, name="postscreen_cache"):
    return mta.run("postmap", "-s", f"btree:{mta.data}/{name}").stdout


def the_cache_stays():
    with Instance(SETTINGS, extra_services=[SMTPD, FRONT, SECOND]) as mta:
        mta.start()
        visit(mta, "127.0.1.1")
        passed(mta, "NEW", "127.0.1.1")
        wait_until(lambda: "127.0.1.1" in table(mta), "the client in the table")
        check_match(r"^127\.0\.1\.1\t\d{10};1;1;1;1$", table(mta), "Postfix's form")
        visit(mta, "127.0.1.1", number=2)  # the other one knows it, too
        passed(mta, "OLD", "127.0.1.1")
        visit(mta, "127.0.1.2", number=2)
        at = mta.log_position()
        mta.reload()
        visit(mta, "127.0.1.2")
        passed(mta, "OLD", "127.0.1.2", since=at)
        visit(mta, "127.0.1.3")
        mta.stop()
        check_match(r"127\.0\.1\.3", table(mta), "what is known at the end is written")
        at = mta.log_position()
        mta.start()
        for source in ("127.0.1.1", "127.0.1.2", "127.0.1.3"):
            visit(mta, source)
            passed(mta, "OLD", source, since=at)


def the_cache_is_cleaned():
    with Instance({**SETTINGS, "postscreen_cache_cleanup_interval": "3s",
                   "postscreen_cache_retention_time": "1s", "postscreen_cache_map":
                   "lmdb:$data_directory/known"}, extra_services=[SMTPD, FRONT]) as mta:
        mta.write("old", "127.0.1.1 1000000000;1;1;1;1\n127.0.1.2 4000000000;1;1;1;1\n")
        mta.start()
        os.makedirs(mta.data, exist_ok=True)
        visit(mta, "127.0.1.3")
        mta.wait_for_log(r"cache lmdb:\S+/known full cleanup: retained=1 dropped=0 entries")


def a_balancer_tells():
    with Instance(SETTINGS, extra_services=[
            SMTPD, FRONT + "-o postscreen_upstream_proxy_protocol=haproxy "
            "-o postscreen_upstream_proxy_timeout=1s"]) as mta:
        mta.start()
        visit(mta, "127.0.0.1", before=b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n")
        mta.wait_for_log(r"CONNECT from \[192\.0\.2\.1\]:4711 to \[198\.51\.100\.2\]:25$")
        mta.wait_for_log(r"smtpd\[\d+\]: disconnect from \S*\[192\.0\.2\.1\] quit=1 commands=1$")
        v6 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::1") +
              socket.inet_pton(socket.AF_INET6, "2001:db8::2") + b"\x12\x67\0\x19")
        visit(mta, "127.0.0.1", before=v6)
        mta.wait_for_log(r"CONNECT from \[2001:db8::1\]:4711 to \[2001:db8::2\]:25$")
        mta.wait_for_log(r"smtpd\[\d+\]: disconnect from \S*\[2001:db8::1\] quit=1 commands=1$")
        for before, why in ((b"EHLO x\r\n", "no PROXY header"), (b"PROX", "timeout")):
            smtp = Smtp(mta.port(1), greeting=None)
            smtp.send(before)
            got = smtp.reply()
            check(got in ("", "([Errno 104] Connection reset by peer)"), f"after {before!r}: {got!r}")
            smtp.close()
            mta.wait_for_log(f"postscreen.*warning: haproxy read: {why}")


def limits():
    with Instance({**SETTINGS, "postscreen_pre_queue_limit": "10", "postscreen_greet_wait":
                   "${stress?{3}:{60}}s", "postscreen_access_list": "static:dunno"},
                  extra_services=[FRONT + "-o postscreen_client_connection_count_limit=2",
                                  SECOND]) as mta:
        mta.start()
        waiting = [connect(mta, 1, "127.0.1.1", "220-") for _ in range(2)]
        connect(mta, 1, "127.0.1.1", "421 4.7.0 Error: too many connections").close()
        mta.wait_for_log(r"NOQUEUE: reject: CONNECT from \[127\.0\.1\.1\]:\d+: too many connections$")
        waiting += [connect(mta, 2, f"127.0.2.{n}", "220-") for n in range(8)]
        check_equal(mta.logged("STRESS"), 0, "below 90 percent of the clients")
        hurried = connect(mta, 2, "127.0.3.1", "220-")
        mta.wait_for_log(r"entering STRESS mode with 9 connections$")
        # That one waits for three seconds only; and there is no smtpd.
        hurried.expect("421 4.3.2 No system resources")
        hurried.close()
        mta.wait_for_log(r"cannot connect to service private/smtpd: ")
        waiting += [connect(mta, 2, f"127.0.4.{n}", "220-") for n in range(2)]
        connect(mta, 2, "127.0.5.1", "421 4.3.2 All screening ports are busy").close()
        mta.wait_for_log(r"NOQUEUE: reject: CONNECT from \[127\.0\.5\.1\]:\d+: all screening ports "
                         "busy$")
        for smtp in waiting:
            smtp.close()
        mta.wait_for_log(r"leaving STRESS mode with 7 connections$")


def crowd():
    """Each costs some memory, and no time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = min(IDLE, hard - 200)
    with Instance({**SETTINGS, "postscreen_pre_queue_limit": "100000", "postscreen_greet_wait": "1h"},
                  extra_services=[SMTPD, FRONT]) as mta:
        mta.start()
        connect(mta, 1, "127.1.0.1", "220-").close()
        pid = mta.process("postscreen")
        before = own_memory(pid)
        idle = [connect(mta, 1, f"127.2.{n // 250}.{n % 250 + 1}", "220-") for n in range(many)]
        each = (own_memory(pid) - before) / many
        print(f"{many} clients: {each / 1024:.1f} KB each", flush=True)
        check(each < 40 * 1024, f"{each} bytes for each client")
        visit(mta, "127.0.0.1")  # of mynetworks: goes on at once
        for smtp in idle:
            smtp.close()
        mta.wait_for_log(r"DISCONNECT \[127\.2\.", count=many, patience=120)


the_cache_stays()
the_cache_is_cleaned()
a_balancer_tells()
limits()
if os.environ.get("TEST_MODE") == "long":
    crowd()
finish()
