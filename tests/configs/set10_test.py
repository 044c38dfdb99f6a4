#!/usr/bin/env python3
"""10-virtual-alias-hosting: alias domains, virtual maildirs and mboxes, two delimiters, bcc, relocated.

What is for `sam` or `postmaster` gets @smallweb.example, which the set's mydestination lacks: all of
it would leave by MX, and nobody could have moved. So mydestination has $mydomain here. Copies are
told apart by original recipient, too; and a loop of aliases is not bounced but answered 451, as by
Postfix."""
import os
import pwd
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Site, check, check_equal, check_match, finish, header, put

CLIENT = "198.51.100.7"
ZONE = {("far.example", "MX"): [(10, "mx.far.example")], ("mx.far.example", "A"): ["192.0.2.10"],
        ("smallweb.example", "MX"): [(10, "mx.smallweb.example")],
        ("mx.smallweb.example", "A"): ["192.0.2.11"]}
VHOSTS = "/srv/vhosts"
LIMIT = 104857600


MORE_ALIASES = """both@choir.example choir@choir.example, info@garage.example, singer@choir.example
ring@choir.example rong@choir.example
rong@choir.example ring@choir.example
grow@choir.example grow@choir.example, grow+x@choir.example
"""


def prepare(site):
    with open(site.path("virtual"), "a") as table:
        table.write(MORE_ALIASES)
    for domain, uid in (("bakery.example", 1001), ("florist.example", 1002)):
        path = os.path.join(VHOSTS, domain)
        os.makedirs(path)
        os.chown(path, uid, 100)


def maildir(path):
    """Its messages, newest last."""
    folder, texts = os.path.join(path, "new"), []
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else (),
                       key=lambda n: os.stat(os.path.join(folder, n)).st_mtime_ns):
        with open(os.path.join(folder, name)) as file:
            texts.append(file.read())
    return texts


def mail_to(site, rcpts, sender="a@outside.example", subject="x"):
    return site.send(CLIENT, sender, rcpts, f"From: {sender}\nSubject: {subject}\n\nx\n")


def aliases(site, far, archive, home):
    inbox = os.path.join(home, "Maildir")
    log = mail_to(site, "bills@garage.example")
    text = maildir(inbox)[-1]
    check_equal(header(text, "X-Original-To"), "bills@garage.example", "X-Original-To")
    check_match("^sam@", header(text, "Delivered-To") or "", "Delivered-To")
    check_equal(far.mail[-1].rcpts, ["accounts@far.example"], "the second member")
    check_match(r"to=<archive@smallweb\.example>.* status=sent", log, "the copy is sent")
    check_equal(len(maildir(archive)), 1, "the copy")
    refusal = put(os.path.join(os.path.dirname(archive), ".forward"), '"|exit 67"\n', "archive")
    log = mail_to(site, "bills@garage.example")
    check_match(r"to=<archive@smallweb\.example>.* status=bounced", log, "a copy that fails")
    check("sender non-delivery notification" not in log, "nobody hears of the copy")
    os.unlink(refusal)

    check_match(r"to=<info@garage\.example>|to=<sam@", mail_to(site, "info@garage-xl.example"),
                "a domain's name for another")
    log = mail_to(site, "x@garage-xl.example")
    check_match(r"dsn=5\.1\.1, status=bounced \(User unknown", log, "unknown behind a domain rule")
    site.refused(CLIENT, "a@outside.example", "x@garage.example",
                 "550 5.1.1 <x@garage.example>: Recipient address rejected: User unknown\r\n")

    news = put(os.path.join(home, ".forward+news"), "news@far.example\n", "sam")
    mail_to(site, "info+news@garage.example")
    site.await_mail(far, 3)
    check_equal(far.mail[-1].rcpts, ["news@far.example"], ".forward+news")
    os.unlink(news)
    before = len(maildir(inbox))
    for address in ("info+news@garage.example", "info-news@garage.example",
                    "shop.info@garage.example"):
        mail_to(site, address)
        before += 1
        check_equal(len(maildir(inbox)), before, f"{address} is for sam")
    mail_to(site, "singer+solo@choir.example")
    check_equal(far.mail[-1].rcpts, ["soloist@far.example"], "the exact match")
    mail_to(site, "singer@choir.example")
    check_equal(far.mail[-1].rcpts, ["alto@far.example"], "the base address")
    mail_to(site, "singer+other@choir.example")
    check_equal(far.mail[-1].rcpts, ["alto+other@far.example"], "the extension is carried over")

    before, there = len(maildir(inbox)), len(far.mail)
    mail_to(site, "both@choir.example")
    check_equal(len(maildir(inbox)), before + 1, "one copy for sam")
    check_equal(sorted(rcpt for mail in far.mail[there:] for rcpt in mail.rcpts),
                ["alto@far.example", "bass@far.example"], "one copy for alto")


def mailboxes(site):
    mail_to(site, ["bread@bakery.example", "rose@florist.example", "tulip@florist.example"])
    box = os.path.join(VHOSTS, "bakery.example/bread")
    check_equal(len(maildir(box)), 1, "maildir of bread")
    name = os.path.join(box, "new", os.listdir(box + "/new")[0])
    check_equal((os.stat(name).st_uid, os.stat(name).st_gid), (1001, 100), "its owner")
    check_equal(len(maildir(os.path.join(VHOSTS, "florist.example/all"))), 1, "the catch-all")
    rose = os.path.join(VHOSTS, "florist.example/rose")
    with open(rose) as file:
        check(file.read().startswith("From a@outside.example "), "an mbox for rose")
    os.truncate(rose, LIMIT)
    smtp = site.client(CLIENT)
    smtp.message("a@outside.example", "rose@florist.example", "Subject: x\n\nx")
    smtp.close()
    site.mta.wait_for_log(r"to=<rose@florist\.example>.* dsn=5\.2\.2, status=bounced "
                          r"\(.*mailbox file too big|to=<rose@florist\.example>.* dsn=[45]\.2\.2, ")
    check_equal(os.path.getsize(rose), LIMIT, "nothing was added to it")


def refusals(site, archive):
    since = site.mta.log_position()
    done = site.mta.run("sendmail", "-f", "a@outside.example", "formeruser@smallweb.example",
                        input="Subject: x\n\nx\n")
    check_equal(done.returncode, 0, "sendmail")
    site.mta.wait_for_log(r"to=<formeruser@smallweb\.example>.* dsn=5\.1\.6, status=bounced "
                          r"\(User has moved to formeruser@newplace\.example\)", since=since)
    site.refused(CLIENT, "a@outside.example", "formeruser@smallweb.example",
                 "550 5.1.6 <formeruser@smallweb.example>: Recipient address rejected: User has "
                 "moved to formeruser@newplace.example")
    site.refused(CLIENT, "nobody-here@bakery.example", "info@garage.example",
                 "550 5.1.0 <nobody-here@bakery.example>: Sender address rejected: User unknown")
    before = len(maildir(archive))
    mail_to(site, "bread@bakery.example", sender="boss@bakery.example")
    check_equal(len(maildir(archive)), before + 1, "copy of what boss sends")


def loops(site):
    for address in ("ring@choir.example", "grow@choir.example"):
        smtp = site.client(CLIENT)
        smtp.say("MAIL FROM:<a@outside.example>", "250")
        smtp.say(f"RCPT TO:<{address}>", "250")
        smtp.say("DATA", "354")
        smtp.send("Subject: x\r\n\r\nx\r\n.\r\n")
        smtp.expect("451 4.6.0 Alias expansion error")
        smtp.close()
        site.mta.wait_for_log(rf"warning: \w+: unreasonable virtual_alias_maps map \w.* for {address}")


with Site("10-virtual-alias-hosting", ZONE, users=("sam", "archive"),
          corrections={"mydestination": "$myhostname, $mydomain, localhost.$mydomain, localhost"}
          ) as host:
    prepare(host)
    far_host = host.host("192.0.2.10")
    archive_box = os.path.join(pwd.getpwnam("archive").pw_dir, "Maildir")
    host.start()
    aliases(host, far_host, archive_box, os.path.join(pwd.getpwnam("sam").pw_dir))
    mailboxes(host)
    refusals(host, archive_box)
    loops(host)
finish()
