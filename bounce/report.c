/* report.c -- see report.h. */
#include "report.h"
#include <stdio.h>
#include <time.h>

/* What differs between the kinds of notices. */
static const struct kind {
	uint8_t kind;
	const char *log, *subject, *explanation, *part;
} kinds[] = {
	{ NOTICE_FAILURE, "non-delivery", "Undelivered Mail Returned to Sender",
		"Your message could not be delivered to the recipients below. It will "
		"not be\n"
		"tried again. The reasons follow each address; your message, or its "
		"header,\n"
		"is attached.\n",
		"Undelivered" },
	{ NOTICE_DELAY, "delay", "Delayed Mail (still being retried)",
		"Your message has not reached the recipients below yet. You need not "
		"send it\n"
		"again: delivery goes on being tried, and you will hear of it should it "
		"fail.\n",
		"Delayed" },
	{ NOTICE_SUCCESS, "delivery status", "Successful Mail Delivery Report",
		"Your message was delivered to the recipients below, as you asked to be "
		"told.\n",
		"Delivered" },
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

void
report_date(uint64_t us, struct buf *out)
{
	time_t at = (time_t)(us / 1000000);
	char text[64];
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(text, sizeof(text), "%a, %e %b %Y %H:%M:%S %z", &tm);
	buf_addz(out, text);
}

static void
add_boundary(const struct report *r, struct buf *out)
{
	buf_printf(out, "%s.%llu/%.*s", r->queue_id,
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

static bool
is_utf8(const struct report *r)
{
	return (r->envelope->flags & ENVELOPE_SMTPUTF8) != 0;
}

bool
report_headers_only(const struct report *r)
{
	int limit = r->conf->p.bounce_size_limit;

	return r->notice->kind != NOTICE_FAILURE || r->envelope->ret == RET_HDRS ||
	       (limit > 0 && r->notice->size > (uint64_t)limit);
}

/* ---- the header of the notice ---- */

static void
add_header(const struct report *r, struct buf *out)
{
	const struct params *p = &r->conf->p;

	buf_addz(out, "Date: ");
	report_date(r->now_us, out);
	buf_printf(out, "\nFrom: MAILER-DAEMON@%.*s (Mail Delivery System)\n",
		STR_ARG(p->myhostname));
	buf_printf(out, "Subject: %s%s\nTo: ", r->postmaster ? "Postmaster Copy: " : "",
		kind_of(r->notice)->subject);
	add_line(out, r->to);
	buf_addz(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
		      "Content-Type: multipart/report; report-type=");
	buf_addz(out, is_utf8(r) ? "global-delivery-status" : "delivery-status");
	buf_addz(out, ";\n\tboundary=\"");
	add_boundary(r, out);
	buf_addz(out, "\"\n");
	if ((r->envelope->flags & ENVELOPE_8BIT) || is_utf8(r))
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_printf(out, "Message-Id: <%s.%llu@%.*s>\n\n", r->queue_id,
		(unsigned long long)(r->now_us / 1000000), STR_ARG(p->myhostname));
	buf_addz(out,
		"This notice has several parts: for people, for programs, and what it is "
		"about.\n");
}

static void
add_part(const struct report *r, struct buf *out, const char *description,
	const char *type)
{
	buf_addz(out, "\n--");
	add_boundary(r, out);
	buf_printf(
		out, "\nContent-Description: %s\nContent-Type: %s\n", description, type);
}

/* ---- for people ---- */

static void
add_explanation(const struct report *r, struct buf *out)
{
	const struct params *p = &r->conf->p;

	add_part(r, out, "Notification",
		is_utf8(r) ? "text/plain; charset=utf-8"
			   : "text/plain; charset=us-ascii");
	if (is_utf8(r))
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_printf(out, "\nThis is the mail system at %.*s.\n\n%s\n",
		STR_ARG(p->myhostname), kind_of(r->notice)->explanation);
	if (!r->postmaster)
		buf_addz(out,
			"For help, write to the postmaster and include this notice.\n\n");
	for (size_t i = 0; i < r->notice->n_rcpts; i++) {
		const struct notice_rcpt *rcpt = &r->notice->rcpts[i];

		buf_printf(out, "<%.*s>", STR_ARG(rcpt->address));
		if (rcpt->original.len > 0 && !str_case_eq(rcpt->original, rcpt->address))
			buf_printf(
				out, " (expanded from <%.*s>)", STR_ARG(rcpt->original));
		buf_addz(out, ": ");
		add_line(out, rcpt->text);
		buf_addc(out, '\n');
	}
}

/* ---- for programs (RFC 3464 section 2) ---- */

static void
add_address(struct buf *out, const char *field, bool utf8, struct str address)
{
	buf_printf(out, "%s: %s; ", field, utf8 ? "utf-8" : "rfc822");
	add_line(out, address);
}

static void
add_diagnostic(struct buf *out, const struct notice_rcpt *rcpt)
{
	struct dsn_detail detail = { 0 };

	if (rcpt->detail.len > 0 && dsn_detail_get(rcpt->detail, &detail, NULL) < 0)
		detail = (struct dsn_detail){ 0 };
	if (detail.remote_mta.len > 0) {
		buf_addz(out, "Remote-MTA: dns; ");
		add_line(out, detail.remote_mta);
	}
	if (detail.diagnostic_is_smtp && detail.diagnostic.len > 0) {
		buf_addz(out, "Diagnostic-Code: smtp; ");
		add_line(out, detail.diagnostic);
	} else if (rcpt->text.len > 0) {
		buf_addz(out, "Diagnostic-Code: X-Postfix; ");
		add_line(out, rcpt->text);
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
	} else if (rcpt->original.len > 0) {
		add_address(out, "Original-Recipient", is_utf8(r), rcpt->original);
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

static void
add_status(const struct report *r, struct buf *out)
{
	const struct envelope *e = r->envelope;

	add_part(r, out, "Delivery report",
		is_utf8(r) ? "message/global-delivery-status"
			   : "message/delivery-status");
	if (is_utf8(r))
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_printf(out, "\nReporting-MTA: dns; %.*s\n", STR_ARG(r->conf->p.myhostname));
	if (e->envid.len > 0) {
		buf_addz(out, "Original-Envelope-Id: ");
		add_line(out, e->envid);
	}
	buf_printf(out, "X-Postfix-Queue-ID: %.*s\n", STR_ARG(e->queue_id));
	if (e->sender.len > 0)
		add_address(out, "X-Postfix-Sender", is_utf8(r), e->sender);
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

	snprintf(description, sizeof(description), "%s Message%s",
		kind_of(r->notice)->part, headers ? " Headers" : "");
	if (is_utf8(r))
		type = headers ? "message/global-headers" : "message/global";
	else
		type = headers ? "text/rfc822-headers" : "message/rfc822";
	add_part(r, out, description, type);
	if ((r->envelope->flags & ENVELOPE_8BIT) || is_utf8(r))
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_printf(out, "\nReturn-Path: <%.*s>\n", STR_ARG(r->envelope->sender));
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
