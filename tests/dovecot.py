"""dovecot.py -- a private Dovecot that answers for names and passwords, as its guides have it for
Postfix: a socket private/auth, 0660, of mail_owner. And one that misbehaves.

    with Dovecot(mta.queue, owner="mail") as dovecot:
        ...                                   # users: USERS; token("ina@shop.example")

    with FakeAuth(path) as auth:
        auth.handshake = b"..."               # what is said first
        auth.answers = [b"OK\\t{id}\\tuser=x\\n"]   # one for each AUTH and CONT; None: nothing
        auth.lines                            # what came"""
import base64
import contextlib
import grp
import hashlib
import hmac
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from harness import is_root, wait_until

USERS = {"ina@shop.example": "sesame", "jo@club.example": "s3cret pass", "plainname": "word"}
MECHANISMS = ("plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2 "
              "anonymous")
KEY = b"a key that only a test knows"

CONFIG = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
auth_verbose = yes
protocols =
ssl = no
first_valid_uid = 0
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
{ids}
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {base}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  {userdb}
}}
service auth {{
  chroot =
  unix_listener {queue}/private/auth {{
    mode = 0660
    user = {owner}
    group = {group}
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service auth-worker {{
  chroot =
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
{more}
"""
STATIC = "driver = static\n  args = uid={uid} gid={gid} home=/nonexistent"
# Debian's master.cf has these two, as comments.
OPTIONS = ("-o smtpd_sasl_auth_enable=yes -o smtpd_reject_unlisted_recipient=no "
           "-o smtpd_recipient_restrictions= "
           "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject "
           "-o milter_macro_daemon_name=ORIGINATING")
SUBMISSION = ("127.0.0.1:{port1} inet n - n - - smtpd -o syslog_name=postfix/submission "
              "-o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes " + OPTIONS)
SUBMISSIONS = ("127.0.0.1:{port2} inet n - n - - smtpd -o syslog_name=postfix/submissions "
               "-o smtpd_tls_wrappermode=yes " + OPTIONS)
OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={base}/keys/
username_attribute = email
"""


def token(user, key=KEY):
    """A bearer token (RFC 7519) that Dovecot can judge by itself."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    now = int(time.time())
    said = part(json.dumps({"typ": "JWT", "alg": "HS256"}).encode()) + b"." + part(json.dumps(
        {"email": user, "sub": user, "iat": now - 5, "nbf": now - 5, "exp": now + 600}).encode())
    return (said + b"." + part(hmac.new(key, said, hashlib.sha256).digest())).decode()


class Dovecot:
    def __init__(self, queue, owner="mail", port=0, mechanisms=MECHANISMS, users=None,
                 extra=None, userdb=STATIC, more="", user=None):
        """users: name -> password; extra: name -> extra fields; userdb, more: settings, the latter
        after all others; user: run as this one (only root can choose)."""
        self.base = tempfile.mkdtemp(prefix="postern-dovecot-")
        os.chmod(self.base, 0o755)
        self.socket = os.path.join(queue, "private", "auth")
        self.logfile = os.path.join(self.base, "log")
        self.user = user if is_root() else None
        as_root = is_root() and not user
        me = pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
        owner = owner if as_root else me.pw_name
        group = grp.getgrgid(pwd.getpwnam(owner).pw_gid).gr_name
        ids = "" if as_root else (
            f"default_internal_user = {owner}\ndefault_login_user = {owner}\n"
            f"default_internal_group = {group}")
        self.write("dovecot.conf", CONFIG.format(
            base=self.base, queue=queue, owner=owner, group=group, port=port,
            mechanisms=mechanisms, ids=ids, more=more,
            userdb=userdb.format(base=self.base, uid=me.pw_uid, gid=me.pw_gid)))
        self.write("users", "".join(f"{user}:{{PLAIN}}{password}::::::"
                                    f"{(extra or {}).get(user, '')}\n"
                                    for user, password in (users or USERS).items()))
        self.write("oauth2.conf", OAUTH2.format(base=self.base))
        os.makedirs(f"{self.base}/keys/default/HS256")
        self.write("keys/default/HS256/default", base64.b64encode(KEY).decode())
        self.process = None
        if self.user:
            for folder, _, names in os.walk(self.base):
                for name in [folder] + [os.path.join(folder, name) for name in names]:
                    os.chown(name, me.pw_uid, me.pw_gid)

    def write(self, name, text):
        with open(os.path.join(self.base, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, environment=None):
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", os.path.join(self.base, "dovecot.conf")],
            start_new_session=True, env={**os.environ, **(environment or {})},
            **({"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
               if self.user else {}))
        wait_until(self._listens, "dovecot")

    def _listens(self):
        """One that was there before has left its socket behind."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            with contextlib.suppress(ProcessLookupError):  # who has clients would stay
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def log(self):
        with open(self.logfile, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *trace):
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)


HANDSHAKE = (b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\n"
             b"COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")


class FakeAuth:
    """Says what it is told to. An answer is a bytes with {id}, None for silence, or a function
    of the connection and the line."""

    def __init__(self, path, handshake=HANDSHAKE, owner="mail"):
        self.path, self.handshake = path, handshake
        self.answers, self.lines, self.connections = [], [], []
        self.changed = threading.Condition()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o660)
        if is_root():
            shutil.chown(path, owner, owner)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.handshake:
                connection.sendall(self.handshake)
            for line in connection.makefile("rb"):
                with self.changed:
                    self.lines.append(line.rstrip(b"\n"))
                    self.changed.notify_all()
                word, *rest = line.rstrip(b"\n").split(b"\t")
                if word in (b"AUTH", b"CONT"):
                    answer = self.answers.pop(0) if self.answers else None
                    if callable(answer):
                        answer = answer(connection, line)
                    if answer is not None:
                        connection.sendall(answer.replace(b"{id}", rest[0]))
        except OSError:
            pass
        connection.close()

    def wait_for(self, count, word=b"AUTH"):
        """Waits for `count` lines of that kind; gives them."""
        def seen():
            return [line for line in self.lines if line.startswith(word)]
        wait_until(lambda: len(seen()) >= count, f"{count} {word} at the auth server")
        return seen()

    def hang_up(self):
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections.clear()

    def __enter__(self):
        return self

    def __exit__(self, *trace):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()
        os.unlink(self.path)
