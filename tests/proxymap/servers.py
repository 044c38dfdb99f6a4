"""Real servers out of Debian's packages, unpacked (not installed) by ./dev into build/debian,
started in a folder of their own, as an ordinary user, and reached by Unix sockets."""
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, check, is_root, wait_until
import play

DEBIAN = os.path.join(os.path.dirname(os.path.abspath(TOP)), "debian")
LIBRARIES = f"{DEBIAN}/usr/lib/x86_64-linux-gnu:{DEBIAN}/usr/lib"
USER = "nobody"  # some servers refuse to be root


class Server:
    """program: path below build/debian. The folder can be entered by everybody."""

    def __init__(self, program):
        self.program = f"{DEBIAN}/{program}"
        self.home = tempfile.mkdtemp(prefix="postern-server-")
        os.chmod(self.home, 0o755)
        if is_root():
            os.chown(self.home, pwd.getpwnam(USER).pw_uid, -1)
        self.process = None
        self.log = os.path.join(self.home, "log")

    def is_there(self):
        return check(os.path.exists(self.program), f"{self.program} is unpacked")

    def _options(self):
        options = {"cwd": self.home, "env": {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": self.home,
            "LD_LIBRARY_PATH": LIBRARIES, "TZ": "UTC"}}
        if is_root():
            who = pwd.getpwnam(USER)
            options.update(user=who.pw_uid, group=who.pw_gid, extra_groups=[])
        return options

    def run(self, *command, input=None):
        done = subprocess.run(command, input=input, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, **self._options())
        check(done.returncode == 0, f"{command[0]}: {done.stdout[-600:]}")
        return done.stdout

    def start(self, *arguments, ready):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([self.program, *arguments], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **self._options())
        if not wait_until(lambda: play.is_listening(ready), f"{self.program}", 60):
            with open(self.log) as log:
                print(log.read()[-1500:])

    def stop(self, signo=signal.SIGKILL):
        if self.process:
            self.process.send_signal(signo)
            self.process.wait()
        self.process = None

    def close(self):
        self.stop(signal.SIGTERM)
        shutil.rmtree(self.home, ignore_errors=True)


def sql_text(text, backslash):
    text = text.replace("'", "''")
    return text.replace("\\", "\\\\") if backslash else text


def sql_rows(backslash=False):
    """The statements that fill a table t(k, v) with what play.py asks for."""
    rows = ", ".join(f"('{sql_text(k, backslash)}', '{sql_text(v, backslash)}')"
                     for k, v in list(play.ROWS.items()) + [
                         ("two@example.org", "a"), ("two@example.org", "b")])
    return ("CREATE TABLE t (k VARCHAR(200), v VARCHAR(200));\n"
            f"INSERT INTO t VALUES {rows};\n")
