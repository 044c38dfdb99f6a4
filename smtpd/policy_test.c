/* Restrictions: which list says what to whom. */
#include "play.h"
#include <arpa/nameser.h>
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
		"450 4.3.2 <x@far.example>: Recipient address rejected: Try again "
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
	{ "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ { here.test = check_sender_access, inline:{x=OK}, reject } }\n",
		"192.0.2.1", "h", "", "user@here.test",
		"451 4.3.5 Server configuration error" },
	/* what changes the meaning of its neighbours */
	{ "smtpd_client_restrictions = warn_if_reject, reject\n", "192.0.2.1", "h", "",
		"user@here.test", "250 2.1.5" },
	{ "smtpd_client_restrictions = defer_if_permit\n", "192.0.2.1", "h", "",
		"user@here.test",
		"450 4.7.0 <unknown[192.0.2.1]>: Client host rejected: defer_if_permit "
		"requested" },
	{ "smtpd_client_restrictions = defer_if_permit\n", "192.0.2.1", "h", "",
		"no@here.test", "450 4.7.0" },
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
/* `postern explain` says what a session says. */
TEST(restrictions_explained)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		bool refused = rows[i].want[0] != '2';
		struct explain_reply said;
		struct str begin;

		test_row(i);
		play_conf(rows[i].conf);
		play_explain(rows[i].addr, rows[i].helo, rows[i].sender, rows[i].rcpt,
			EXPLAIN_DNS, arena, &said);
		CHECK_INT(said.verdict, !refused                 ? ACCEPT
					: rows[i].want[0] == '4' ? TEMPFAIL
								 : PERMFAIL);
		begin = str_sub(said.text, 0, MIN(said.text.len, strlen(rows[i].want)));
		CHECK_STR(begin, refused ? rows[i].want : "");
		CHECK(refused == (said.envelope.len == 0));
		CHECK_INT((long long)play_mail.count, 0);
	}
}

/* What became of a restriction, or STR_NONE: it was not asked. */
static struct str
result_of(const struct explain_reply *said, const char *restriction)
{
	for (size_t i = 0; i < said->n_steps; i++)
		if (str_is(said->steps[i].kind, "restriction") &&
			str_is(said->steps[i].name, restriction))
			return said->steps[i].result;
	return STR_NONE;
}

TEST(nobody_is_asked_who_may_not_be)
{
	static const char conf[] =
		"smtpd_recipient_restrictions = reject_unknown_sender_domain, "
		"reject_rbl_client list.example, check_policy_service inet:[::1]:1, "
		"reject_unverified_recipient, check_sender_mx_access static:reject\n"
		"unverified_recipient_tempfail_action = defer\n";
	static const char *const names[] = { "reject_unknown_sender_domain",
		"reject_rbl_client", "check_policy_service",
		"reject_unverified_recipient", "check_sender_mx_access" };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct explain_reply said;

	play_conf(conf);
	play_policy = "action=dunno\n\n";
	play_explain("192.0.2.1", "h.example", "a@none.example", "user@here.test", 0,
		arena, &said);
	CHECK_INT(said.verdict, ACCEPT);
	for (size_t i = 0; i < COUNT(names); i++)
		CHECK_STR(result_of(&said, names[i]), "skipped");
	CHECK_INT((long long)play_policy_connections, 0);
	play_explain("192.0.2.1", "h.example", "a@none.example", "user@here.test",
		EXPLAIN_DNS, arena, &said);
	CHECK_STR(said.text,
		"450 4.1.8 <a@none.example>: Sender address rejected: Domain not found");
	play_conf("smtpd_recipient_restrictions = check_policy_service inet:[::1]:1, "
		  "reject_unverified_recipient\n");
	play_policy = "action=dunno\n\n";
	play_verified =
		(struct verify_reply){ .status = VERIFY_BOUNCE, .text = STR("no") };
	play_explain("192.0.2.1", "h.example", "a@none.example", "user@here.test",
		EXPLAIN_POLICY | EXPLAIN_VERIFY, arena, &said);
	CHECK_INT((long long)play_policy_connections, 1);
	CHECK_STR(result_of(&said, "check_policy_service"), "goes on");
	CHECK_STR(result_of(&said, "reject_unverified_recipient"), "refuses");
}

/* Refusals before there is a recipient; what the content would meet; TLS that is
 * demanded is taken as begun. */
TEST(explained_stages)
{
	static const struct {
		const char *conf, *want;
	} stages[] = {
		{ "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject\n",
			"554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access "
			"denied" },
		{ "smtpd_delay_reject = no\nsmtpd_helo_restrictions = reject\n",
			"554 5.7.1 <h.example>: Helo command rejected: Access denied" },
		{ "smtpd_delay_reject = no\nsmtpd_sender_restrictions = reject\n",
			"554 5.7.1 <a@b.example>: Sender address rejected: Access "
			"denied" },
		{ "smtpd_data_restrictions = reject\n",
			"554 5.7.1 <DATA>: Data command rejected: Access denied" },
		{ "smtpd_end_of_data_restrictions = reject\n",
			"554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Access "
			"denied" },
		{ "smtpd_end_of_data_restrictions = check_client_access "
		  "static:{421 4.7.0 Go away}\n",
			"421 4.7.0 <unknown[192.0.2.1]>: Client host rejected: Go away" },
		{ "smtpd_reject_footer = \\c. See example\n"
		  "smtpd_data_restrictions = reject\n",
			"554 5.7.1 <DATA>: Data command rejected: Access denied. See "
			"example" },
	};

	for (size_t i = 0; i < COUNT(stages); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct explain_reply said;

		test_row(i);
		play_conf(stages[i].conf);
		play_explain("192.0.2.1", "h.example", "a@b.example", "user@here.test", 0,
			arena, &said);
		CHECK_STR(said.text, stages[i].want);
	}
}

TEST(explained_logins)
{
	static const char conf[] =
		"smtpd_relay_restrictions = permit_sasl_authenticated, "
		"reject\n"
		"smtpd_sender_login_maps = inline:{ a@b.example=me }\n"
		"smtpd_sasl_type = dovecot\n"
		"smtpd_sasl_path = private/auth\n"
		"smtpd_sender_restrictions = "
		"reject_sender_login_mismatch\n";
	static const struct {
		const char *enable, *login, *want;
	} logins[] = {
		{ "yes", "me", "" },
		{ "yes", "you",
			"553 5.7.1 <a@b.example>: Sender address rejected: not owned by "
			"user "
			"you" },
		{ "yes", "",
			"553 5.7.1 <a@b.example>: Sender address rejected: not logged "
			"in" },
		{ "no", "me",
			"554 5.7.1 <user@here.test>: Recipient address rejected: Access "
			"denied" },
	};

	for (size_t i = 0; i < COUNT(logins); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct buf text CLEANUP(buf_free) = BUF_INIT;
		struct explain_reply said;

		test_row(i);
		buf_printf(
			&text, "%ssmtpd_sasl_auth_enable = %s\n", conf, logins[i].enable);
		play_conf(buf_cstr(&text));
		play_login = logins[i].login;
		play_explain("192.0.2.1", "h.example", "a@b.example", "user@here.test", 0,
			arena, &said);
		play_login = "";
		CHECK_STR(said.text, logins[i].want);
	}
}

TEST(explained_actions)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct explain_reply said;
	struct envelope e;

	play_conf("smtpd_recipient_restrictions = check_recipient_access inline:{ "
		  "{ user@here.test = REDIRECT other@far.example }, "
		  "{ root@here.test = DISCARD } }\n");
	play_explain("192.0.2.1", "h.example", "", "user@here.test", 0, arena, &said);
	CHECK_INT(envelope_get(said.envelope, &e, arena), 0);
	CHECK_INT((long long)e.attributes.n, 1);
	CHECK_STR(e.attributes.items[0], ATTRIBUTE_REDIRECT "other@far.example");
	CHECK(!said.ends);
	play_explain("192.0.2.1", "h.example", "", "root@here.test", 0, arena, &said);
	CHECK(said.ends);
}

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

/* smtpd_delay_reject = no: what an access table wants before there is a message. */
TEST(actions_before_mail)
{
	static const struct exchange hello[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "QUIT\r\n", "221 " },
	};
	static const char *const wants[] = { "BCC copy@here.test",
		"REDIRECT other@here.test", "FILTER smtp:[127.0.0.1]:1",
		"PREPEND X-Seen: yes" };

	for (size_t i = 0; i < COUNT(wants); i++) {
		char conf[300];

		test_row(i);
		snprintf(conf, sizeof(conf),
			"smtpd_delay_reject = no\nsmtpd_client_restrictions = "
			"check_client_access inline:{ { 127.0.0.1 = %s } }\n",
			wants[i]);
		play_conf(conf);
		PLAY(hello);
		CHECK(play_logged(" is always skipped in Helo command or Client host "));
	}
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
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_SIGN, 0);
	/* Whose mail is signed is another list, where anything is signed. */
	play_conf("dkim_sign_maps = static:x\nmynetworks = 127.0.0.0/8\n");
	play(mail, 6);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_SIGN, ENVELOPE_SIGN);
	PLAY(mail);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_SIGN, 0);
	play_conf("dkim_sign_maps = static:x\nmynetworks = 127.0.0.0/8\n"
		  "dkim_sign_clients =\n");
	play(mail, 6);
	CHECK_INT(play_mail.envelope.flags & ENVELOPE_SIGN, 0);
}

/* ---- the DNS ---- */

static const struct play_record zone[] = {
	{ "1.2.0.192.dnsbl.test", "127.0.0.4", ns_t_a },
	{ "1.2.0.192.dnsbl.test", "listed: 192.0.2.1", ns_t_txt },
	{ "3.2.0.192.dnsbl.test", NULL, ns_t_a },
	{ "2.2.0.192.dnswl.test", "127.0.0.2", ns_t_a },
	{ "3.2.0.192.dnswl.test", NULL, ns_t_a },
	{ "bad.example.rhsbl.test", "127.0.0.2", ns_t_a },
	{ "good.example", "192.0.2.80", ns_t_a },
	{ "mx.good.example", "192.0.2.25", ns_t_a },
	{ "mail.example", "mx.good.example", ns_t_mx },
	{ "null.example", "", ns_t_mx },
	{ "slow.example", NULL, ns_t_mx },
	{ "slow.example", NULL, ns_t_a },
	{ "mail.example", "ns.evil.example", ns_t_ns },
	{ "spf.example", "v=spf1 ip4:192.0.2.1 -all", ns_t_txt },
	{ "mistake.example", "v=spf1 oops", ns_t_txt },
	{ "slow.example", NULL, ns_t_txt },
};

static const struct {
	const char *conf, *addr, *helo, *sender, *want;
} dns_rows[] = {
	{ "smtpd_client_restrictions = reject_rbl_client dnsbl.test\n", "192.0.2.1", "h",
		"",
		"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
		"dnsbl.test; listed: 192.0.2.1" },
	{ "smtpd_client_restrictions = reject_rbl_client dnsbl.test\n", "192.0.2.2", "h",
		"", "250 " },
	{ "smtpd_client_restrictions = reject_rbl_client dnsbl.test\n", "192.0.2.3", "h",
		"", "250 " },
	{ "smtpd_client_restrictions = reject_rbl_client dnsbl.test=127.0.0.[2..3]\n",
		"192.0.2.1", "h", "", "250 " },
	{ "smtpd_client_restrictions = reject_rbl_client dnsbl.test=127.0.0.[3..4]\n",
		"192.0.2.1", "h", "", "554 5.7.1" },
	{ "smtpd_client_restrictions = reject_rbl_client\n", "192.0.2.1", "h", "",
		"250 " },
	{ "maps_rbl_reject_code = 450\nsmtpd_client_restrictions = reject_rbl_client "
	  "dnsbl.test\n",
		"192.0.2.1", "h", "", "450 4.7.1 Service unavailable; Client host" },
	{ "rbl_reply_maps = inline:{ { dnsbl.test = $$rbl_code 5.7.9 no $$rbl_what "
	  "$$client "
	  "$$rbl_txt } }\n"
	  "smtpd_client_restrictions = reject_rbl_client dnsbl.test\n",
		"192.0.2.1", "h", "",
		"554 5.7.9 no 192.0.2.1 unknown[192.0.2.1] listed: 192.0.2.1" },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.1", "h",
		"a@spf.example", "250 " },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.2", "h",
		"a@spf.example",
		"550 5.7.23 <a@spf.example>: Sender address rejected: [192.0.2.2] may "
		"not "
		"send for spf.example (SPF)" },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.2", "spf.example",
		"a@good.example",
		"550 5.7.23 <spf.example>: Helo command rejected: [192.0.2.2] may not" },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.2", "spf.example", "",
		"550 5.7.23 <spf.example>: Helo command rejected: " },
	{ "smtpd_sender_restrictions = reject_spf_fail\n"
	  "spf_exempt_clients = 192.0.2.2\n",
		"192.0.2.2", "h", "a@spf.example", "250 " },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.1", "h",
		"a@slow.example",
		"451 4.7.24 <a@slow.example>: Sender address rejected: SPF temperror" },
	/* It waits for what others say. */
	{ "smtpd_sender_restrictions = reject_spf_fail, reject\n", "192.0.2.1", "h",
		"a@slow.example", "554 5.7.1" },
	{ "spf_tempfail_action = defer\n"
	  "smtpd_sender_restrictions = reject_spf_fail, reject\n",
		"192.0.2.1", "h", "a@slow.example", "451 4.7.24" },
	{ "smtpd_sender_restrictions = reject_spf_fail\n", "192.0.2.1", "h",
		"a@mistake.example", "250 " },
	{ "smtpd_sender_restrictions = reject_spf_permerror\n", "192.0.2.1", "h",
		"a@mistake.example",
		"550 5.7.24 <a@mistake.example>: Sender address rejected: SPF "
		"permerror" },
	{ "smtpd_sender_restrictions = warn_if_reject reject_spf_fail\n", "192.0.2.2",
		"h", "a@spf.example", "250 " },
	{ "spf_mode = enforce\n", "192.0.2.2", "h", "a@spf.example", "550 5.7.23" },
	{ "spf_mode = enforce\n", "192.0.2.2", "h", "a@slow.example", "451 4.7.24" },
	{ "spf_mode = enforce\n", "192.0.2.2", "h", "a@mistake.example", "250 " },
	{ "spf_mode = tag\n", "192.0.2.2", "h", "a@spf.example", "250 " },
	{ "smtpd_data_restrictions = reject_dmarc_fail\n", "192.0.2.2", "h",
		"a@spf.example", "250 " },
	{ "smtpd_sender_restrictions = reject_dmarc_fail\n", "192.0.2.2", "h",
		"a@spf.example", "451 4.3.5 Server configuration error" },
	{ "smtpd_sender_restrictions = reject_dmarc_fail\ndmarc_mode = log\n",
		"192.0.2.2", "h", "a@spf.example", "250 " },
	/* The second engine is not there: ours counts. */
	{ "spf_engine = both\nspf_mode = enforce\n", "192.0.2.2", "h", "a@spf.example",
		"550 5.7.23" },
	{ "spf_engine = both\nspf_mode = enforce\n", "192.0.2.1", "h", "a@spf.example",
		"250 " },
	{ "spf_mode = enforce\nsoft_bounce = yes\n", "192.0.2.2", "h", "a@spf.example",
		"450 4.7.23" },
	{ "smtpd_client_restrictions = permit_dnswl_client dnswl.test, reject\n",
		"192.0.2.2", "h", "", "250 " },
	{ "smtpd_client_restrictions = permit_dnswl_client dnswl.test, reject\n",
		"192.0.2.1", "h", "", "554 5.7.1" },
	{ "smtpd_client_restrictions = permit_dnswl_client dnswl.test, reject\n",
		"192.0.2.3", "h", "", "450 4.7.1" },
	{ "smtpd_helo_restrictions = reject_rhsbl_helo rhsbl.test\n", "192.0.2.1",
		"bad.example", "",
		"554 5.7.1 Service unavailable; Helo command [bad.example] blocked" },
	{ "smtpd_sender_restrictions = reject_rhsbl_sender rhsbl.test\n", "192.0.2.1",
		"h", "x@bad.example",
		"554 5.7.1 Service unavailable; Sender address [x@bad.example] blocked "
		"using rhsbl.test" },
	{ "smtpd_sender_restrictions = reject_rhsbl_sender rhsbl.test\n", "192.0.2.1",
		"h", "x@good.example", "250 " },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "192.0.2.1", "h",
		"x@good.example", "250 " },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "192.0.2.1", "h",
		"x@mail.example", "250 " },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "192.0.2.1", "h",
		"x@none.example",
		"450 4.1.8 <x@none.example>: Sender address rejected: Domain not "
		"found" },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "192.0.2.1", "h",
		"x@null.example",
		"550 5.7.27 <x@null.example>: Sender address rejected: Domain "
		"null.example does not accept mail (nullMX)" },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n", "192.0.2.1", "h",
		"x@slow.example", "450 4.1.8" },
	{ "smtpd_sender_restrictions = reject_unknown_sender_domain\n"
	  "smtpd_relay_restrictions = reject\n",
		"192.0.2.1", "h", "x@slow.example", "554 5.7.1" },
	{ "unknown_address_tempfail_action = defer\n"
	  "smtpd_sender_restrictions = reject_unknown_sender_domain\n"
	  "smtpd_relay_restrictions = reject\n",
		"192.0.2.1", "h", "x@slow.example", "450 4.1.8" },
	{ "smtpd_helo_restrictions = reject_unknown_helo_hostname\n", "192.0.2.1",
		"good.example", "", "250 " },
	{ "smtpd_helo_restrictions = reject_unknown_helo_hostname\n", "192.0.2.1",
		"none.example", "",
		"450 4.7.1 <none.example>: Helo command rejected: Host not found" },
	{ "smtpd_client_restrictions = reject_unknown_client_hostname\n", "192.0.2.1",
		"h", "",
		"450 4.7.25 Client host rejected: cannot find your hostname, "
		"[192.0.2.1]" },
	{ "smtpd_client_restrictions = reject_unknown_reverse_client_hostname\n",
		"192.0.2.1", "h", "",
		"450 4.7.1 Client host rejected: cannot find your reverse hostname" },
	{ "smtpd_sender_restrictions = check_sender_mx_access "
	  "inline:{ { 192.0.2.25 = REJECT bad exchanger } }\n",
		"192.0.2.1", "h", "x@mail.example",
		"554 5.7.1 <x@mail.example>: Sender address rejected: bad exchanger" },
	{ "smtpd_sender_restrictions = check_sender_mx_access "
	  "inline:{ { 192.0.2 = REJECT } }\n",
		"192.0.2.1", "h", "x@good.example", "554 5.7.1" },
	{ "smtpd_sender_restrictions = check_sender_ns_access "
	  "inline:{ { evil.example = REJECT } }\n",
		"192.0.2.1", "h", "x@sub.mail.example", "554 5.7.1" },
	{ "smtpd_sender_restrictions = check_sender_a_access "
	  "inline:{ { 192.0.2.80 = REJECT } }\n",
		"192.0.2.1", "h", "x@good.example", "554 5.7.1" },
	{ "smtpd_sender_restrictions = check_sender_mx_access "
	  "inline:{ { mx.good.example = OK } }\n",
		"192.0.2.1", "h", "x@mail.example",
		"451 4.3.5 Server configuration error" },
};

TEST(restrictions_that_ask_the_dns)
{
	for (size_t i = 0; i < COUNT(dns_rows); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		const struct exchange dialogue[] = {
			{ NULL, "220 " },
			{ arena_printf(arena, "XCLIENT ADDR=%s NAME=[UNAVAILABLE]\r\n",
				  dns_rows[i].addr)
					.data,
				"220 " },
			{ arena_printf(arena, "EHLO %s\r\n", dns_rows[i].helo).data,
				"250-" },
			{ arena_printf(arena, "MAIL FROM:<%s>\r\n", dns_rows[i].sender)
					.data,
				"250 2.1.0" },
			{ "RCPT TO:<user@here.test>\r\n", dns_rows[i].want },
			{ "QUIT\r\n", "221 " },
		};

		play_conf(dns_rows[i].conf);
		play_zone = zone;
		play_zone_n = COUNT(zone);
		if (!PLAY(dialogue))
			fprintf(stderr, "\tin DNS row %zu: %s%s", i, dns_rows[i].conf,
				play_log());
	}
}

/* ---- actions on the message ---- */

#define MESSAGE(rcpt) \
	{ NULL, "220 " }, { "EHLO x\r\n", "250-" }, { "MAIL FROM:<a@b>\r\n", "250 " }, \
		{ "RCPT TO:<" rcpt ">\r\n", "250 " }, { "DATA\r\n", "354 " }, \
		{ ".\r\n", "250 " }, \
	{ \
		"QUIT\r\n", "221 " \
	}

/* What is asked of cleanup for a message whose author's policy wants it refused. */
TEST(authors_that_fail_by_restriction)
{
	static const struct {
		const char *list;
		enum on_dmarc_fail want;
	} lists[] = {
		{ "smtpd_sender_restrictions =\n", ON_DMARC_FAIL_NOTHING },
		{ "smtpd_sender_restrictions = reject_dmarc_fail\n",
			ON_DMARC_FAIL_REFUSE },
		{ "smtpd_data_restrictions = reject_dmarc_fail\n", ON_DMARC_FAIL_REFUSE },
		{ "smtpd_data_restrictions = warn_if_reject reject_dmarc_fail\n",
			ON_DMARC_FAIL_WARN },
		{ "smtpd_data_restrictions = permit_mynetworks, reject_dmarc_fail\n",
			ON_DMARC_FAIL_NOTHING },
	};
	static const struct exchange message[] = { MESSAGE("user@here.test") };
	static const struct exchange late[] = { { NULL, "220 " },
		{ "EHLO x\r\n", "250-" }, { "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " }, { "DATA\r\n", "354 " },
		{ ".\r\n", "451 4.3.5 " } };

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct buf conf CLEANUP(buf_free) = BUF_INIT;

		test_row(i);
		buf_printf(&conf, "dmarc_mode = log\nmynetworks = 127.0.0.0/8\n%s",
			lists[i].list);
		play_conf(buf_cstr(&conf));
		PLAY(message);
		CHECK_INT(play_mail.request.on_dmarc_fail, lists[i].want);
	}
	play_conf(
		"dmarc_mode = log\nsmtpd_end_of_data_restrictions = reject_dmarc_fail\n");
	PLAY(late);
	CHECK(play_logged("restriction reject_dmarc_fail: the message is handed on"));
}

TEST(access_actions)
{
	static const struct exchange message[] = { MESSAGE("user@here.test") };
	const struct envelope *e = &play_mail.envelope;

	play_conf("content_filter = scan:first\n"
		  "smtpd_client_restrictions = check_client_access "
		  "inline:{ { 127.0.0.1 = HOLD look at it } }\n"
		  "smtpd_helo_restrictions = check_helo_access "
		  "inline:{ { x = FILTER scan:[127.0.0.1]:10025 } }\n"
		  "smtpd_sender_restrictions = check_sender_access "
		  "inline:{ { a@b = PREPEND X-Seen: yes } }\n"
		  "smtpd_recipient_restrictions = check_recipient_access "
		  "inline:{ { user@here.test = BCC copy@here.test } }\n");
	PLAY(message);
	CHECK(e->flags & ENVELOPE_HOLD);
	CHECK_INT((long long)e->attributes.n, 2);
	CHECK_STR(e->attributes.items[0], "content_filter=scan:[127.0.0.1]:10025");
	CHECK_STR(e->attributes.items[1], "bcc=copy@here.test");
	CHECK_INT((long long)play_mail.request.prepend.n, 1);
	CHECK_STR(play_mail.request.prepend.items[0], "X-Seen: yes");
	CHECK(play_logged("NOQUEUE: hold: RCPT from localhost[127.0.0.1]: "
			  "<localhost[127.0.0.1]>: Client host look at it; from=<a@b> "
			  "to=<user@here.test> proto=ESMTP helo=<x>\n"));
	CHECK(play_logged("NOQUEUE: filter: RCPT from localhost[127.0.0.1]: <x>: Helo "
			  "command triggers FILTER scan:[127.0.0.1]:10025;"));
	play_conf("smtpd_recipient_restrictions = check_recipient_access inline:{ "
		  "{ user@here.test = REDIRECT other@here.test } }\n");
	PLAY(message);
	CHECK_STR(e->attributes.items[0], "redirect=other@here.test");
	/* What was said for one message is not for the next. */
	play_conf("smtpd_recipient_restrictions = check_recipient_access inline:{ "
		  "{ no@elsewhere.test = DISCARD gone } }, permit\n"
		  "smtpd_relay_restrictions = permit_mynetworks, reject\n");
	PLAY(((const struct exchange[]){ MESSAGE("no@elsewhere.test") }));
	CHECK(e->flags & ENVELOPE_DISCARD);
	PLAY(message);
	CHECK(!(e->flags & ENVELOPE_DISCARD));
}

TEST(permits_are_logged)
{
	static const struct exchange message[] = { MESSAGE("user@here.test") };

	play_conf("smtpd_log_access_permit_actions = permit_mynetworks\n");
	PLAY(message);
	CHECK(play_logged("NOQUEUE: permit: RCPT from localhost[127.0.0.1]: "
			  "action=permit_mynetworks for Client "
			  "host=localhost[127.0.0.1] ; from=<a@b>"));
}

/* ---- what replies become ---- */

TEST(reject_footers)
{
	static const struct exchange refused[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<no@here.test>\r\n", "550-5.1.1 <no@here.test>" },
		{ "QUIT\r\n", "221 " },
	};

	play_conf("smtpd_reject_footer = \\c. Call $server_name\\nFrom "
		  "$client_address for $recipient\n");
	PLAY(refused);
	CHECK(str_find(
		      buf_str(&play_said), STR("recipient table. Call mx.test\n550 5.1.1 "
					       "From 127.0.0.1 for \n")) > 0);
	play_conf("smtpd_reject_footer_maps = regexp:{ { /unknown/ "
		  "see /etc } }\nsmtpd_reject_footer = no\n");
	PLAY(refused);
	CHECK(str_find(buf_str(&play_said), STR("\n550 5.1.1 see /etc\n")) > 0);
}

TEST(replies_and_commands_are_filtered)
{
	static const struct exchange rows_of_it[] = {
		{ NULL, "220 " },
		{ "HELLO x\r\n", "250 mx.test" },
		{ "MAIL FROM:<a@b>\r\n", "250 " },
		{ "RCPT TO:<no@here.test>\r\n", "450 4.1.1 later" },
		{ "QUIT\r\n", "221 " },
	};

	play_conf("smtpd_command_filter = regexp:{ {/^HELLO (.*)/ HELO $$1} }\n"
		  "smtpd_reject_filter_maps = regexp:{ {/^550 5.1.1/ 450 4.1.1 "
		  "later} }\n");
	PLAY(rows_of_it);
	CHECK(play_logged(
		"localhost[127.0.0.1]: replacing command \"HELLO x\" with \"HELO x\"\n"));
}

/* ---- policy servers ---- */

#define ASK_POLICY \
	"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:9998\n" \
	"smtpd_policy_service_retry_delay = 1s\nsmtpd_policy_service_try_limit = 1\n"

static const struct {
	const char *conf, *answer, *want;
} policy_rows[] = {
	{ ASK_POLICY, "action=dunno\n\n", "250 " },
	{ ASK_POLICY, "foo=bar\naction=DEFER_IF_PERMIT wait\n\n",
		"450 4.7.1 <user@here.test>: Recipient address rejected: wait" },
	{ ASK_POLICY, "action=550 5.7.2 no\n\n",
		"550 5.7.2 <user@here.test>: Recipient address rejected: no" },
	{ ASK_POLICY, "action=reject\n\n", "554 5.7.1" },
	{ ASK_POLICY, "action=reject_non_fqdn_sender\n\n", "504 5.5.2" },
	/* no answers */
	{ ASK_POLICY, NULL,
		"451 4.3.5 <user@here.test>: Recipient address rejected: "
		"Server configuration problem" },
	{ ASK_POLICY, "\n", "451 4.3.5" },
	{ ASK_POLICY, "action\n\n", "451 4.3.5" },
	{ ASK_POLICY, "action=\xff\n\n", "451 4.3.5" },
	{ "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:9998, "
	  "timeout=10s, default_action=DUNNO, try_limit=1, policy_context=x }\n",
		NULL, "250 " },
	{ "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:9998, "
	  "{ default_action = 450 4.7.7 later }, try_limit=1 }\n",
		NULL, "450 4.7.7" },
	{ "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:9998, "
	  "timeout=never }\n",
		"action=dunno\n\n", "451 4.3.5 Server configuration error" },
};

TEST(policy_services)
{
	static const struct exchange head[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b> SIZE=77\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", NULL },
		{ "QUIT\r\n", "221 " },
	};

	for (size_t i = 0; i < COUNT(policy_rows); i++) {
		struct exchange dialogue[COUNT(head)];

		memcpy(dialogue, head, sizeof(head));
		dialogue[3].want = policy_rows[i].want;
		play_conf(policy_rows[i].conf);
		play_policy = policy_rows[i].answer;
		if (!PLAY(dialogue))
			fprintf(stderr, "\tin policy row %zu\n%s", i, play_log());
	}
}

TEST(policy_questions)
{
	static const struct exchange twice[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@b> SIZE=77\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "RCPT TO:<root@here.test>\r\n", "250 " },
		{ "QUIT\r\n", "221 " },
	};
	static const char want[] =
		"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
		"client_address=127.0.0.1\nclient_name=localhost\nclient_port=0\n"
		"reverse_client_name=localhost\nserver_address=127.0.0.1\nserver_port=0\n"
		"helo_name=x\nsender=a@b\nrecipient=root@here.test\nrecipient_count=0\n"
		"queue_id=TESTQ1\ninstance=";

	play_conf(ASK_POLICY);
	play_policy = "action=dunno\n\n";
	PLAY(twice);
	CHECK_STR(str_sub(buf_str(&play_policy_asked), 0, strlen(want)), want);
	CHECK(str_find(buf_str(&play_policy_asked),
		      STR("\nsize=77\netrn_domain=\nstress=\nsasl_method=\n")) > 0);
	CHECK_INT(play_policy_connections, 1);
	/* A server that hangs up after each answer is asked anew. */
	play_conf(ASK_POLICY);
	play_policy = "action=dunno\nx=close\n\n";
	PLAY(twice);
	CHECK_INT(play_policy_connections, 2);
}

/* ---- verify ---- */

TEST(unverified_addresses)
{
	static const struct exchange ok[] = {
		{ NULL, "220 " },
		{ "EHLO x\r\n", "250-" },
		{ "MAIL FROM:<a@far.example>\r\n", "250 " },
		{ "RCPT TO:<user@here.test>\r\n", "250 " },
		{ "QUIT\r\n", "221 " },
	};
	struct exchange dialogue[COUNT(ok)];

	memcpy(dialogue, ok, sizeof(ok));
	play_conf("smtpd_recipient_restrictions = reject_unverified_recipient\n");
	PLAY(ok);
	play_conf("smtpd_recipient_restrictions = reject_unverified_recipient\n");
	play_verified = (struct verify_reply){ VERIFY_BOUNCE, STR("no such user") };
	dialogue[3].want = "450 4.1.1 <user@here.test>: Recipient address rejected: "
			   "undeliverable address: no such user";
	PLAY(dialogue);
	play_conf("smtpd_sender_restrictions = reject_unverified_sender\n"
		  "unverified_sender_reject_code = 550\n"
		  "unverified_sender_reject_reason = go away\n");
	play_verified = (struct verify_reply){ VERIFY_BOUNCE, STR("no such user") };
	dialogue[3].want = "550 5.1.7 <a@far.example>: Sender address rejected: "
			   "undeliverable address: go away";
	PLAY(dialogue);
	play_conf("smtpd_sender_restrictions = reject_unverified_sender\n");
	play_verified = (struct verify_reply){ VERIFY_UNKNOWN, STR("in progress") };
	dialogue[3].want = "450 4.1.7 <a@far.example>: Sender address rejected: "
			   "unverified address: in progress";
	PLAY(dialogue);
}

TEST_MAIN()
