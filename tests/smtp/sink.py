"""sink.py -- an SMTP server for tests, as good or as bad as asked for, on a free port.

    with Sink() as sink:                                # takes everything
        sink.port, sink.messages                        # [(connection number, lines)]
    Sink(replies={"RCPT": "450 4.2.0 busy"})            # by verb; "CONNECT": the greeting
    Sink(replies={"AUTH": ["334 ", "235 ok"]})          # to AUTH, and to each response
    Sink(tls=context)                                   # offers STARTTLS and does it
    Sink(tls="broken")                                  # offers STARTTLS and hangs up then
    Sink(tls=context, early="250 ok")                   # says that behind its EHLO under TLS
"""
import os
import socket
import ssl
import subprocess
import tempfile
import threading


def certificate():
    """A server's TLS context with a fresh self-signed certificate."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "cert"), os.path.join(folder, "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=mx.tls.example", "-keyout", key, "-out", cert], check=True,
                       capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


class Sink:
    def __init__(self, replies=None, tls=None, host="127.0.0.1", port=0, early=None):
        self.replies = replies or {}
        self.early = early
        self.tls = tls
        self.messages, self.commands = [], []
        self.connections = self.encrypted = 0
        self.server_names = []
        if tls and tls != "broken":
            tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen(50)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._session, args=(conn, self.connections),
                             daemon=True).start()

    def _session(self, conn, number):
        try:
            self._talk(conn, number)
        except (OSError, ValueError):
            pass
        finally:
            conn.close()

    def _say(self, conn, verb, text):
        conn.sendall((self.replies.get(verb, text) + "\r\n").encode())

    def _authenticate(self, conn, file, number):
        """False: it hung up, which the end of the list means."""
        for reply in self.replies.get("AUTH", ["235 2.7.0 welcome"]):
            conn.sendall((reply + "\r\n").encode())
            if not reply.startswith("334"):
                return True
            line = file.readline().decode("utf-8", "replace").rstrip("\r\n")
            self.commands.append((number, line))
            if line == "*":
                conn.sendall(b"501 5.7.0 cancelled\r\n")
                return True
        return False

    def _talk(self, conn, number):
        self._say(conn, "CONNECT", "220 sink.example ESMTP")
        file = conn.makefile("rb")
        while line := file.readline():
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            self.commands.append((number, line))
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == "EHLO":
                tls = "250-STARTTLS\r\n" if self.tls else ""
                early = isinstance(conn, ssl.SSLSocket) and self.early
                self._say(conn, "EHLO", f"250-sink.example\r\n{tls}250 PIPELINING" +
                          (f"\r\n{early}" if early else ""))
            elif verb == "STARTTLS":
                self._say(conn, "STARTTLS", "220 go")
                if not self.replies.get("STARTTLS", "220").startswith("220"):
                    continue
                if self.tls == "broken":
                    conn.recv(1)
                    conn.sendall(b"this is not TLS\r\n")
                    return
                conn = self.tls.wrap_socket(conn, server_side=True)
                self.encrypted += 1
                file = conn.makefile("rb")
            elif verb == "AUTH":
                if not self._authenticate(conn, file, number):
                    return
            elif verb == "DATA":
                self._say(conn, "DATA", "354 go")
                if "DATA" not in self.replies:
                    lines = []
                    while (text := file.readline()) not in (b".\r\n", b""):
                        lines.append(text)
                    self.messages.append((number, lines))
                    self._say(conn, ".", f"250 2.0.0 taken as {len(self.messages)}")
            elif verb == "QUIT":
                self._say(conn, "QUIT", "221 bye")
                return
            else:
                self._say(conn, verb, "250 2.0.0 Ok")
