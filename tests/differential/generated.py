"""generated.py -- tables, addresses, settings and messages made by chance, the same ones for the
same number. What a test says about "set 17" is seen again with `NAME_test.py 17`."""
import os
import random
import sys

NAMES = ["u1", "u2", "u3", "Upper", "owner-list", "list-request", "a.b", "u-1", "root"]
EXTENSIONS = ["ext", "e+f", "a-b", "Big", "x=y"]
HERE = ["here.example", "Here.Example", "mail.test.example"]
FAR = ["one.example", "two.example", "sub.one.example", "deep.sub.one.example", "x.dom.test",
       "keep.dom.test", "y.keep.dom.test", "dom.test"]
CLASSES = ["alias.example", "box.example", "relay.example", "sub.relay.example"]
SHORT = ["here", "host"]
ODD_DOMAINS = ["two.example.", "[127.0.0.1]", "[192.0.2.1]", "[IPv6:2001:db8::1]", "192.0.2.1",
               "x_y.example", "-x.example", "a..b", "."]
# In the form that the queue has, without quotes.
ODD_LOCALS = ["a b", 'q"q', "b\\s", "a@b", "a,b", "two..dots", ".dot", "dot.", "+", "+x", "u1+",
              "-dash", "a%b", "one.example!u1", "a!b!c", "u1%two.example", "u%v%one.example",
              "u!v%w", "u1 +x", "a(b)", "<a>", "[x]", "a:b", "a;b", "u1+e x",
              "here.example!u1", "u1%here.example", "a/b", "a'b", "u=v", "a*b"]
PROPAGATE = ["canonical", "virtual", "alias", "forward", "include", "generic"]
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")


def numbers(default, long):
    """Which sets to look at: those on the command line, or as many as the mode has time for."""
    if sys.argv[1:]:
        return [int(word) for word in sys.argv[1:]]
    return range(long if os.environ.get("TEST_MODE") == "long" else default)


def quoted(local):
    """A local part as RFC 5321 section 4.1.2 writes it."""
    plain = local and set(local) <= PLAIN and "" not in local.split(".")
    return local if plain else '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Dice(random.Random):
    def often(self, chance):
        return self.random() < chance

    def some(self, items, most):
        return self.sample(items, self.randint(0, min(most, len(items))))

    def local(self, odd=0.15):
        if self.often(odd):
            return self.choice(ODD_LOCALS)
        name = self.choice(NAMES)
        if self.often(0.3):
            name += self.choice("++-=") + self.choice(EXTENSIONS)
        return name

    def domain(self, odd=0.06):
        return self.choice(self.choices((HERE, FAR, CLASSES, SHORT, ODD_DOMAINS),
                                        (4, 5, 3, 1, 15 * odd))[0])

    def address(self, odd=0.15, bare=0.1):
        """As it is written in mail."""
        local = quoted(self.local(odd))
        return local if self.often(bare) else f"{local}@{self.domain()}"

    # -- tables --

    def key(self):
        form = self.random()
        if form < 0.15:
            return "@" + self.domain(0)
        local = self.local(0.1)
        if form < 0.35:
            return quoted(local)
        return f"{quoted(local)}@{self.domain(0)}"

    def value(self):
        form = self.random()
        if form < 0.12:
            return "@" + self.domain(0)
        return quoted(self.local(0.1)) + ("" if form < 0.25 else "@" + self.domain(0))

    def entries(self, key, value, most=14):
        return {key().lower(): value() for _ in range(self.randint(2, most))}

    def inline(self, entries):
        """The entries as an inline table, which may not be empty."""
        items = ", ".join(f"{{{k} = {v}}}" for k, v in entries.items())
        return f"inline:{{{items}}}" if items else ""

    def targets(self):
        """One value, or several addresses."""
        if self.often(0.5):
            return self.value()
        return ", ".join(self.address(0.1) for _ in range(self.randint(1, 3)))


def usable(entries):
    """Braces in the text would be an inline table's own."""
    return {k: v for k, v in entries.items() if not set("{}=") & set(k + v)}


# ---- what rewriting depends on ----

BASE = {
    "compatibility_level": "3.6", "myhostname": "mail.test.example", "mydomain": "dom.test",
    "myorigin": "here.example", "mydestination": "here.example, mail.test.example",
    "virtual_alias_domains": "alias.example", "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "static:x/", "relay_domains": "relay.example",
    "local_recipient_maps": "", "relay_recipient_maps": "", "disable_dns_lookups": "yes",
    "smtpd_reject_unlisted_recipient": "no",
    "address_verify_map": "", "notify_classes": "", "smtp_host_lookup": "native",
    "hopcount_limit": "100",
}


def rewriting(dice):
    """Parameters of addresses in general."""
    s = {"recipient_delimiter": dice.choice(["", "+", "+", "-", "+-", "=+"])}
    for name, chance in (("append_dot_mydomain", 0.5), ("swap_bangpath", 0.3),
                         ("allow_percent_hack", 0.3), ("owner_request_special", 0.3),
                         ("resolve_dequoted_address", 0.2)):
        if dice.often(chance):
            s[name] = dice.choice(["yes", "no"])
    if dice.often(0.1):
        s["append_at_myorigin"] = "no"
    if dice.often(0.2):
        s["myorigin"] = dice.choice(["one.example", "host", "alias.example"])
    if dice.often(0.5):
        s["propagate_unmatched_extensions"] = ", ".join(dice.some(PROPAGATE, 4))
    return s


def mappings(dice):
    """Tables that give other addresses, and where they count."""
    s = {}
    for name, classes in (("canonical_maps", ["envelope_sender", "envelope_recipient",
                                              "header_sender", "header_recipient"]),
                          ("sender_canonical_maps", ["envelope_sender", "header_sender"]),
                          ("recipient_canonical_maps", ["envelope_recipient", "header_recipient"])):
        if dice.often(0.4):
            s[name] = dice.inline(usable(dice.entries(dice.key, dice.value)))
            if dice.often(0.3):
                s[name.replace("maps", "classes")] = ", ".join(
                    dice.some(classes, 3) or classes[:1])
    if dice.often(0.6):
        s["virtual_alias_maps"] = dice.inline(usable(dice.entries(
            dice.key, dice.targets)))
    if dice.often(0.4):
        s["masquerade_domains"] = ", ".join(dice.sample(
            ["dom.test", "!keep.dom.test", "one.example", "sub.one.example", "!deep.sub.one.example"],
            dice.randint(1, 4)))
        s["masquerade_exceptions"] = ", ".join(dice.some(["root", "u1", "Upper"], 2))
        if dice.often(0.4):
            s["masquerade_classes"] = ", ".join(dice.sample(
                ["envelope_sender", "envelope_recipient", "header_sender", "header_recipient"], 2))
    return s


def mail_settings(dice):
    s = {**BASE, **rewriting(dice), **mappings(dice), "virtual_alias_domains": ""}
    if dice.often(0.2):
        s["always_bcc"] = dice.address(0, 0)
    for name in ("sender_bcc_maps", "recipient_bcc_maps"):
        if dice.often(0.25):
            s[name] = dice.inline(usable(dice.entries(dice.key, lambda: dice.address(0, 0))))
    if dice.often(0.4):
        s["smtp_generic_maps"] = dice.inline(usable(dice.entries(dice.key, dice.value)))
    if dice.often(0.3):
        s["local_header_rewrite_clients"] = dice.choice(["", "static:all", "192.0.2.1"])
    if dice.often(0.3):
        s["remote_header_rewrite_domain"] = dice.choice(["domain.invalid", "one.example"])
    if dice.often(0.15):
        s["enable_original_recipient"] = "no"
    if dice.often(0.15):
        s["message_drop_headers"] = dice.choice(["", "cc, sender", "X-Other"])
    if dice.often(0.1):
        s["receive_override_options"] = "no_address_mappings"
    if dice.often(0.2):
        s["always_add_missing_headers"] = "yes"
    if dice.often(0.15):
        s["header_checks"] = "regexp:{{/^Subject:/ " + dice.choice(
            [f"BCC {dice.address(0, 0)}", f"REDIRECT {dice.address(0, 0)}",
             f"PREPEND X-Other: {dice.address(0)}", f"PREPEND Cc: {dice.address(0)}",
             f"REPLACE Cc: {dice.address(0)}"]) + "}}"
    for name, values in (
            ("virtual_alias_expansion_limit", ["1", "2", "4"]),
            ("virtual_alias_recursion_limit", ["1", "2", "3"]),
            ("virtual_alias_address_length_limit", ["16", "22"]),
            ("local_header_rewrite_clients", ["permit_mynetworks", "permit_inet_interfaces",
                                              "check_address_map inline:{127.0.0.1=x}",
                                              "permit_sasl_authenticated"]),
            ("masquerade_exceptions", ["inline:{u1=x, u3=x}", "u2, !u1, root"]),
            ("header_from_format", ["obsolete"])):
        if dice.often(0.1):
            s[name] = dice.choice(values)
    return s


def route_settings(dice):
    """Each transport is one of discard(8): the reason tells the next hop, the tag the transport."""
    transports = ["t1", "t2", "loc", "virt", "rel", "dflt"]

    def transport_key():
        form = dice.random()
        if form < 0.15:
            return "*"
        if form < 0.45:
            return dice.choice(["", ".", ""]) + dice.domain(0)
        return f"{quoted(dice.local(0.1))}@{dice.domain(0)}"

    def channel():
        return dice.choice(transports + [""]) + ":" + dice.choice(
            ["", "", "hop.example", "[hop.example]:26", "5.7.1 not for you", "192.0.2.9"])

    def sender_key():
        return dice.choice([dice.key(), "@" + dice.domain(0), "<>"])
    s = {**BASE, **rewriting(dice), **mappings(dice),
         "local_transport": dice.choice(["loc", "loc:", "loc:$myhostname"]),
         "virtual_transport": dice.choice(["virt", "virt:vhop"]),
         "relay_transport": dice.choice(["rel", "rel:rhop"]),
         "default_transport": dice.choice(["dflt", "dflt", "dflt:dhop"]),
         "relayhost": dice.choice(["", "", "smart.example", "[smart.example]:587"])}
    if dice.often(0.6):
        s["transport_maps"] = dice.inline(usable(dice.entries(transport_key, channel)))
    if dice.often(0.3):
        s["relocated_maps"] = dice.inline(usable(dice.entries(
            dice.key, lambda: dice.choice(["new@two.example", "the moon, 2nd crater", "5.1.1 x"]))))
    if dice.often(0.35):
        s["sender_dependent_relayhost_maps"] = dice.inline(usable(dice.entries(
            sender_key, lambda: dice.choice(["[sr.example]", "sr.example:25", "DUNNO"]))))
    if dice.often(0.35):
        s["sender_dependent_default_transport_maps"] = dice.inline(usable(dice.entries(
            sender_key, lambda: dice.choice([dice.choice(transports) + ":hop.example", "t1:", "DUNNO"]))))
    for name, value in (("parent_domain_matches_subdomains", ""),
                        ("parent_domain_matches_subdomains", "transport_maps, relay_domains"),
                        ("resolve_null_domain", "yes"), ("resolve_numeric_domain", "yes"),
                        ("allow_min_user", "yes"), ("show_user_unknown_table_name", "no"),
                        ("mydestination", "here.example, one.example, $myhostname"),
                        ("relay_domains", "relay.example, sub.one.example"),
                        ("proxy_interfaces", "192.0.2.1"),
                        ("relocated_prefix_enable", "no"),
                        ("default_filter_nexthop", "filter.example"),
                        ("content_filter", dice.choice(["t1:", "t2:[hop.example]:26", "t1"])),
                        ("virtual_alias_expansion_limit", "3"),
                        ("virtual_alias_recursion_limit", "2"),
                        ("virtual_alias_domains", "alias.example, here.example, one.example"),
                        ("empty_address_relayhost_maps_lookup_key", "u1@one.example"),
                        ("empty_address_default_transport_maps_lookup_key", "u2@one.example"),
                        ("append_at_myorigin", "no"), ("relocated_maps", "static:gone"),
                        ("sender_dependent_relayhost_maps", dice.choice(
                            ["static:[sr.example]", "inline:{{u1=x}}, static:DUNNO",
                             "inline:{{@one.example=DUNNO}}, static:sr.example"])),
                        ("sender_dependent_default_transport_maps", dice.choice(
                            ["static:t2", "static:t2:hop", "static:dunno"]))):
        if dice.often(0.12):
            s[name] = value
    return s


# ---- messages ----

ADDRESS_FIELDS = ["From", "Sender", "Reply-To", "To", "Cc", "Resent-From", "Resent-To", "Errors-To",
                  "Return-Receipt-To", "Mail-Followup-To", "Disposition-Notification-To", "X-Other",
                  "Bcc", "Resent-Cc", "Apparently-To", "Delivered-To", "Resent-Sender"]
PHRASES = ["Fred Flint", '"Flint, Fred"', "=?utf-8?q?Fr=C3=A9d?=", "F", '"F \\"x\\" F"']


def mailbox(dice):
    address = dice.address()
    form = dice.random()
    if form < 0.25:
        return f"{dice.choice(PHRASES)} <{address}>"
    if form < 0.35:
        return f"<{address}>"
    if form < 0.45:
        return f"{address} (a comment)"
    return address


def field(dice, name):
    boxes = [mailbox(dice) for _ in range(dice.randint(1, 4))]
    if dice.often(0.08):
        boxes.append(f"group: {mailbox(dice)}, {mailbox(dice)};")
    return f"{name}: " + dice.choice([", ", ",\n ", ","]).join(boxes) + "\n"


def message(dice):
    """Sender, recipients, text."""
    names = ["From", "To"] + dice.some(ADDRESS_FIELDS, 5)
    text = "".join(field(dice, name) for name in dict.fromkeys(names))
    sender = "" if dice.often(0.1) else dice.address(0.1, 0.03)
    rcpts = [dice.address(0.1, 0.03) for _ in range(dice.randint(1, 4))]
    return sender, rcpts, text + "Subject: x\n\nbody\n"
