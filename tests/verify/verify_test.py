#!/usr/bin/env python3
"""reject_unverified_recipient and _sender with real probes: smtpd asks verify, verify sends a probe
through cleanup, qmgr and smtp to a server that knows some addresses, and remembers what it heard."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import ALL_SERVICES, Instance, check, check_equal, finish
from sink import Sink


class Knows(Sink):
    """A server that has no recipient no..., and no answer for later..."""

    def _say(self, conn, verb, text):
        said = self.commands[-1][1] if self.commands else ""
        if verb == "RCPT" and "<no@" in said:
            text = "550 5.1.1 no such user"
        elif verb == "RCPT" and "<later@" in said:
            text = "450 4.2.0 try again"
        super()._say(conn, verb, text)


def settings(sink, **more):
    return {
        "mydestination": "$myhostname",
        "relay_domains": "relay.example",
        "transport_maps": f"inline:{{relay.example=smtp:[127.0.0.1]:{sink.port}, "
                          f"far.example=smtp:[127.0.0.1]:{sink.port}}}",
        "smtpd_recipient_restrictions": "reject_unverified_recipient",
        "smtpd_sender_restrictions": "check_sender_access "
                                     "inline:{far.example=reject_unverified_sender}",
        "unverified_recipient_reject_code": "550",
        **more,
    }


def rcpt(mta, sender, recipient, begin):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    smtp.say(f"MAIL FROM:<{sender}>", "250 ")
    reply = smtp.say(f"RCPT TO:<{recipient}>", begin)
    smtp.say("QUIT", "221 ")
    smtp.close()
    return reply


def probes_go_elsewhere():
    """address_verify_transport_maps: mail takes another way, where everybody is known."""
    mail, known = Sink(), Knows()
    with Instance(settings(mail, address_verify_transport_maps=(
            f"inline:{{relay.example=smtp:[127.0.0.1]:{known.port}}}"))) as mta:
        mta.start()
        rcpt(mta, "a@elsewhere.example", "no@relay.example", "550 5.1.1 ")
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250-")
        smtp.message("a@elsewhere.example", "yes@relay.example", "Subject: x\n\nbody")
        smtp.close()
        mta.wait_for_log("to=<yes@relay.example>.*status=sent")
        check_equal((len(mail.messages), len(known.messages)), (1, 0), "messages here and there")
        check("RCPT TO:<no@relay.example>" not in [line for _, line in mail.commands],
              "no probe went the way of mail")


def probes_and_answers():
    sink = Knows()
    with Instance(settings(sink)) as mta:
        mta.start()
        rcpt(mta, "a@elsewhere.example", "yes@relay.example", "250 2.1.5")
        seen = [line for _, line in sink.commands]
        check("MAIL FROM:<double-bounce@mail.test.example>" in "\n".join(seen), f"a probe: {seen}")
        check_equal(len(sink.messages), 0, "messages delivered by probes")
        reply = rcpt(mta, "a@elsewhere.example", "no@relay.example", "550 5.1.1 <no@relay.example>: "
                     "Recipient address rejected: undeliverable address: host ")
        check("no such user" in reply, f"the other server's words in {reply!r}")
        rcpt(mta, "a@elsewhere.example", "later@relay.example", "450 4.1.1 <later@relay.example>: "
             "Recipient address rejected: unverified address: ")
        # What is known is not asked again.
        since = len(sink.commands)
        for name, code in (("yes", "250"), ("no", "550"), ("later", "450"), ("YES", "250")):
            rcpt(mta, "a@elsewhere.example", f"{name}@relay.example", code)
        later = [line for _, line in sink.commands[since:] if line.startswith("RCPT")]
        check_equal(later, [], "further probes")
        # Senders; their default code is 450.
        rcpt(mta, "yes@far.example", "yes@relay.example", "250 2.1.5")
        rcpt(mta, "no@far.example", "yes@relay.example", "450 4.1.7 <no@far.example>: Sender address "
             "rejected: undeliverable address: ")
        # Nothing is left of the probes, and nobody was written to.
        mta.wait_for_log(r": removed", count=5)
        check_equal(mta.run("postqueue", "-p").stdout.strip(), "Mail queue is empty", "queue")
        check("sender non-delivery" not in mta.log_text(), "a notice about a probe")
        # A local user who is not there.
        rcpt(mta, "a@elsewhere.example", "nobody-at-all@mail.test.example", "550 5.1.1")
        mta.stop()
        names = os.listdir(mta.data)
        check(any(name.startswith("verify_cache") for name in names), f"the cache is in {names}")
        # The next process knows it.
        since = len(sink.commands)
        mta.start()
        rcpt(mta, "a@elsewhere.example", "no@relay.example", "550 5.1.1")
        later = [line for _, line in sink.commands[since:] if line.startswith("RCPT")]
        check_equal(later, [], "probes after a start")


def nobody_answers():
    """Without verify, and with a next hop that takes its time, the client comes again."""
    sink = Knows()
    with Instance(settings(sink), services=[s for s in ALL_SERVICES if s != "verify"]) as mta:
        mta.start()
        rcpt(mta, "a@elsewhere.example", "yes@relay.example", "450 4.3.0 <yes@relay.example>: Recipient "
             "address rejected: address verification problem")
    with Instance(settings(sink, address_verify_poll_count="1", address_verify_map="")) as mta:
        mta.start()
        rcpt(mta, "a@elsewhere.example", "yes@relay.example", "450 4.1.1 <yes@relay.example>: Recipient "
             "address rejected: unverified address: Address verification in progress")
        mta.wait_for_log(r"to=<yes@relay.example>.*status=deliverable")
        mta.wait_for_log(r": removed")
        rcpt(mta, "a@elsewhere.example", "yes@relay.example", "250 2.1.5")


def named_with_proxy():
    """A cache that is named with proxy: has to be in proxy_write_maps, as it is by default."""
    for more in ({}, {"proxy_write_maps": "proxy:btree:$data_directory/other"}):
        sink = Knows()
        with Instance(settings(sink, address_verify_map="proxy:btree:$data_directory/cache",
                               **more)) as mta:
            mta.start()
            rcpt(mta, "a@elsewhere.example", "yes@relay.example", "250 2.1.5")
            mta.stop()
            check_equal("cache.db" in os.listdir(mta.data), not more, f"a cache with {more}")
            told = mta.logged(r"verify\[\d+\]: warning: request for unapproved table: "
                              r"\"proxy:btree:[^\"]*/cache\"")
            check_equal(bool(told), bool(more), f"complaints with {more}")


probes_and_answers()
probes_go_elsewhere()
nobody_answers()
named_with_proxy()
finish()
