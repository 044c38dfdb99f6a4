/* report.c -- see report.h. */
#include "report.h"
#include "mailbox.h"
#include <stdio.h>
#include <time.h>

#define FOLD_AT 79 /* characters in a line */

/* What differs between the kinds of notices, besides their words. */
static const struct kind {
	uint8_t kind;
	enum template_kind template;
	const char *log, *part;
} kinds[] = {
	{ NOTICE_FAILURE, TEMPLATE_FAILURE, "non-delivery", "Undelivered Message" },
	{ NOTICE_DELAY, TEMPLATE_DELAY, "delay", "Undelivered Message" },
	{ NOTICE_SUCCESS, TEMPLATE_SUCCESS, "delivery status", "Message" },
	{ NOTICE_REPORT, TEMPLATE_VERIFY, "delivery status", "Message" },
	{ NOTICE_VERIFY, TEMPLATE_VERIFY, "delivery status", "Message" },
};

static const struct kind *
kind_of(const struct notice_request *n)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].kind == n->kind)
			return &kinds[i];
	return &kinds[0];
}

const char *
report_kind(const struct notice_request *n)
{
	return kind_of(n)->log;
}

enum template_kind
report_template(const struct notice_request *n)
{
	return kind_of(n)->template;
}

void
report_date(uint64_t us, struct buf *out)
{
	buf_addz(out, time_mail_date((time_t)(us / 1000000)));
}

/* Named after the message that it is about, not after itself. */
static void
add_boundary(const struct report *r, struct buf *out)
{
	buf_printf(out, "%.*s.%llu/%.*s", STR_ARG(r->envelope->queue_id),
		(unsigned long long)(r->now_us / 1000000),
		STR_ARG(r->conf->p.myhostname));
}

/* Text from elsewhere on one line of its own: line ends become blanks. */
static void
add_line(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_addc(out, text.data[i] == '\n' || text.data[i] == '\r'
				      ? ' '
				      : text.data[i]);
	buf_addc(out, '\n');
}

/* An address as mail has it: with the quotes that it needs (RFC 5321 section 4.1.2). */
static void
add_address_line(struct buf *out, struct str address)
{
	struct buf quoted CLEANUP(buf_free) = BUF_INIT;

	address_put(&quoted, address);
	add_line(out, buf_str(&quoted));
}

/* Gives the length of the first line of a text that is folded at blanks. */
static size_t
fold_at(struct str text, size_t room)
{
	size_t at = MIN(room, text.len);

	if (text.len <= room)
		return text.len;
	while (at > 0 && text.data[at] != ' ')
		at--;
	if (at > 0)
		return at;
	for (at = room; at < text.len && text.data[at] != ' ';)
		at++; /* a word longer than a line */
	return at;
}

/* The line that began at `begin`, and text from elsewhere behind it, folded for people to
 * read; a header field of RFC 3464 stays one. */
static void
add_folded(struct buf *out, size_t begin, struct str text, size_t indent)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	struct str rest;
	size_t room = FOLD_AT;

	buf_add(&line, str_from(buf_str(out), begin));
	add_line(&line, text);
	out->len = begin;
	rest = str_sub(buf_str(&line), 0, line.len - 1);
	for (;;) {
		size_t n = fold_at(rest, room), shown = n;

		while (shown > 0 && rest.data[shown - 1] == ' ')
			shown--;
		add_line(out, str_sub(rest, 0, shown));
		while (n < rest.len && rest.data[n] == ' ')
			n++;
		rest = str_from(rest, n);
		if (rest.len == 0)
			return;
		for (size_t i = 0; i < indent; i++)
			buf_addc(out, ' ');
		room = FOLD_AT - indent;
	}
}

static bool
is_utf8(const struct report *r)
{
	return (r->envelope->flags & ENVELOPE_SMTPUTF8) != 0;
}

static bool
required_tls(const struct report *r)
{
	return r->conf->p.requiretls_enable && r->envelope->flags & ENVELOPE_REQUIRETLS;
}

/* Whoever it concerns has been told so in the parts above: a notice may have to go where
 * the message must not. */
bool
report_is_redacted(const struct report *r)
{
	return required_tls(r) && r->conf->p.requiretls_redact_dsn;
}

bool
report_headers_only(const struct report *r)
{
	int limit = r->conf->p.bounce_size_limit;

	return r->copy || r->notice->kind != NOTICE_FAILURE ||
	       r->envelope->ret == RET_HDRS || required_tls(r) ||
	       (limit > 0 && r->notice->size > (uint64_t)limit);
}

/* ---- the header of the notice ---- */

static void
add_header(const struct report *r, struct buf *out)
{
	const struct template *t = r->words.template;

	buf_addz(out, "Date: ");
	report_date(r->now_us, out);
	buf_addz(out, "\nFrom: ");
	add_line(out, t->from); /* cleanup completes an address without a domain */
	buf_addz(out, "Subject: ");
	add_line(out, r->postmaster ? t->postmaster_subject : t->subject);
	buf_addz(out, "To: ");
	add_address_line(out, r->to);
	if (r->envelope->flags & ENVELOPE_TLS_OPTIONAL)
		buf_addz(out, "TLS-Required: No\n"); /* as the message had it */
	buf_printf(out,
		"Auto-Submitted: auto-%s\nMIME-Version: 1.0\n"
		"Content-Type: multipart/report; report-type=",
		r->postmaster ? "generated" : "replied");
	buf_addz(out, is_utf8(r) ? "global-delivery-status" : "delivery-status");
	buf_addz(out, ";\n\tboundary=\"");
	add_boundary(r, out);
	buf_addz(out, "\"\nContent-Transfer-Encoding: 8bit\n\n");
	buf_addz(out,
		"This notice has several parts: for people, for programs, and what it is "
		"about.\n");
}

/* The header of a part, up to its type: the line is left open. */
static void
add_part(const struct report *r, struct buf *out, const char *description,
	const char *type)
{
	buf_addz(out, "\n--");
	add_boundary(r, out);
	buf_printf(out, "\nContent-Description: %s\nContent-Type: %s", description, type);
}

/* ---- for people ---- */

/* Addresses and replies of servers may be UTF-8, whatever the template is. */
static struct str
charset(const struct report *r)
{
	struct str of_template = r->words.template->charset;

	if (r->conf->p.smtputf8_enable && str_case_is(of_template, "us-ascii"))
		return STR("utf-8");
	return of_template;
}

static void
add_explanation(const struct report *r, struct buf *out)
{
	add_part(r, out, "Notification", "text/plain; charset=");
	buf_add(out, charset(r));
	buf_addz(out, "\nContent-Transfer-Encoding: 8bit\n\n");
	if (!r->postmaster)
		buf_add(out, r->words.text);
	buf_addc(out, '\n');
	for (size_t i = 0; i < r->notice->n_rcpts; i++) {
		const struct notice_rcpt *rcpt = &r->notice->rcpts[i];
		size_t begin = out->len;

		buf_addc(out, '<');
		address_put(out, rcpt->address);
		if (rcpt->original.len > 0 &&
			!str_case_eq(rcpt->original, rcpt->address)) {
			buf_addz(out, "> (expanded from <");
			address_put(out, rcpt->original);
			buf_addz(out, ">)");
		} else {
			buf_addc(out, '>');
		}
		buf_addz(out, ": ");
		add_folded(out, begin, rcpt->text, 4);
		buf_addc(out, '\n');
	}
}

/* ---- for programs (RFC 3464 section 2) ---- */

static void
add_address(struct buf *out, const char *field, bool utf8, struct str address)
{
	buf_printf(out, "%s: %s; ", field, utf8 ? "utf-8" : "rfc822");
	add_address_line(out, address);
}

static void
add_diagnostic(struct buf *out, const struct notice_rcpt *rcpt)
{
	struct dsn_detail detail = { 0 };
	size_t begin;

	if (rcpt->detail.len > 0 && dsn_detail_get(rcpt->detail, &detail, NULL) < 0)
		detail = (struct dsn_detail){ 0 };
	if (detail.remote_mta.len > 0) {
		buf_addz(out, "Remote-MTA: dns; ");
		add_line(out, detail.remote_mta);
	}
	begin = out->len;
	if (detail.diagnostic_is_smtp && detail.diagnostic.len > 0) {
		buf_addz(out, "Diagnostic-Code: smtp; ");
		add_folded(out, begin, detail.diagnostic, 4);
	} else if (rcpt->text.len > 0) {
		buf_addz(out, "Diagnostic-Code: X-Postfix; ");
		add_folded(out, begin, rcpt->text, 4);
	}
}

static void
add_recipient_status(
	const struct report *r, struct buf *out, const struct notice_rcpt *rcpt)
{
	buf_addc(out, '\n');
	add_address(out, "Final-Recipient", is_utf8(r), rcpt->address);
	if (rcpt->orcpt.len > 0) {
		struct str type, rest = rcpt->orcpt;

		if (str_split(&rest, ';', &type)) {
			buf_printf(out, "Original-Recipient: %.*s;", STR_ARG(type));
			add_line(out, rest);
		}
	} else {
		buf_addz(out, is_utf8(r) ? "Original-Recipient: utf-8;"
					 : "Original-Recipient: rfc822;");
		add_address_line(
			out, rcpt->original.len > 0 ? rcpt->original : rcpt->address);
	}
	buf_printf(out, "Action: %.*s\nStatus: %.*s\n", STR_ARG(rcpt->action),
		STR_ARG(rcpt->code));
	add_diagnostic(out, rcpt);
	if (r->notice->kind == NOTICE_DELAY && r->notice->retry_until_us > 0) {
		buf_addz(out, "Will-Retry-Until: ");
		report_date(r->notice->retry_until_us, out);
		buf_addc(out, '\n');
	}
}

/* The null sender goes by the name that people know it by. */
static void
add_sender(const struct report *r, struct buf *out)
{
	if (r->envelope->sender.len > 0)
		address_put(out, r->envelope->sender);
	else
		buf_printf(out, "MAILER-DAEMON@%.*s", STR_ARG(r->conf->p.myhostname));
}

static void
add_status(const struct report *r, struct buf *out)
{
	const struct envelope *e = r->envelope;

	add_part(r, out, "Delivery report",
		is_utf8(r) ? "message/global-delivery-status"
			   : "message/delivery-status");
	if (is_utf8(r))
		buf_addz(out, "\nContent-Transfer-Encoding: 8bit");
	buf_printf(out, "\n\nReporting-MTA: dns; %.*s\n", STR_ARG(r->conf->p.myhostname));
	if (e->envid.len > 0) {
		buf_addz(out, "Original-Envelope-Id: ");
		add_line(out, e->envid);
	}
	buf_printf(out, "X-Postfix-Queue-ID: %.*s\n", STR_ARG(e->queue_id));
	buf_printf(out, "X-Postfix-Sender: %s; ", is_utf8(r) ? "utf-8" : "rfc822");
	add_sender(r, out);
	buf_addc(out, '\n');
	buf_addz(out, "Arrival-Date: ");
	report_date(e->arrival_us, out);
	buf_addc(out, '\n');
	for (size_t i = 0; i < r->notice->n_rcpts; i++)
		add_recipient_status(r, out, &r->notice->rcpts[i]);
}

/* ---- what it is about ---- */

static void
add_returned(const struct report *r, struct buf *out)
{
	bool headers = report_headers_only(r);
	char description[64];
	const char *type;

	snprintf(description, sizeof(description), "%s%s", kind_of(r->notice)->part,
		headers ? " Headers" : "");
	if (is_utf8(r))
		type = headers ? "message/global-headers" : "message/global";
	else
		type = headers ? "text/rfc822-headers" : "message/rfc822";
	add_part(r, out, description, type);
	buf_addz(out, "\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <");
	add_sender(r, out);
	buf_addz(out, ">\n");
}

void
report_head(const struct report *r, struct buf *out)
{
	add_header(r, out);
	add_explanation(r, out);
	add_status(r, out);
	add_returned(r, out);
}

void
report_tail(const struct report *r, struct buf *out)
{
	buf_addz(out, "\n--");
	add_boundary(r, out);
	buf_addz(out, "--\n");
}

/* ---- sessions with errors ---- */

static const struct side {
	const char *who, *begin;
} sides[] = {
	[TRANSCRIPT_OF_SERVER] = { "SMTP server", NULL },
	[TRANSCRIPT_OF_CLIENT] = { "SMTP client", "Unexpected response from" },
};

void
report_transcript(const struct conf *c, const struct transcript_request *n,
	uint64_t now_us, struct buf *out)
{
	const struct side *side = &sides[MIN(n->whose, COUNT(sides) - 1)];
	struct str rest = n->text, line;

	buf_addz(out, "Date: ");
	report_date(now_us, out);
	buf_printf(out, "\nFrom: Mail Delivery System <MAILER-DAEMON@" STR_FMT ">\n",
		STR_ARG(c->p.myhostname));
	buf_printf(out,
		"To: Postmaster <" STR_FMT ">\nSubject: " STR_FMT " %s: errors from ",
		STR_ARG(c->p.error_notice_recipient), STR_ARG(c->p.mail_name), side->who);
	add_line(out, n->peer);
	if (side->begin)
		buf_printf(out, "\n%s " STR_FMT ".\n", side->begin, STR_ARG(n->peer));
	buf_addz(out, "\nTranscript of session follows.\n\n");
	while (str_split(&rest, '\n', &line)) {
		size_t begin = out->len;

		buf_addc(out, ' ');
		add_folded(out, begin, line, 5);
	}
	if (!side->begin) /* the room for a reason */
		buf_addc(out, '\n');
	if (n->reason.len > 0) {
		buf_addz(out, "Session aborted, reason: ");
		add_line(out, n->reason);
	}
	buf_addz(out, "\nFor other details, see the local mail logfile\n");
}
