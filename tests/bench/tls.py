"""tls.py -- what a TLS handshake costs the server: ours, where tlsmgr has the key, beside
`openssl s_server` with the same key, protocol and cipher. `./dev bench tls`.

The figure is handshakes for each second of CPU of all processes of the server, so that neither
the client nor other work on the machine counts. Ours are whole SMTP sessions: greeting, counting
of clients, log lines. Nothing is asserted: 75 % is what is asked."""
import os
import socket
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, process_status, wait_until

SECONDS = os.environ.get("BENCH_SECONDS", "5")
TICKS = os.sysconf("SC_CLK_TCK")
SETTINGS = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            "smtpd_peername_lookup": "no", "mydestination": "here.example"}
# name, key, what s_time does
FIGURES = [
    ("full, RSA-2048, TLS 1.3", "rsa", ["-new", "-tls1_3"]),
    ("full, RSA-2048, TLS 1.2", "rsa", ["-new", "-tls1_2"]),
    ("full, ECDSA P-256, TLS 1.3", "ec", ["-new", "-tls1_3"]),
    ("full, ECDSA P-256, TLS 1.2", "ec", ["-new", "-tls1_2"]),
    ("resumed, TLS 1.2", "ec", ["-reuse", "-tls1_2"]),
]
KEYS = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def family(pid):
    """A process and all below it."""
    parents = {int(entry): process_status(int(entry)).get("PPid") for entry in os.listdir("/proc")
               if entry.isdigit()}
    found = {pid}
    for _ in range(4):
        found |= {child for child, parent in parents.items() if parent and int(parent) in found}
    return found


def handshakes(port, options):
    p = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-time", SECONDS,
                        *options], capture_output=True, text=True, check=False)
    line = [text for text in p.stdout.splitlines() if " connections in " in text][0]
    return int(line.split()[0])


def measure(port, pid, options):
    handshakes(port, [*options, "-time", "1"])
    before = cpu_seconds(family(pid))
    done = handshakes(port, options)
    return done / (cpu_seconds(family(pid)) - before)


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def of_openssl(folder, port, key, options):
    server = subprocess.Popen(["openssl", "s_server", "-accept", str(port), "-quiet", "-key",
                               f"{folder}/{key}.pem", "-cert", f"{folder}/{key}.crt"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), "s_server")
        return measure(port, server.pid, options)
    finally:
        server.kill()
        server.wait()


def of_ours(folder, key, options):
    line = "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"
    with Instance(SETTINGS, services=["smtpd", "cleanup", "tlsmgr", "anvil"],
                  extra_services=[line]) as mta:
        mta.write_configuration(smtpd_tls_cert_file=f"{folder}/{key}.crt",
                                smtpd_tls_key_file=f"{folder}/{key}.pem")
        mta.start()
        return measure(mta.port(1), mta.master(), options), mta.port(2)


def main():
    with tempfile.TemporaryDirectory(prefix="postern-handshakes-") as folder:
        os.chmod(folder, 0o755)
        for key, how in KEYS.items():
            subprocess.run(["openssl", "req", "-x509", "-newkey", *how, "-nodes", "-days", "2",
                            "-subj", "/CN=mail.example", "-keyout", f"{folder}/{key}.pem", "-out",
                            f"{folder}/{key}.crt"], check=True, capture_output=True)
        for name, key, options in FIGURES:
            ours, port = of_ours(folder, key, options)
            theirs = of_openssl(folder, port, key, options)
            print(f"{name}\t{ours:.0f}/s CPU\ts_server {theirs:.0f}/s CPU\t{ours / theirs:.0%}",
                  flush=True)


main()
