"""lmtp_server.py -- a small LMTP server (RFC 2033) for tests, on a unix socket or a port.

    with LmtpServer(path) as server:          # or LmtpServer(port=0)
        server.after_data["full@x"] = "552 5.2.2 full"    # by recipient; others: 250
        server.messages                       # [(recipients, lines)]
"""
import os
import socket
import threading


class LmtpServer:
    def __init__(self, path=None, keywords=("PIPELINING", "ENHANCEDSTATUSCODES"), port=0):
        self.keywords = keywords
        self.after_data, self.at_rcpt = {}, {}
        self.messages, self.commands = [], []
        self.connections = 0
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.socket.bind(path or ("127.0.0.1", port))
        if path:
            os.chmod(path, 0o666)
        else:
            self.port = self.socket.getsockname()[1]
        self.socket.listen(10)
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
            threading.Thread(target=self._session, args=(conn,), daemon=True).start()

    def _session(self, conn):
        with conn, conn.makefile("rb") as file:
            try:
                self._talk(conn, file)
            except OSError:
                pass

    def _talk(self, conn, file):
        recipients = []

        def say(text):
            conn.sendall((text + "\r\n").encode())

        say("220 lmtp.example LMTP")
        while line := file.readline():
            line = line.decode().rstrip("\r\n")
            self.commands.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "LHLO":
                say("\r\n".join(f"250-{word}" for word in ("lmtp.example", *self.keywords)))
                say("250 8BITMIME")
            elif verb == "RCPT":
                address = line[line.index("<") + 1:line.index(">")]
                reply = self.at_rcpt.get(address, "250 2.1.5 Ok")
                if reply.startswith("2"):
                    recipients.append(address)
                say(reply)
            elif verb == "DATA" and not recipients:
                say("503 5.5.1 no recipients")
            elif verb == "DATA":
                say("354 go")
                lines = []
                while (text := file.readline()) not in (b".\r\n", b""):
                    lines.append(text)
                self.messages.append((recipients, lines))
                for address in recipients:
                    say(self.after_data.get(address, f"250 2.0.0 <{address}> saved"))
                recipients = []
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 Ok")
