#!/usr/bin/env python3
"""docs/front-layer.md, as it stands: a front, Postern and Dovecot's proxy, and two stores. A store that is
dead has its users' mail wait and their IMAP fail; the others notice nothing. As root and as an ordinary
user."""
import contextlib
import imaplib
import os
import pwd
import re
import smtplib
import ssl
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import dovecot
from harness import Instance, Smtp, check, check_equal, check_match, finish, free_port, is_root, wait_until
from mailserver import PACKAGES

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ANN, BOB = "ann@isp.example", "bob@isp.example"
PASSWORDS = {ANN: "sesame", BOB: "open_it"}
# What a Dovecot of a test has besides.
PLACES = """
listen = 127.0.0.1
libexec_dir = {packages}
mail_plugin_dir = {packages}/modules
import_environment = TZ LD_LIBRARY_PATH
service imap-login {{
  chroot =
}}
service imap-urlauth-login {{
  chroot =
}}
""".format(packages=PACKAGES)


def documented():
    """{name: settings}"""
    with open(f"{SOURCE}/docs/front-layer.md", encoding="utf-8") as file:
        return dict(re.findall(r"^```conf (\S+)\n(.*?)^```$", file.read(), re.M | re.S))


def put(text, places):
    """The settings with the places of this test instead of the document's."""
    for old, new in places.items():
        check(old in text, f"the document has {old}")
        text = text.replace(old, new)
    return text


class Store:
    def __init__(self, stack, text, user):
        self.imap, self.lmtp = free_port(), free_port()
        self.home = stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-store-"))
        self.mail = os.path.join(self.home, "mail")
        for folder in self.mail, os.path.join(self.home, "private"):
            os.mkdir(folder)
        who = pwd.getpwnam(user or "nobody") if is_root() else pwd.getpwuid(os.geteuid())
        for folder in self.home, self.mail, os.path.join(self.home, "private"):
            os.chmod(folder, 0o755)
            os.chown(folder, who.pw_uid, who.pw_gid)
        text = put(text, {"port = 143": f"port = {self.imap}", "port = 24\n": f"port = {self.lmtp}\n",
                          "192.0.2.1": "127.0.0.1", "/var/vmail": self.mail,
                          "uid=vmail gid=vmail": f"uid={who.pw_uid} gid={who.pw_gid}"})
        self.dovecot = dovecot.Dovecot(self.home, users={"none": "none"}, userdb="driver = prefetch",
                                       mechanisms="plain", user=user, more=PLACES + text)
        stack.callback(self.dovecot.__exit__)

    def start(self):
        self.dovecot.start({"LD_LIBRARY_PATH": PACKAGES})

    def subjects(self, name):
        """Of the files that are here."""
        local, _, domain = name.partition("@")
        found = []
        for folder in "new", "cur":
            box = os.path.join(self.mail, domain, local, "Maildir", folder)
            for each in os.listdir(box) if os.path.isdir(box) else []:
                with open(os.path.join(box, each), encoding="utf-8") as file:
                    found += re.findall("^Subject: (.*)$", file.read(), re.M)
        return sorted(found)


class Layer:
    def __init__(self, stack, user):
        said = documented()
        self.stores = [Store(stack, said["store"], user) for _ in range(2)]
        settings = put(said["main.cf"], {f"192.0.2.1{n}]:24": f"127.0.0.1]:{store.lmtp}"
                                         for n, store in enumerate(self.stores, 1)})
        self.front = stack.enter_context(Instance(
            dict(re.fullmatch(r"(\w+) =\s*(.*)", line).groups() for line in settings.splitlines()),
            user=user, extra_services=[dovecot.SUBMISSION, dovecot.SUBMISSIONS]))
        chain = self.front.certificate()
        self.front.write_configuration(smtpd_tls_chain_files=chain)
        os.chmod(chain + ".crt", 0o644)
        self.trust = ssl.create_default_context(cafile=chain + ".crt")
        if user:
            os.chown(chain, pwd.getpwnam(user).pw_uid, -1)
        self.imaps = free_port()
        self.proxy = dovecot.Dovecot(
            self.front.queue, owner=self.front.settings["mail_owner"], user=user, mechanisms="plain",
            users=PASSWORDS,
            extra={name: f"proxy=y host=127.0.0.1 port={store.imap} nopassword=y"
                   for name, store in zip((ANN, BOB), self.stores)},
            more=PLACES + put(said["front"], {"/etc/ssl/certs/mail.crt": chain, "port = 993":
                                              f"port = {self.imaps}", "/etc/ssl/private/mail.key": chain}) +
            "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n")
        stack.callback(self.proxy.__exit__)
        self.front.start()
        for each in (*self.stores, self.proxy):
            each.start() if isinstance(each, Store) else each.start({"LD_LIBRARY_PATH": PACKAGES})

    def send(self, sender, to, subject):
        """Authenticated, by the front."""
        with smtplib.SMTP_SSL("localhost", self.front.port(2), context=self.trust) as smtp:
            smtp.login(sender, PASSWORDS[sender])
            smtp.sendmail(sender, to, f"From: {sender}\nTo: {to}\nSubject: {subject}\n\nHello.\n")

    def reads(self, name):
        """Subjects by IMAP, from the front."""
        with imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=self.trust) as imap:
            imap.login(name, PASSWORDS[name])
            imap.select()
            texts = [imap.fetch(number, "(BODY.PEEK[])")[1][0][1].decode()
                     for number in imap.search(None, "ALL")[1][0].split()]
        return sorted(re.search(r"(?m)^Subject: (.*?)\r$", text)[1] for text in texts)

    def arrives(self, name, *subjects):
        wait_until(lambda: self.reads(name) == sorted(subjects), f"{subjects} for {name}")


def refusal(layer, name, password):
    """What IMAP says of a login that fails; None when it did not."""
    try:
        with imaplib.IMAP4_SSL("localhost", layer.imaps, ssl_context=layer.trust) as imap:
            imap.login(name, password)
    except imaplib.IMAP4.error as error:
        return str(error)
    return None


def each_has_his_store(layer):
    layer.send(ANN, BOB, "for bob")
    layer.send(BOB, ANN, "for ann")
    layer.arrives(ANN, "for ann")
    layer.arrives(BOB, "for bob")
    check_equal([[store.subjects(name) for name in (ANN, BOB)] for store in layer.stores],
                [[["for ann"], []], [[], ["for bob"]]], "what each store has")


def strangers_are_refused(layer):
    smtp = Smtp(layer.front.port(0))
    smtp.say("EHLO client.example", "250")
    smtp.say("MAIL FROM:<you@client.example>", "250 ")
    smtp.say("RCPT TO:<nobody@isp.example>", "550 5.1.1 ")
    smtp.close()
    check_match("AUTHENTICATIONFAILED", refusal(layer, ANN, "wrong"), "a wrong password at the front")


def a_store_dies(layer):
    first, second = layer.stores
    second.dovecot.stop()
    at = layer.front.log_position()
    layer.send(ANN, BOB, "while it is dead")
    layer.front.wait_for_log(rf"to=<{BOB}>, .*dsn=4\.4\.1, status=deferred \(connect to ", since=at)
    check_match("UNAVAILABLE", refusal(layer, BOB, PASSWORDS[BOB]), "his IMAP, for the time being")
    layer.send(BOB, ANN, "he can send")
    layer.send(ANN, ANN, "as if nothing were")
    layer.arrives(ANN, "for ann", "he can send", "as if nothing were")
    check_equal(layer.front.logged(rf"to=<{ANN}>, .*status=deferred", at), 0, "ann's mail never waits")
    second.start()
    layer.front.run("postqueue", "-f")
    layer.front.wait_for_log(rf"to=<{BOB}>, .*status=sent", since=at)
    layer.arrives(BOB, "for bob", "while it is dead")
    check_equal(first.subjects(BOB), [], "nothing of his is elsewhere")


def run(user):
    with contextlib.ExitStack() as stack:
        layer = Layer(stack, user)
        each_has_his_store(layer)
        strangers_are_refused(layer)
        a_store_dies(layer)


for each in [None, "nobody"] if is_root() else [None]:
    run(each)
finish()
