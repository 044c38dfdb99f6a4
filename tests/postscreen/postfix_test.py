#!/usr/bin/env python3
"""postscreen against Debian's Postfix 3.7: the same clients come to both, bots and mail servers, to
instances that ignore, enforce and drop; the same replies, the same log lines, and the same decision
who gets to smtpd."""
import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bots
from bots import GREETED, Visits, listed
bots.enter()
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish
from postfix37 import Postfix37, is_there

EHLO, QUIT = "EHLO client.example", "QUIT"
MAIL, RCPT = "MAIL FROM:<a@client.example>", "RCPT TO:<user@here.example>"
HONEST = [GREETED, EHLO, MAIL, RCPT, QUIT]
EARLY = ("send", b"EHLO bot.example\r\n")

SETTINGS = {
    "mynetworks": "127.0.0.1/32",
    "mydestination": "here.example",
    "local_recipient_maps": "",
    "smtpd_peername_lookup": "no",
    "postscreen_greet_wait": "2s",
    "postscreen_access_list": "permit_mynetworks, cidr:$config_directory/access",
    "postscreen_dnsbl_threshold": "3",
    "postscreen_dnsbl_whitelist_threshold": "-1",
    "postscreen_dnsbl_reply_map": "texthash:$config_directory/names",
    "postscreen_client_connection_count_limit": "0",
}
FILES = {"access": "127.0.3.0/24 reject\n127.0.4.0/24 permit\n127.0.5.0/24 dunno\n",
         "names": "m.example list.example\n"}
ZONE = listed(*((f"127.0.2.{n}", domain, answers) for base in (0, 50, 100, 150)
                for n, domain, answers in (
    (base + 1, "l.example", ["127.0.0.2"]), (base + 2, "w.example", ["127.0.0.5"]),
    (base + 3, "m.example", ["127.0.0.3"]), (base + 4, "m.example", ["127.0.0.3", "127.0.0.9"]),
    (base + 5, "l.example", "SERVFAIL"), (base + 5, "m.example", "DROP"),
    (base + 6, "l.example", ["127.0.0.2"]), (base + 6, "m.example", ["127.0.0.3"]),
    (base + 7, "l.example", ["127.0.0.2"]))))

TESTS = ("greet", "dnsbl", "pipelining", "non_smtp_command", "bare_newline", "denylist")
DEEP = " ".join(f"-o postscreen_{test}_enable=yes"
                for test in ("pipelining", "non_smtp_command", "bare_newline"))


def all_are(action):
    return DEEP + "".join(f" -o postscreen_{test}_action={action}" for test in TESTS)


# dnsblog starts a process for each question, which takes its time.
LISTS = ("-o postscreen_greet_wait=6s -o { postscreen_dnsbl_sites = l.example*3 w.example*-4 "
         "m.example=127.0.0.[2..4]*2 m.example=127.0.0.9*-1 } ")
# Instances of postscreen: their options, in the order of their ports.
SERVICES = {
    "plain": "",
    "ignore": all_are("ignore"),
    "enforce": all_are("enforce"),
    "drop": all_are("drop"),
    "plain-lists": LISTS,
    "ignore-lists": LISTS + all_are("ignore"),
    "enforce-lists": LISTS + all_are("enforce"),
    "drop-lists": LISTS + all_are("drop"),
    "early": "-o postscreen_greet_action=enforce -o postscreen_allowlist_interfaces=!127.0.0.1",
    "odd": "-o postscreen_pipelining_enable=yes -o postscreen_helo_required=yes "
           "-o postscreen_discard_ehlo_keywords=chunking,etrn -o postscreen_greet_wait=1s "
           "-o postscreen_disable_vrfy_command=yes -o postscreen_command_time_limit=2s "
           "-o { postscreen_reject_footer = \\c. See http://x/$client_address/$helo_name/$server_name } "
           "-o postscreen_tls_security_level=may -o respectful_logging=no",
    "filter": "-o postscreen_bare_newline_enable=yes -o postscreen_command_filter=pcre:"
              "{{/^FOO (.*)/ $$1}} -o postscreen_non_smtp_command_enable=yes -o postscreen_forbidden_commands=BAR -o postscreen_greet_wait=1s "
              "-o postscreen_greet_banner= -o postscreen_command_count_limit=4",
}

# Every client comes to each of these four.
EVERYWHERE = {
    "honest": [HONEST, HONEST],
    "speaks first": [[EARLY, ("wait", "250 "), MAIL, RCPT, "VRFY x", "DATA", QUIT]],
    "leaves": [["hangup"]],
    "leaves greeted": [[GREETED, "hangup"]],
    "leaves after MAIL": [[GREETED, EHLO, MAIL, "hangup"]],
    "leaves after RCPT": [[GREETED, EHLO, MAIL, RCPT, "hangup"]],
    "sends ahead": [[GREETED, ("send", b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n"), ("wait", "250 "),
                     ("wait", "250 "), RCPT, QUIT], HONEST],
    "header": [[GREETED, EHLO, "Subject: hello", MAIL, RCPT, QUIT], HONEST],
    "web": [[GREETED, "GET / HTTP/1.0", MAIL, RCPT, QUIT], HONEST],
    "newline": [[GREETED, b"EHLO x\n", MAIL, RCPT, QUIT], HONEST],
}
ADDRESSED = {
    "denied": ("127.0.3.{0}", [HONEST]),
    "permitted": ("127.0.4.{0}", [HONEST]),
    "dunno": ("127.0.5.{0}", [HONEST]),
    "bad": ("127.0.2.{1}", [HONEST]),
    "good": ("127.0.2.{2}", [HONEST, HONEST]),
    "half": ("127.0.2.{3}", [HONEST]),
    "mixed": ("127.0.2.{4}", [HONEST]),
    "silent lists": ("127.0.2.{5}", [HONEST]),
    "two lists": ("127.0.2.{6}", [HONEST]),
    "bad and early": ("127.0.2.{7}", [[EARLY, ("wait", "250 "), MAIL, RCPT, QUIT]]),
}
# Clients of one instance.
OTHERS = {
    "syntax": ("enforce", [[GREETED, "HELO", "EHLO", "HELO a", "MAIL", "RCPT TO:<a>", "DATA"],
                           [GREETED, "BDAT"], [GREETED, EHLO, MAIL, "BDAT 5 LAST"],
                           [GREETED, EHLO, MAIL, "BDAT x"], [GREETED, EHLO, "DATA x"]]),
    "others": ("enforce", [[GREETED, "NOOP", "VRFY", "VRFY x", "ETRN", "ETRN x", "AUTH PLAIN",
                            "STARTTLS", "HELP", "EXPN", "XCLIENT a=b", "foo", "", "QUIT x"]]),
    "mail": ("enforce", [[GREETED, "MAIL FROM:<a@b> SIZE=3", MAIL, "RCPT", "RCPT TO:a@b",
                          "RCPT TO:<a@b> NOTIFY=NEVER", "RSET", "MAIL FROM: a", "RSET", "RSET x",
                          "NOOP x", QUIT]]),
    "addresses": ("enforce", [[GREETED, "EHLO  a b ", "mail from: <a@b>", 'RCPT TO:<"c d"@e>',
                               "RCPT TO:<>", 'RCPT TO:<"a"@b>', "RCPT TO:<a@[192.0.2.1]>",
                               "RCPT TO:<@x:a@b>", "RCPT TO:", "RSET", "RCPT TO:<a@b>", QUIT]]),
    "many": ("enforce", [[GREETED] + ["NOOP"] * 21]),
    "long": ("enforce", [[GREETED, EHLO, b"x" * 4000 + b"\r\n"]]),
    "ahead at the end": ("enforce", [[GREETED, EHLO, MAIL,
                                      ("send", b"RCPT TO:<a@b>\r\nQUIT\r\n"), ("wait", "221")]]),
    "early and long": ("enforce", [[("send", b"EHLO " + b"x" * 700 + b"\r\n\x01\xff\\"),
                                    ("wait", "250 "), "hangup"]]),
    "early, else honest": ("early", [[("send", b"EHLO bot\r\nMAIL FROM:<a@b>\r\n"), ("wait", "250 "),
                                      ("wait", "250 "), b"RCPT TO:<a@b>\n", "Subject: x"]]),
    "to the backup": ("early", [HONEST, HONEST]),
    "no HELO": ("odd", [[GREETED, MAIL, "ETRN x", "VRFY x", EHLO, "BDAT 1"]]),
    "slow": ("odd", [[GREETED, EHLO, ("wait", "421")]]),
    "slower": ("odd", [[("wait", "421")]]),
    "footer": ("odd", [[GREETED, EHLO, MAIL, RCPT, "foo", QUIT], HONEST]),
    "tls": ("odd", [[GREETED, EHLO, "STARTTLS", "tls", RCPT, EHLO, "STARTTLS", MAIL,
                     RCPT, QUIT], HONEST]),
    "tls too late": ("odd", [[GREETED, EHLO, MAIL, "STARTTLS", "hangup"]]),
    "one test only": ("filter", [[GREETED, "NOOP", ("send", b"NOOP\r\nQUIT\r\n"), ("wait", "221")]]),
    "filtered": ("filter", [[GREETED, "FOO EHLO x", "FOO BAR"], [GREETED, "BAR"],
                            [GREETED, "NOOP", "NOOP", "NOOP", "NOOP", "NOOP"]]),
}
# What differs on purpose: our lines that Postfix does not have, and its that we do not.
OURS = ("TLS connection established", "SSL_accept error from",
        "improper command pipelining after CONNECT from")
THEIRS = ("malformed BDAT command syntax",)


def clients():
    """(name, instance, source address, visits) of all."""
    for number, service in enumerate(("plain", "ignore", "enforce", "drop")):
        for n, (name, visits) in enumerate(EVERYWHERE.items()):
            yield f"{name}, {service}", service, f"127.0.1.{number * 50 + n + 1}", visits
        for name, (address, visits) in ADDRESSED.items():
            source = address.format(*[number * 50 + n for n in range(8)] if "{0}" not in address
                                    else [number * 50 + 1])
            lists = "-lists" if address.startswith("127.0.2.") else ""
            yield f"{name}, {service}", service + lists, source, visits
    for n, (name, (service, visits)) in enumerate(OTHERS.items(), 1):
        yield f"{name}, {service}", service, f"127.0.6.{n}", visits


def services():
    for n, (name, options) in enumerate(SERVICES.items(), 1):
        yield (f"127.0.0.1:{{port{n}}} inet n - n - 1 postscreen {options} "
               f"-o postscreen_cache_map=btree:$data_directory/{name}")
    yield from ("smtpd pass - - n - - smtpd", "dnsblog unix - - n - 0 dnsblog",
                "tlsproxy unix - - n - 0 tlsproxy")


def outcomes(mta):
    for name, text in FILES.items():
        mta.write(name, text)
    chain = mta.certificate()
    mta.write_configuration(smtpd_tls_chain_files=chain)
    mta.start()
    ports = {name: mta.port(n) for n, name in enumerate(SERVICES, 1)}
    running = [(name, Visits(mta, ports[service], source, visits))
               for name, service, source, visits in clients()
               if not sys.argv[1:] or name.startswith(sys.argv[1])]
    return {name: visits.outcome() for name, visits in running}


check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
with DnsServer(ZONE, "127.0.0.1", 53):
    with Postfix37({**SETTINGS, "tlsproxy_tls_security_level": "may"}, extra_services=list(services())) as peer:
        peer.write("dynamicmaps.cf", "pcre postfix-pcre.so dict_pcre_open\n")
        theirs = outcomes(peer)
    # Its default is another since 3.9.
    settings = {**SETTINGS, "smtpd_forbid_unauth_pipelining": "no"}
    with Instance(settings, extra_services=list(services())) as mta:
        ours = outcomes(mta)


def without(lines, words):
    """Our queue ids are longer; "(0 bytes)" our smtpd says, too."""
    return [re.sub(r"smtpd: [0-9A-F]{10,}:", "smtpd: QID:", line).replace(" (0 bytes)", "")
            for line in lines if not any(word in line for word in words)]


for name, (replies, log) in theirs.items():
    check_equal(ours[name][0], replies, f"{name}: replies")
    log, got = without(log, THEIRS), without(ours[name][1], OURS)
    check(got == log, "\n   ".join([f"{name}: log lines of Postfix", *log, "and ours", *got]))
finish()
