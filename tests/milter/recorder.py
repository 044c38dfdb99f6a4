"""recorder.py -- a milter for tests (protocol version 6, the milter's side of sendmail's libmilter).

    milter = Recorder(script={"E": [edit.add("X-Seen", "yes"), CONTINUE]})
    milter.endpoint            # "inet:127.0.0.1:4711"
    milter.events()            # ["O 6 1ff 1fffff", "D C j=mail.example ...", "C client ...", ...]

`script` has the answers for a command ("C" connect, "H" HELO, "M", "R", "T" data, "L" header, "N" end
of header, "B" body, "E" end of message, "U" unknown): a list of steps. A step is a packet (bytes made
by packet() or edit), RAW bytes, CLOSE, HANG, DRIP(bytes), or a function of the packet's data that gives
such a list. What has no row is answered with CONTINUE, and what the negotiated flags say needs none
with nothing. A row may be chosen by data: {("R", b"<a@b>"): [...]} comes before "R"."""
import os
import socket
import struct
import threading

NAMES = "ABCDEHKLMNOQRTU"
NO_REPLY = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "U": 0x20000,
            "N": 0x40000, "B": 0x80000}
QUIET = "DAQK"  # never answered


def packet(command, data=b""):
    return struct.pack("!I", len(data) + 1) + command.encode() + data


def z(*texts):
    return b"".join(text.encode("latin-1") + b"\0" for text in texts)


CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS, SHUTDOWN = (packet(c) for c in "cartdsp4")


class edit:
    """Packets that change the message."""
    add = staticmethod(lambda name, value: packet("h", z(name, value)))
    insert = staticmethod(lambda at, name, value: packet("i", struct.pack("!I", at) + z(name, value)))
    change = staticmethod(lambda at, name, value: packet("m", struct.pack("!I", at) + z(name, value)))
    sender = staticmethod(lambda *words: packet("e", z(*words)))
    rcpt = staticmethod(lambda address: packet("+", z(address)))
    rcpt_with = staticmethod(lambda *words: packet("2", z(*words)))
    without = staticmethod(lambda address: packet("-", z(address)))
    body = staticmethod(lambda text: packet("b", text))
    quarantine = staticmethod(lambda why: packet("q", z(why)))


def reply(text):
    return packet("y", z(text))


class RAW(bytes):
    """Bytes that are no packet."""


class DRIP(bytes):
    """Sent one at a time, until the other side has had enough."""


CLOSE, HANG = "close", "hang"


def shown(command, data):
    """A packet as a line."""
    if command == "O":
        return "O " + " ".join(f"{n:x}" for n in struct.unpack("!III", data[:12]))
    if command == "C":
        name, _, rest = data.partition(b"\0")
        port = struct.unpack("!H", rest[1:3])[0] if rest[:1] in (b"4", b"6", b"L") else ""
        return f"C {name.decode()} {rest[:1].decode()} {bool(port)} {rest[3:].rstrip(bytes(1)).decode()}"
    if command == "D":
        words = data[1:].split(b"\0")[:-1]
        pairs = [b"=".join(words[i:i + 2]) for i in range(0, len(words), 2)]
        return f"D {chr(data[0])} " + b" ".join(pairs).decode("latin-1")
    if command == "B":
        return f"B {len(data)} {data[:60]!r}"
    return f"{command} " + " | ".join(repr(part.decode("latin-1")) for part in data.split(b"\0")[:-1])


class Session:
    def __init__(self, sock, milter):
        self.sock, self.milter = sock, milter
        self.log = []
        self.body = b""
        self.protocol = 0
        self.ended = threading.Event()

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def run(self):
        try:
            while True:
                length = struct.unpack("!I", self.read(4))[0]
                content = self.read(length)
                if not self.take(chr(content[0]), content[1:]):
                    break
        except (EOFError, OSError):
            pass
        self.log.append("closed")
        self.ended.set()
        self.sock.close()

    def negotiate(self, data):
        version, actions, protocol = struct.unpack("!III", data[:12])
        m = self.milter
        self.protocol = m.protocol & protocol
        return packet("O", struct.pack("!III", min(m.version, version), m.actions & actions,
                                       self.protocol) + m.symlists)

    def take(self, command, data):
        self.log.append(shown(command, data))
        if command == "B":
            self.body += data
        steps = self.milter.script.get((command, data.split(b"\0")[0]), self.milter.script.get(command))
        if callable(steps):
            steps = steps(self, data)
        if steps is None:
            if command == "O":
                steps = [self.negotiate(data)]
            elif command in QUIET or self.protocol & NO_REPLY.get(command, 0):
                steps = []
            else:
                steps = [CONTINUE]
        return all([self.step(step) for step in steps]) and command != "Q"

    def step(self, step):
        if step == CLOSE:
            return False
        if step == HANG:
            self.milter.hung.set()
            self.sock.recv(1 << 20)  # whatever comes, nothing is said
            while self.sock.recv(1 << 20):
                pass
            return False
        if isinstance(step, DRIP):
            for byte in step:
                self.sock.sendall(bytes([byte]))
                if self.ended.wait(self.milter.pause):
                    return False
            return True
        self.sock.sendall(step)
        return True


class Recorder(threading.Thread):
    def __init__(self, script=None, path=None, actions=0x1ff, protocol=0, version=6, symlists=b"",
                 port=0):
        super().__init__(daemon=True)
        self.script = dict(script or {})
        self.actions, self.protocol, self.version, self.symlists = actions, protocol, version, symlists
        self.sessions = []
        self.pause = 0.2
        self.hung = threading.Event()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o666)
            self.endpoint = f"unix:{path}"
        else:
            self.listener = socket.create_server(("127.0.0.1", port))
            self.port = self.listener.getsockname()[1]
            self.endpoint = f"inet:127.0.0.1:{self.port}"
        self.listener.listen(128)
        self.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            session = Session(sock, self)
            self.sessions.append(session)
            threading.Thread(target=session.run, daemon=True).start()

    def stop(self):
        """Nobody can connect any more; sessions go on."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def events(self, patience=15):
        """What the last session saw; waits for its end."""
        session = self.sessions[-1]
        session.ended.wait(patience)
        return session.log
