#!/usr/bin/env python3
"""Builds without each optional library, and without all of them: the unit tests of tables
pass, postconf -m and the default types say what is there, a table of a missing type is
refused with the library's name, and the smallest Postern still takes and delivers mail. And
what configure says where a library is missing."""
import os
import pwd
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import check, check_equal, check_match, finish

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = tempfile.TemporaryDirectory(prefix="postern-without-")
os.chmod(FOLDER.name, 0o755)
for name in "main.cf", "master.cf":
    open(os.path.join(FOLDER.name, name), "w").close()
# The switch, the types that go with it, and the library's name in the refusal.
OPTIONAL = {
    "db": (("btree", "hash"), "Berkeley DB"),
    "lmdb": (("lmdb",), "LMDB"),
    "pcre2": (("pcre",), "PCRE2"),
    "unbound": ((), ""),
    "spf2": ((), ""),
    "opendkim": ((), ""),
    "expat": ((), ""),
}
# pkg-config's module or configure's cache variable, and what configure says without it.
MISSING = {
    "openssl": "openssl >= 3.0 is missing: apt-get install libssl-dev",
    "libpcre2-8": "libpcre2-8 (pcre: tables) is missing: apt-get install libpcre2-dev, "
                  "or --without-pcre2",
    "lmdb": "lmdb (lmdb: tables) is missing: apt-get install liblmdb-dev, or --without-lmdb",
    "libunbound": "libunbound (the dns service) is missing: apt-get install libunbound-dev "
                  "nettle-dev libevent-dev, or --without-unbound",
    "opendkim": "opendkim (DKIM verification) is missing: apt-get install libopendkim-dev, "
                "or --without-opendkim",
    "expat": "expat zlib (aggregate reports of DMARC) is missing: apt-get install libexpat1-dev "
             "zlib1g-dev, or --without-expat",
    "ac_cv_header_db_h": "db.h (hash: and btree: tables) is missing: apt-get install "
                         "libdb5.3-dev, or --without-db",
    "ac_cv_header_spf2_spf_h": "spf2/spf.h is missing: apt-get install libspf2-dev, "
                               "or --without-spf2",
}


def configure(folder, *options):
    os.mkdir(folder)
    return subprocess.run([f"{SOURCE}/configure", "-q", "CFLAGS=-O0 -g0 -Wno-cpp", *options],
                          cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def make(folder, *goals):
    p = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", *goals], cwd=folder, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = [line for line in p.stdout.splitlines() if not line.startswith("PASS:")]
    return check(p.returncode == 0, f"{folder}: make {' '.join(goals)}: " + "\n".join(said[-40:]))


def ask(folder, *command):
    p = subprocess.run([f"{folder}/{command[0]}", *command[1:]], text=True, capture_output=True,
                       env={**os.environ, "MAIL_CONFIG": FOLDER.name})
    return p.stdout + p.stderr


def tables_are_as_said(folder, left_out):
    """What the build in this folder says of the tables that it lacks."""
    types = ask(folder, "tools/postconf", "-m").split()
    for switch, (names, library) in OPTIONAL.items():
        for name in names:
            check_equal(name in types, switch not in left_out, f"{folder}: postconf -m: {name}")
            if switch in left_out:
                check_match(rf"unsupported dictionary type: {name} \(this Postern was built "
                            rf"without {library}\)",
                            ask(folder, "tools/postmap", "-q", "key", f"{name}:table"),
                            f"{folder}: a table {name}:")
    for parameter in ("default_database_type", "default_cache_db_type"):
        kind = ask(folder, "tools/postconf", "-dh", parameter).strip()
        check(kind in types, f"{folder}: {parameter} is {kind}, which is built")


def build_without(*left_out):
    folder = f"{FOLDER.name}/without-{'-'.join(left_out)}"
    done = configure(folder, *(f"--without-{name}" for name in left_out))
    return folder if check_equal(done.returncode, 0, f"{folder}: {done.stdout}") else None


def one_left_out(name):
    """Compiles what differs: the tables, their tests and their tools."""
    folder = build_without(name)
    if not folder or not OPTIONAL[name][0]:
        return
    tests = ("lib/dict/dict_test", "lib/conf/table_test")
    if make(folder, *tests, "tools/postconf", "tools/postmap"):
        for test in tests:
            check_match(r"(?m)^\d+ passed, 0 failed", ask(folder, test), f"{folder}: {test}")
        tables_are_as_said(folder, [name])


def all_left_out():
    folder = build_without(*OPTIONAL)
    if not folder or not make(folder) or not make(folder, "check"):
        return
    tables_are_as_said(folder, OPTIONAL)
    check(not os.path.exists(f"{folder}/dns/dns"), "no dns without libunbound")
    harness.TOP = folder
    with harness.Instance({"mydestination": "", "virtual_mailbox_domains": "$myhostname",
                           "virtual_mailbox_maps": "static:box/",
                           "virtual_uid_maps": f"static:{mailbox_owner()[0]}",
                           "virtual_gid_maps": f"static:{mailbox_owner()[1]}",
                           "virtual_minimum_uid": "1", "local_recipient_maps": "",
                           "virtual_alias_maps": ""}) as mta:
        mta.write_configuration(virtual_mailbox_base=mta.mail)
        os.chown(mta.mail, *mailbox_owner())
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.message("you@client.example", "ann@mail.test.example", "Subject: hello\n\nHello.")
        smtp.close()
        mta.maildir("box")
        # A table that this build cannot read: the mail waits, the log says why.
        mta.write_configuration(virtual_alias_maps=f"hash:{mta.etc}/virtual")
        mta.reload()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.say("MAIL FROM:<you@client.example>", "250")
        smtp.say("RCPT TO:<ann@mail.test.example>", "451 4.3.")
        smtp.close()
        mta.wait_for_log(r"unsupported dictionary type: hash \(this Postern was built without "
                         r"Berkeley DB\)")


def mailbox_owner():
    """uid and gid of who may own a mailbox here."""
    who = pwd.getpwnam("nobody") if harness.is_root() else pwd.getpwuid(os.geteuid())
    return who.pw_uid, who.pw_gid


def missing_is_named(what, message):
    """configure where pkg-config does not know a module, or the compiler no header."""
    pkg_config = f"{FOLDER.name}/pkg-config"
    with open(pkg_config, "w") as f:
        f.write(f'#!/bin/sh\ncase " $* " in *" {what} "*) exit 1 ;; esac\n'
                'exec /usr/bin/pkg-config "$@"\n')
    os.chmod(pkg_config, 0o755)
    hidden = [f"{what}=no"] if what.startswith("ac_cv_") else [f"PKG_CONFIG={pkg_config}"]
    done = configure(f"{FOLDER.name}/missing-{what}", *hidden)
    check(done.returncode != 0, f"configure needs {what}")
    check(f"configure: error: {message}" in done.stdout,
          f"{what}: want {message!r}, got {done.stdout[-500:]!r}")


for switch in OPTIONAL:
    one_left_out(switch)
all_left_out()
for module, text in MISSING.items():
    missing_is_named(module, text)
finish()
