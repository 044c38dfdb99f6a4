#!/usr/bin/env python3
"""What becomes of a delivery status: <transport>_delivery_status_filter and soft_bounce, in the log
and in the queue as with Debian's Postfix 3.7."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, free_port, is_root, skip
from postfix37 import Postfix37, is_there

FILTER = r"""
/^5\.1\.1 unknown user: "(soft@gone.example)"$/ 4.7.7 not yet: $1
/^5\.1\.1 unknown user: "hard@/ 5.7.8 no,   never
/^5\.1\.1 unknown user: "code@/ 5.7.9
/^5\.1\.1 unknown user: "pretend@/ 2.0.0 delivered
/^5\.1\.1 unknown user: "junk@/ what 5.7.9
/^5\.1\.1 unknown user: "short@/ 5.7 text
/^2\.0\.0 delivered to maildir/ 2.1.99 into the box
/^2\.0\.0 delivered to command/ 5.0.0 no
/^4\.3\.0 temporary failure/ 5.3.9 now for good
/^5\.1\.1 host .* said: 550 (\S+ <no@far)/ 4.7.1 they said $1
/^2\.0\.0 delivered via post/ 2.5.0 piped
/^5\.1\.8 an error/ 4.0.0 not asked
"""
SETTINGS = {
    "mydestination": "here.example",
    "myorigin": "here.example",
    "local_recipient_maps": "",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{s@box.example=s/}",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "notify_classes": "",
    "alias_maps": "inline:{{cmd=|true},{tmp=\"|exit 75\"}}",
    "default_privs": "nobody",
    "minimal_backoff_time": "1000s",
}
PIPE = "post unix - n n - - pipe user=nobody argv=/bin/true"
TO_FAR = ("no@far.example", "yes@far.example", "no@two.example")
OTHERS = [f"{who}@gone.example" for who in
          ("soft", "hard", "code", "pretend", "junk", "short", "other")] + [
              "s@box.example", "cmd@here.example", "tmp@here.example", "x@pipe.example"]


def outcome(mta, recipient):
    """What the log says of it, and whether the message stays."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    qid = smtp.message("s@box.example", recipient, "Subject: x\n\nbody")
    smtp.close()
    mta.wait_for_log(rf"{qid}: (removed$|to=.*status=(deferred|SOFTBOUNCE) )")
    lines = re.findall(rf"{qid}: (?:to=<([^>]*)>.* (dsn=\S+, status=.*)|([^:]*:\d+: )?(host .*))$",
                       mta.log_text(), re.M)
    said = " | ".join(" ".join(part for part in line if part) for line in lines)
    said = re.sub(r"queued as \w+", "queued", said)
    return said.replace(f":{mta.far}", ":PORT").replace(f":{mta.other}", ":OTHER")


def start(mta, far, other, **settings):
    os.chmod(mta.mail, 0o777)
    mta.far, mta.other = far, other
    path = os.path.join(mta.etc, "filter")
    with open(path, "w", encoding="ascii") as file:
        file.write(FILTER)
    mta.write_configuration(
        virtual_mailbox_base=mta.mail, default_delivery_status_filter=f"regexp:{path}",
        transport_maps="inline:{gone.example=virtual, pipe.example=post, "
        f"far.example=smtp:[127.0.0.1]:{far}, two.example=smtp:[127.0.0.1]:{far}" "}",
        smtp_fallback_relay=f"[127.0.0.1]:{other}", **settings)
    mta.start()


def compare(theirs, ours, recipients, what):
    for recipient in recipients:
        want, got = outcome(theirs, recipient), outcome(ours, recipient)
        check("status=" in got, f"{what}: an outcome for {recipient}: {got}")
        check_equal(got, want, f"{what}: {recipient}")


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
FAR = {"mydestination": "far.example, two.example", "local_recipient_maps": "inline:{yes=x}",
       "local_transport": "discard"}
for soft in ("no", "yes"):
    with Postfix37(FAR) as remote, Postfix37(SETTINGS, extra_services=[PIPE]) as peer, \
            Instance(SETTINGS, extra_services=[PIPE]) as mail:
        mail.expect_trouble("delivery_status_filter: bad status code")
        remote.start()
        nobody = free_port()
        for one in (peer, mail):
            start(one, remote.port(0), nobody, soft_bounce=soft)
        compare(peer, mail, OTHERS, f"soft_bounce = {soft}")
        compare(peer, mail, TO_FAR, f"soft_bounce = {soft}")
finish()
