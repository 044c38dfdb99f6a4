#!/usr/bin/env python3
"""The filters that people run: Debian's opendkim signs and verifies, clamav-milter rejects and holds
what clamd finds, rspamd judges. Each sees mail as under Postfix."""
import os
import re
import subprocess
import sys
import tempfile
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("", "..", "../smtp")]
import filters
from harness import Instance, check, check_equal, check_match, finish, is_root, skip
from sink import Sink

TEXT = "From: Kim <kim@here.example>\nTo: x@far.example\nSubject: hello\n\nhello\n"


class Site:
    """A mail system with a smtpd for each milter."""

    def __init__(self, endpoints):
        self.sink = Sink()
        self.mta = Instance({
            "milter_default_action": "tempfail", "notify_classes": "",
            "smtpd_milters": "", "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}"},
            extra_services=[f"127.0.0.1:{{port{n}}} inet n - n - - smtpd -o smtpd_milters={endpoint}"
                            for n, endpoint in enumerate(endpoints, 1)])

    def __enter__(self):
        self.mta.start()
        return self

    def __exit__(self, *trace):
        self.mta.__exit__(*trace)

    def reply(self, text, number):
        smtp = self.mta.smtp(number)
        smtp.say("EHLO client.example", "250")
        smtp.say("MAIL FROM:<kim@here.example>", "250")
        smtp.say("RCPT TO:<x@far.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n")
        said = smtp.reply().strip()
        smtp.close()
        return said

    def arrives(self, text, number):
        said = self.reply(text, number)
        queue_id = re.search(r"queued as (\w+)", said)
        if not check(queue_id, f"not queued: {said}"):
            return ""
        self.mta.wait_for_log(rf"{queue_id[1]}: removed")
        return b"".join(self.sink.messages[-1][1]).decode().replace("\r\n", "\n")


def dkim(folder):
    key = os.path.join(folder, "key")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True,
                            text=True).stdout
    record = "".join(line for line in public.splitlines() if not line.startswith("-"))
    filters.put(folder, "dns", f"s._domainkey.here.example v=DKIM1; k=rsa; p={record}\n")
    with filters.opendkim(folder, "signer", f"Mode s\nDomain here.example\nSelector s\nKeyFile {key}\n"
                          "InternalHosts 127.0.0.1\nCanonicalization relaxed/simple\n") as signer, \
            filters.opendkim(folder, "verifier", f"Mode v\nTestDNSData file:{folder}/dns\n"
                             "AlwaysAddARHeader yes\nAuthservID here.example\n") as verifier, \
            Site([signer, verifier]) as site:
        text = site.arrives(TEXT, 1)
        check_match(r"^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=here\.example; s=s;", text,
                    "signed, in front of Received")
        text = site.arrives(text, 2)
        check_match(r"Authentication-Results: here\.example;\s+dkim=pass", text, "and the signature holds")
        text = site.arrives(text.replace("\nhello\n", "\nhallo\n"), 2)
        check_match(r"dkim=fail", text, "unless the text is another one")


def virus(folder):
    infected = TEXT.replace("\nhello\n", f"\n{filters.EICAR}\n")
    with filters.clamav(folder, "Reject", "Quarantine") as endpoints, Site(endpoints) as site:
        check_match(r"(?m)^X-Virus-Status: Clean$", site.arrives(TEXT, 1), "clean")
        check_match(r"^550 5\.7\.1 ", site.reply(infected, 1), "refused")
        site.mta.wait_for_log(r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 5\.7\.1 .*; "
                              r"from=<kim@here\.example> to=<x@far\.example> proto=ESMTP")
        before = len(site.sink.messages)
        queue_id = re.search(r"queued as (\w+)", site.reply(infected, 2))[1]
        site.mta.wait_for_log(rf"{queue_id}: milter-hold: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: ")
        check_match(rf"{queue_id}!", site.mta.run("postqueue", "-p").stdout, "held")
        check_equal(len(site.sink.messages), before, "not delivered")
        site.mta.run("postsuper", "-H", queue_id)
        site.mta.run("postqueue", "-f")
        site.mta.wait_for_log(rf"{queue_id}: removed")
        check(filters.EICAR.encode() in b"".join(site.sink.messages[-1][1]), "released as it was")


def spam(folder):
    with filters.rspamd(folder) as endpoint, Site([endpoint]) as site:
        check_match("(?m)^Subject: hello$", site.arrives(TEXT, 1), "no spam")
        said = site.reply(TEXT.replace("\nhello\n", f"\n{filters.GTUBE}\n"), 1)
        check_match(r"^5\d\d 5\.7\.1 ", said, "the pattern for tests")
        site.mta.wait_for_log(r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 5\.7\.1 ")
        # Messages of one session, and one after a refusal.
        smtp = site.mta.smtp(1)
        smtp.say("EHLO client.example", "250")
        for body, begin in (("hello", "250"), (filters.GTUBE, "55"), ("hello", "250")):
            smtp.say("MAIL FROM:<kim@here.example>", "250")
            smtp.say("RCPT TO:<x@far.example>", "250")
            smtp.say("DATA", "354")
            smtp.say(TEXT.replace("\nhello\n", f"\n{body}\n").replace("\n", "\r\n") + ".", begin)
        smtp.close()


if not is_root():
    skip("needs root: the filters run as root here")
check(filters.are_there(), "opendkim, clamav-milter and rspamd in build/debian: ./dev test puts them there")
for test in (dkim, virus, spam):
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="postern-filters-") as place:
            os.chmod(place, 0o755)  # broker, who is somebody else, connects to sockets in it
            test(place)
finish()
