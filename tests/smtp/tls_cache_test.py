#!/usr/bin/env python3
"""smtp_tls_session_cache_database: the TLS session with a server is resumed by the next
connection, after a reload, too; mail goes on when tlsmgr is gone."""
import os
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, kill
from sink import Sink, certificate


def send(mta):
    """One message; how was the TLS session made?"""
    at = mta.log_position()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.message("a@client.example", "b@tls.example", "Subject: x\n\nbody\n")
    smtp.close()
    mta.wait_for_log(r"to=<b@tls.example>, .*status=sent", since=at)
    found = mta.wait_for_log(r"TLS connection (\w+) to 127.0.0.1", since=at)
    return found[1] if found else None


with Sink(tls=certificate()) as sink, \
        Instance({"mydestination": "", "smtp_tls_security_level": "may", "smtp_tls_loglevel": "1",
                  "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
                  "smtp_connection_cache_on_demand": "no"},
                 extra_services=["second unix - - n - - smtp"]) as mta:
    mta.write_configuration(
        transport_maps=f"inline:{{tls.example=smtp:[127.0.0.1]:{sink.port}}}")
    mta.expect_trouble("killed by signal 9")
    mta.start()
    check_equal([send(mta) for _ in range(3)], ["established", "reused", "reused"], "sessions")
    mta.reload()
    check_equal(send(mta), "reused", "after a reload")
    mta.write_configuration(
        transport_maps=f"inline:{{tls.example=second:[127.0.0.1]:{sink.port}}}")
    mta.reload()
    check_equal(send(mta), "established", "of another service, with settings of its own")
    check(not os.path.exists(os.path.join(mta.data, "smtp_scache.db")), "kept in memory only")
    pid = mta.process("tlsmgr")
    kill(pid, signal.SIGSTOP)
    check_equal(send(mta), "established", "without an answer")
    mta.wait_for_log(r"smtp\[\d+\]: warning: tlsmgr: .*: TLS sessions are not resumed")
    kill(pid)
    check(send(mta), "without tlsmgr")
    mta.write_configuration(smtp_tls_session_cache_database="")
    mta.reload()
    check_equal([send(mta) for _ in range(2)], ["established"] * 2, "without a cache")
finish()
