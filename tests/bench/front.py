"""front.py -- Postern as a front, under abuse: 5,000 TLS handshakes that wait, 20,000 clients that
send a byte now and then, one that pipelines 10,000 recipients; and what that does to an honest
client. `./dev bench front`. Nothing is asserted: the last column says what is asked."""
import json
import os
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, own_memory

LOAD = os.path.join(os.environ["TOP_BUILDDIR"], "tests/bench/load")
SETTINGS = {"smtpd_peername_lookup": "no", "mydestination": "here.test", "local_recipient_maps": "",
            "transport_maps": "inline:{here.test=discard:}", "local_transport": "discard:",
            "smtpd_tls_security_level": "may", "smtpd_sessions_per_process": "19000",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_junk_command_limit": "1000000"}
HANDSHAKES, SLOW, RECIPIENTS, HONEST = 5000, 20000, 10000, 8
EACH_PROCESS = 10000  # of the slow clients: there is a limit of descriptors


class Client:
    """Plain sockets: what is measured is the server, not us."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.replies(1)

    def replies(self, count):
        """The last line of each of that many replies; fewer if the server hangs up."""
        got = []
        while len(got) < count:
            line, end, rest = self.rest.partition(b"\r\n")
            if not end:
                try:
                    more = self.socket.recv(1 << 16)
                except ConnectionResetError:
                    more = b""
                if not more:
                    return got
                self.rest += more
                continue
            self.rest = rest
            if line[3:4] != b"-":
                got.append(line)
        return got

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.replies(1)[0]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(*columns):
    print(*columns, sep="\t", flush=True)


def client_hello():
    """The first bytes of a handshake that makes the server use its key."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def handshakes(mta):
    """All ask for STARTTLS first; then the ClientHellos come at once. Until all have their answer,
    established sessions, of each process some, say NOOP in turn."""
    hello, waiting = client_hello(), select.epoll()
    honest = [Client(mta.port()) for _ in range(HONEST)]
    clients = [Client(mta.port()) for _ in range(HANDSHAKES)]
    for client in clients:
        client.say("EHLO many.test")
        client.say("STARTTLS")
        waiting.register(client.socket, select.EPOLLIN)
    began, times = time.perf_counter(), []
    for client in clients:
        client.socket.sendall(hello)
    missing = HANDSHAKES
    while missing:
        at = time.perf_counter()
        honest[len(times) % HONEST].say("NOOP")
        times.append((time.perf_counter() - at) * 1000)
        for fd, _ in waiting.poll(0):
            waiting.unregister(fd)
            missing -= 1
    took = time.perf_counter() - began
    row(f"{HANDSHAKES} handshakes wait", f"answered in {took:.2f} s",
        f"replies of other sessions: p50 {percentile(times, 0.5):.2f} ms, "
        f"p99 {percentile(times, 0.99):.2f} ms", "<= 50 ms")
    for client in clients + honest:
        client.socket.close()


def honest_rate(mta):
    done = subprocess.run([LOAD, "-p", str(mta.port()), "-s", "10", "-t", "3", "-f", "u@here.test",
                           "mail"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    return figures["accepted"] / figures["seconds"]


def send_slowly(port, count):
    """A process: a byte of a command on each of its connections, round and round, for ever."""
    sockets = []
    for i in range(count):
        sockets.append(socket.socket())
        sockets[-1].bind((f"127.0.3.{i % 200 + 1}", 0))
        sockets[-1].connect(("127.0.0.1", port))
    print("ready", flush=True)
    for byte in iter(lambda: b"NOOP and something more"[int(time.time()) % 20:][:1], None):
        began = time.time()
        for s in sockets:
            try:
                s.send(byte)
            except OSError:
                pass
        time.sleep(max(0, began + 5 - time.time()))


def slow_clients(mta):
    alone = [honest_rate(mta) for _ in range(3)]
    before = memory_of(mta, "smtpd")
    children = [subprocess.Popen([sys.executable, os.path.abspath(__file__), str(mta.port()),
                                  str(EACH_PROCESS)], stdout=subprocess.PIPE, text=True)
                for _ in range(SLOW // EACH_PROCESS)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    beside = [honest_rate(mta) for _ in range(3)]
    each = (memory_of(mta, "smtpd") - before) / SLOW
    for child in children:
        child.kill()
        child.wait()
    row(f"{SLOW} clients that send a byte each 5 s", f"{each:.1f} KB each",
        f"honest mail: {statistics.median(beside):.0f}/s beside them, "
        f"{statistics.median(alone):.0f}/s alone", ">= 80%")


def memory_of(mta, name):
    """KB of all processes with this name."""
    return sum(own_memory(pid) for pid in mta.processes(name)) / 1024


def many_recipients(mta):
    client = Client(mta.port())
    client.say("EHLO many.test")
    client.say("MAIL FROM:<>")
    before = memory_of(mta, "smtpd") + memory_of(mta, "cleanup")
    began = time.perf_counter()
    client.socket.sendall(b"".join(b"RCPT TO:<u%d@here.test>\r\n" % i for i in range(RECIPIENTS)))
    replies = client.replies(RECIPIENTS)
    took = time.perf_counter() - began
    grown = memory_of(mta, "smtpd") + memory_of(mta, "cleanup") - before
    taken = sum(reply.startswith(b"250") for reply in replies)
    row(f"{RECIPIENTS} RCPTs in one write", f"{took:.2f} s",
        f"{taken} taken, {len(replies) - taken} refused, the last with {replies[-1].decode()!r}; "
        f"{grown:.0f} KB more", "memory bounded")
    client.socket.close()


def main():
    with tempfile.TemporaryDirectory(prefix="postern-front-") as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=mail.test", "-keyout", f"{folder}/key.pem", "-out",
                        f"{folder}/cert.pem"], check=True, capture_output=True)
        with Instance({**SETTINGS, "smtpd_tls_cert_file": f"{folder}/cert.pem",
                       "smtpd_tls_key_file": f"{folder}/key.pem"}) as mta:
            mta.start()
            for figure in many_recipients, handshakes, slow_clients:
                figure(mta)


if len(sys.argv) > 2:
    send_slowly(int(sys.argv[1]), int(sys.argv[2]))
main()
