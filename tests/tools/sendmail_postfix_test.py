#!/usr/bin/env python3
"""sendmail beside that of Debian's Postfix 3.7: the same command lines and the same input to both,
and what they say, how they exit and what arrives compared."""
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there

U, S = "u@box.example", ["-f", "s@box.example"]
BOX = {
    "mydestination": "",
    "myorigin": "box.example",
    "local_transport": "error:no such user",
    "virtual_alias_maps": "inline:{{al@box.example=u@box.example}}",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "static:u/",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "virtual_minimum_uid": "1",
    "transport_maps": "inline:{gone.example=error:no, dis.example=discard:}",
}
SIMPLE = "Subject: x\n\nx\n"

# arguments, input
CASES = [(arguments, SIMPLE) for arguments in (
    # nobody to send to
    [], ["-v"], ["-i"], ["-bm"], ["-e", "m"], ["-h", U],
    # who sends
    S + [U], ["-f", "", U], ["-f", "<>", U], ["-f", "Name <s@box.example>", U],
    ["-f", '"a b"@box.example', U], ["-f", "a b", U], ["-f", "a@b,c@d", U],
    ["-r", "s@box.example", U], ["-f", "s", U],
    ["-F", "Full Name", U], ["-F", "", U], ["-FFull \"Q\" Name"] + S + [U], ["-F", "J\u00f6rg", U],
    ["-F", "A (B) C", U], ["-F", "A\\B.C", U], ["-F", "A,B", "-f", "", U],
    # to whom
    ["a@box.example,b@box.example"], ["A <a@box.example>, b@box.example (B)"], ["a b"],
    ["u@box.example (comment)"], ["(comment)", U], [""], ["<>"], ["\\root"], ["root"],
    ["--", "w@box.example", "-t"], [U, "-t"], ["--", "-u@box.example"],
    # what changes nothing
    ["-bm", U], ["-bmx", U], ["-b", "m", U], ["-o7", U], ["-oem", "-odb", "-om", U], ["-oX", U],
    ["-O", "AliasFile=/x", U], ["-Am", U], ["-Ac", U], ["-Ax", U], ["-h", "5", U],
    ["-L", "tag", U], ["-U", U], ["-p", "x", U], ["-em", U], ["-c", U], ["-m", U], ["-x", U],
    ["-G", U], ["-B", "7BIT", U], ["-B8BITMIME", U],
    # notices
    ["-N", "bogus", U], ["-N", "never,delay", U], ["-N", "", U], ["-N", "FAILURE", "-R", "FULL", U],
    ["-N", "failure, delay", U], ["-N", "failure delay", U], ["-R", "bogus", U], ["-R", "h", U],
    S + ["-Nsuccess", "-Rhdrs", "-V", "an id", U], S + ["-Nsuccess", "-V", "a" * 101, U],
    S + ["-Nsuccess", "-V", "", U], S + ["-Nsuccess", "-V", "\u00e41x", U],
    S + ["-N", "never", "x@gone.example"], S + ["-N", "failure", "x@gone.example"],
    # VERP
    ["-XV"] + S + [U, "w@box.example"], ["-XV=+"] + S + [U], ["-XV"] + S + ["x@gone.example"],
    ["-XV..", U], ["-XV+", U], ["-XV+=-", U], ["-V"] + S + [U], ["-V=+"] + S + [U],
    ["-V", "xy", U], ["-V", "abc", U], ["-V"], ["-XV", "-f", "", U], ["-XV", "root"],
    # reports
    S + ["-v", U, "y@gone.example", "z@dis.example", "al@box.example"], ["-v", U],
    S + ["-bv", U, "y@gone.example", "z@dis.example", "al@box.example"], ["-bv", U], ["-bv"],
    ["-bv", "-v", U],
    # what is no option, or not with the others
    ["-B", "7bit", U], ["-B", "bogus", U], ["-n", U], ["-bz"], ["-b"], ["-X", "/x", U], ["-X"],
    ["-d", U], ["-d0.1", U], ["-M", "x", U], ["-Z"], ["-?"], ["-F"], ["-f"], ["-o"], ["-O"],
    ["-s", "x"], ["-T", "x"], ["-D", "x"], ["-oA"], ["-tQ"],
    ["-bd", "-t", U], ["-bs", "-t"], ["-bp", "-t"], ["-bi", "-t"], ["-q", "-t"], ["-q30m", "-t"],
    ["-bv", "-N", "never", U], ["-bv", "-R", "full", U], ["-bv", "-t"],
    ["-qRx", "-bs"], ["-qIabc", "-bs"],
    # other ways to be used
    ["-bh"], ["-bH"], ["-q30m"], ["-q30m", "-bm", U], ["-q"], ["-qIABC"], ["-qSsite"], ["-qR"],
    ["-qI"], ["-qx"], ["-qIa/b"], ["-qRsite.example"], ["-qRx", "-qRy"], ["-bp"], ["-bm", "-bp"],
    ["-I"], ["-bi"], ["-bs", "-q"],
)] + [
    (["-t"], text) for text in (
        "To: u@box.example\nBcc: w@box.example\nSubject: t\n\nx\n",
        "To: u@box.example\nResent-To: r@box.example\nSubject: t\n\nx\n",
        "To: undisclosed-recipients:;\nSubject: t\n\nx\n",
        "Resent-From: a@box.example\nTo: u@box.example\n\nx\n",
        "From foo@bar Thu Nov 26\nTo: u@box.example\nSubject: t\n\nx\n",
        "\nTo: u@box.example\nSubject: t\n\nx\n",
        "To:\n u@box.example,\n\tw@box.example\nSubject: t\n\nx\n",
        "Apparently-To: u@box.example\n\nx\n", "TO: u@box.example\nBCC: u@box.example\n\nx\n",
        "Cc: a@box.example (A), B <b@box.example>\n\nx\n",
        "Subject: long\nTo: u@box.example\nX-L: " + "a" * 5000 + "\n\nx\n",
        "To: u@box.example\nFrom: me@box.example\nDate: d\nMessage-Id: <a@b>\n\nx\n",
    )
] + [
    ([U], text) for text in (
        "", "no header here\n\nx\n", "Subject: dot\n\na\n.\nb\n", "Subject: dot\n\n.a\n..\nb\n.",
        "Subject: crlf\r\n\r\na\r\nb\rc\r\n", "Subject: mixed\n\na\r\nb\rc\n",
        "Subject: crlfdot\r\n\r\na\r\n.\r\nb\r\n", "Subject: no end\n\na", "Subject: no end",
        "Subject: long\n\n" + "a" * 5000 + "\n", "Resent-From: r@box.example\nSubject: t\n\na\n",
        "Subject: eight\n\n\u00e4\n", ">From x\n\nx\n", "From x\n>From y\nSubject: t\n\nx\n",
        "Subject: t\n\nFrom x\n", "From: me\nSubject: t\n\nx\n", "X" * 12000000,
    )
] + [
    (["-i", U], "Subject: dot\n\na\n.\nb\n"), (["-oi", U], ".\n.\n"),
    (["-t", "c@box.example"], "To: u@box.example\n\nx\n"),
    (["-Gt"], "To: u@box.example\nBcc: w@box.example\n\nx\n"),
]
# Sessions of -bs.
TO_U = "EHLO x\r\nMAIL FROM:<a@box.example>\r\nRCPT TO:<u@box.example>\r\n"
SESSIONS = (
    "",
    "QUIT\r\n",
    "EHLO x\r\nMAIL FROM:<a@box.example>\r\nRCPT TO:<u@box.example>\r\nDATA\r\nSubject: x\r\n"
    "\r\n..x\r\n.\r\nQUIT\r\n",
    "HELO x\nMAIL FROM:<>\nRCPT TO:<u@box.example>\nRCPT TO:<w@box.example>\nDATA\nSubject: lf\n"
    "\nx\n.\nQUIT\n",
    "EHLO x\r\nMAIL FROM:<s@box.example> RET=HDRS ENVID=x+2By BODY=8BITMIME SIZE=100\r\n"
    "RCPT TO:<u@box.example> NOTIFY=SUCCESS ORCPT=rfc822;o@box.example\r\nRCPT TO:<u> NOTIFY=X\r\n"
    "DATA\r\nSubject: dsn\r\n\r\nx\r\n.\r\nQUIT\r\n",
    "EHLO x\r\nMAIL FROM:<s@box.example>\r\nRCPT TO:<x@gone.example>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n",
    "EHLO x\r\nMAIL FROM:<a@box.example>\r\nRCPT TO:<u@box.example>\r\nDATA\r\nSubject: cut\r\n",
    "MAIL FROM:<a@box.example> FOO=BAR\r\nMAIL FROM:<a@box.example> SIZE=99999999\r\nQUIT\r\n",
    "EHLO\r\nHELO\r\nHELO x\r\nRCPT TO:<u@box.example>\r\nMAIL FROM:<a@box.example>\r\n"
    "MAIL FROM:<b@box.example>\r\nRCPT TO:<>\r\nRCPT FROM:<x>\r\nDATA\r\nRSET\r\nDATA\r\nNOOP x\r\nVRFY\r\n"
    "VRFY u@box.example\r\nSTARTTLS\r\nFOO\r\nRSET x\r\nQUIT x\r\n",
    # BDAT: in one chunk; a line end that two chunks share, and no end of the last line; refused.
    f"{TO_U}BDAT 21 LAST\r\nSubject: bdat\r\n\r\n.\r\nxQUIT\r\n",
    f"{TO_U}BDAT 13\r\nSubject: c1\r\nBDAT 5\r\n\r\n.x\rBDAT 4 LAST\r\n\ny\r\nBDAT 0 LAST\r\nQUIT\r\n",
    f"{TO_U}BDAT 5\r\n\r\nx\r\nRCPT TO:<w@box.example>\r\nMAIL FROM:<b@box.example>\r\nDATA\r\n"
    "BDAT 0 LAST\r\nQUIT\r\n",
    "EHLO x\r\nBDAT 3 LAST\r\nx\r\nMAIL FROM:<a@box.example>\r\nBDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n"
    "QUIT\r\n",
    f"{TO_U}BDAT x\r\nQUIT\r\n",
    f"{TO_U}BDAT 20\r\nSubject: cut",
    f"{TO_U}BDAT 4\r\nab\r\nRSET\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n",
    # ETRN
    "ETRN\r\nETRN a b\r\nETRN box..example\r\nETRN @box.example\r\nETRN gone.example\r\n"
    "MAIL FROM:<a@box.example>\r\nETRN box.example\r\nQUIT\r\n",
)
# What differs, in the lines of an answer, and why.
DIFFERENT = (
    (r"(?<= queued) as QID$", "the name comes from pickup"),
    (r"(?<=with ESMTP) id QID$|(?<=with SMTP) id QID(?=;)", "the name comes from pickup"),
    (r"(?<=with SMTP;)\s+(?=DATE)", "and makes the line longer"),
    (r"^Original-Envelope-Id: x\+y\n", "Postfix loses it behind -bs"),
    (r"^postdrop: warning: uid=0: the message was cut off$", "Postfix says nothing"),
    (r"^sendmail: warning: mail_stream_cleanup: close error$", "how Postfix is made inside"),
    (r"^X-Original-To: (MAILER-DAEMON@box\.example)?\n", "for <>, Postfix has no such line"),
)
# sendmail_fix_line_endings, input
CR_INSIDE, CR_FIRST = "Subject: a\n\na\r\n.\r\nb\n", "Subject: a\r\n\r\na\n.\r\nb\r"
LINE_ENDINGS = [("always", CR_INSIDE), ("always", CR_FIRST), ("strict", CR_INSIDE),
                ("strict", CR_FIRST), ("never", CR_INSIDE)]
# authorized_submit_users
WHO = ("!static:all", "root", "nobody", "!root, static:all", "static:anyone", "")


def plain(text, mta):
    """Without what differs between any two systems and any two seconds."""
    text = text.replace(mta.home, "@").replace("Postern", "Postfix")
    text = re.sub(r"\b\d{14}\.[0-9A-F]{10,16}@|\b[0-9A-F]{10,16}\.\d{14}@", "ID@", text)
    text = re.sub(r"\b[0-9A-F]{10,16}\b", "QID", text)
    text = re.sub(r"QID\.\d{10}/", "QID.SECONDS/", text)
    text = re.sub(r"\b\w{3},\s+\d+ \w{3} \d{4} [\d:]{8} [-+]\d{4}( \(\w+\))?", "DATE", text)
    return re.sub(r"^\S*/(?=sendmail: |postqueue: )", "", text, flags=re.M)


def without_differences(text):
    for pattern, _ in DIFFERENT:
        text = re.sub(pattern, "", text, flags=re.M)
    return text


def notice(text):
    """A notice's parts for programs; its words for people are our own."""
    if "\nContent-Description: Notification\n" not in text:
        return text
    head, _, rest = text.partition("\nContent-Description: Delivery report\n")
    status, boundary, returned = rest.partition("\n--")
    status = "\n\n".join(sorted(status.strip().split("\n\n")))  # in any order
    return head.partition("\n\n")[0] + "\n...\n" + status + "\n" + boundary + returned


def answer(mta, arguments, text):
    """What it says, the exit status, and the messages that come of it, sorted."""
    at = mta.log_position()
    done = mta.run("sendmail", *arguments, input=text)

    def settled():
        log = mta.log_text(at)
        ids = set(re.findall(r"pickup\[\d+\]: (\w+): |notification: (\w+)$", log, re.M))
        return all(f"{one or other}: removed" in log for one, other in ids)
    wait_until(lambda: not os.listdir(os.path.join(mta.queue, "maildrop")),
               f"pickup of what {arguments} sent")
    # Behind what pickup said: its line may still be on the way through postlogd.
    mta.run("postlog", "-t", "marker", "picked up")
    mta.wait_for_log(r"marker\[\d+\]: picked up", since=at)
    wait_until(settled, f"the end of what {arguments} sent")
    mails = []
    folder = os.path.join(mta.mail, "u", "new")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            mails.append(without_differences(plain(notice(file.read()), mta)))
        os.unlink(path)
    complaints = sorted(set(without_differences(plain(done.stderr, mta)).split("\n")))
    said = without_differences(plain(done.stdout, mta))
    return [f"exit {done.returncode}", said, *complaints] + sorted(mails)


def compare(what, peer, ours, *case):
    want, got = both.map(lambda mta: answer(mta, *case), (peer, ours))
    check(got == want, f"sendmail {what}:\n--- Postfix\n" + "\n".join(want)[:6000] +
          "\n--- Postern\n" + "\n".join(got)[:6000])


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
with Postfix37(BOX) as other, Instance(BOX) as mine, ThreadPoolExecutor(2) as both:
    for system in other, mine:
        os.chmod(system.mail, 0o777)
        system.write_configuration(virtual_mailbox_base=system.mail)
        system.start()
    for args, given in CASES:
        compare(f"{args} < {given[:60]!r}", other, mine, args, given)
    for given in SESSIONS:
        compare(f"-bs < {given[-90:]!r}", other, mine, ["-bs"], given)
    for how, given in LINE_ENDINGS:
        for system in other, mine:
            system.write_configuration(sendmail_fix_line_endings=how)
        compare(f"{how}: {given!r}", other, mine, [U], given)
    for who in WHO:
        for system in other, mine:
            system.write_configuration(authorized_submit_users=who)
        compare(f"authorized_submit_users = {who}", other, mine, [U], SIMPLE)
finish()
