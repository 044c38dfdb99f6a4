/* Restrictions: which list says what to whom. */
#include "play.h"
#include <stdio.h>

/* One transaction of a stranger (or of one of us), and the answer to its recipient. */
static const struct {
	const char *conf, *addr, *helo, *sender, *rcpt, *want;
} rows[] = {
	/* the default configuration */
	{ "", "192.0.2.1", "h.example", "s@far.example", "user@here.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h.example", "s@far.example", "x@far.example",
		"454 4.7.1 <x@far.example>: Relay access denied" },
	{ "", "127.0.0.2", "h.example", "s@far.example", "x@far.example", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "user+ext@here.test", "550 5.1.1" },
	{ "recipient_delimiter = +\n", "192.0.2.1", "h", "", "user+ext@here.test",
		"250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "USER@HERE.TEST", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "postmaster", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "Postmaster@here.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "user@[127.0.0.1]", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "any@relay.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "any@sub.relay.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "alias@valias.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "no@valias.test",
		"550 5.1.1 <no@valias.test>: Recipient address rejected: User unknown in "
		"virtual "
		"alias table" },
	{ "", "192.0.2.1", "h", "", "box@vbox.test", "250 2.1.5" },
	{ "", "192.0.2.1", "h", "", "no@vbox.test",
		"550 5.1.1 <no@vbox.test>: Recipient address rejected: User unknown in "
		"virtual "
		"mailbox table" },
	{ "", "127.0.0.1", "h", "", "no@vbox.test", "550 5.1.1" },
	{ "relay_recipient_maps = inline:{ a@relay.test=x }\n", "192.0.2.1", "h", "",
		"b@relay.test",
		"550 5.1.1 <b@relay.test>: Recipient address rejected: User unknown in "
		"relay "
		"recipient table" },
	{ "show_user_unknown_table_name = no\n", "192.0.2.1", "h", "", "no@vbox.test",
		"550 5.1.1 <no@vbox.test>: Recipient address rejected: User unknown" },
	{ "unknown_local_recipient_reject_code = 450\n", "192.0.2.1", "h", "",
		"no@here.test", "450 4.1.1" },
	{ "local_recipient_maps =\n", "192.0.2.1", "h", "", "no@here.test", "250 2.1.5" },
	{ "smtpd_reject_unlisted_recipient = no\n", "192.0.2.1", "h", "", "no@here.test",
		"250 2.1.5" },
	{ "receive_override_options = no_unknown_recipient_checks\n", "192.0.2.1", "h",
		"", "no@here.test", "250 2.1.5" },
	{ "local_recipient_maps = fail:x\n", "192.0.2.1", "h", "", "no@here.test",
		"451 4.3.0" },
	/* routes that the sender chose */
	{ "", "192.0.2.1", "h", "", "x%far.example@here.test", "454 4.7.1" },
	{ "", "192.0.2.1", "h", "", "x%far.example@relay.test", "454 4.7.1" },
	{ "allow_untrusted_routing = yes\n", "192.0.2.1", "h", "",
		"x%far.example@relay.test", "250 2.1.5" },
	/* relay control in other words */
	{ "smtpd_relay_restrictions = reject_unauth_destination\n", "127.0.0.1", "h", "",
		"x@far.example", "554 5.7.1 <x@far.example>: Relay access denied" },
	{ "smtpd_relay_restrictions = permit_auth_destination, reject\n", "192.0.2.1",
		"h", "", "user@here.test", "250 2.1.5" },
	{ "smtpd_relay_restrictions = permit_auth_destination, reject\n", "192.0.2.1",
		"h", "", "x@far.example",
		"554 5.7.1 <x@far.example>: Recipient address rejected: Access "
		"denied" },
	{ "smtpd_relay_restrictions = permit_mynetworks, permit_inet_interfaces, defer\n",
		"192.0.2.1", "h", "", "x@far.example",
		"450 4.7.1 <x@far.example>: Recipient address rejected: Try again "
		"later" },
	/* the other lists are asked at RCPT */
	{ "smtpd_client_restrictions = permit_mynetworks, reject\n", "192.0.2.1", "h", "",
		"user@here.test",
		"554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access "
		"denied" },
	{ "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname\n", "192.0.2.1",
		"host", "", "user@here.test",
		"504 5.5.2 <host>: Helo command rejected: need fully-qualified "
		"hostname" },
	{ "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname\n", "192.0.2.1",
		"[192.0.2.1]", "", "user@here.test", "250 2.1.5" },
	{ "smtpd_helo_restrictions = reject_invalid_helo_hostname\n", "192.0.2.1",
		"-bad-", "", "user@here.test",
		"501 5.5.2 <-bad->: Helo command rejected: Invalid name" },
	{ "smtpd_sender_restrictions = reject_non_fqdn_sender\n", "192.0.2.1", "h",
		"joe@host", "user@here.test",
		"504 5.5.2 <joe@host>: Sender address rejected: need fully-qualified "
		"address" },
	{ "smtpd_sender_restrictions = reject_non_fqdn_sender\n", "192.0.2.1", "h", "",
		"user@here.test", "250 2.1.5" },
	{ "smtpd_recipient_restrictions = reject_non_fqdn_recipient\n", "192.0.2.1", "h",
		"", "user",
		"504 5.5.2 <user>: Recipient address rejected: need fully-qualified "
		"address" },
	{ "smtpd_sender_restrictions = reject_unlisted_sender\n", "192.0.2.1", "h",
		"no@here.test", "user@here.test",
		"550 5.1.0 <no@here.test>: Sender address rejected: User unknown in "
		"local "
		"recipient table" },
	/* a permit ends its own list only */
	{ "smtpd_client_restrictions = permit\nsmtpd_helo_restrictions = reject\n",
		"192.0.2.1", "h.example", "", "user@here.test",
		"554 5.7.1 <h.example>: Helo command rejected: Access denied" },
	/* access tables */
	{ "smtpd_client_restrictions = check_client_access inline:{ { 192.0.2 = REJECT "
	  "go } }\n",
		"192.0.2.1", "h", "", "user@here.test",
		"554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: go" },
	{ "smtpd_helo_restrictions = inline:{ { example = 550 5.7.9 no } }\n",
		"192.0.2.1", "h.example", "", "user@here.test",
		"550 5.7.9 <h.example>: Helo command rejected: no" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ { bad@ = REJECT } "
	  "}\n",
		"192.0.2.1", "h", "bad@far.example", "user@here.test",
		"554 5.7.1 <bad@far.example>: Sender address rejected: Access denied" },
	{ "smtpd_sender_restrictions = check_sender_access inline:{ { <> = 450 wait } "
	  "}\n",
		"192.0.2.1", "h", "", "user@here.test",
		"450 4.7.1 <>: Sender address rejected: wait" },
	{ "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ { here.test = DEFER later } }\n",
		"192.0.2.1", "h", "", "user@here.test",
		"450 4.7.1 <user@here.test>: Recipient address rejected: later" },
	{ "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ { user@here.test = DUNNO } { here.test = REJECT } }, permit\n",
		"192.0.2.1", "h", "", "user@here.test", "250 2.1.5" },
	{ "smtpd_recipient_restrictions = check_recipient_access inline:{ { here.test = "
	  "1 } }, "
	  "reject\n",
		"192.0.2.1", "h", "", "user@here.test", "250 2.1.5" },
	{ "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ { here.test = reject_non_fqdn_sender, permit } }, reject\n",
		"192.0.2.1", "h", "x@host", "user@here.test", "504 5.5.2 <x@host>: " },
	{ "smtpd_client_restrictions = check_client_access cidr:{ { 192.0.2.0/24 REJECT "
	  "} }\n",
		"192.0.2.1", "h", "", "user@here.test", "554 5.7.1" },
	/* mistakes */
	{ "smtpd_client_restrictions = reject_nonsense\n", "192.0.2.1", "h", "",
		"user@here.test", "451 4.3.5 Server configuration error" },
	{ "smtpd_client_restrictions = permit_mynetworks, reject_nonsense\n", "127.0.0.1",
		"h", "", "user@here.test", "250 2.1.5" },
	{ "smtpd_client_restrictions = check_client_access fail:x\n", "192.0.2.1", "h",
		"", "user@here.test",
		"451 4.3.5 <unknown[192.0.2.1]>: Client host rejected: Server "
		"configuration error" },
	{ "smtpd_client_restrictions = check_client_access\n", "192.0.2.1", "h", "",
		"user@here.test", "451 4.3.5 Server configuration error" },
	/* what changes the meaning of its neighbours */
	{ "smtpd_client_restrictions = warn_if_reject, reject\n", "192.0.2.1", "h", "",
		"user@here.test", "250 2.1.5" },
	{ "smtpd_client_restrictions = defer_if_permit\n", "192.0.2.1", "h", "",
		"user@here.test",
		"450 4.7.1 <unknown[192.0.2.1]>: Client host rejected: defer_if_permit "
		"requested" },
	{ "smtpd_client_restrictions = defer_if_permit\n", "192.0.2.1", "h", "",
		"no@here.test", "450 4.7.1" },
	/* restriction classes, also those that name each other */
	{ "smtpd_restriction_classes = strict\nstrict = reject_non_fqdn_sender, reject\n"
	  "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ here.test=strict }\n",
		"192.0.2.1", "h", "a@far.example", "user@here.test",
		"554 5.7.1 <user@here.test>: Recipient address rejected: Access denied" },
	{ "smtpd_restriction_classes = one, two\none = two\ntwo = one\n"
	  "smtpd_recipient_restrictions = one\n",
		"192.0.2.1", "h", "", "user@here.test",
		"451 4.3.5 Server configuration error" },
};

TEST(restrictions)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		const struct exchange dialogue[] = {
			{ NULL, "220 " },
			{ arena_printf(arena, "XCLIENT ADDR=%s NAME=[UNAVAILABLE]\r\n",
				  rows[i].addr)
					.data,
				"220 " },
			{ arena_printf(arena, "EHLO %s\r\n", rows[i].helo).data, "250-" },
			{ arena_printf(arena, "MAIL FROM:<%s>\r\n", rows[i].sender).data,
				"250 2.1.0" },
			{ arena_printf(arena, "RCPT TO:<%s>\r\n", rows[i].rcpt).data,
				rows[i].want },
			{ "QUIT\r\n", "221 " },
		};

		play_conf(rows[i].conf);
		if (!PLAY(dialogue))
			fprintf(stderr, "\tin restriction row %zu: %s%s", i, rows[i].conf,
				play_log());
	}
}

/* smtpd_delay_reject = no: each list speaks at its own stage. */
TEST(undelayed)
{
	static const struct exchange client[] = {
		{ NULL, "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access "
			"denied" },
		{ "EHLO x\r\n",
			"503 5.7.0 Error: access denied for localhost[127.0.0.1]" },
		{ "QUIT\r\n", "221 " },
	};
	static const struct exchange helo[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "504 5.5.2 <x>: Helo command rejected: need" },
		{ "EHLO x.example\r\n", "250-" },
		{ "MAIL FROM:<a@host>\r\n",
			"504 5.5.2 <a@host>: Sender address rejected: need" },
		{ "MAIL FROM:<a@host.example>\r\n", "250 " },
		{ "QUIT\r\n", "221 " },
	};

	play_conf("smtpd_delay_reject = no\nsmtpd_client_restrictions = reject\n");
	PLAY(client);
	CHECK(play_logged("NOQUEUE: reject: CONNECT from localhost[127.0.0.1]: 554 5.7.1 "
			  "<localhost[127.0.0.1]>: Client host rejected: Access denied; "
			  "proto=SMTP\n"));
	play_conf("smtpd_delay_reject = no\n"
		  "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname\n"
		  "smtpd_sender_restrictions = reject_non_fqdn_sender\n");
	PLAY(helo);
}

TEST(later_stages)
{
	static const struct exchange data[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "DATA\r\n", "554 5.7.1 <DATA>: Data command rejected: Access denied" },
		{ "QUIT\r\n", "221 " },
	};
	static const struct exchange end[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "DATA\r\n", "354 " },
		{ ".\r\n", "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Access "
			   "denied" },
		{ "QUIT\r\n", "221 " },
	};

	play_conf("smtpd_data_restrictions = reject\n");
	PLAY(data);
	CHECK(play_logged(
		"TESTQ1: reject: DATA from localhost[127.0.0.1]: 554 5.7.1 <DATA>: "
		"Data command rejected: Access denied; from=<a@b> "
		"to=<user@here.test> proto=ESMTP helo=<x>\n"));
	play_conf("smtpd_end_of_data_restrictions = reject\n");
	PLAY(end);
	CHECK_INT((long long)play_mail.count, 0);
}

TEST(local_header_rewriting)
{
	static const struct exchange mail[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "DATA\r\n", "354 " },
		{ ".\r\n", "250 " },
		{ "XCLIENT ADDR=192.0.2.1 NAME=x.example\r\n", "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "DATA\r\n", "354 " },
		{ ".\r\n", "250 " },
	};

	play_conf("");
	play(mail, 6);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_REWRITE, ENVELOPE_REWRITE);
	PLAY(mail);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_REWRITE, 0);
}

TEST_MAIN()
