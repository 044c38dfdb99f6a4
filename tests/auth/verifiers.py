"""verifiers.py -- what others say of our signatures and seals: dkimpy and opendkim, both of them from the
packages that ./dev unpacks into build/debian."""
import ctypes
import os
import re
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from postfix37 import HOME

# PyNaCl is bound to a library that is nowhere where the linker looks.
ctypes.CDLL(os.path.join(HOME, "usr/lib/x86_64-linux-gnu/libsodium.so.23"), ctypes.RTLD_GLOBAL)
sys.path.append(os.path.join(HOME, "usr/lib/python3/dist-packages"))
import dkim  # noqa: E402


def record_of(text):
    """The name and the text of a record as `postauth keygen` prints it."""
    return text.split(". ", 1)[0], "".join(re.findall(r'"(.*?)"', text))


def dkimpy_verifies(message, records):
    """What dkimpy says of each signature of a message (bytes), the first one first."""
    def look_up(name, timeout=5):
        return records[name.decode().rstrip(".")].encode()

    def is_good(i):
        try:
            return verifier.verify(idx=i, dnsfunc=look_up)
        except dkim.ValidationError:
            return False

    verifier = dkim.DKIM(message)
    n = len([name for name, _ in verifier.headers if name.lower() == b"dkim-signature"])
    return [is_good(i) for i in range(n)]


def dkimpy_verifies_chain(message, records):
    """What dkimpy says of the chain of ARC of a message (bytes), and why."""
    def look_up(name, timeout=5):
        return records[name.decode().rstrip(".")].encode()

    cv, _, reason = dkim.arc_verify(message, dnsfunc=look_up)
    return cv.decode() if cv else None, reason


def opendkim_verifies(folder, message, records):
    """Does opendkim find good what it looks at? It judges one signature of a message."""
    keys, conf, mail = (os.path.join(folder, name) for name in ("keys", "verify.conf", "mail"))
    with open(keys, "w") as file:
        file.writelines(f"{name} {text}\n" for name, text in records.items())
    with open(conf, "w") as file:
        file.write(f"Mode v\nSyslog no\nTestDNSData file:{keys}\nOn-Default reject\n")
    with open(mail, "wb") as file:
        file.write(re.sub(rb"\r?\n", b"\r\n", message))
    libraries = ":".join(os.path.join(HOME, path) for path in ("usr/lib", "usr/lib/x86_64-linux-gnu"))
    done = subprocess.run([os.path.join(HOME, "usr/sbin/opendkim"), "-x", conf, "-t", mail, "-v", "-v"],
                          env={**os.environ, "LD_LIBRARY_PATH": libraries}, capture_output=True,
                          text=True, timeout=60)
    return "verification (s=" in done.stdout and " succeeded" in done.stdout, done.stdout + done.stderr
