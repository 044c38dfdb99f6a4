"""restriction_cases.py -- configurations of restriction lists and dialogues with them, made up by a
random generator that always makes the same ones. restrictions_test.py has two systems judge them."""
import random

# What both ask, from one server.
ZONE = {
    ("good.example", "A"): ["192.0.2.80"], ("good.example", "NS"): ["ns.good.example"],
    ("ns.good.example", "A"): ["192.0.2.53"],
    ("mail.example", "MX"): [(10, "mx1.mail.example"), (20, "mx2.mail.example")],
    ("mail.example", "NS"): ["ns.evil.example"],
    ("mx1.mail.example", "A"): ["192.0.2.25"], ("mx2.mail.example", "A"): ["192.0.2.26"],
    ("ns.evil.example", "A"): ["203.0.113.53"],
    ("null.example", "MX"): [(0, ".")],
    ("nodata.example", "TXT"): ["nothing else"],
    ("slow.example", "A"): "SERVFAIL", ("slow.example", "MX"): "SERVFAIL",
    ("slow.example", "NS"): "SERVFAIL", ("slow.example", "AAAA"): "SERVFAIL",
    ("client.good.example", "A"): ["192.0.2.1"], ("six.example", "AAAA"): ["2001:db8::25"],
    ("backup.example", "MX"): [(10, "far.backup.example"), (20, "here.backup.example")],
    ("far.backup.example", "A"): ["192.0.2.99"], ("here.backup.example", "A"): ["127.0.0.1"],
    # lists
    ("1.2.0.192.bl.example", "A"): ["127.0.0.2"],
    ("1.2.0.192.bl.example", "TXT"): ["see http://bl.example/192.0.2.1"],
    ("2.2.0.192.bl.example", "A"): ["127.0.0.10", "127.0.0.4"],
    ("3.2.0.192.bl.example", "A"): "SERVFAIL", ("2.2.0.192.odd.example", "A"): ["127.0.0.1"],
    ("1.100.51.198.wl.example", "A"): ["127.0.5.1"],
    ("3.2.0.192.wl.example", "A"): "SERVFAIL",
    ("mail.example.rhs.example", "A"): ["127.0.0.2"],
    ("mail.example.rhs.example", "TXT"): ["a bad domain"],
    ("client.good.example.rhs.example", "A"): ["127.0.0.7"],
    ("good.example.rhswl.example", "A"): ["127.0.0.1"],
    ("client.good.example.rhswl.example", "A"): ["127.0.0.1"],
    ("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example", "A"):
        ["127.0.0.2"],
}

BASE = {
    "mydestination": "here.example, localhost",
    "myorigin": "here.example",
    "local_recipient_maps": "inline:{joe=x, ann=x, hold=x, bcc=x}",
    "recipient_delimiter": "+",
    "relay_domains": "relay.example",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{a@alias.example=joe@here.example}",
    "transport_maps": "inline:{{closed.example = error:5.1.2 domain is closed}, "
                      "{off.example = error:go away}, {later.example = retry:4.4.4 try later}, "
                      "{gone@here.example = error:5.1.6 gone}, {shut@relay.example = error:shut}}",
    "relocated_maps": "inline:{moved@here.example=joe@new.example, moved@relay.example=x@y.example}",
    "local_transport": "discard", "relay_transport": "discard", "default_transport": "discard",
    "mynetworks": "127.0.0.0/8, 198.51.100.0/24",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "1000",
    "smtpd_peername_lookup": "no",
    "smtpd_restriction_classes": "strict, loose, nested, quick",
    "strict": "reject_non_fqdn_sender, reject_unknown_sender_domain, reject_non_fqdn_recipient",
    "loose": "permit_mynetworks, check_sender_access inline:{good.example=OK, mail.example=REJECT}",
    "nested": "warn_if_reject, strict, loose",
    "quick": "permit",
    "rbl_reply_maps": "inline:{{rhs.example = $$rbl_code 5.7.8 $$rbl_class: $$rbl_what in "
                      "$$rbl_domain$${rbl_reason?: $$rbl_reason}}, {odd.example = no reply}}",
    "inet_protocols": "all",
}

ACTIONS = [
    "OK", "REJECT", "REJECT not today", "REJECT 5.7.9 with a code", "DEFER", "DEFER come back",
    "DUNNO", "DEFER_IF_PERMIT", "DEFER_IF_PERMIT maybe", "DEFER_IF_REJECT", "DEFER_IF_REJECT hm",
    "HOLD", "HOLD for a look", "DISCARD", "FILTER discard:somewhere", "FILTER", "FILTER nowhere",
    "REDIRECT joe@here.example", "REDIRECT joe", "BCC bcc@here.example", "PREPEND X-Seen: yes",
    "PREPEND nonsense", "WARN look", "WARN", "INFO about it", "550 5.1.2 gone", "450 wait",
    "554", "450 4.2.1", "12345", "reject_unknown_sender_domain", "permit_mynetworks, reject",
    "strict", "quick", "reject_rbl_client bl.example", "521 5.7.3 bye", "reject", "relay",
]
KEYS = {
    "client": ["192.0.2", "192.0.2.1", "198.51.100", "good.example", "client.good.example", "2001:db8",
               "unknown", "example"],
    "reverse_client_hostname": ["other.example", "good.example", "192.0.2.1", "unknown"],
    "helo": ["good.example", "example", "host", "mail.example", "[192.0.2.1]", "192.0.2.1"],
    "sender": ["mail.example", "bad@", "bad@mail.example", "<>", "example", "good.example", "host@"],
    "recipient": ["here.example", "joe@here.example", "joe@", "far.example", "ann@", "relay.example",
                  "joe+ext@here.example", "joe"],
}
SERVER_KEYS = ["192.0.2", "192.0.2.25", "mx2.mail.example", "evil.example", "mail.example",
               "203.0.113.53", "192.0.2.80", "ns.good.example", "2001:db8::25", "192.0.2.1"]
PLAIN = [
    "reject_unknown_client_hostname", "reject_unknown_reverse_client_hostname",
    "reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname", "reject_unknown_helo_hostname",
    "reject_non_fqdn_sender", "reject_unknown_sender_domain", "reject_unlisted_sender",
    "reject_non_fqdn_recipient", "reject_unknown_recipient_domain", "reject_unlisted_recipient",
    "reject_multi_recipient_bounce", "permit_mynetworks", "permit_auth_destination",
    "reject_unauth_destination", "defer_unauth_destination",
    "reject_unauth_pipelining", "reject_plaintext_session", "permit_sasl_authenticated",
    "permit_tls_clientcerts", "reject_sender_login_mismatch", "permit_mx_backup",
    "reject_rbl_client bl.example", "reject_rbl_client bl.example=127.0.0.2",
    "reject_rbl_client bl.example=127.0.0.[3..11]", "reject_rbl_client bl.example=127.0.0.10",
    "permit_dnswl_client wl.example", "permit_dnswl_client wl.example=127.0.[0..255].[1..3]",
    "reject_rbl_client odd.example", "reject_rhsbl_client rhs.example", "reject_rhsbl_reverse_client rhs.example",
    "reject_rhsbl_helo rhs.example", "reject_rhsbl_sender rhs.example",
    "reject_rhsbl_recipient rhs.example", "permit_rhswl_client rhswl.example",
    "strict", "loose", "nested", "defer_if_permit", "defer_if_reject", "sleep 0",
    "reject_rbl_client", "reject_nonsense",
]
RARE = ["permit", "reject", "defer", "quick"]
SETTINGS = [
    {}, {}, {}, {}, {"smtpd_delay_reject": "no"}, {"smtpd_delay_reject": "no"},
    {"soft_bounce": "yes"}, {"reject_tempfail_action": "defer"}, {"unknown_client_reject_code": "550"},
    {"unknown_address_reject_code": "550", "unknown_hostname_reject_code": "550"},
    {"smtpd_relay_before_recipient_restrictions": "no"}, {"smtpd_reject_unlisted_sender": "yes"},
    {"smtpd_reject_unlisted_recipient": "no"}, {"access_map_reject_code": "551"},
    {"maps_rbl_reject_code": "450"}, {"smtpd_reject_footer": r"\c. Ask $server_name\nor not"},
    {"smtpd_reject_footer": "From $client_address by $helo_name"},
    {"smtpd_log_access_permit_actions": "permit_mynetworks, OK, permit"},
    {"parent_domain_matches_subdomains": ""}, {"smtpd_null_access_lookup_key": "nobody"},
    {"default_rbl_reply": "$rbl_code no $rbl_what$sender $recipient_domain"},
    {"smtpd_client_port_logging": "yes"}, {"permit_mx_backup_networks": "192.0.2.0/24"},
    {"allow_untrusted_routing": "yes"}, {"unknown_address_tempfail_action": "defer"},
]

CLIENTS = [
    ("192.0.2.1", "client.good.example", "client.good.example"), ("192.0.2.1", "[UNAVAILABLE]", None),
    ("192.0.2.2", "[TEMPUNAVAIL]", "other.example"), ("192.0.2.3", "x.mail.example", None),
    ("198.51.100.1", "inside.example", None), ("203.0.113.9", "[UNAVAILABLE]", "[TEMPUNAVAIL]"),
    ("IPV6:2001:db8::5", "six.example", None), ("127.0.0.1", "localhost", None),
]
HELOS = ["good.example", "mail.example", "host", "-bad-", "[192.0.2.1]", "[x]", "slow.example",
         "nowhere.example", "sub.good.example", "192.0.2.1", "client.good.example."]
SENDERS = ["", "", "x@good.example", "bad@mail.example", "x@mail.example", "x@sub.mail.example",
           "x@nowhere.example", "x@null.example", "x@slow.example", "x@nodata.example", "x@host",
           "joe", "x@[192.0.2.25]", "no@here.example", "x@six.example", "joe@here.example",
           "x@closed.example", "x@off.example", "x@later.example", "moved@here.example", "gone@here.example"]
RECIPIENTS = ["joe@here.example", "joe+ext@here.example", "no@here.example", "joe", "x@far.example",
              "x@relay.example", "a@alias.example", "no@alias.example", "x@good.example",
              "x@mail.example", "x@null.example", "x@slow.example", "ann@[127.0.0.1]",
              "x@backup.example", "x%far.example@here.example", "x@here", "Ann@Here.Example",
              "x%good.example@relay.example", "x@closed.example", "x@later.example", "x@off.example",
              "moved@here.example", "moved@relay.example", "gone@here.example", "shut@relay.example"]


def table(rng, keys):
    chosen = rng.sample(keys, rng.randint(1, min(3, len(keys))))
    return "inline:{%s}" % ", ".join("{%s = %s}" % (key, rng.choice(ACTIONS)) for key in chosen)


def restriction(rng):
    kind = rng.random()
    if kind < 0.06:
        return rng.choice(RARE)
    if kind < 0.14:
        return "warn_if_reject, " + restriction(rng)
    if kind < 0.40:
        about = rng.choice(list(KEYS))
        return f"check_{about}_access {table(rng, KEYS[about])}"
    if kind < 0.52:
        about, what = rng.choice(list(KEYS)), rng.choice(("a", "mx", "ns"))
        return f"check_{about}_{what}_access {table(rng, SERVER_KEYS)}"
    return rng.choice(PLAIN)


def restrictions(rng, least, most):
    return ", ".join(restriction(rng) for _ in range(rng.randint(least, most)))


def not_final(rng):
    """Postfix does not start where relay control stands behind what ends the list; nor do we where
    it is the argument of a restriction that has none of its own."""
    found = [restriction(rng) for _ in range(rng.randint(0, 2))]
    return "".join(f"{r}, " for r in found if r not in RARE and not r.endswith("rbl_client"))


def configuration(rng):
    found = dict(rng.choice(SETTINGS))
    for name in ("client", "helo", "sender", "recipient", "data", "end_of_data"):
        if rng.random() < (0.2 if name in ("data", "end_of_data") else 0.6):
            found[f"smtpd_{name}_restrictions"] = restrictions(rng, 1, 3)
    found["smtpd_relay_restrictions"] = rng.choice((
        "permit_mynetworks, reject_unauth_destination",
        "permit_mynetworks, defer_unauth_destination",
        "permit_auth_destination, reject",
        not_final(rng) + "reject_unauth_destination",
        "permit_mynetworks, permit_mx_backup, reject_unauth_destination"))
    return found


def dialogue(rng):
    address, name, reverse = rng.choice(CLIENTS)
    client = f"XCLIENT ADDR={address} NAME={name}" + (f" REVERSE_NAME={reverse}" if reverse else "")
    lines = [client, f"EHLO {rng.choice(HELOS)}", f"MAIL FROM:<{rng.choice(SENDERS)}>"]
    lines += [f"RCPT TO:<{rcpt}>" for rcpt in rng.sample(RECIPIENTS, rng.randint(1, 3))]
    if rng.random() < 0.1:
        lines.insert(-1, f"VRFY {rng.choice(RECIPIENTS)}")
    return lines + ["DATA", "QUIT"]


def cases(configurations, dialogues, seed=5):
    """[(configuration, [dialogue, ...]), ...]"""
    rng = random.Random(seed)
    return [(configuration(rng), [dialogue(rng) for _ in range(dialogues)])
            for _ in range(configurations)]
