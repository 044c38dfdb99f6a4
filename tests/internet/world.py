"""world.py -- a simulated Internet on loopback addresses: domains of which each has one of some
sets of MX hosts, a DNS that knows them, and servers of each kind that a large sender meets.

    with Internet(1000) as net:
        settings = {"dns_servers": net.dns, "smtp_tcp_port": net.port}
        net.domains                  # of each the kind that it leads to
        net.taken(), net.report()    # what the servers saw so far

The servers are one process of their own, so that who measures does not wait for them. A set that
limits refuses what is more than LIMIT messages in a second with 421, one that greylists puts each
(sender, recipient) off until GREY seconds have gone by; those of "half" are one host that does not
answer and one that does."""
import asyncio
import collections
import json
import os
import socket
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, free_port
from load import Line

LIMIT = 10  # messages a second that a set of kind "limiting" takes
GREY = 2.0
CLIENTS = 10
SLOW = 0.1  # seconds that each answer takes there

# Kind: how many of the 50 sets of MX hosts are of it.
SETS = {"healthy": 31, "slow": 3, "greylisting": 3, "limiting": 3, "half": 2, "refusing": 1,
        "black hole": 1, "silent": 1, "unknown host": 1, "no answer": 1, "null": 1, "broken TLS": 2}
UNREACHABLE = ("refusing", "black hole", "silent", "unknown host", "no answer", "null")


class Set:
    """The hosts of one MX set: addresses, and what they have seen."""

    def __init__(self, number, kind):
        self.number, self.kind = number, kind
        self.hosts = [(10 * i, f"mx{i}.set{number}.test", f"127.20.{i}.{number + 1}") for i in (1, 2)]
        self.taken = collections.Counter()   # recipient: how often
        self.seen = {}                       # (sender, recipient): when first
        self.seconds = collections.Counter()  # second: messages begun in it
        self.events = []                     # (when, "taken" or "refused")
        self.connections = self.most_connections = 0

    def zone(self, domains):
        mx = [(preference, name) for preference, name, _ in self.hosts]
        answer = {"no answer": "SERVFAIL", "null": [(0, ".")]}.get(self.kind, mx)
        zone = {(domain, "MX"): answer for domain in domains}
        if self.kind != "unknown host":
            zone.update({(name, "A"): [address] for _, name, address in self.hosts})
        return zone

    def listens(self, host):
        """Whether the host with this place in self.hosts has a server."""
        if self.kind in ("refusing", "unknown host", "no answer", "null"):
            return False
        return not (self.kind == "half" and host == 0)

    def event(self, what):
        self.events.append((time.time(), what))


class Session(asyncio.Protocol):
    """One client of a set: commands in order, answers late where the set is slow."""

    def __init__(self, mx_set):
        self.set = mx_set
        self.rest, self.in_data, self.sender, self.recipients = b"", False, None, []

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.set.connections += 1
        self.set.most_connections = max(self.set.most_connections, self.set.connections)
        if self.set.kind != "silent":
            self.say("220 ready ESMTP")

    def connection_lost(self, _):
        self.set.connections -= 1

    def say(self, text):
        if self.set.kind == "slow":
            asyncio.get_running_loop().call_later(SLOW, self.write, text)
        else:
            self.write(text)

    def write(self, text):
        if not self.transport.is_closing():
            self.transport.write(text.encode() + b"\r\n")

    def data_received(self, data):
        self.rest += data
        while self.rest and not self.transport.is_closing():
            end = b"\r\n.\r\n" if self.in_data else b"\r\n"
            text, found, rest = self.rest.partition(end)
            if not found:
                return
            self.rest = rest
            if self.in_data:
                self.end_of_data()
            else:
                self.command(text.decode(errors="replace"))

    def command(self, line):
        verb = line[:4].upper()
        if verb == "EHLO":
            more = "250-STARTTLS\r\n" if self.set.kind == "broken TLS" else ""
            self.say(f"250-here\r\n{more}250 PIPELINING")
        elif verb == "STAR":
            self.say("220 go on")
            self.say("but not with TLS")
            self.transport.close()
        elif verb == "MAIL":
            self.mail(line.split("<")[1].split(">")[0])
        elif verb == "RCPT":
            self.recipient(line.split("<")[1].split(">")[0])
        elif verb == "DATA":
            self.in_data = bool(self.recipients)
            self.say("354 go on" if self.in_data else "554 5.5.1 no recipients")
        elif verb == "QUIT":
            self.say("221 bye")
            self.transport.close()
        else:
            self.say("250 ok")

    def mail(self, sender):
        self.sender, self.recipients = sender, []
        if self.set.kind == "limiting":
            second = int(time.time())
            self.set.seconds[second] += 1
            if self.set.seconds[second] > LIMIT:
                self.set.event("refused")
                self.write("421 4.7.0 too many messages from you, slow down")
                self.transport.close()
                return
        self.say("250 2.1.0 ok")

    def recipient(self, address):
        if self.set.kind == "greylisting":
            first = self.set.seen.setdefault((self.sender, address), time.time())
            if time.time() - first < GREY:
                self.set.event("refused")
                self.say("450 4.7.1 greylisted, come back later")
                return
        self.recipients.append(address)
        self.say("250 2.1.5 ok")

    def end_of_data(self):
        self.in_data = False
        for address in self.recipients:
            self.set.taken[address] += 1
            self.set.event("taken")
        self.say("250 2.0.0 taken")


def full_listener(address, port):
    """Listens, and has as many waiting as there may be: to others it is a black hole."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((address, port))
        fillers.append(filler)
    return [listener] + fillers


async def serve(sets, port):
    """Until the parent has no more to ask."""
    loop, kept = asyncio.get_running_loop(), []
    for mx_set in sets:
        for number, (_, _, address) in enumerate(mx_set.hosts):
            if not mx_set.listens(number):
                continue
            if mx_set.kind == "black hole":
                kept.append(full_listener(address, port))
            else:
                kept.append(await loop.create_server(lambda s=mx_set: Session(s), address, port,
                                                     backlog=1000))
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    print("ready", flush=True)
    while question := await questions.readline():
        if question == b"taken\n":
            print(sum(s.taken.total() for s in sets), flush=True)
        else:
            print(json.dumps([(s.kind, s.taken, s.events, s.most_connections) for s in sets]),
                  flush=True)


def make_sets(all_healthy=False):
    kinds = [kind for kind, share in SETS.items() for _ in range(share)]
    return [Set(number, "healthy" if all_healthy else kind) for number, kind in enumerate(kinds)]


def domain_names(mx_set, count):
    """Those of count domains that lead to a set."""
    sets = sum(SETS.values())
    return [f"d{i}.test" for i in range(mx_set.number, count, sets)]


def main(port, count, all_healthy):
    sets, zone = make_sets(all_healthy), {}
    for mx_set in sets:
        zone.update(mx_set.zone(domain_names(mx_set, count)))
    with DnsServer(zone) as dns:
        print(dns.port, flush=True)
        asyncio.run(serve(sets, port))


class Seen:
    """What the servers of one kind saw."""

    def __init__(self):
        self.taken = collections.Counter()  # recipient: how often
        self.events = []                    # of each set its (when, "taken" or "refused")
        self.most_connections = []          # of each set, at one time


class Internet:
    """The process, from outside."""

    def __init__(self, domains, all_healthy=False):
        self.port = free_port()
        self.domains = {domain: s.kind for s in make_sets() for domain in domain_names(s, domains)}
        self.names = list(self.domains)
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(self.port), str(domains),
             str(int(all_healthy))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.dns = f"127.0.0.1:{int(self.process.stdout.readline())}"
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def recipient(self, number):
        """Of each message its own one; round and round the domains."""
        return f"u{number}@{self._domain(number)}"

    def kind(self, number):
        return self.domains[self._domain(number)]

    def _domain(self, number):
        return self.names[number % len(self.names)]

    def _ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def taken(self):
        """How many messages so far."""
        return self._ask("taken")

    def report(self):
        """{kind: Seen}"""
        seen = {kind: Seen() for kind in SETS}  # an all_healthy one's are all of that kind
        for kind, taken, events, most_connections in self._ask("report"):
            seen[kind].taken.update(taken)
            seen[kind].events.append(events)
            seen[kind].most_connections.append(most_connections)
        return seen


def instance(net, **more):
    mta = Instance({
        "mydestination": "", "transport_maps": "inline:{sender.test=discard:}",
        "dns_servers": net.dns, "smtp_tcp_port": str(net.port), "smtp_tls_security_level": "may",
        "minimal_backoff_time": "3s", "maximal_backoff_time": "3s", "queue_run_delay": "1s",
        "smtp_connect_timeout": "3s", "smtp_helo_timeout": "3s", "default_process_limit": "1000", **more})
    mta.expect_trouble(r"warning: ")
    return mta


class Sender(threading.Thread):
    """Sends the messages of some numbers to the Internet, in one session."""

    def __init__(self, mta, net, numbers):
        super().__init__(daemon=True)
        self.port, self.net, self.numbers, self.refused = mta.port(), net, numbers, []

    def run(self):
        line = Line(self.port)
        line.reply()
        line.say("EHLO client.test")
        for number in self.numbers:
            recipient = self.net.recipient(number)
            line.socket.sendall(f"MAIL FROM:<s@sender.test>\r\nRCPT TO:<{recipient}>\r\n"
                                "DATA\r\n".encode())
            replies = [line.reply() for _ in range(3)]
            replies.append(line.say(f"Subject: {number}\r\n\r\nbody\r\n."))
            if replies != [b"250", b"250", b"354", b"250"]:
                self.refused.append((recipient, replies))
        line.say("QUIT")
        line.socket.close()


def send_all(mta, net, count):
    """(recipient, replies) of those that were not taken."""
    senders = [Sender(mta, net, range(number, count, CLIENTS)) for number in range(CLIENTS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return [refused for sender in senders for refused in sender.refused]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1")
