"""bots.py -- clients of postscreen, good ones and bad ones, and what it makes of them: the replies
and the log lines, without what differs between any two runs.

A visit is a list of steps: text is sent with CRLF (bytes as they are) and a reply awaited;
("send", bytes) awaits none; ("wait", "220 ") reads replies until the last line of one begins so;
"tls" is the handshake after STARTTLS; "hangup" leaves."""
import os
import re
import ssl
import subprocess
import sys
import threading
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "local")]
import private_users
from harness import Smtp, is_root, skip

GREETED = ("wait", "220 ")


def enter():
    """Comes back in namespaces of our own: a network with nothing but loopback, where port 53 is
    free, and an /etc whose resolv.conf names it."""
    if not is_root():
        skip("needs root, for a network of its own")
    private_users.with_users()
    if "POSTSCREEN_INSIDE" not in os.environ:
        sys.exit(subprocess.run(
            ["unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh",
             sys.executable, *sys.argv], env=dict(os.environ, POSTSCREEN_INSIDE="1")).returncode)
    private_users.put("/etc/resolv.conf", "nameserver 127.0.0.1\n", "root", 0o644)


def listed(*entries):
    """A zone with DNS lists: ("127.0.2.1", "list.example", ["127.0.0.2"]) ..."""
    return {(".".join(reversed(address.split("."))) + "." + domain, "A"): answers
            for address, domain, answers in entries}


def plain(text):
    """Without numbers that differ between any two runs."""
    text = text.replace("\r\n", "\n").rstrip("\n").replace("Postern", "Postfix")
    text = re.sub(r"(\[[0-9a-f.:]+\]):\d+", r"\1:PORT", text)
    text = re.sub(r"^[0-9A-F]{10,}: client=", "QID: client=", text)
    return re.sub(r" after [\d.]+ from ", " after TIME from ", text)


class Bot:
    """One connection."""

    def __init__(self, port, source, steps, before=b""):
        self.smtp = Smtp(port, greeting=None, source=(source, 0))
        self.replies = []
        self.ended = False
        self.send(before)
        for step in steps:
            if self.ended:
                break
            self.take(step)
        self.smtp.close()

    def read(self):
        got = plain(self.smtp.reply())
        self.ended = got == "" or got.startswith("(")
        self.replies.append("(closed)" if self.ended else got)
        return got

    def send(self, data):
        try:
            self.smtp.send(data)
        except OSError:
            self.ended = True

    def take(self, step):
        if step == "hangup":
            self.ended = True
        elif step == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            try:
                self.smtp.socket = context.wrap_socket(self.smtp.socket)
            except OSError as error:
                self.replies.append(f"no TLS: {error}")
                self.ended = True
                return
            self.smtp.file = self.smtp.socket.makefile("rb")
        elif isinstance(step, tuple) and step[0] == "send":
            self.send(step[1])
        elif isinstance(step, tuple):
            while not self.ended and not self.read().split("\n")[-1].startswith(step[1]):
                pass
        else:
            self.send(step if isinstance(step, bytes) else step + "\r\n")
            self.read()


def lines_of(mta, address):
    """What the log says of this client, in order; what lists say of it comes at any time, so
    it is put in front."""
    found = []
    for line in mta.log_text().splitlines():
        said = re.match(r".*? postfix/([\w/-]+)\[\d+\]: (.*)", line)
        if said and re.search(rf"(?<![\d.]){re.escape(address)}(?![\d.])", said[2]):
            name = "postscreen" if said[1] in ("dnsblog", "postscreen") else said[1]
            if name != "tlsproxy":  # says that it has come and gone
                found.append(f"{name}: {plain(said[2])}")
    opinions = [line for line in found if " listed by domain " in line]
    return sorted(opinions) + [line for line in found if line not in opinions]


class Visits(threading.Thread):
    """The visits of one client, one after the other."""

    def __init__(self, mta, port, source, visits):
        super().__init__(daemon=True)
        self.mta, self.port, self.source, self.visits = mta, port, source, visits
        self.replies = []
        self.start()

    def run(self):
        end = rf"(DISCONNECT \[|disconnect from \S*\[){re.escape(self.source)}\]"
        for number, steps in enumerate(self.visits, 1):
            self.replies.append(Bot(self.port, self.source, steps).replies)
            self.mta.wait_for_log(end, count=number, patience=60)

    def outcome(self):
        self.join()
        return self.replies, lines_of(self.mta, self.source)
