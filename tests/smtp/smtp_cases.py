"""smtp_cases.py -- settings and messages for postfix_test.py."""

BASE = {
    "mydestination": "here.example", "myorigin": "here.example", "mydomain": "dom.test",
    "local_recipient_maps": "", "compatibility_level": "3.6", "recipient_delimiter": "+",
    "relay_domains": "static:all", "disable_dns_lookups": "yes",
}
BODY = "\nbody\n"
GENERIC = ("inline:{fred@old.example=fred@new.example, joe@old.example=joe.new@new.example,"
           "c1@old.example=c2@old.example, c2@old.example=c3@new.example, @all.example=@new.example,"
           "@catch.example=caught@new.example, u@ext.example=v@new.example, bare=known@x.example,"
           "{two@old.example=one@new.example, other@new.example},"
           "{odd@old.example=\"odd one\"@new.example}}")
RULES = r"""/^Subject: reject/ REJECT
/^Subject: warn1/ WARN
/^Subject: warn/ WARN look at it
/^Subject: (info)/ INFO look at $1
/^Subject: ignore/ IGNORE
/^Subject: dunno/ DUNNO
/^Subject: hold/ HOLD
/^Subject: prepend1/ PREPEND
/^Subject: prepend2/ PREPEND not a header
/^Subject: prepend/ PREPEND X-New: yes
/^Subject: replace1/ REPLACE
/^Subject: replace2/ REPLACE not a header
/^Subject: replace/ REPLACE Subject: other
/^To: replaced/ REPLACE To: joe@old.example
/^Subject: strip/ STRIP removed
/^Subject: unknown/ FROBNICATE
/^Content-Type: text.*x-odd/ REPLACE Content-Type: text/plain
/^Subject: inner/ REPLACE Subject: seen
/^X-Part: / STRIP
/^body-warn/ WARN seen
/^body-ignore/ IGNORE
/^body-replace/ REPLACE replaced
/^body-prepend/ PREPEND prepended
/^body-strip/ STRIP gone
/^body-reject/ REJECT no
/^--edge/ WARN a boundary
/^late/ REPLACE never
/^220 other/ 220 sink.example ESMTP
/^550 5.7.1 (.*)/ 250 2.0.0 $1
"""
PARTS = """Subject: parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=edge

preamble
--edge
Content-Type: text/x-odd
X-Part: one

body-replace
--edge
Content-Type: message/rfc822

Subject: inner

body-ignore
--edge--
epilogue
"""
LINES = """Subject: lines

first
body-warn
body-ignore
body-replace
body-prepend
body-strip
body-reject
--edge
last
"""


def mail(*texts, sender="fred@old.example", rcpts=("joe@old.example",)):
    return [(sender, list(rcpts), text) for text in texts]


SUBJECTS = [f"Subject: {word} x\n" + BODY for word in (
    "reject warn1 warn info ignore dunno hold prepend1 prepend2 prepend replace1 replace2 replace "
    "strip unknown").split()]
LONG = "Subject: long\n\n" + "x" * 300 + "\nlate\n"
FORWARDS = {"EHLO": "250-sink.example\r\n250-PIPELINING\r\n"
                    "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"}
SOME_FORWARDS = {"EHLO": "250-sink.example\r\n250 XFORWARD NAME HELO", "XFORWARD": "501 5.5.4 no"}
PIX = {"CONNECT": "220 ******************2******0****"}
FORWARDED = [
    ["XFORWARD NAME=far.example ADDR=192.0.2.9 PORT=1234", "XFORWARD PROTO=ESMTP HELO=h.example "
     "IDENT=ABCDEF SOURCE=REMOTE"],
    ["XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.9", "XFORWARD SOURCE=LOCAL"],
    ["XFORWARD HELO=a+2Bb.example"],
    ["XFORWARD", "XFORWARD NAME", "XFORWARD COLOUR=red", "XFORWARD ADDR=x", "XFORWARD PORT=x",
     "XFORWARD SOURCE=x", "XFORWARD NAME=a..b"],
]
FROM = "From: bare\nSubject: x\n" + BODY
GROUPS = [
    ("xforward", {"(sink)": FORWARDS, "smtp_send_xforward_command": "yes",
                  "smtpd_authorized_xforward_hosts": "127.0.0.1",
                  "local_header_rewrite_clients": "",
                  "remote_header_rewrite_domain": ""},
     [("fred@old.example", ["joe@old.example"], FROM, before) for before in ((), *FORWARDED)]),
    ("xforward in part", {"(sink)": SOME_FORWARDS, "smtp_send_xforward_command": "yes"},
     mail(FROM)),
    ("xforward refused", {"smtpd_authorized_xforward_hosts": "192.0.2.1"},
     [("fred@old.example", ["joe@old.example"], FROM, FORWARDED[0])]),
    ("pix", {"(sink)": PIX}, mail(FROM)),
    ("pix delay", {"(sink)": PIX, "smtp_pix_workaround_threshold_time": "0",
                   "smtp_pix_workaround_delay_time": "1"}, mail(FROM)),
    ("pix maps", {"(sink)": PIX, "smtp_pix_workaround_maps": "static:delay_dotcrlf"}, mail(FROM)),
    ("discard", {"(sink)": FORWARDS, "smtp_send_xforward_command": "yes",
                 "smtp_discard_ehlo_keywords": "pipelining"}, mail(FROM)),
    ("discard maps", {"(sink)": FORWARDS, "smtp_send_xforward_command": "yes",
                      "smtp_discard_ehlo_keyword_address_maps": "inline:{127.0.0.1=xforward}"},
     mail(FROM)),
    ("reply filter", {"(sink)": {"CONNECT": "220 other", ".": "550 5.7.1 taken after all"},
                      "smtp_reply_filter": "regexp:{rules}"}, mail(FROM)),
    ("deadline", {"smtp_per_request_deadline": "yes"}, mail(FROM)),
    ("generic", {"smtp_generic_maps": GENERIC},
     mail("From: Fred <fred@old.example>\nTo: joe@old.example, c1@old.example\n" + BODY,
          "From: someone@all.example\nSender: x@catch.example\nTo: odd@old.example\n"
          "Cc: two@old.example, \"u+tag\"@ext.example, bare@here.example, Bare <bare>\n" + BODY,
          "Subject: fred@old.example\nX-To: fred@old.example\nReply-To: fred@old.example\n"
          "Resent-To: joe@old.example\nErrors-To: fred@old.example\n" + BODY) +
     mail("Subject: envelope\n" + BODY, sender="u+tag@ext.example",
          rcpts=("c1@old.example", "x@all.example", "odd@old.example", "two@old.example",
                 "y+z@catch.example", "plain@else.example")) +
     mail("Subject: null\n" + BODY, sender="")),
    ("generic without extension", {"smtp_generic_maps": GENERIC,
                                   "propagate_unmatched_extensions": "canonical"},
     mail("To: u+tag@ext.example\n" + BODY, sender="u+tag@ext.example")),
    ("header checks", {"smtp_header_checks": "regexp:{rules}"},
     mail(*SUBJECTS, PARTS, LINES, "To: replaced\n" + BODY)),
    ("header checks and generic", {"smtp_header_checks": "regexp:{rules}",
                                   "smtp_generic_maps": GENERIC},
     mail("To: replaced\n" + BODY)),
    ("mime checks", {"smtp_mime_header_checks": "regexp:{rules}"}, mail(PARTS, *SUBJECTS[:3])),
    ("nested checks", {"smtp_nested_header_checks": "regexp:{rules}"}, mail(PARTS)),
    ("body checks", {"smtp_body_checks": "regexp:{rules}"}, mail(LINES, PARTS)),
    ("body checks end", {"smtp_body_checks": "regexp:{rules}", "body_checks_size_limit": "100"},
     mail(LONG)),
]
