"""smtpd_dialogues.py -- what postfix_test.py says to Postfix and to us; see there for the form."""

BASE = {
    "mydestination": "here.example, localhost",
    "myorigin": "here.example",
    "local_recipient_maps": "inline:{joe=x, ann=x, info+sales=x}",
    "recipient_delimiter": "+",
    "relay_domains": "relay.example",
    "relay_recipient_maps": "inline:{known@relay.example=x}",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{a@alias.example=joe@here.example}",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{u@box.example=u/}",
    "virtual_transport": "discard",
    "local_transport": "discard",
    "relay_transport": "discard",
    "default_transport": "discard",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_error_sleep_time": "0",
    "smtpd_peername_lookup": "no",
    "smtpd_forbid_bare_newline": "normalize",
    "smtpd_forbid_bare_newline_exclusions": "",
    "smtpd_forbid_unauth_pipelining": "yes",
    "smtputf8_enable": "yes",
    "message_size_limit": "20000",
    "smtpd_hard_error_limit": "1000",
    "smtpd_soft_error_limit": "1000",
}

SETTINGS = {
    "strict": {"strict_rfc821_envelopes": "yes", "smtpd_helo_required": "yes",
               "disable_vrfy_command": "yes"},
    "limits": {"smtpd_recipient_limit": "3", "smtpd_recipient_overshoot_limit": "1",
               "smtpd_hard_error_limit": "5", "smtpd_soft_error_limit": "10",
               "smtpd_junk_command_limit": "3", "line_length_limit": "600"},
    "early": {"smtpd_delay_reject": "no",
              "smtpd_client_restrictions": "check_client_access inline:{{192.0.2=REJECT go away}}",
              "smtpd_helo_restrictions": "reject_invalid_helo_hostname,"
                                         "reject_non_fqdn_helo_hostname",
              "smtpd_sender_restrictions": "reject_non_fqdn_sender,"
                                           "check_sender_access inline:{bad.example=REJECT,"
                                           "slow.example=DEFER, {code.example=550 5.7.9 no},"
                                           "{text.example=REJECT not you}}"},
    "late": {"smtpd_client_restrictions": "check_client_access inline:{{192.0.2=REJECT go away},"
                                          "{198.51.100.7=450 4.7.3 later}, 203.0.113=OK}",
             "smtpd_helo_restrictions": "reject_invalid_helo_hostname,"
                                        "reject_non_fqdn_helo_hostname,"
                                        "check_helo_access inline:{spam.example=REJECT}",
             "smtpd_sender_restrictions": "reject_non_fqdn_sender,"
                                          "check_sender_access inline:{bad.example=REJECT,"
                                          "slow.example=DEFER, {code.example=550 5.7.9 no},"
                                          "{text.example=REJECT not you},"
                                          "if.example=DEFER_IF_PERMIT}",
             "smtpd_recipient_restrictions": "reject_non_fqdn_recipient,"
                                             "check_recipient_access inline:{"
                                             "joe@here.example=OK,"
                                             "{ann@here.example=554 full text},"
                                             "known@relay.example=DUNNO}",
             "smtpd_data_restrictions": "check_sender_access inline:{data.example=REJECT}",
             "smtpd_end_of_data_restrictions": "check_sender_access inline:{end.example=REJECT}"},
    "soft": {"soft_bounce": "yes"},
    "helo": {"smtpd_helo_required": "yes", "smtpd_reject_unlisted_sender": "yes",
             "smtpd_discard_ehlo_keywords": "dsn, silent-discard, chunking",
             "smtpd_noop_commands": "PING", "smtpd_forbidden_commands": "CONNECT GET ABC",
             "show_user_unknown_table_name": "no", "message_size_limit": "0",
             "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"},
    "verp": {"smtpd_authorized_verp_clients": "192.0.2.0/24, friend.example",
             "default_verp_delimiters": "-=", "smtpd_discard_ehlo_keywords": "pipelining"},
}

STRANGER = "> ADDR=192.0.2.99 NAME=[UNAVAILABLE]\n"

DIALOGUES = {"default": r"""
> ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]
EHLO client.example
MAIL FROM:<a@client.example>
RCPT TO:<x@far.example>
RCPT TO:<joe@here.example>
RSET
XCLIENT ADDR=192.0.2.1

EHLO client.example
MAIL FROM:<a@client.example>
RCPT TO:<joe@here.example>
DATA
Subject: x

body
.
MAIL FROM:<>
RCPT TO:<ann@here.example>
DATA
.

HELO client.example
MAIL FROM:<a@client.example> SIZE=100
MAIL FROM:<a@client.example> BODY=8BITMIME
MAIL FROM:<a@client.example>
RCPT TO:<joe@here.example> NOTIFY=NEVER
RCPT TO:<joe@here.example>
DATA
.

HELO
EHLO
HELO  
EHLO  x  y
HELO a b c
EHLO [127.0.0.1]
EHLO x\x01y
EHLO <x>
EHLO .

MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
RSET
RCPT TO:<joe@here.example>
DATA
BDAT 3 LAST\r\nabc\c
RSET x
NOOP x y
NOOP
VRFY
VRFY joe
VRFY joe@here.example
VRFY <joe@here.example>
VRFY nobody
VRFY nobody@here.example
VRFY a b c
VRFY x@elsewhere.example
VRFY <>
VRFY @
EXPN list
HELP
HELP me
ETRN
TURN
SEND FROM:<a@b>
FOO
QUIT x

EHLO c.example
MAIL
MAIL x
MAIL FROM
MAIL FROM:
MAIL FROM <a@b.example>
MAIL FROM: a@b.example
RSET
MAIL FROM:a@b.example
RSET
MAIL FROM: <a@b.example>
RSET
mail from:<a@b.example>
rset
MAIL FROM:<a@b.example
RSET
MAIL FROM:a@b.example>
RSET
MAIL FROM:<<a@b.example>>
RSET
MAIL FROM:<@a.example,@b.example:u@c.example>
RSET
MAIL FROM:<a@b.example>x
RSET
MAIL FROM:<a b@c.example>
RSET
MAIL FROM:<"a b"@c.example>
RSET
MAIL FROM:<"a\\"b"@c.example>
RSET
MAIL FROM:<a..b@c.example>
RSET
MAIL FROM:<.a@c.example>
RSET
MAIL FROM:<a.@c.example>
RSET
MAIL FROM:<a@b..c>
RSET
MAIL FROM:<a@.c>
RSET
MAIL FROM:<a@c.>
RSET
MAIL FROM:<a@>
RSET
MAIL FROM:<@c>
RSET
MAIL FROM:<a@[192.0.2.1]>
RSET
MAIL FROM:<a@[IPv6:2001:db8::1]>
RSET
MAIL FROM:<a@[300.1.1.1]>
RSET
MAIL FROM:<a@[x]>
RSET
MAIL FROM:<a@b@c.example>
RSET
MAIL FROM:<a(comment)@c.example>
RSET
MAIL FROM:<a>
RSET
MAIL FROM:<"">
RSET
MAIL FROM:<" ">
RSET
MAIL FROM:<>x
RSET
MAIL FROM:< >
RSET
MAIL FROM:<Joe <joe@here.example>>
RSET
MAIL FROM:Joe User <joe@here.example>
RSET
MAIL FROM:<joe@here.example> (comment)
RSET
MAIL FROM:<a,b@c.example>
RSET
MAIL FROM:<a@c.example,b@c.example>
RSET
MAIL FROM:<a;b@c.example>
RSET
MAIL FROM:<a:b@c.example>
RSET
MAIL FROM:<a%b@c.example>
RSET
MAIL FROM:<a!b@c.example>
RSET
MAIL FROM:<-x@c.example>
RSET
MAIL FROM:<a@-c.example>
RSET
MAIL FROM:<a@c_d.example>
RSET
MAIL FROM:<a@c.example\\>
RSET
MAIL FROM:<a\\@c.example>

EHLO c.example
MAIL FROM:<a@b.example> SIZE=
RSET
MAIL FROM:<a@b.example> SIZE
RSET
MAIL FROM:<a@b.example> SIZE=x
RSET
MAIL FROM:<a@b.example> SIZE=-1
RSET
MAIL FROM:<a@b.example> SIZE=19999
RSET
MAIL FROM:<a@b.example> SIZE=20000
RSET
MAIL FROM:<a@b.example> SIZE=20001
RSET
MAIL FROM:<a@b.example> SIZE=99999999999999999999999
RSET
MAIL FROM:<a@b.example> BODY=7BIT
RSET
MAIL FROM:<a@b.example> BODY=8bitmime
RSET
MAIL FROM:<a@b.example> BODY=BINARYMIME
RSET
MAIL FROM:<a@b.example> BODY
RSET
MAIL FROM:<a@b.example> BODY=
RSET
MAIL FROM:<a@b.example> FOO
RSET
MAIL FROM:<a@b.example> FOO=bar
RSET
MAIL FROM:<a@b.example> =
RSET
MAIL FROM:<a@b.example> AUTH=<>
RSET
MAIL FROM:<a@b.example> AUTH=x
RSET
MAIL FROM:<a@b.example> RET=FULL
RSET
MAIL FROM:<a@b.example> RET=HDRS ENVID=abc
RSET
MAIL FROM:<a@b.example> RET=X
RSET
MAIL FROM:<a@b.example> RET
RSET
MAIL FROM:<a@b.example> RET=FULL RET=HDRS
RSET
MAIL FROM:<a@b.example> ENVID=a+20b
RSET
MAIL FROM:<a@b.example> ENVID=a+2
RSET
MAIL FROM:<a@b.example> ENVID=a+0Ab
RSET
MAIL FROM:<a@b.example> ENVID=
RSET
MAIL FROM:<a@b.example> ENVID=a ENVID=b
RSET
MAIL FROM:<a@b.example> SMTPUTF8
RSET
MAIL FROM:<a@b.example> SMTPUTF8=1
RSET
MAIL FROM:<a@b.example> smtputf8 size=10 body=8bitmime ret=full envid=x
RSET
MAIL FROM:<a@b.example> SIZE=10 SIZE=20
RSET
MAIL FROM:<a@b.example> XVERP
RSET
MAIL FROM:<\xc3\xa4@b.example>
RSET
MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8
RSET
MAIL FROM:<\xe4@b.example> SMTPUTF8
RSET
MAIL FROM:<a@b.example>\tSIZE=10
RSET
MAIL FROM:<a@b.example>  SIZE=10  

EHLO c.example
RCPT TO:<joe@here.example>
MAIL FROM:<a@b.example>
MAIL FROM:<a@b.example>
RCPT
RCPT x
RCPT TO
RCPT TO:
RCPT TO:<>
RCPT TO:<joe>
RCPT TO:joe
RCPT TO: joe@here.example
RCPT TO:<joe@here.example
RCPT TO:<JOE@HERE.EXAMPLE>
RCPT TO:<joe+ext@here.example>
RCPT TO:<nobody@here.example>
RCPT TO:<nobody>
RCPT TO:<postmaster>
RCPT TO:<Postmaster@here.example>
RCPT TO:<mailer-daemon@here.example>
RCPT TO:<abuse@here.example>
RCPT TO:<joe@mail.test.example>
RCPT TO:<joe@localhost>
RCPT TO:<joe@[127.0.0.1]>
RCPT TO:<joe@[192.0.2.1]>
RCPT TO:<joe@[x]>
RCPT TO:<known@relay.example>
RCPT TO:<unknown@relay.example>
RCPT TO:<known@sub.relay.example>
RCPT TO:<a@alias.example>
RCPT TO:<b@alias.example>
RCPT TO:<u@box.example>
RCPT TO:<v@box.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example> NOTIFY=SUCCESS,FAILURE,DELAY
RCPT TO:<x@far.example> NOTIFY=NEVER
RCPT TO:<x@far.example> NOTIFY=NEVER,DELAY
RCPT TO:<x@far.example> NOTIFY=
RCPT TO:<x@far.example> NOTIFY
RCPT TO:<x@far.example> NOTIFY=X
RCPT TO:<x@far.example> NOTIFY=SUCCESS,SUCCESS
RCPT TO:<x@far.example> NOTIFY=SUCCESS NOTIFY=FAILURE
RCPT TO:<x@far.example> ORCPT=rfc822;x@far.example
RCPT TO:<x@far.example> ORCPT=rfc822;x+20y@far.example
RCPT TO:<x@far.example> ORCPT=rfc822
RCPT TO:<x@far.example> ORCPT=;x
RCPT TO:<x@far.example> ORCPT=rfc822;
RCPT TO:<x@far.example> ORCPT=x.400;y
RCPT TO:<x@far.example> ORCPT=utf-8;x
RCPT TO:<x@far.example> ORCPT=rfc822;a+0Ab
RCPT TO:<x@far.example> ORCPT=rfc822;a ORCPT=rfc822;b
RCPT TO:<x@far.example> FOO
RCPT TO:<x@far.example> FOO=bar
RCPT TO:<x@far.example> SIZE=10
RCPT TO:<@here.example:x@far.example>
RCPT TO:<x%far.example@here.example>
RCPT TO:<far.example!x@here.example>
RCPT TO:<x@far.example@here.example>
RCPT TO:<"x@far.example"@here.example>
RCPT TO:<"x@far.example">
RCPT TO:<"joe"@here.example>
RCPT TO:<"">
RCPT TO:<x y@far.example>
RCPT TO:<\xc3\xa4@far.example>
RCPT TO:<x@\xc3\xa4.example>
RCPT TO:<@>
RCPT TO:<x@>
RCPT TO:<@far.example>
RCPT TO:<x@far..example>
RCPT TO:<x@.far.example>
RCPT TO:<x@far.example.>
RCPT TO:<x@far>
RCPT TO:Joe User <joe@here.example>
RCPT TO:<joe@here.example> (Joe User)
RCPT TO:<joe@here.example>,<ann@here.example>
RCPT TO:<joe,ann@here.example>
DATA x
DATA
.

> ADDR=192.0.2.99 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example.>
RCPT TO:<@here.example:x@far.example>
RCPT TO:<x%far.example@here.example>
RCPT TO:<far.example!x@here.example>
RCPT TO:<x%far.example@relay.example>
RCPT TO:<x!y@relay.example>
RCPT TO:<x@far.example@here.example>
RCPT TO:<"x@far.example"@here.example>
RCPT TO:<"x@far.example">
RCPT TO:<x@far.example>
RCPT TO:<known@relay.example>
RCPT TO:<unknown@relay.example>
RCPT TO:<known@sub.relay.example>
RCPT TO:<a@alias.example>
RCPT TO:<b@alias.example>
RCPT TO:<u@box.example>
RCPT TO:<v@box.example>
RCPT TO:<joe@[127.0.0.1]>
RCPT TO:<joe@[192.0.2.1]>
RCPT TO:<joe@[IPv6:::1]>
RCPT TO:<x@[]>
RCPT TO:<nobody>
VRFY nobody
VRFY x@far.example
VRFY joe

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<nobody@here.example>
DATA
RSET
MAIL FROM:<a@b.example>
RCPT TO:<x@far.example>
RCPT TO:<y@far.example>
DATA
BDAT 4\r\nabc\n\c
BDAT 0 LAST
RSET

EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT 4\r\nabc\n\c
BDAT 4\r\nabc\n\c
MAIL FROM:<a@b.example>
RCPT TO:<ann@here.example>
DATA
NOOP
VRFY joe
BDAT 0 LAST
BDAT 0 LAST
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT 8 LAST\r\nS: x\r\n\r\n\c
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT 1\r\nx\c
RSET
BDAT 1\r\nx\c
MAIL FROM:<a@b.example>
BDAT 1\r\nx\c
BDAT 1 LAST\r\nx\c
MAIL FROM:<a@b.example>
RSET
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT 1 last\r\nx\c

EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT
NOOP

EHLO c.example
BDAT x
NOOP

EHLO c.example
BDAT -1 LAST
NOOP

EHLO c.example
BDAT 1 FIRST
NOOP

EHLO c.example
BDAT 1 LAST x
NOOP

HELO c.example
BDAT 1 LAST\r\nx\c

EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
BDAT 20001 LAST\c

EHLO c.example
XCLIENT
XCLIENT FOO
XCLIENT FOO=bar
XCLIENT NAME=
XCLIENT ADDR=x
XCLIENT ADDR=192.0.2.1.5
XCLIENT NAME=a..b
XCLIENT PORT=x
XCLIENT PORT=70000
XCLIENT PROTO=X
XCLIENT HELO=
XCLIENT HELO=x+20y
XCLIENT NAME=good.example ADDR=198.51.100.3 HELO=a.b PROTO=ESMTP
MAIL FROM:<a@b.example>
XCLIENT NAME=good.example
RCPT TO:<x@far.example>

EHLO c.example
AUTH
AUTH PLAIN
AUTH PLAIN AGEAYg==
STARTTLS
STARTTLS x

EHLO c.example
Subject: hello

GET / HTTP/1.0

CONNECT example.org:25

POST / HTTP/1.1

EHLO c.example
From x

Received: from

EHLO c.example

X-Foo : bar

abc

 EHLO x
	EHLO x
EHLO\tx.example
ehlo\x0bx
EHLO x\x00y
\x00
NOOP\x00
NOOP \r x
NOOP\r x
MAIL FROM:<a@b.example>\r

\x80\x81
+OK
220 hello
.
EHLO c.example

MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
DATA
.

EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
DATA
Received: 1
Subject: x

..
...
.
MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=q
RCPT TO:<joe@here.example> NOTIFY=SUCCESS ORCPT=rfc822;j
DATA
\xe4\xf6
.
HELO again
NOOP
""" + "\nEHLO c.example\nMAIL FROM:<a@b.example>\nRCPT TO:<joe@here.example>\nDATA\n" +
"\n".join("Received: hop %d" % n for n in range(60)) + "\n.\nNOOP\n" +
"\nEHLO c.example\nMAIL FROM:<a@b.example>\nRCPT TO:<joe@here.example>\nDATA\n" +
"\n".join("x" * 500 for n in range(50)) + "\n.\nNOOP\n" +
"\nEHLO " + "x" * 300 + "\nMAIL FROM:<" + "a" * 100 + "@" + "b" * 60 + ".example>\n" +
"RCPT TO:<" + "a" * 300 + "@here.example>\nMAIL FROM:<a@" + "b" * 300 + ".example>\nRSET\n" +
"MAIL FROM:<a@" + "b" * 64 + ".example>\n",

"strict": r"""
MAIL FROM:<a@b.example>
HELP
VRFY joe
RCPT TO:<joe@here.example>
DATA
BDAT 1 LAST\r\nx\c
RSET
EHLO c.example
VRFY joe
MAIL FROM: <a@b.example>
MAIL FROM:a@b.example
MAIL FROM:<a@b.example> (x)
RSET
MAIL FROM:<Joe <a@b.example>>
MAIL FROM:<a(x)@b.example>
MAIL FROM:<@x.example:a@b.example>
RSET
MAIL FROM:<a@b.example
MAIL FROM:<a..b@c.example>
MAIL FROM:<.a@c.example>
MAIL FROM:<a>
RSET
MAIL FROM:<"a b"@c.example>
RSET
MAIL FROM:<a@b.example>
RCPT TO: <joe@here.example>
RCPT TO:joe@here.example
RCPT TO:<joe@here.example> (x)
RCPT TO:<joe>
RCPT TO:<"joe"@here.example>
RCPT TO:<joe@here.example>
DATA
.
QUIT x
""",

"limits": r"""
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
RCPT TO:<ann@here.example>
RCPT TO:<joe@here.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>
RCPT TO:<u@box.example>

EHLO c.example
FOO
FOO
FOO
FOO
FOO
FOO
NOOP

NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP

EHLO c.example
NOOP
RSET
VRFY joe
HELP
NOOP
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
DATA
.
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP
NOOP

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example>
RCPT TO:<joe@here.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example>
RCPT TO:<x@far.example>
""",

"early": r"""
> ADDR=192.0.2.7 NAME=[UNAVAILABLE]
EHLO c.example
NOOP
MAIL FROM:<a@b.example>
HELP
RSET
XCLIENT ADDR=198.51.100.4
NOOP
MAIL FROM:<a@b.example>

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
EHLO x
EHLO x y
EHLO a_b
EHLO a b.c
EHLO [1.2.3.4]
EHLO 1.2.3.4
HELO [x]
HELO -a.example
EHLO c.example
MAIL FROM:<a@b.example>
RSET
MAIL FROM:<a>
MAIL FROM:<a@b>
MAIL FROM:<a@bad.example>
MAIL FROM:<a@sub.bad.example>
MAIL FROM:<a@slow.example>
MAIL FROM:<a@code.example>
MAIL FROM:<a@text.example>
MAIL FROM:<>
RCPT TO:<x@far.example>
RCPT TO:<joe@here.example>
HELO x
RCPT TO:<joe@here.example>
""",

"late": r"""
> ADDR=192.0.2.7 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
VRFY joe
DATA

> ADDR=198.51.100.7 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
VRFY joe

> ADDR=203.0.113.7 NAME=some.host.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
RSET
HELO x
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
HELO a_b.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
HELO [1.2.3.4]
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
HELO spam.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
EHLO host.spam.example
MAIL FROM:<a@b.example>
RCPT TO:<joe@here.example>
EHLO c.example
MAIL FROM:<a>
RCPT TO:<joe@here.example>
RSET
MAIL FROM:<a@bad.example>
RCPT TO:<joe@here.example>
RSET
MAIL FROM:<a@slow.example>
RCPT TO:<joe@here.example>
RSET
MAIL FROM:<a@code.example>
RCPT TO:<joe@here.example>
RSET
MAIL FROM:<a@text.example>
RCPT TO:<joe@here.example>
RSET
MAIL FROM:<a@if.example>
RCPT TO:<joe@here.example>
RCPT TO:<x@far.example>
RCPT TO:<ann@here.example>
RCPT TO:<nobody@here.example>
RSET
MAIL FROM:<ok@b.example>
RCPT TO:<ann@here.example>
RCPT TO:<known@relay.example>
RCPT TO:<unknown@relay.example>
RCPT TO:<x@far>
RCPT TO:<joe>
RCPT TO:<postmaster>
RCPT TO:<x@far.example>
RSET
MAIL FROM:<a@data.example>
RCPT TO:<joe@here.example>
DATA
RCPT TO:<joe@here.example>
BDAT 1 LAST\r\nx\c
RSET
MAIL FROM:<a@end.example>
RCPT TO:<joe@here.example>
DATA
.
MAIL FROM:<a@end.example>
RCPT TO:<joe@here.example>
BDAT 1 LAST\r\nx\c
NOOP
""",

"soft": r"""
EHLO c.example
MAIL FROM:<a b>
MAIL FROM:<a@b.example> SIZE=99999
RSET
MAIL FROM:<a@b.example> X
FOO
MAIL FROM:<a@b.example>
RCPT TO:<nobody@here.example>
DATA
RSET
MAIL FROM:<a@b.example>
RCPT TO:<b@alias.example>
RCPT TO:<joe@here.example>
VRFY nobody

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
HELO x
MAIL FROM:<a@b.example>
RCPT TO:<x@far.example>
""",

"helo": r"""
MAIL FROM:<a@b.example>
PING
ABC x

ABC

VRFY joe
RCPT TO:<joe@here.example>
HELO c.example
MAIL FROM:<nobody@here.example>
MAIL FROM:<x@alias.example>
MAIL FROM:<joe@here.example>
RCPT TO:<nobody@here.example>
RCPT TO:<v@box.example>

EHLO c.example
MAIL FROM:<a@b.example> RET=FULL
MAIL FROM:<a@b.example> SIZE=999999999
RCPT TO:<joe@here.example> NOTIFY=NEVER
BDAT 1 LAST\r\nx\c

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example>
RCPT TO:<x@far.example>
PING
""",

"verp": r"""
> ADDR=192.0.2.99 NAME=[UNAVAILABLE]
MAIL FROM:<a@b.example> XVERP
RSET
EHLO c.example
MAIL FROM:<a@b.example> XVERP
RSET
MAIL FROM:<a@b.example> XVERP=
RSET
MAIL FROM:<a@b.example> XVERP=+=
RSET
MAIL FROM:<a@b.example> xverp=-= SIZE=5
RSET
MAIL FROM:<a@b.example> XVERP=ab
RSET
MAIL FROM:<a@b.example> XVERP=+
RSET
MAIL FROM:<a@b.example> XVERP=+==
RSET
MAIL FROM:<> XVERP
RSET
MAIL FROM:<a@b.example> XVERPX
RSET
MAIL FROM:<a@b.example> XVERP XVERP=-+
RSET
MAIL FROM:<a@b.example> XVERP=-+ XVERP
RSET
MAIL FROM:<> XVERP=ab
RSET
MAIL FROM:<> XVERP SIZE=x

> ADDR=198.51.100.4 NAME=friend.example
EHLO c.example
MAIL FROM:<a@b.example> XVERP
RCPT TO:<joe@here.example>
DATA
Subject: x\r\n\r\nx\r\n.

> ADDR=198.51.100.4 NAME=[UNAVAILABLE]
EHLO c.example
MAIL FROM:<a@b.example> XVERP
MAIL FROM:<a@b.example> XVERP=+=
""",
}
