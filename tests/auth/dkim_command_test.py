#!/usr/bin/env python3
"""postauth keygen and postauth sign: keys and records that fit each other, and signatures that
dkimpy and opendkim find good, until somebody touches the message."""
import os
import re
import stat
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish
from verifiers import dkimpy_verifies, opendkim_verifies, record_of

POSTAUTH = os.path.join(os.environ["TOP_BUILDDIR"], "tools/postauth")
MESSAGES = {
    "plain": b"From: a@example.org\nTo: b@example.net\nSubject: x\n\nhello\n",
    "blanks": b"From: a@example.org\nSubject:  x \t y\n\t z \n\nhello \t w  \n \n\n\n",
    "no body": b"From: a@example.org\nSubject: x\n\n",
    "header only": b"From: a@example.org\n",
    "empty lines": b"From: a@example.org\n\n\n\n\n",
    "CRLF": b"From: a@example.org\r\nSubject: x\r\n\r\nhello\r\n\r\n",
    "no end": b"From: a@example.org\n\nhello",
    "8-bit": "From: a@example.org\nSubject: ä\n\nfür\n".encode(),
    "long": b"From: a@example.org\nX: " + b"x" * 900 + b"\n\n" + b"y" * 5000 + b"\n",
    "dots": b"From: a@example.org\n\n.\n..\n.x\n",
    "several": b"From: a@example.org\nTo: b\nTo: c\nSubject: 1\nSubject: 2\n\nx\n",
}


def postauth(folder, *arguments, message=b"", status=0):
    done = subprocess.run([POSTAUTH, *arguments], input=message, cwd=folder, capture_output=True,
                          timeout=60)
    check_equal(done.returncode, status, f"postauth {arguments}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def keygen(folder, name, *options):
    said = postauth(folder, "keygen", *options, "--selector", name, "example.org").decode()
    key = os.path.join(folder, f"{name}.example.org.pem")
    check_equal(stat.S_IMODE(os.stat(key).st_mode), 0o600, "the key is for nobody else")
    return key, record_of(said)


def sign(folder, key, message, *options, selector):
    return postauth(folder, "sign", "--key", key, "--domain", "example.org", "--selector", selector,
                    *options, message=message)


def check_keys(folder):
    keys = {"rsa": keygen(folder, "rsa"), "ed": keygen(folder, "ed", "--ed25519"),
            "large": keygen(folder, "large", "--bits", "4096")}
    for name, (_, (record, text)) in keys.items():
        check_equal(record, f"{name}._domainkey.example.org", "its name")
        check_match(r"v=DKIM1; k=(rsa|ed25519); p=[A-Za-z0-9+/]+=*$", text, "its text")
    before = open(keys["rsa"][0], "rb").read()
    said = postauth(folder, "keygen", "--selector", "rsa", "example.org", status=1).decode()
    check_match("File exists", said, "a second key of that name")
    check_equal(open(keys["rsa"][0], "rb").read(), before, "a key is never overwritten")
    said = postauth(folder, "keygen", "--ed25519", "--key", "any", "example.org").decode()
    check_match(r"ed\d{8}\._domainkey\.example\.org\. IN TXT", said, "the selector says the day")
    for wrong in (["--bits", "512", "a"], ["a b"], ["--selector", "a;b", "a"], []):
        postauth(folder, "keygen", "--key", "none", *wrong, status=1)
    check(not os.path.exists(os.path.join(folder, "none")), "no key of a mistake")
    return keys


def check_signatures(folder, keys):
    records = dict(record for _, record in keys.values())
    for what, message in MESSAGES.items():
        for forms in ("simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed"):
            out = message
            for name in ("rsa", "ed"):
                out = sign(folder, keys[name][0], out, "--canonicalization", forms, selector=name)
            check(out.endswith(message), f"{what}: the message follows")
            check_equal(dkimpy_verifies(out, records), [True, True], f"{what}, {forms}")
    message = MESSAGES["blanks"]
    for name, (key, _) in keys.items():
        out = sign(folder, key, message, "--expires", "1h", selector=name)
        good, said = opendkim_verifies(folder, out, records)
        check(good, f"opendkim, {name}: {said}")
        start, end = (int(re.search(rb"\s%b=(\d+);" % tag, out).group(1)) for tag in (b"t", b"x"))
        check_equal(end - start, 3600, "how long it is good")
        check(all(len(line) < 78 for line in out[:-len(message)].splitlines()), "short lines")
        for change in (out + b"x\n", b"From: other@example.org\n" + out, b"Subject: other\n" + out,
                       out.replace(b"hello", b"hallo")):
            check_equal(dkimpy_verifies(change, records), [False], "somebody touched it")
            check(not opendkim_verifies(folder, change, records)[0], "opendkim sees it, too")


def check_mistakes(folder, key):
    said = postauth(folder, "sign", "--key", key, "--domain", "example.org", "--selector", "s",
                    message=b"Subject: x\n\n", status=1).decode()
    check_match("no From field", said, "what has no author")
    for wrong in (["--key", "none"], ["--domain", "a;b"], ["--selector", ""],
                  ["--fields", "a;b"], ["--canonicalization", "nowsp"], ["--key", "/dev/null"]):
        postauth(folder, "sign", "--key", key, "--domain", "example.org", "--selector", "s", *wrong,
                 message=b"From: a\n\n", status=1)


with tempfile.TemporaryDirectory() as work:
    made = check_keys(work)
    check_signatures(work, made)
    check_mistakes(work, made["rsa"][0])
finish()
