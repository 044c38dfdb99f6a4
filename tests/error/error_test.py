#!/usr/bin/env python3
"""error(8), retry and discard(8): what a transport table says is what log, bounce and queue say."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish

# transport, who logs it, dsn, status, text
ROWS = [
    ("error:mail is not wanted", "error", "5.0.0", "bounced", "mail is not wanted"),
    ("error:5.1.6 he moved", "error", "5.1.6", "bounced", "he moved"),
    ("error:4.1.6 he moved", "error", "5.1.6", "bounced", "he moved"),
    ("error:5.1 is no code", "error", "5.0.0", "bounced", "5.1 is no code"),
    ("error:5.7.123 far", "error", "5.7.123", "bounced", "far"),
    ("retry:later", "error", "4.0.0", "deferred", "later"),
    ("retry:4.2.1 closed", "error", "4.2.1", "deferred", "closed"),
    ("retry:5.2.1 closed", "error", "4.2.1", "deferred", "closed"),
    ("discard:", "discard", "2.0.0", "sent", "d8.example"),
    ("discard:silently", "discard", "2.0.0", "sent", "silently"),
]

with Instance({"mydestination": "", "smtpd_reject_unlisted_recipient": "no", "minimal_backoff_time": "1h",
               "queue_run_delay": "1h"}) as mta:
    rows = [(f"d{n}.example", *row) for n, row in enumerate(ROWS)]
    mta.write("transport", "".join(f"{row[0]} {row[1]}\n" for row in rows))
    mta.run("postmap", f"hash:{mta.etc}/transport")
    mta.write_configuration(transport_maps=f"hash:{mta.etc}/transport")
    mta.start()
    for domain, _, program, dsn, status, text in rows:
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        qid = smtp.message("", [f"a@{domain}", f"b@{domain}"], "Subject: x\n\nx")
        smtp.close()
        for who in "ab":
            mta.wait_for_log(rf"{program}\[\d+\]: {qid}: to=<{who}@{domain}>, relay=none, "
                             rf"delay=[\d.]+, delays=[\d.]+/[\d.]+/0/0, dsn={re.escape(dsn)}, "
                             rf"status={status} \({re.escape(text)}\)$")
        if status != "deferred":
            mta.wait_for_log(rf"{qid}: removed$")
    listed = mta.run("postqueue", "-p").stdout
    check_equal(len(re.findall(r"(?m)^ +\((later|closed)\)$", listed)), 3, "deferred, with reasons")
    check("a@d5.example" in listed and "b@d5.example" in listed, "both recipients wait")
finish()
