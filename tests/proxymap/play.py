"""What every table behind a server has to do, asked by smtpd through proxymap. A table is
named in check_recipient_access, so that a reply shows what a look-up gave."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import check, check_match, wait_until

# key -> value, as each server is filled; the look-up of nothing.example fails to find.
ROWS = {
    "alice@example.org": "REJECT to alice",
    "o'neil@example.org": "REJECT to oneil",
    "back\\slash@example.org": "REJECT to backslash",
    "star*(x)@example.org": "REJECT to star",
}


def instance(tables, **settings):
    """An instance whose smtpd asks these tables in turn, and refuses who is in none."""
    mta = harness.Instance(settings={
        "smtpd_recipient_restrictions":
            ", ".join(f"check_recipient_access {table}" for table in tables) + ", reject",
        "smtpd_relay_restrictions": "permit", "smtpd_delay_reject": "yes",
        "proxy_read_maps": " ".join(table for table in tables if table.startswith("proxy:")),
        **settings})
    return mta


def recipient(mta, address):
    """The reply to one RCPT TO; the local part is quoted when it has to be."""
    client = harness.Smtp(mta.port())
    client.say("EHLO client.example", "250")
    client.say("MAIL FROM:<a@client.example>", "250")
    local, _, domain = address.rpartition("@")
    if not local.replace(".", "").replace("'", "").isalnum():
        local = '"' + local.replace("\\", "\\\\") + '"'
    client.send(f"RCPT TO:<{local}@{domain}>\r\n".encode())
    reply = client.reply()
    client.close()
    return reply if isinstance(reply, str) else "\n".join(reply)


def finds_all(mta, rows=None):
    for key, value in (rows or ROWS).items():
        check_match(value.split(None, 1)[1], recipient(mta, key), f"look-up of {key}")
    check_match("Access denied", recipient(mta, "nobody@example.org"), "a key that is not there")


def gone_and_back(mta, stop, start, key="alice@example.org", other=None):
    """A server that is away: mail is deferred, other tables are asked on, and it is found
    again when it is back."""
    stop()
    check_match("^451 ", recipient(mta, key), "with a dead server mail waits")
    if other:
        check_match(other[1], recipient(mta, other[0]), "another table is asked meanwhile")
    start()
    wait_until(lambda: recipient(mta, key).startswith("554"), "the server to be found again")


def free_of_warnings(mta, what):
    with open(mta.logfile) as log:
        bad = [line for line in log if "refused by the jail" in line or "panic" in line]
    check(not bad, f"{what}: {bad[:3]}")


def is_listening(path_or_port):
    try:
        if isinstance(path_or_port, int):
            socket.create_connection(("127.0.0.1", path_or_port), 1).close()
        else:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path_or_port)
        return True
    except OSError:
        return False
