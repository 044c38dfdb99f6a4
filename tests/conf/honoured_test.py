#!/usr/bin/env python3
"""The flag .honoured of parameters.def against the source: what is honoured is read by some
program, and what some program reads is honoured. Users are warned by that flag."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish

TOP = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                "..", ".."))
# Honoured without a line of a program that names it.
WITHOUT_READER = {
    "biff": "nobody is told of new mail: as with biff = no",
    "default_cache_db_type": "through defaults",
    "default_delivery_status_filter": "through defaults",
    "config_directory": "struct conf has it",
    "known_tcp_ports": "lib/conf: conf_tcp_port()",
    "mail_release_date": "for people and scripts",
    "mail_version": "through defaults",
    "multi_instance_name": "through syslog_name",
    "mynetworks_style": "lib/conf computes mynetworks with it",
    "process_id": "for values that name it",
    "process_name": "for values that name it",
    **{f"{name}_sasl_path": "an argument for Cyrus SASL, which makes no use of it"
       for name in ("lmtp", "smtp")},
    "smtpd_tls_session_cache_database": "sessions are resumed by tickets, which need no table",
    "qmgr_fudge_factor": "Postfix's queue manager makes no use of it either",
}
WITHOUT_READER.update({name: "for people and scripts" for name in (
    "html_directory", "mailq_path", "manpage_directory", "meta_directory", "newaliases_path",
    "readme_directory", "sample_directory", "sendmail_path", "shlib_directory")})
WITHOUT_READER.update({name: "random numbers are the kernel's, which needs no seed of ours"
                       for name in ("tls_daemon_random_bytes", "tls_random_bytes",
                                    "tls_random_exchange_name", "tls_random_prng_update_period",
                                    "tls_random_reseed_period", "tls_random_source")})
# Named by a program for another reason than to honour it: name -> reason.
NOT_HONOURED = {
    "hash_queue_depth": "postern export asks how Postfix's queue is laid out",
    "hash_queue_names": "as hash_queue_depth",
    **{f"{name}_tls_fingerprint_digest": "of posttls-finger: no level of smtp's compares them"
       for name in ("lmtp", "smtp")},
    "smtp_tls_enforce_peername": "postern tls looks whether anybody has set it",
    "tls_random_source": "postern tls sets it when it is told to; OpenSSL seeds itself",
}


def rows():
    with open(os.path.join(TOP, "lib/conf/parameters.def"), encoding="utf-8") as f:
        for row in re.finditer(r"^PARAM(?:_AS)?\((\w+),.*?\)$(?=\n[P#])", f.read(), re.M | re.S):
            old = re.search(r'\.legacy = true,\s+\.successor = "(\w+)"', row[0])
            yield row[1], ".honoured = true" in row[0], ".tier = 4" in row[0], old and old[1]


def sources():
    for folder, folders, files in os.walk(TOP):
        folders[:] = [d for d in folders if d not in (".git", "build", "tests") and
                      os.path.relpath(os.path.join(folder, d), TOP) != "lib/conf"]
        for name in files:
            if name.endswith((".c", ".h")) and not re.search(r"_(test|fuzz|bench)\.c$", name):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    yield f.read()


text = re.sub(r"/\*.*?\*/", "", "\n".join(sources()), flags=re.S)
named = set(re.findall(r"\w+", text))
suffixes = tuple("_" + s for s in
                 re.findall(r'conf_transport_\w+\([^"]*"(\w+)"', text))
adopted = re.findall(r'conf_adopt\(\w+, "(\w+)", "(\w+)"\)', text)


def is_used(name):
    return (name in named or name.endswith(suffixes) or
            any(name.startswith(own) and read + name[len(own):] in named
                for own, read in adopted))


table = {name: flags for name, *flags in rows()}
for name, (honoured, obsolete, new_name) in table.items():
    used = is_used(name)
    if new_name:
        check_equal(honoured, table[new_name][0],
                    f".honoured of {name}, which is in the default of {new_name}")
    elif honoured:
        check(used or name in WITHOUT_READER,
              f"{name} is .honoured in lib/conf/parameters.def, but nothing reads it")
    elif not obsolete:
        check(not used or name in NOT_HONOURED,
              f"{name} is read, but not .honoured in lib/conf/parameters.def")
check(len(table) > 1045, f"only {len(table)} rows of parameters.def were understood")
finish()
