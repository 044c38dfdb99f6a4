"""mailserver.py -- a whole mail server: Postern, and behind it Debian's Dovecot as its guides have
it, for LMTP, logins, IMAP, POP3, quota and Sieve. All of it is in private folders.

    with MailServer() as server:
        server.start()
        server.send("ann", "bob", "Subject: x\\n\\nx\\n")  # by authenticated submission
        server.wait_for_mail("bob", 1)                     # whole messages, read by IMAP

`USERS` has who they are. As root their mail belongs to nobody, else to whoever runs it."""
import contextlib
import imaplib
import os
import poplib
import pwd
import smtplib
import socket
import ssl

import dovecot
from harness import TOP, Instance, free_port, wait_until

USERS = {"ann": ("ann@here.example", "sesame"), "bob": ("bob@there.example", "open_it"),
         "full": ("full@there.example", "no_room"), "room": ("room@there.example", "little")}
QUOTA = {"full": "10K", "room": "40K:messages=20"}
# Debian's packages, which ./dev unpacks: installed ones would start servers of their own.
PACKAGES = os.path.realpath(os.path.join(TOP, "..", "debian", "usr/lib/dovecot"))

CONFIG = """
listen = 127.0.0.1
import_environment = TZ LD_LIBRARY_PATH
protocols = imap pop3 lmtp
libexec_dir = {packages}
mail_plugin_dir = {packages}/modules
mail_location = maildir:~/Maildir
mail_plugins = quota
postmaster_address = postmaster@here.example
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
submission_host = 127.0.0.1:{smtp}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_grace = 0
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO
  quota_status_overquota = "552 5.2.2 Mailbox is full"
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-urlauth-login {{
  chroot =
}}
service lmtp {{
  unix_listener {queue}/private/dovecot-lmtp {{
    mode = 0600
    user = {owner}
  }}
}}
service quota-status {{
  executable = quota-status -p postfix
  unix_listener {queue}/private/quota-status {{
    mode = 0600
    user = {owner}
  }}
}}
"""
USERDB = """driver = passwd-file
  args = username_format=%u {{base}}/users
  default_fields = uid={uid} gid={gid} home={mail}/%d/%n"""
MAIN = {
    "mydestination": "localhost",
    "virtual_mailbox_domains": "here.example, there.example",
    "virtual_mailbox_maps": "inline:{%s}" % ", ".join(f"{address}=OK" for address, _ in USERS.values()),
    "virtual_transport": "lmtp:unix:private/dovecot-lmtp",
    "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth",
    "smtpd_tls_security_level": "may",
    "smtpd_recipient_restrictions": "check_policy_service unix:private/quota-status",
    "message_size_limit": "31457280",
}


class MailServer(Instance):
    def __init__(self, settings=None, user=None):
        super().__init__({**MAIN, **(settings or {})}, user=user,
                         extra_services=[dovecot.SUBMISSION, dovecot.SUBMISSIONS])
        self.chain = self.certificate()
        self.trusted = self.chain + ".crt"  # for clients
        os.chmod(self.trusted, 0o644)
        self.write_configuration(smtpd_tls_chain_files=self.chain)
        self.imap_port, self.imaps_port = free_port(), free_port()
        self.pop3_port, self.pop3s_port = free_port(), free_port()
        owner = self.settings["mail_owner"]
        who = pwd.getpwnam("nobody" if self.as_root else owner)
        os.chown(self.mail, who.pw_uid, who.pw_gid)
        if self.user:
            os.chown(self.chain, who.pw_uid, -1)
        self.dovecot = dovecot.Dovecot(
            self.queue, owner=owner, user=self.user, mechanisms="plain login",
            users={address: password for address, password in USERS.values()},
            extra={USERS[name][0]: f"userdb_quota_rule=*:storage={limit}"
                   for name, limit in QUOTA.items()},
            userdb=USERDB.format(uid=who.pw_uid, gid=who.pw_gid, mail=self.mail),
            more=CONFIG.format(packages=PACKAGES, certificate=self.chain, smtp=self.port(0),
                               imap=self.imap_port, imaps=self.imaps_port, pop3=self.pop3_port,
                               pop3s=self.pop3s_port, queue=self.queue,
                               owner=owner))

    def start(self):
        super().start()
        self.start_dovecot()

    def start_dovecot(self):
        self.dovecot.start({"LD_LIBRARY_PATH": PACKAGES})
        for port in (self.imap_port, self.pop3_port):
            with socket.create_connection(("127.0.0.1", port), 15) as connection:
                connection.recv(100)

    def close(self):
        super().close()
        self.dovecot.__exit__()

    # -- what a user does --

    def trust(self):
        return ssl.create_default_context(cafile=self.trusted)

    def home_of(self, name):
        local, _, domain = USERS[name][0].partition("@")
        return os.path.join(self.mail, domain, local)

    def send(self, name, to, text, implicit_tls=False, **options):
        """By submission, as `name`; to: addresses, or one of USERS."""
        address, password = USERS[name]
        if implicit_tls:
            smtp = smtplib.SMTP_SSL("localhost", self.port(2), context=self.trust())
        else:
            smtp = smtplib.SMTP("localhost", self.port(1))
            smtp.starttls(context=self.trust())
        with smtp:
            smtp.login(address, password)
            smtp.sendmail(address, USERS[to][0] if isinstance(to, str) else to, text, **options)

    @contextlib.contextmanager
    def imap(self, name):
        with imaplib.IMAP4("localhost", self.imap_port) as imap:
            imap.starttls(self.trust())
            imap.login(*USERS[name])
            imap.select()
            yield imap

    @contextlib.contextmanager
    def pop3(self, name):
        pop3 = poplib.POP3("localhost", self.pop3_port)
        pop3.stls(self.trust())
        pop3.user(USERS[name][0])
        pop3.pass_(USERS[name][1])
        yield pop3
        pop3.quit()

    def mail_of(self, name):
        """The inbox by IMAP: whole messages, in their order."""
        with self.imap(name) as imap:
            _, (numbers,) = imap.search(None, "ALL")
            return [imap.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers.split()]

    def wait_for_mail(self, name, count):
        inbox = os.path.join(self.home_of(name), "Maildir")

        def delivered():
            return sum(len(files) for _, _, files in (
                next(os.walk(os.path.join(inbox, folder)), ("", [], [])) for folder in ("new", "cur")))
        wait_until(lambda: delivered() >= count, f"{count} messages for {name}")
        return self.mail_of(name)

    def mutt_file(self, name):
        """The same in a file, which it names."""
        path = os.path.join(self.home, f"muttrc.{name}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.mutt_settings(name))
        return path

    def mutt_settings(self, name):
        """A muttrc for this server."""
        address, password = USERS[name]
        user = address.replace("@", "%40")
        return f"""set from = "{address}"
set spoolfile = "imap://{user}@localhost:{self.imap_port}/INBOX"
set folder = "imap://{user}@localhost:{self.imap_port}/"
set imap_pass = "{password}"
set smtp_url = "smtp://{user}@localhost:{self.port(1)}/"
set smtp_pass = "{password}"
set certificate_file = "{self.trusted}"
set ssl_starttls = yes
set ssl_force_tls = yes
"""
