#!/usr/bin/env python3
"""postern check: what would go wrong at start or when mail comes, each with its place and a
remedy; nothing about a configuration that is well."""
import json
import os
import subprocess
import sys
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root


def findings(mta, *options):
    """What check says as JSON, and its exit status."""
    done = mta.postern("check", "--json", *options, status=None)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def line_of(mta, name, text):
    with open(os.path.join(mta.etc, name), encoding="utf-8") as file:
        lines = file.read().splitlines()
    return next((i for i, line in enumerate(lines, 1) if line.startswith(text)), None)


def expect(mta, level, file, begin, text, remedy, parameter=None):
    """One finding, at the line of main.cf or master.cf that begins so."""
    found, status = findings(mta)
    one = [f for f in found if text in f["text"]]
    if not check_equal(len(one), 1, f"findings of {text!r} in {found}"):
        return
    check_equal(one[0]["level"], level, f"level of {text!r}")
    check_equal(one[0]["file"], os.path.join(mta.etc, file), f"file of {text!r}")
    if begin is not None:
        check_equal(one[0].get("line"), line_of(mta, file, begin), f"line of {text!r}")
    check(remedy in one[0].get("remedy", ""), f"remedy of {text!r}: {one[0]}")
    if parameter:
        check_equal(one[0].get("parameter"), parameter, f"parameter of {text!r}")
    if level == "error":
        check_equal(status, 1, f"status with {text!r}")


def setting(mta, level, name, value, text, remedy):
    before = dict(mta.settings)
    mta.write_configuration(**{name: value})
    expect(mta, level, "main.cf", f"{name} =", text, remedy, name)
    mta.settings = before


def table(mta, name, text, tool="postmap"):
    path = mta.write(name, text)
    done = mta.run(tool, f"hash:{path}")
    check_equal(done.returncode, 0, f"{tool}: {done.stderr}")
    return path


def well(mta):
    found, status = findings(mta)
    errors = [f for f in found if f["level"] == "error"]
    check_equal((errors, status), ([], 0), "nothing is wrong")
    done = mta.postern("check")
    check_equal(done.stdout, "", "output without -v")


def tables(mta):
    setting(mta, "error", "virtual_alias_maps", "hash:/no/such/table",
            "virtual_alias_maps: open database /no/such/table.db: No such file", "postmap")
    setting(mta, "error", "transport_maps", "nonsense:/etc/transport",
            "unsupported dictionary type: nonsense", "postconf -m")
    path = table(mta, "stale", "x y\n")
    os.utime(path + ".db", (1, 1))
    os.utime(path, (time.time() - 1000,) * 2)
    setting(mta, "warning", "virtual_alias_maps", f"hash:{path}",
            f"database {path}.db is older than source file {path}", "postmap")
    mta.write("rules", "/well/ OK\n/a(/ OK\n")
    mta.write_configuration(
        smtpd_sender_restrictions=f"check_sender_access pcre:{mta.etc}/rules")
    expect(mta, "error", "rules", "/a(/", "missing closing parenthesis", "correct")
    mta.write_configuration(smtpd_sender_restrictions="")


def names(mta):
    setting(mta, "warning", "smtpd_recipient_restriction", "reject",
            "unused parameter: smtpd_recipient_restriction=reject",
            "is smtpd_recipient_restrictions meant?")
    setting(mta, "warning", "quite_another_thing", "1",
            "unused parameter: quite_another_thing=1", "remove the setting")
    setting(mta, "error", "smtpd_client_restrictions", "permit_mynetwork",
            'unknown smtpd restriction: "permit_mynetwork"', "smtpd(8)")
    setting(mta, "error", "smtp_host_lookup", "dsn", 'unknown smtp_host_lookup value "dsn"',
            "dns native")
    setting(mta, "warning", "qmqpd_timeout", "5", "qmqpd_timeout is not supported yet",
            "postconf(5)")


def relay(mta, service):
    port = mta.port(9)
    for restrictions, wrong in (
            ("permit_mynetworks, reject_unauth_destination", False),
            ("permit_sasl_authenticated, permit, reject_unauth_destination", True),
            ("check_client_access static:permit, defer_unauth_destination", False),
            ("warn_if_reject reject_unauth_destination, permit", True),
            ("class", False), ("permit_mynetworks, other, reject", True)):
        mta.write_configuration(smtpd_relay_restrictions=restrictions,
                                smtpd_restriction_classes="class, other",
                                other="permit", **{"class": "reject_unauth_destination"})
        if wrong:
            expect(mta, "error", "main.cf", "smtpd_relay_restrictions", "open relay",
                   "reject_unauth_destination", "smtpd_relay_restrictions")
        else:
            check(not any("open relay" in f["text"] for f in findings(mta)[0]),
                  f"{restrictions}: no open relay")
    for name in ("smtpd_relay_restrictions", "smtpd_restriction_classes", "other", "class"):
        mta.settings.pop(name)
    for networks in ("0.0.0.0/0", "127.0.0.0/8 0.0.0.0/1 128.0.0.0/1", "static:all", "[::]/0"):
        setting(mta, "error", "mynetworks", networks, "trusts the whole Internet",
                "whose users you answer for")
    mta.lines[-1] = service + " -o smtpd_relay_restrictions=permit,reject"
    mta.write_configuration()
    expect(mta, "error", "master.cf", f"0.0.0.0:{port}", "open relay",
           "reject_unauth_destination")
    mta.lines[-1] = service
    mta.write_configuration()


def doubles(mta):
    """Filters that verify or sign what we do as well; nothing is said of others, nor while ours is off."""
    before = dict(mta.settings)
    policy = "permit_mynetworks, check_policy_service { unix:private/policyd-spf, timeout=9 }, reject"
    for name, value, ours, text in [
            ("smtpd_milters", "inet:localhost:8891", {"dkim_mode": "tag"}, "the work of dkim_mode again"),
            ("smtpd_milters", "{ unix:/run/opendkim/opendkim.sock, connect_timeout=9s }",
             {"dkim_mode": "log", "dkim_sign_maps": "static:x"}, "the work of dkim_mode, dkim_sign_maps again"),
            ("non_smtpd_milters", "local:/run/opendmarc.sock", {"dmarc_mode": "enforce"},
             "looks like opendmarc, which does the work of dmarc_mode again"),
            ("smtpd_milters", "inet:127.0.0.1:11332", {"spf_mode": "tag", "arc_mode": "tag"},
             "looks like rspamd, which does the work of spf_mode, arc_mode again"),
            ("smtpd_recipient_restrictions", policy, {"spf_mode": "tag"}, "looks like policyd-spf"),
            ("smtpd_milters", "inet:localhost:8891", {"dmarc_mode": "tag"}, None),
            ("smtpd_milters", "inet:localhost:8891", {}, None),
            ("smtpd_milters", "inet:localhost:18891, unix:/run/clamav.sock", {"dkim_mode": "tag"}, None),
            ("smtpd_recipient_restrictions", "check_policy_service inet:127.0.0.1:10023, reject",
             {"spf_mode": "tag"}, None)]:
        mta.write_configuration(**{name: value, **ours})
        if text:
            expect(mta, "warning", "main.cf", f"{name} =", text, "leave it to one of them", name)
        else:
            check(not any("the work of" in f["text"] for f in findings(mta)[0]), f"{name} = {value}: {ours}")
        mta.settings = dict(before)
    mta.write_configuration()


def domains_and_routes(mta):
    before = dict(mta.settings)
    path = table(mta, "domains", "a.example x\nb.example x\n")
    mta.write_configuration(virtual_mailbox_domains=f"hash:{path}", relay_domains="c.example",
                            mydestination="localhost B.example c.example")
    expect(mta, "error", "main.cf", "virtual_mailbox_domains",
           "do not list domain b.example in BOTH mydestination and virtual_mailbox_domains",
           "take it out", "virtual_mailbox_domains")
    check(not any("c.example" in f["text"] for f in findings(mta)[0]),
          "relay_domains may have what mydestination has")
    mta.settings = dict(before)
    path = table(mta, "routes", f"a.example smtp:[127.0.0.1]:{mta.port()}\n"
                 "b.example nowhere:\nc.example smtp:[127.0.0.1]:1\nd.example :\n")
    mta.write_configuration(transport_maps=f"hash:{path}")
    expect(mta, "error", "main.cf", "transport_maps", "a.example: [127.0.0.1]:"
           f"{mta.port()} is this host itself", "name the host", "transport_maps")
    expect(mta, "error", "main.cf", "transport_maps",
           "b.example: no service nowhere in master.cf", "add a line", "transport_maps")
    check(not any("c.example" in f["text"] for f in findings(mta)[0]), "another port is well")
    mta.settings = before
    mta.write_configuration()


def loops(mta):
    path = table(mta, "aliases", "a: b\nb: far@elsewhere.example, c@LOCALHOST\nc: \"|x\", A\n"
                 "self: self, b\nd: e\ne: f\nf: root\n", "postalias")
    mta.write_configuration(mydestination="localhost", alias_maps=f"hash:{path}")
    found = [f for f in findings(mta)[0] if "a loop" in f["text"]]
    check_equal(len(found), 1, f"one loop of aliases: {found}")
    check_match(r"alias_maps: a loop: .*\ba -> .*\b", found[0]["text"] if found else "",
                "the loop's names")
    path = table(mta, "virtual", "a@x.example b@x.example\nb@x.example a@x.example\n"
                 "c@x.example c@x.example\n")
    mta.settings.pop("mydestination")
    mta.write_configuration(alias_maps="", virtual_alias_maps=f"hash:{path}")
    expect(mta, "error", "main.cf", "virtual_alias_maps", "virtual_alias_maps: a loop: ",
           "lead elsewhere")
    mta.settings.pop("virtual_alias_maps")
    mta.write_configuration()


def certificates(mta):
    before = dict(mta.settings)
    chain = mta.certificate()
    mta.write_configuration(smtpd_tls_security_level="may", smtpd_tls_chain_files=chain)
    expect(mta, "warning", "main.cf", "smtpd_tls_chain_files", "expires within 14 days", "renew",
           "smtpd_tls_chain_files")
    os.chmod(chain, 0o644)
    expect(mta, "warning", "main.cf", "smtpd_tls_chain_files", "others than its owner can read",
           "chmod 600")
    mta.settings.pop("smtpd_tls_chain_files")
    other = os.path.join(mta.etc, "other.key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-out", other], check=True,
                   capture_output=True)
    mta.write_configuration(smtpd_tls_cert_file=chain + ".crt", smtpd_tls_key_file=other)
    found = [f for f in findings(mta)[0] if f["level"] == "error"]
    check(any(f.get("parameter", "").startswith("smtpd_tls_") and "key" in f["remedy"]
              for f in found), f"a key that does not fit: {found}")
    mta.settings = before
    mta.write_configuration()


def files(mta):
    os.makedirs(os.path.join(mta.queue, "etc"), exist_ok=True)
    copy = os.path.join(mta.queue, "etc/services")
    for path, text in ((copy, "old\n"), (os.path.join(mta.queue, "corrupt/log-1-2-3"), "x"),
                       (os.path.join(mta.etc, "loose"), "x")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(os.path.join(mta.etc, "loose"), 0o666)
    done = mta.postern("check")
    for line in (f"{copy} and /etc/services differ", f"group or other writable: {mta.etc}/loose",
                 f"damaged message: {mta.queue}/corrupt/log-1-2-3"):
        check(f"warning: {line}; " in done.stderr, f"{line!r} in {done.stderr}")
    os.remove(copy)
    os.remove(os.path.join(mta.etc, "loose"))
    if is_root():
        os.chown(os.path.join(mta.queue, "deferred"), 12345, -1)
        check_match("not owned by the mail owner: .*/deferred; postern set-permissions",
                    mta.postern("check").stderr, "an owner")
        mta.postern("set-permissions", status=None)


def explanations(mta):
    mta.lines += ["rewrite unix - - n - - trivial-rewrite", "mine unix - - n - - nobody"]
    mta.write_configuration()
    check_match(r"master\.cf, line \d+: service mine: no program \S+/nobody in this version",
                mta.postern("check").stderr, "a program that there is not")
    done = mta.postern("check", "-v")
    check_match(r"master\.cf, line \d+: service rewrite has nothing to do: smtpd, cleanup and "
                "qmgr", done.stdout, "-v explains")
    check_equal([f["level"] for f in findings(mta, "-v")[0] if "rewrite" in f["text"]],
                ["note"], "a note")
    # As in Debian's master.cf, where nothing uses it.
    mta.lines.append("maildrop unix - n n - - pipe user=no-such-user argv=/bin/true")
    mta.write_configuration()
    expect(mta, "warning", "master.cf", "maildrop ", "user=: unknown username: no-such-user",
           "remove the line if nothing needs it")


with Instance(extra_services=["0.0.0.0:{port9} inet n - n - - smtpd"]) as instance:
    well(instance)
    tables(instance)
    names(instance)
    relay(instance, instance.lines[-1])
    doubles(instance)
    domains_and_routes(instance)
    loops(instance)
    certificates(instance)
    files(instance)
    explanations(instance)
    instance.write("main.cf", "queue_directory\nmessage_size_limit = 1K\n")
    check_equal([(f["level"], f["line"]) for f in findings(instance)[0]],
                [("error", 1), ("error", 2)], "a main.cf that cannot be used")
    instance.write_configuration()
finish()
