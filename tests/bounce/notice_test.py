#!/usr/bin/env python3
"""What a notice returns of the message, wherever its content is kept: in the frame, in a
memfd, in a file of its own; and how much of it: all, or its header."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish

LINE = "0123456789abcdef" * 4 + "\n"


def message(size):
    """Its header is longer than one piece in which content is carried, from 100,000 on."""
    header = f"Subject: size {size}\n" + "".join(
        f"X-Filler-{i}: {'x' * 60}\n" for i in range(size // 100))
    return header, f"{header}\n{LINE * (size // 2 // len(LINE) + 1)}end of {size}\n"


with Instance({"mydestination": "", "virtual_mailbox_domains": "box.example",
               "virtual_mailbox_maps": "inline:{s@box.example=s/}",
               "virtual_uid_maps": f"static:{os.getuid() or 1000}",
               "virtual_gid_maps": f"static:{os.getgid() or 1000}",
               "virtual_minimum_uid": "1",
               "transport_maps": "inline:{{gone.example=error:5.1.1 no}}",
               "smtpd_reject_unlisted_recipient": "no",
               "header_size_limit": "1000000"}) as mta:
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    mta.start()
    seen = set()
    for limit in (50_000, 10_000_000):
        since = mta.log_position()
        mta.write_configuration(bounce_size_limit=str(limit))
        mta.reload()
        for size in (1000, 60_000, 100_000, 300_000, 3_000_000):
            header, text = message(size)
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250")
            qid = smtp.message("s@box.example", "u@gone.example", text.rstrip("\n"))
            smtp.close()
            mta.wait_for_log(rf"{qid}: sender non-delivery notification: \w+", since=since)
            mta.wait_for_log(rf"{qid}: removed", since=since)
            notices = {t for t in mta.maildir("s", len(seen) + 1) if t not in seen}
            seen |= notices
            if not check_equal(len(notices), 1, f"notices about {size} bytes"):
                continue
            notice = notices.pop()
            returned = notice.split("Content-Type: message/rfc822\n")[-1] if size < limit else \
                notice.split("Content-Type: text/rfc822-headers\n")[-1]
            check(header in returned, f"{size} bytes, limit {limit}: the header is returned")
            check_equal(f"end of {size}\n" in returned, size < limit,
                        f"{size} bytes, limit {limit}: the text is returned")

finish()
