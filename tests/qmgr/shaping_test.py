#!/usr/bin/env python3
"""shaping_maps with receivers that count: connections, messages of a connection and of a minute, by
domain, parent, group, mail exchangers and transport; other destinations are not held up; replies that ask for
less are heard, shown by postqueue --destinations, and forgotten in time; a table that fails."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, free_port, wait_until
from receiver import Receiver

LIMITED, OTHER = "127.0.0.11", "127.0.0.12"
ZONE = {(f"{name}.example", "A"): [LIMITED] for name in
        ("one", "two", "a.sub", "b.sub", "reuse", "minute", "slow", "greeting", "grey", "rest")}
ZONE.update({(f"{name}.example", "MX"): [(10, "mx2.big.example"), (5, "mx1.big.example")]
             for name in ("hosted1", "hosted2")})
ZONE.update({(f"mx{n}.big.example", "A"): [LIMITED] for n in (1, 2)})
ZONE.update({("other.example", "A"): [OTHER], ("free.example", "A"): [OTHER]})


def send(mta, *recipients):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    ids = [smtp.message("s@x.example", [rcpt], "Subject: x\n\nx\n") for rcpt in recipients]
    smtp.close()
    return ids


def sent(mta, *ids):
    for queue_id in ids:
        mta.wait_for_log(rf"{queue_id}: to=<.*status=sent")


def destinations(mta):
    done = mta.run("postqueue", "--destinations")
    check_equal((done.returncode, done.stderr), (0, ""), "postqueue --destinations")
    return done.stdout


def shown(mta, pattern):
    return wait_until(lambda: re.search(pattern, destinations(mta), re.M),
                      f"{pattern} in postqueue --destinations")


def connections(mta, limited, other):
    """Two at a time for one.example, one for the two of a group and for those below .sub; mail
    for others passes them."""
    limited.hold()
    ids = send(mta, *["r@one.example"] * 6)
    wait_until(lambda: limited.open == 2, "two connections")
    shown(mta, r"^one\.example  group  busy=2/2 waiting=4  limits: connections=2$")
    shown(mta, r"^smtp:one\.example  limited  busy=2/\d+ waiting=4  group=one\.example$")
    sent(mta, *send(mta, "r@other.example"))
    limited.release()
    sent(mta, *ids)
    check_equal(limited.most_busy, 2, "deliveries at a time")


def shared(mta, limited):
    wait_until(lambda: limited.open == 0, "no connection")
    limited.most_busy = 0
    limited.hold()
    ids = send(mta, *["r@a.sub.example", "r@b.sub.example"] * 3)
    shown(mta, r"^below  group  busy=1/1 waiting=5")
    limited.release()
    sent(mta, *ids)
    check_equal(limited.most_busy, 1, "deliveries at a time of a group")


def reuse(mta, limited):
    """Three messages a connection; the connection cache is at work."""
    wait_until(lambda: limited.open == 0, "no connection")
    first = len(limited.sessions)
    limited.hold()
    ids = send(mta, *["r@reuse.example"] * 9)
    shown(mta, r"^reuse\.example  group  busy=1/1 waiting=8")
    limited.release()
    sent(mta, *ids)
    each = limited.sessions[first:]
    check_equal((sum(each), max(each)), (9, 3), f"messages of each connection: {each}")


def hosted(mta, limited):
    """Two domains with the same mail exchangers share what these have, once both are known."""
    for domain in "hosted1.example", "hosted2.example":
        sent(mta, *send(mta, f"r@{domain}"))
    limited.most_busy = 0
    limited.hold()
    ids = send(mta, *["r@hosted1.example", "r@hosted2.example"] * 3)
    shown(mta, r"^mx1\.big\.example,mx2\.big\.example  group  busy=1/1 waiting=5")
    limited.release()
    sent(mta, *ids)
    check_equal(limited.most_busy, 1, "deliveries at a time of a receiver")


def minute(mta, limited):
    """What is over waits; without the limit it goes at once."""
    before = limited.taken()
    ids = send(mta, *["r@minute.example"] * 5)
    shown(mta, r"^minute\.example  group  busy=0 waiting=2  limits: 3/min$")
    check_equal(limited.taken() - before, 3, "messages of a minute")
    mta.write("shaping", open(f"{mta.etc}/shaping").read().replace("messages_per_minute=3",
                                                                   "delay=0.01s"))
    mta.reload()
    sent(mta, *ids)


def slow(mta, limited):
    """451 4.7 halves it, once for what was under way; time brings it back."""
    limited.hold()
    ids = send(mta, *["r@slow.example"] * 4)
    wait_until(lambda: limited.open == 4, "four connections")
    limited.replies["END"] = "451 4.7.1 you are too fast"
    limited.release()
    for queue_id in ids:
        mta.wait_for_log(rf"{queue_id}: to=<r@slow.example>.*status=deferred \(.*too fast")
    line = mta.wait_for_log(r"qmgr\[\d+\]: slow\.example: slowed down to connections=2 delay=0\.05: "
                            r"451 4\.7\.1 you are too fast$")
    check(line, "slowed down")
    check_equal(mta.logged(r"slow\.example: slowed down"), 1, "one piece of news")
    limited.replies.clear()
    mta.wait_for_log(r"qmgr\[\d+\]: slow\.example: recovers to connections=4$")
    mta.run("postqueue", "-f")
    sent(mta, *ids)


def greeting(mta, limited):
    """A host that says so when it is called is not dead, whatever its cohorts."""
    limited.replies["CONNECT"] = "421 4.7.0 too many connections"
    ids = send(mta, *["r@greeting.example"] * 3)
    mta.wait_for_log(r"greeting\.example: slowed down to connections=10 delay=0\.05: 421 4\.7\.0")
    for queue_id in ids:
        mta.wait_for_log(rf"{queue_id}: to=<r@greeting.example>.*status=deferred \(host .*421")
    check_equal(mta.logged(r"greeting.example.*temporarily suspended"), 0, "dead")
    limited.replies.clear()


def tables(mta, limited):
    """shaping_reply_maps knows better: what is greylisting, and who wants to be left alone."""
    limited.replies["RCPT"] = "450 4.7.1 greylisted, come back"
    sent_off = send(mta, "r@grey.example")
    mta.wait_for_log(rf"{sent_off[0]}: to=.*status=deferred")
    limited.replies["RCPT"] = "421 4.3.2 leave me alone"
    sent_off = send(mta, "r@rest.example")
    mta.wait_for_log(r"rest\.example: slowed down to .*leave me alone$")
    mta.wait_for_log(rf"{sent_off[0]}: to=.*status=deferred")
    limited.replies.clear()
    sessions = len(limited.sessions)
    send(mta, "r@rest.example")
    shown(mta, r"^rest\.example  group  busy=0/\d+ waiting=1 .*  slowed to 1/2  421 4\.3\.2 leave me")
    check_equal(mta.logged(r"slowed down.*greylisted"), 0, "greylisting")
    check_equal(len(limited.sessions), sessions, "left alone")


def failures(mta):
    for name, what in (("bad.example", "speed=5"), ("worse.example", "connections=0")):
        mta.write("shaping", TABLE + f"{name} {what}\n")
        mta.reload()
        since = mta.log_position()
        sent_off = send(mta, f"r@{name}")
        mta.wait_for_log(rf"{sent_off[0]}: to=<r@{name}>, relay=none, .*dsn=4.3.0, status=deferred "
                         r"\(delivery temporarily suspended: shaping_maps lookup error\)", since=since)
        check_match(rf'warning: shaping_maps lookup error for {name}: "{what}" is no limit',
                    mta.log_text(since), "why")
    done = mta.run("postqueue", "--destinations", "-p")
    check_equal(done.returncode, 69, "two things at a time")


def shipped(mta):
    """Each entry of conf/shaping is one."""
    mta.write("shaping", SHIPPED)
    mta.reload()
    since = mta.log_position()
    for queue_id, domain in zip(send(mta, *[f"r@{domain}" for domain in BIG]), BIG):
        mta.wait_for_log(rf"{queue_id}: to=<r@{domain}>.*status=sent", since=since)
    check_equal(mta.logged("warning", since), 0, "warnings")
    shown(mta, r"^microsoft  group  busy=0/5 waiting=0  limits: 10/s connections=5 "
          r"messages_per_connection=50$")


TABLE = """one.example       connections=2
.sub.example      connections=1 group=below
reuse.example     connections=1, messages_per_connection=3
minute.example    messages_per_minute=3
mx:.big.example   connections=1
slow.example      connections=4
greeting.example  adapt
transport:smtp    adapt
rest.example      adapt
free.example      none
"""
REPLIES = "/greylisted/ none\n/^421 .* leave me alone/ rest 1h\n"

TOP = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                "..", ".."))
with open(os.path.join(TOP, "conf/shaping"), encoding="utf-8") as file:
    SHIPPED = file.read()
BIG = re.findall(r"^([a-z][\w.-]+)\t", SHIPPED, re.M)
ZONE.update({(domain, "A"): [OTHER] for domain in BIG})

PORT = free_port()
with DnsServer(ZONE) as dns, Receiver(LIMITED, PORT) as limited, Receiver(OTHER, PORT) as other, \
        Instance({"mydestination": "", "smtpd_reject_unlisted_recipient": "no",
                  "dns_servers": f"127.0.0.1:{dns.port}", "smtp_tcp_port": str(PORT),
                  "smtp_address_preference": "ipv4", "inet_protocols": "ipv4",
                  "smtp_destination_concurrency_failed_cohort_limit": "1",
                  "initial_destination_concurrency": "8", "shaping_recovery_time": "1s",
                  "shaping_slow_rate_delay": "0.05s",
                  "shaping_maps": "texthash:$config_directory/shaping",
                  "shaping_reply_maps": "regexp:$config_directory/replies"}) as mta:
    mta.write("shaping", TABLE)
    mta.write("replies", REPLIES)
    mta.start()
    connections(mta, limited, other)
    shared(mta, limited)
    reuse(mta, limited)
    hosted(mta, limited)
    minute(mta, limited)
    slow(mta, limited)
    greeting(mta, limited)
    tables(mta, limited)
    failures(mta)
    shipped(mta)
finish()
