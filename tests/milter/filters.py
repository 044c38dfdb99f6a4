"""filters.py -- Debian's opendkim, clamav-milter and rspamd, each a private instance of the package that
./dev unpacks into build/debian; nothing of them is installed.

    with opendkim(folder, "Mode s\\n...") as endpoint: ...   # "inet:127.0.0.1:4711"
"""
import contextlib
import os
import signal
import socket
import subprocess
from harness import free_port, wait_until
from postfix37 import HOME

LIBRARIES = ("usr/lib", "usr/lib/x86_64-linux-gnu", "usr/lib/rspamd")
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def are_there():
    return all(os.access(os.path.join(HOME, path), os.X_OK)
               for path in ("usr/sbin/opendkim", "usr/sbin/clamav-milter", "usr/bin/rspamd"))


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(folder, name, *argv, ready, end=signal.SIGTERM):
    path = os.path.join(folder, f"{name}.log")
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(os.path.join(HOME, path) for path in LIBRARIES)}
    with open(path, "w") as log:
        process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, cwd=folder, start_new_session=True)
    try:
        wait_until(lambda: ready() or process.poll() is not None, f"{name} is ready", 60)
        if process.poll() is not None:
            with open(path) as log:
                raise RuntimeError(f"{name} ended: {log.read()}")
        yield path
    finally:
        if process.poll() is None:
            os.killpg(process.pid, end)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def put(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)
    return path


@contextlib.contextmanager
def opendkim(folder, name, settings):
    port = free_port()
    path = put(folder, f"{name}.conf", "Background no\nSyslog no\nRequireSafeKeys no\n"
               f"Socket inet:{port}@127.0.0.1\nPidFile {folder}/{name}.pid\n{settings}")
    # It would take four seconds to end by itself, and has nothing to leave in order.
    with running(folder, name, os.path.join(HOME, "usr/sbin/opendkim"), "-f", "-x", path,
                 ready=lambda: listens(port), end=signal.SIGKILL):
        yield f"inet:127.0.0.1:{port}"


@contextlib.contextmanager
def clamav(folder, *actions):
    """A scanner that knows EICAR alone, and a milter for each of the actions."""
    put(folder, "local.ndb", f"Eicar-Test:0:*:{EICAR.encode().hex()}\n")
    path = put(folder, "clamd.conf", f"Foreground yes\nDatabaseDirectory {folder}\nLocalSocket {folder}/clamd\n"
               f"TemporaryDirectory {folder}\nUser root\n")
    with running(folder, "clamd", os.path.join(HOME, "usr/sbin/clamd"), "-c", path,
                 ready=lambda: os.path.exists(f"{folder}/clamd")), contextlib.ExitStack() as stack:
        endpoints = []
        for action in actions:
            socket_path = f"{folder}/{action}.ctl"
            path = put(folder, f"{action}.conf", f"Foreground yes\nMilterSocket unix:{socket_path}\n"
                       f"MilterSocketMode 666\nClamdSocket unix:{folder}/clamd\nOnInfected {action}\n"
                       f"AddHeader Replace\nTemporaryDirectory {folder}\nUser root\n")
            stack.enter_context(running(
                folder, action, os.path.join(HOME, "usr/sbin/clamav-milter"), "-c", path,
                ready=lambda: os.path.exists(socket_path)))
            endpoints.append(f"unix:{socket_path}")
        yield endpoints


RSPAMD = """
options {{ pidfile = "{folder}/rspamd.pid"; filters = "{modules}"; dns {{ nameserver = ["127.0.0.1:{dns}"]; }}
  control_socket = "{folder}/control mode=0600"; gtube_patterns = "all"; url_tld = "/dev/null";
  tempdir = "{folder}"; }}
logging {{ type = "console"; level = "info"; }}
modules {{ {plugins} }}
actions {{ reject = 15; add_header = 6; greylist = null; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{port}"; milter = yes; count = 1; timeout = 30s;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
{settings}
"""


@contextlib.contextmanager
def rspamd(folder, modules="", plugins=(), settings="", dns=None):
    """modules: those in C that look at mail; plugins: those in Lua; dns: the port of the server it asks."""
    port = free_port()
    share = os.path.join(HOME, "usr/share/rspamd")
    path = put(folder, "rspamd.conf", RSPAMD.format(
        folder=folder, port=port, dns=dns or free_port(), modules=modules, settings=settings,
        plugins="".join(f'path = "{share}/plugins/{name}.lua"; ' for name in plugins) or "path = [];"))
    places = {"CONFDIR": folder, "LOCAL_CONFDIR": folder, "RUNDIR": folder, "DBDIR": folder,
              "LOGDIR": folder, "SHAREDIR": share, "LUALIBDIR": f"{share}/lualib",
              "PLUGINSDIR": f"{share}/plugins", "RULESDIR": f"{share}/rules", "WWWDIR": f"{share}/www"}
    with running(folder, "rspamd", os.path.join(HOME, "usr/bin/rspamd"), "-f", "-i", "-c", path,
                 *(f"--var={name}={value}" for name, value in places.items()),
                 ready=lambda: listens(port)):
        yield f"inet:127.0.0.1:{port}"
