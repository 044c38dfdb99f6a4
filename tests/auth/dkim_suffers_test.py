#!/usr/bin/env python3
"""What it costs when libopendkim crashes or hangs in mailauth: one temperror, logged, and nobody else's
verdict."""
import os
import subprocess
import sys

from brittle_site import BRITTLE, Site, together
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check_equal, finish, mail_user, program, skip
from verifiers import record_of

TEXT = "From: u@good.example\nSubject: x\n\n{}\n"


def signer(folder):
    """A function that signs for good.example, and the zone with its key."""
    key = os.path.join(folder, "key.pem")
    done = subprocess.run([program("postauth"), "keygen", "--selector", "s", "--key", key,
                           "good.example"], capture_output=True, text=True)
    name, text = record_of(done.stdout)

    def sign(message):
        return subprocess.run([program("postauth"), "sign", "--key", key, "--domain", "good.example",
                               "--selector", "s"], input=message, capture_output=True, text=True).stdout
    return sign, {(name, "TXT"): [text]}


def sends(site, message, want, what):
    queue_id = site.send("192.0.2.1", "u@good.example", message)
    site.mta.wait_for_log(rf"{queue_id}: authentication: .*dkim={want} ")
    check_equal(site.mta.logged(f"{queue_id}: mailauth: "), int(want == "temperror"), what)


def main():
    if not os.path.exists(BRITTLE):
        skip("needs libspf2 and libopendkim")
    with Instance() as mta:
        site, (sign, zone) = Site(mta), signer(mta.home)
        with DnsServer(zone) as dns:
            os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
            site.configure(dns, dkim_mode="tag")
            mta.start()
            site.becomes_brittle()
            for word, want in [("hello", "pass"), ("library-once", "pass"),
                               ("library-crash", "temperror"), ("library-hang", "temperror"),
                               ("hello", "pass")]:
                together(lambda: sends(site, sign(TEXT.format(word)), want, word),
                         lambda: sends(site, sign(TEXT.format("hello")), "pass", f"beside {word}"))
        check_equal(mta.logged("refused by the jail"), 0, "nothing is wanted that is not there")
    finish()


main()
