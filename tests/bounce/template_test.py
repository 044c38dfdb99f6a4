#!/usr/bin/env python3
"""bounce_template_file: postconf -b and -t as Debian's Postfix 3.7 prints them, and notices that
are made of a template by both. Built-in texts are our own, so that each file here sets all."""
import os
import re
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, skip
from postfix37 import LIBRARIES, Postfix37, is_there


def template(kind, header, text):
    return f"{kind}_template = <<EOF\n{header}\n{text}\nEOF\n\n"


def whole(header="Subject: hello\n", text="Text of $myhostname.", **others):
    kinds = {kind: (header, text) for kind in ("failure", "delay", "success", "verify")}
    kinds.update(others)
    return "# a comment\n\n" + "".join(template(kind, *value) for kind, value in kinds.items())


FILES = {
    "plain": whole(),
    "headers": whole("From: Post <post>\nCharset: utf-8\nsubject:  x  y\n", "b\xe4h"),
    "postmaster": whole(failure=("Postmaster-Subject: one\nSubject: two\n", "x"),
                        delay=("postmaster-subject: three\n", "\n\n  y\n\n")),
    "numbers": whole(text="$maximal_queue_lifetime_hours $maximal_queue_lifetime_days "
                          "$delay_warning_time_minutes ${delay_warning_time_hours}"),
    "zero": whole(delay=("", "$delay_warning_time_weeks $delay_warning_time_seconds")),
    "names": whole(text="$mydomain $$ ${nosuch?a}${nosuch:b} $bounce_size_limit\n.dot\n"),
    "undefined": whole(verify=("", "a\nb $nosuch c\n")),
    "suffix": whole(verify=("", "$delay_warning_time_years")),
    "unknown name": whole() + "what_template = x\n",
    "no marker": "failure_template = <<\n",
    "no name": "= <<EOF\nEOF\n",
    "no equals": "failure_template\n",
    "bad header": whole() + template("failure", "Colour: x\n", "other"),
    "empty header": whole() + template("failure", "Subject:\n", "other"),
    "no text": whole() + "failure_template =\n",
    "8 bit": whole() + template("failure", "", "b\xe4h"),
    "not for postmasters": whole() + template("success", "Postmaster-Subject: x\n", "other"),
}
SETTINGS = {
    "mydestination": "",
    "myhostname": "mx.xn--bcher-kva.example",
    "mydomain": "xn--bcher-kva.example",
    "myorigin": "here.example",
    "delay_warning_time": "90m",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{s@box.example=s/, u@box.example=u/, post@box.example=post/}",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": f"static:{os.getuid() or 65534}",
    "virtual_gid_maps": f"static:{os.getgid() or 65534}",
    "notify_classes": "bounce",
    "bounce_notice_recipient": "post@box.example",
}
MAIL = whole("From: Post <post>\nCharset: ISO-8859-1\nSubject: $myhostname\n",
             "Hallo $myhostname, sch\xf6n $delay_warning_time_minutes\n.dot\n",
             failure=("Subject: lost\nPostmaster-Subject: theirs is lost\n", "\nGone  away.\n"))


def postconf(mta, option, path):
    env = {"LD_LIBRARY_PATH": LIBRARIES} if isinstance(mta, Postfix37) else {}
    done = subprocess.run([os.path.join(mta.bin, "postconf"), "-c", mta.etc, option, path],
                          env={**os.environ, **env}, capture_output=True, check=False)
    said = done.stderr.decode("latin-1")
    said = re.sub(r"^\S+: (?=warning|fatal)", "", said, flags=re.M)
    said = re.sub(r", line \d+:", ", line N:", said)
    said = said.replace("$name", "$nosuch")  # we say which one
    printed = re.sub(r"^This is the mail system.*?(?=^EOF$)", "BUILT IN\n",
                     done.stdout.decode("latin-1"), flags=re.M | re.S)
    return done.returncode, printed, sorted(set(said.splitlines()))


def compare_postconf(theirs, ours):
    for name, text in FILES.items():
        path = os.path.join(ours.home, "bounce.cf")
        with open(path, "w", encoding="utf-8" if name == "headers" else "latin-1") as file:
            file.write(text)
        for option in ("-b", "-t"):
            check_equal(postconf(ours, option, path), postconf(theirs, option, path),
                        f"postconf {option} with {name}")
    for option in ("-b", "-t"):
        check_equal(postconf(ours, option, "/nonexistent"),
                    postconf(theirs, option, "/nonexistent"), f"postconf {option}: no file")
        check_equal(postconf(ours, option, ""), postconf(theirs, option, ""),
                    f"postconf {option}: what is built in")


def begin(mta, text, **settings):
    os.chmod(mta.mail, 0o777)
    path = os.path.join(mta.etc, "bounce.cf")
    with open(path, "w", encoding="latin-1") as file:
        file.write(text)
    mta.write_configuration(virtual_mailbox_base=mta.mail, bounce_template_file=path, **settings)
    mta.start()


def notice(mta, recipient, box, sender="s@box.example"):
    """The text that people read, and the header that is said in a template."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    smtp.say(f"MAIL FROM:<{sender}>", "250 ")
    smtp.say(f"RCPT TO:<{recipient}> NOTIFY=FAILURE,SUCCESS", "250 ")
    smtp.say("DATA", "354 ")
    smtp.send(b"Subject: about\r\n\r\nbody\r\n.\r\n")
    qid = smtp.expect("250 2.0.0 Ok: queued as ").strip().rsplit(" ", 1)[-1]
    smtp.close()
    whom = "postmaster" if box == "post" else "sender"
    line = mta.wait_for_log(rf"{qid}: {whom} .*notification: (\w+)$")
    mta.wait_for_log(rf"{line[1]}: removed")
    found = os.path.join(mta.mail, box, "new")
    for name in os.listdir(found):
        with open(os.path.join(found, name), encoding="latin-1") as file:
            text = file.read()
        if re.search(rf"\bid {line[1]}\b", text):
            break
    header = re.findall(r"^(?:From|Subject): .*", text.partition("\n\n")[0], re.M)
    people = text.partition("Content-Description: Notification\n")[2].partition("\n--")[0]
    return header, re.sub(r"(?<=>: )[^<]*", "REASON", people, count=1)


def compare_notices(theirs, ours):
    for mta in (theirs, ours):
        begin(mta, MAIL, transport_maps="inline:{gone.example=virtual}")
    for recipient, box in (("x@gone.example", "s"), ("x@gone.example", "post"),
                           ("u@box.example", "s")):
        check_equal(notice(ours, recipient, box), notice(theirs, recipient, box),
                    f"notice about {recipient} to {box}")
    # notify_classes = bounce implies 2bounce
    check_equal(notice(ours, "x@gone.example", "post", ""),
                notice(theirs, "x@gone.example", "post", ""), "double bounce")


def a_bad_file_holds_nothing_up():
    gone = "inline:{{gone.example=error:5.1.1 no}}"
    for text, complaint in (("nonsense\n", "missing '=' after attribute name"),
                            (template("failure", "Subject: x\n", "$nosuch"), "undefined .nosuch"),
                            (None, "No such file or directory")):
        with Instance(SETTINGS) as mta:
            mta.expect_trouble("bounce_template_file")
            os.chmod(mta.mail, 0o777)
            path = os.path.join(mta.etc, "bounce.cf")
            if text:
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
            mta.write_configuration(virtual_mailbox_base=mta.mail, bounce_template_file=path,
                                    transport_maps=gone, smtpd_reject_unlisted_recipient="no")
            mta.start()
            header, people = notice(mta, "x@gone.example", "s")
            check("Subject: Undelivered Mail Returned to Sender" in header, f"{header}")
            check("This is the mail system" in people, people)
            check(mta.logged(f"warning: bounce_template_file: .*{complaint}.*; using the "
                             "built-in text"), f"{complaint} is in the log")


a_bad_file_holds_nothing_up()
if is_root():
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    with Postfix37(SETTINGS) as peer, Instance(SETTINGS) as mail:
        compare_postconf(peer, mail)
        compare_notices(peer, mail)
finish()
