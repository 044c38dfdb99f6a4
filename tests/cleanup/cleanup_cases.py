"""cleanup_cases.py -- settings and messages for postfix_test.py."""
import re

BASE = {
    "mydestination": "here.example", "myorigin": "here.example", "mydomain": "dom.test",
    "local_recipient_maps": "", "compatibility_level": "3.6", "recipient_delimiter": "+",
    "relay_domains": "static:all", "disable_dns_lookups": "yes",
}
BODY = "\nbody\n"
SOMEBODY = "a@old.example", ["z@far.example"]
EVERY_FIELD = "".join(f"{name}: x@old.example\n" for name in (
    "From", "Sender", "Reply-To", "Errors-To", "Return-Receipt-To",
    "Disposition-Notification-To", "Mail-Followup-To", "To", "Cc", "Bcc", "Apparently-To",
    "Resent-From", "Resent-Sender", "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc",
    "Return-Path", "Mail-Reply-To", "X-Original-To", "Return-Receipt-Requested",
    "Original-Recipient", "Delivered-To", "References"))


def headers(*texts, sender="fred@old.example", rcpts=("joe@old.example",)):
    return [(sender, list(rcpts), text + BODY) for text in texts]


CANONICAL = ("inline:{fred@old.example=fred@new.example, joe@old.example=joe.new@new.example,"
             "c1@old.example=c2@old.example, c2@old.example=c3@new.example,"
             "self@old.example=self@old.example, @all.example=@new.example,"
             "@catch.example=caught@new.example, u@ext.example=v@new.example, bare=known@x.example,"
             "only=local@x.example, {odd@old.example=\"odd one\"@new.example}}")
# {rules} and {sink} are filled in by postfix_test.py.
RULES = r"""/^Subject: reject1/ REJECT
/^Subject: reject2/ REJECT some words
/^Subject: reject3/ REJECT 4.7.1 later
/^Subject: reject4/ reject 521 5.5.5 with code
/^Subject: warn1/ WARN
/^Subject: warn/ WARN look at it
/^Subject: (info)/ INFO look at $1
/^Subject: hold/ HOLD because
/^Subject: discard/ DISCARD gone
/^Subject: ignore/ IGNORE
/^Subject: dunno/ DUNNO
/^Subject: okay/ OK
/^Subject: pass/ PASS
/^Subject: prepend1/ PREPEND
/^Subject: prepend2/ PREPEND not a header
/^Subject: prepend/ PREPEND X-New: yes
/^Subject: replace1/ REPLACE
/^Subject: replace2/ REPLACE not a header
/^Subject: replace/ REPLACE Subject: other
/^To: replaced/ REPLACE To: bare
/^Subject: strip/ STRIP removed
/^Subject: redirect1/ REDIRECT
/^Subject: redirect2/ REDIRECT nowhere
/^Subject: redirect/ REDIRECT else@where.example
/^Subject: filter1/ FILTER
/^Subject: filter2/ FILTER nothing
/^Subject: filter/ FILTER smtp:[127.0.0.1]:{sink}
/^Subject: bcc1/ BCC
/^Subject: bcc/ BCC copy@where.example
/^Subject: unknown/ FROBNICATE
/^Bcc:/ WARN a blind copy
/^Subject: both/ INFO first
/^X-Last:/ REDIRECT last@where.example
/^Content-Type:.*odd/ WARN mime header
/^X-Long: (.*)$/ WARN $1
/^\s*deep/ WARN deep
"""
WORDS = re.findall(r"Subject: \(?(\w+)", RULES)
MULTIPART = """Content-Type: multipart/mixed; boundary=b
From: x@far.example

preamble deep
Subject: info preamble
--b
Subject: info part
Content-Type: text/odd

Subject: strip me
deep
--b
Content-Type: message/rfc822

Subject: info nested
Content-Type: text/odd
X-A: b

Subject: info body
--b--
Subject: info epilogue
"""


# Its second part is met when the first would have left for the spool.
LARGE = ("Content-Type: multipart/mixed; boundary=b\nFrom: x@far.example\n\n--b\n\n" +
         ("v" * 70 + "\n") * 25000 + "--b\n\nSubject: redirect\n--b--\n")


EIGHT = "gr\u00fcn"
STRICT = [f"From: x@far.example\n{header}\n{body}\n" for header, body in (
    ("Subject: plain\n", "plain"), (f"Subject: {EIGHT}\n", "plain"), ("", EIGHT),
    (f"Subject: {EIGHT}\n", EIGHT), (f"X-Long: {'x' * 120} {EIGHT}\n  {EIGHT}\n", "plain"),
    ("Content-Transfer-Encoding: 8bit\n", EIGHT), ("Content-Transfer-Encoding: BINARY\n", EIGHT),
    ("Content-Transfer-Encoding: 7bit\n", EIGHT), ("Content-Transfer-Encoding: x-odd\n", EIGHT),
    ("Content-Transfer-Encoding: quoted-printable\n", EIGHT),
    ("Content-Transfer-Encoding: base64\n", "plain\n" + "y" * 150 + EIGHT),
    ("Content-Transfer-Encoding: 8bit (c)\n", EIGHT), ("Content-Transfer-Encoding:8bit\n", EIGHT),
    ("Content-Transfer-Encoding: (c) 8bit\n", EIGHT),
    ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n",
     "--b\n\nx\n--b--"),
    ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n",
     f"--b\n\n{EIGHT}\n--b--"),
    ("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", "A: b\n\nx"),
    ("Content-Type: message/partial\nContent-Transfer-Encoding: 8bit\n", "x"),
    ("Content-Type: message/external-body\nContent-Transfer-Encoding: binary\n", "x"),
    ("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n", "x"),
    ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n",
     f"{EIGHT}\n--b\nContent-Transfer-Encoding: 8bit\n\n{EIGHT}\n--b\n\nx\n--b--\n"),
    ("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n",
     f"--b\nContent-Transfer-Encoding: 8bit\n\n{EIGHT}\n--b\n\nx\n--b--\n{EIGHT}"),
    ("Content-Type: multipart/mixed; boundary=b\n",
     f"--b\nContent-Transfer-Encoding: 8bit\nX-A: {EIGHT}\n\n{EIGHT}\n--b--\n"),
    ("Content-Type: multipart/mixed; boundary=b\n",
     f"--b\nContent-Transfer-Encoding: 8bit\n\n{EIGHT}\n--b\n\nx{EIGHT}\n--b--\n"),
    ("Content-Type: multipart/mixed; boundary=b\n",
     f"--b\nContent-Type: message/rfc822\n\nSubject: {EIGHT}\n\nx\n--b--\n"),
    ("Content-Type: multipart/mixed; boundary=b\n",
     f"{EIGHT}\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
     f"Subject: x\n\nx\n--b--\n"))]
NESTED = [f"From: x@far.example\nSubject: {n}\n" + "".join(
    f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(n)) + "\nx\n"
    for n in range(6)] + ["From: x@far.example\n" + "Content-Type: message/rfc822\n\nA: b\n" * n +
                          "\nx\n" for n in (1, 2, 3, 4)]
CHARACTERS = [f"From: x@far.example\nSubject: {subject}\n\n{body}\n" for subject, body in (
    ("plain", "plain"), ("a\x01b", "x"), ("x", "a\x01b"), ("x", "one\ntwo\x07\nthree\x01"),
    ("a\x02b", "c\x02d\x02"), ("x", "\x02\n\x02\n"), ("a\\b", "c\\d"))]
BEGINNINGS = [  # what comes first behind our own Received:
    " blank first\nFrom: x@far.example\n\nbody\n", "From foo@bar Thu Nov 26\nTo: u\n\nx\n",
    ">From foo@bar\nTo: u\n\nx\n", "\nempty first\n", "no header\nFrom: x@far.example\n\nx\n",
    "\tblank\n", "From: x@far.example\nno field\nTo: u@x.example\n\nx\n", ""]
EIGHT_BIT_MIME = {"EHLO": "250-sink.example\r\n250 8BITMIME"}


def checked(*texts):
    return [("s@x.example", ["r1@y.example", "r2@y.example"], text) for text in texts]


GROUPS = [
    ("canonical", {"canonical_maps": CANONICAL}, headers(
        'From: fred\nTo: a, "B. C" <b>, c@x.example (Comment), grp: d, e@short;, only\n',
        "From: Fred Flint <fred@old.example>\nTo: joe@old.example,joe@other.example,\n"
        "   ann@old.example\nCc: undisclosed-recipients:;\n",
        'From: fred@old.example (Fred)\nReply-To: "fred x"@old.example\n'
        "Sender:   fred@old.example  \n",
        "From: first last <fred@old.example>, joe\n\t<joe@old.example>\nTo: <>\n",
        "From: bang!user\nTo: user%dom.example@here.example, user%dom\n",
        "From: =?utf-8?q?Fr=E9d?= <fred@old.example>\nTo: joe@old.example, =?utf-8?q?J?=\n"
        " <joe@other.example>, k@other.example, very-long-address-number-one@other.example,\n"
        " very-long-address-number-two@other.example, joe@old.example\n",
        'From: fred@old.example\nTo: joe@[127.0.0.1], joe@old.example., "joe"@old.example\n',
        "From:fred@old.example\nTo:joe@old.example\nSubject:  x\n",
        "From: a@ld\nTo: b@old.example\nX-From: fred@old.example\n",
        "From: <fred@OLD.example>\nTo: Joe <Joe@Old.Example>, joe@old.example (Joe)\n",
        "From: c1@old.example\nTo: c2@old.example, self@old.example, X+y@all.example\n",
        "From: n@catch.example\nTo: u+one@ext.example, bare+two@here.example, bare@far.example\n",
        "From: odd@old.example\nTo: joe@old.example\n",
    ) + [(sender, rcpts, "From: x@far.example\n" + BODY) for sender, rcpts in (
        ("c1@old.example", ["c1@old.example", "c3@new.example"]), ("", ["joe@old.example"]),
        ("u+e@ext.example", ["u+e@ext.example", "U@Ext.Example", "y@all.example"]),
        ("bare@here.example", ["bare@here.example", "bare@far.example", "b@catch.example"]),
        ("x+y@catch.example", ["joe+y@old.example", "self@old.example"]),
        ("odd@old.example", ["odd@old.example"]))]),
    ("virtual", {"virtual_alias_maps": "inline:{{a@old.example=u1 u2}, @all.example=c@new.example,"
        "@dom.example=@dom2.example, {b@old.example=\"q x\"@new.example n@new.example},"
        "{c@old.example=Some Name <n@x.example>}, {h@old.example=(comment) k@x.example},"
        "u2=w@x.example, e@old.example=e@old.example, rec@old.example=a@old.example}"},
     [("s@x.example", [rcpt], "To: u1 u2, u3 u4\n" + BODY) for rcpt in (
         "a@old.example", "b@old.example", "c@old.example", "h@old.example", "q+ext@all.example",
         "q+ext@dom.example", "e+x@old.example", "rec+y@old.example", "u2+z@here.example")]),
    ("limits of aliases", {
        "virtual_alias_maps": "inline:{c1=c2, c2=c3, c3=c4, c4=c5, {t2=x y}, {t3=x y z},"
        "{t4=w x y z}, {d3=t2 t2}, {d4=c4 c4 c4}, {own=own x}, {own2=x own2 y}, {ring=x rong},"
        "{rong=y ring}, loop=pool, pool=loop, {twice=x x x}, {late=t2 t3}, {deep=c3 c3},"
        "{long=" + "n" * 30 + "@far.example}, {short=" + "n" * 18 + "@far.example}}",
        "virtual_alias_expansion_limit": "3", "virtual_alias_recursion_limit": "3",
        "virtual_alias_address_length_limit": "30"},
     [("s@x.example", [f"{name}@here.example"], "To: x@far.example\n" + BODY) for name in (
         "c1", "c2", "c3", "c4", "t2", "t3", "t4", "d3", "d4", "own", "own2", "ring", "loop", "twice",
         "late", "deep", "long", "short")]),
    ("header_sender", {"canonical_maps": "inline:{x@old.example=y@new.example}",
                       "canonical_classes": "header_sender"},
     [("x@old.example", ["x@old.example"], EVERY_FIELD + BODY)]),
    ("header_recipient", {"canonical_maps": "inline:{x@old.example=y@new.example}",
                          "canonical_classes": "header_recipient"},
     [("x@old.example", ["x@old.example"], EVERY_FIELD + BODY)]),
    ("envelope only", {"canonical_maps": "inline:{x@old.example=y@new.example}",
                       "canonical_classes": "envelope_sender, envelope_recipient"},
     [("x@old.example", ["x@old.example"], EVERY_FIELD + BODY)]),
    ("order", {"canonical_maps": "inline:{x@old.example=b@new.example,s@new.example=t@new.example}",
               "sender_canonical_maps": "inline:{x@old.example=s@new.example}",
               "recipient_canonical_maps": "inline:{x@old.example=r@new.example}"},
     [("x@old.example", ["x@old.example"], EVERY_FIELD + BODY)]),
    ("masquerade", {"masquerade_domains": "!keep.dom.test, $mydomain, other.test",
                    "masquerade_exceptions": "root"},
     [(sender, ["u@a.b.dom.test"], "From: u@a.b.dom.test\nTo: u@A.b.Dom.test, root@a.dom.test,\n"
       "\tu@dom.test, u@keep.dom.test, u@x.keep.dom.test, u@notdom.test, Root@a.dom.test\n"
       "Cc: root+x@a.dom.test, u@x.other.test\n" + BODY)
      for sender in ("u@a.b.dom.test", "root@a.b.dom.test", "u@x.keep.dom.test", "u@dom.test")]),
    ("masquerade recipients", {"masquerade_domains": "$mydomain",
                               "masquerade_classes": "envelope_recipient, header_recipient"},
     [("u@a.dom.test", ["u@a.dom.test", "v@dom.test"], EVERY_FIELD + "Cc: z@q.dom.test\n" + BODY)]),
    ("blind copies", {
        "always_bcc": "al@here.example",
        "sender_bcc_maps": "inline:{s@old.example=sb@old.example, t@old.example=al@here.example,"
                           "@other.example=any@x.example, v@old.example=bare}",
        "recipient_bcc_maps": "inline:{r@old.example=rb@old.example}",
        "canonical_maps": "inline:{was@old.example=s@old.example}",
        "virtual_alias_maps": "inline:{al@here.example=al2@x.example, r@old.example=r2@old.example}"},
     [(sender, rcpts, "From: a@old.example\n" + BODY) for sender, rcpts in (
         ("s@old.example", ["r@old.example", "r@old.example"]), ("t+e@old.example", ["z@x.example"]),
         ("u@other.example", ["z@x.example", "r+x@old.example"]), ("v+x@old.example", ["z@x.example"]),
         ("", ["r@old.example"]), ("was@old.example", ["al@here.example"]))]),
    ("others' mail", {"canonical_maps": CANONICAL, "masquerade_domains": "dom.test",
                      "local_header_rewrite_clients": ""},
     headers("From: fred@old.example\nTo: bare, u@x.dom.test, fred@old.example\n", "To: bang!x\n")),
    ("others' mail with a domain", {
        "canonical_maps": "inline:{fred@old.example=fred@new.example,"
                          "bare@invalid.test=known@x.example}",
        "masquerade_domains": "dom.test", "local_header_rewrite_clients": "",
        "remote_header_rewrite_domain": "invalid.test"},
     headers("From: fred@old.example\nTo: bare, u@x.dom.test, x@short, other\n", "Cc: b!c, d%e\n")),
    ("no mappings", {"canonical_maps": CANONICAL, "masquerade_domains": "dom.test",
                     "always_bcc": "al@here.example",
                     "receive_override_options": "no_address_mappings"},
     headers("From: fred@old.example\nTo: bare, u@x.dom.test, joe\n")),
    ("dots and percents", {"append_dot_mydomain": "yes", "allow_percent_hack": "no",
                           "swap_bangpath": "no", "append_at_myorigin": "yes"},
     headers("From: a@host\nTo: b!c, d%e, f@g.h., x@host\n")),
    ("header checks", {"header_checks": "regexp:{rules}"}, checked(
        *(f"Subject: {word}\nFrom: s@x.example\nX-A: b\n" + BODY for word in WORDS),
        "Subject:\n  warn folded\n\tmore\nFrom: s@x.example\nBcc: u@x.example\n" + BODY,
        "X-Long: " + "abcdefghij" * 40 + "\nContent-Type: text/odd\nX-Last: y\nX-A: b\n" + BODY,
        "To: replaced@x.example\nSubject: pass\nSubject: reject1\n" + BODY,
        "Subject: both\nSubject: filter\nX-Last: y\nSubject: bcc\n" + BODY, MULTIPART)),
    ("body checks", {"body_checks": "regexp:{rules}"}, checked(
        *(f"X: y\nFrom: s@x.example\n\nline1\nSubject: {word}\nline2\n" for word in WORDS),
        "From: s@x.example\n\nSubject: info " + "x" * 5000 + " Subject: reject1\n\nSubject: strip\n",
        "From: s@x.example\n\n" + "y" * 2047 + "\nSubject: info\n" + "z" * 2048 + "deep\n",
        "From: s@x.example\n\n" + ("w" * 70 + "\n") * 800 + "Subject: reject1\n", MULTIPART,
        LARGE)),
    ("kinds of headers", {"header_checks": "regexp:{rules}", "mime_header_checks": "",
                          "nested_header_checks": "regexp:{rules}"}, checked(MULTIPART)),
    ("kinds of headers, no MIME", {"header_checks": "regexp:{rules}",
                                   "body_checks": "regexp:{rules}",
                                   "disable_mime_input_processing": "yes"}, checked(MULTIPART)),
    ("checks off", {"header_checks": "regexp:{rules}", "body_checks": "regexp:{rules}",
                    "receive_override_options": "no_header_body_checks"},
     checked("Subject: reject1\n\nSubject: reject1\n", MULTIPART)),
    ("own fields", {"header_checks": "regexp:{{/^Received: from client.example/ REPLACE X-Seen: $0},"
                                     "{/^(Received|X-Mailbox-Line): (.)/ WARN $1 $2}}"},
     checked("Subject: plain\n" + BODY, *BEGINNINGS)),
    ("own fields ignored", {"header_checks": "regexp:{{/^Received:/ IGNORE}}"},
     checked("Subject: plain\n" + BODY)),
    ("8-bit headers", {"strict_7bit_headers": "yes"}, checked(*STRICT)),
    ("8-bit bodies", {"strict_8bitmime_body": "yes"}, checked(*STRICT)),
    ("8-bit", {"strict_8bitmime": "yes"}, checked(*STRICT)),
    ("encodings of multiparts", {"strict_mime_encoding_domain": "yes"}, checked(*STRICT)),
    ("strict, without MIME", {"strict_8bitmime": "yes", "strict_mime_encoding_domain": "yes",
                              "disable_mime_input_processing": "yes"}, checked(*STRICT[:12])),
    ("strict, without checks", {"strict_8bitmime": "yes", "receive_override_options":
                                "no_header_body_checks"}, checked(*STRICT[:4])),
    ("8-bit to 8BITMIME", {"(sink)": EIGHT_BIT_MIME}, checked(*STRICT)),
    ("8-bit unseen", {"(sink)": EIGHT_BIT_MIME, "detect_8bit_encoding_header": "no"},
     checked(*STRICT)),
    ("nesting", {"mime_nesting_limit": "2", "header_checks": "regexp:{{/^Nothing/ WARN}}"},
     checked(*NESTED)),
    ("nesting, unlimited by nobody", {"mime_nesting_limit": "2"},
     checked(*(text for text in NESTED if "Subject: 5" not in text))),
    ("nesting, strict", {"mime_nesting_limit": "3", "strict_mime_encoding_domain": "yes"},
     checked(*NESTED)),
    ("refused characters", {"message_reject_characters": "\\1\\7\\\\"}, checked(*CHARACTERS)),
    ("stripped characters", {"message_strip_characters": "\\2\\n"}, checked(*CHARACTERS)),
    ("both characters", {"message_strip_characters": "\\1\\2", "message_reject_characters": "\\1"},
     checked(*CHARACTERS)),
    ("From: as it was", {"header_from_format": "obsolete", "always_add_missing_headers": "yes"},
     checked("To: y@x.example\n" + BODY)),
    ("content filter", {"content_filter": "smtp:[127.0.0.1]:{sink}", "transport_maps": "",
                        "default_transport": "discard", "header_checks": "regexp:{rules}"},
     checked("Subject: plain\n" + BODY, "Subject: redirect\n" + BODY)),
]
