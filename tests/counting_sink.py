"""counting_sink.py -- an SMTP server that takes all mail and counts it:

    sink = Sink()
    ... smtp:[127.0.0.1]:{sink.port} ...
    sink.got[("12", "user@example.com")]     # how often X-Number: 12 came for that recipient
    sink.shutdown()
"""

import socket
import socketserver
import threading


class Sink(socketserver.ThreadingTCPServer):
    """Takes all mail; counts (X-Number, recipient)."""
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SinkSession)
        self.got, self.lock = {}, threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]


class SinkSession(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        try:
            self.session()
        except ConnectionError:
            pass  # smtp has no more mail for us

    def session(self):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say("220 sink ESMTP")
        rcpts = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say("250-sink\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 PIPELINING")
            elif verb == b"DATA":
                self.say("354 go")
                if not self.take(rcpts):
                    return
                rcpts = []
                self.say("250 ok")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                if verb == b"RCPT":
                    rcpts.append(line.split(b"<")[1].split(b">")[0].decode())
                self.say("250 ok")

    def take(self, rcpts):
        """Counts a message; not one whose end never comes, since its client died."""
        number = "none"
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            if line.startswith(b"X-Number: "):
                number = line.split()[1].decode()
        with self.server.lock:
            for rcpt in rcpts:
                key = (number, rcpt)
                self.server.got[key] = self.server.got.get(key, 0) + 1
        return True
