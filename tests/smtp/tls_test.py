#!/usr/bin/env python3
"""smtp and STARTTLS: used where offered, SNI only where asked for, clear text after a broken
handshake once mail has waited, none at all under `encrypt`."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check_equal, finish
from sink import Sink, certificate


def send(mta, recipient):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("a@client.example", recipient, "Subject: x\n\nbody\n")
    smtp.close()
    return qid


with Sink(tls=certificate()) as good, Sink(tls="broken") as broken, Sink() as plain, \
        Instance({"mydestination": "", "smtp_tls_security_level": "may", "smtp_tls_loglevel": "1",
                  "minimal_backoff_time": "1s", "queue_run_delay": "1s",
                  "smtp_connection_cache_on_demand": "no"}) as mta:
    mta.write_configuration(transport_maps="inline:{"
        f"good.example=smtp:[127.0.0.1]:{good.port}, "
        f"broken.example=smtp:[127.0.0.1]:{broken.port}, "
        f"plain.example=smtp:[127.0.0.1]:{plain.port}" "}")
    mta.start()
    qid = send(mta, "b@good.example")
    mta.wait_for_log(rf"Untrusted TLS connection established to 127.0.0.1\[127.0.0.1\]:"
                     rf"{good.port}: TLSv1.3 with cipher TLS_")
    mta.wait_for_log(rf"{qid}: to=<b@good.example>, .*status=sent")
    check_equal(good.encrypted, 1, "sessions under TLS")
    check_equal(good.server_names, [None], "no SNI by default")

    qid = send(mta, "b@broken.example")
    mta.wait_for_log(rf"SSL_connect error to 127.0.0.1\[127.0.0.1\]:{broken.port}: ")
    mta.wait_for_log(rf"{qid}: to=<b@broken.example>, relay=127.0.0.1\[127.0.0.1\]:{broken.port}, "
                     r".*dsn=4.7.5, status=deferred \(Cannot start TLS: handshake failure\)")
    mta.wait_for_log(rf"{qid}: Cannot start TLS: handshake failure$")
    mta.wait_for_log(rf"{qid}: to=<b@broken.example>, .*status=sent")
    check_equal(len(broken.messages), 1, "in clear, later")

    check_equal(mta.logged("tls="), 0, "3.7's shape of the delivery record")

    mta.write_configuration(smtp_log_tls_feature_status="yes", transport_maps="inline:{"
        f"good.example=smtp:[127.0.0.1]:{good.port}, "
        f"broken.example=smtp:[127.0.0.1]:{broken.port}, "
        f"plain.example=smtp:[127.0.0.1]:{plain.port}, "
        f"nobody.example=smtp:[127.0.0.1]:{mta.port(1)}" "}")
    mta.reload()
    for domain, want in (("good", "may, dsn=2.0.0, status=sent"),
                         ("plain", "may:none, dsn=2.0.0, status=sent"),
                         ("broken", "may:none, dsn=4.7.5, status=deferred"),
                         ("nobody", r"may\?, dsn=4.4.1, status=deferred")):
        send(mta, f"f@{domain}.example")
        mta.wait_for_log(rf"to=<f@{domain}.example>, .*delays=\S+, tls={want}")
    mta.wait_for_log(r"to=<f@broken.example>, .*, tls=may:none, dsn=2.0.0, status=sent")
    plain.messages.clear()
    broken.messages[1:] = []

    mta.write_configuration(smtp_tls_security_level="encrypt", smtp_tls_servername="mx.tls.example")
    mta.reload()
    at = mta.log_position()
    send(mta, "c@good.example")
    mta.wait_for_log(r"to=<c@good.example>, .*, tls=encrypt, .*status=sent", since=at)
    check_equal(good.server_names[2:], ["mx.tls.example"], "smtp_tls_servername")
    send(mta, "c@plain.example")
    mta.wait_for_log(r"to=<c@plain.example>, .*, tls=!encrypt, dsn=4.7.4, status=deferred \(TLS is required, but "
                     r"was not offered by host 127.0.0.1\[127.0.0.1\]\)", since=at)
    send(mta, "c@broken.example")
    mta.wait_for_log(r"to=<c@broken.example>, .*, tls=!encrypt, dsn=4.7.5, status=deferred", since=at)
    check_equal((len(broken.messages), len(plain.messages)), (1, 0), "nothing in clear")
finish()
