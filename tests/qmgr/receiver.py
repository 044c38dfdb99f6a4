"""receiver.py -- an SMTP server that counts what is asked of it at a time, and may keep it waiting:

    receiver = Receiver("127.0.0.11", port)
    receiver.open, receiver.sessions                       # connections now; messages of each
    receiver.busy, receiver.most_busy                      # transactions at a time
    receiver.hold()                                        # ends of DATA are not answered ...
    receiver.release()                                     # ... until now
    receiver.replies["MAIL"] = "451 4.7.1 later"           # by verb; "CONNECT": the greeting
"""
import socket
import socketserver
import threading


class Receiver(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100

    def __init__(self, host, port):
        super().__init__((host, port), Session)
        self.open = self.busy = self.most_busy = 0
        self.sessions, self.replies = [], {}
        self.lock, self.free = threading.Lock(), threading.Event()
        self.free.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hold(self):
        self.free.clear()

    def release(self):
        self.free.set()

    def begins(self):
        with self.lock:
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)

    def ends(self):
        with self.lock:
            self.busy -= 1

    def taken(self):
        with self.lock:
            return sum(self.sessions)

    def reply(self, verb, usual):
        return self.replies.get(verb, usual)


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        server = self.server
        with server.lock:
            server.open += 1
            number = len(server.sessions)
            server.sessions.append(0)
        try:
            self.talk(number)
        except OSError:
            pass  # smtp hung up
        finally:
            with server.lock:
                server.open -= 1

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")
        return text[0] in "23"

    def talk(self, number):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.say(self.server.reply("CONNECT", "220 receiver ESMTP")):
            return
        while line := self.rfile.readline():
            verb = line[:4].strip().upper().decode()
            if verb == "DATA" and self.say(self.server.reply(verb, "354 go on")):
                self.take(number)
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            elif verb != "DATA":
                self.say(self.server.reply(verb, "250 2.0.0 ok"))

    def take(self, number):
        server = self.server
        server.begins()
        while self.rfile.readline() not in (b".\r\n", b""):
            pass
        server.free.wait()
        reply = server.reply("END", "250 2.0.0 taken")
        if reply.startswith("2"):
            with server.lock:
                server.sessions[number] += 1
        server.ends()
        self.say(reply)
