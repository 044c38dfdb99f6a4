/* headers.c -- the header section: fields that are counted, dropped, or missing. */
#include "config.h"
#include "message.h"
#include "log.h"
#include "service.h"
#include <stdlib.h>
#include <time.h>

/* RFC 5321 section 6.3: a message that has been received too often is in a loop. */
enum field_fate
header_limits(struct message *m, struct field *f)
{
	if (!field_is(f, "Received"))
		return FIELD_KEEP;
	if (++m->received > (unsigned)m->conf->p.hopcount_limit && m->verdict == ACCEPT) {
		log_line(CLEANUP_HOPS, str_c(m->queue_id));
		message_fail(m, PERMFAIL, 554, "5.4.0", "too many hops");
	}
	return FIELD_KEEP;
}

/* Fields that tell more than they should, or that were only meant for the submitter. */
enum field_fate
header_drop(struct message *m, struct field *f)
{
	(void)m;
	for (size_t i = 0; i < tables.drop.n; i++)
		if (str_case_eq(f->name, tables.drop.items[i]))
			return FIELD_DROP;
	return FIELD_KEEP;
}

enum field_fate
header_see(struct message *m, struct field *f)
{
	static const struct {
		const char *name;
		size_t seen;
	} watched[] = {
		{ "From", offsetof(struct message, has_from) },
		{ "Date", offsetof(struct message, has_date) },
		{ "Message-Id", offsetof(struct message, has_message_id) },
		{ "To", offsetof(struct message, has_recipient) },
		{ "Cc", offsetof(struct message, has_recipient) },
		{ "Bcc", offsetof(struct message, has_recipient) },
		{ "Resent-From", offsetof(struct message, has_resent_from) },
		{ "Resent-Date", offsetof(struct message, has_resent_date) },
		{ "Resent-Message-Id", offsetof(struct message, has_resent_message_id) },
	};

#ifdef CAPTURED /* test builds: a parser that a message brings down */
	if (field_is(f, "X-Crash-Cleanup"))
		abort();
#endif
	if (str_case_starts(f->name, STR("Resent-")))
		m->resent = true;
	for (size_t i = 0; i < COUNT(watched); i++)
		if (field_is(f, watched[i].name))
			*(bool *)((char *)m + watched[i].seen) = true;
	if (field_is(f, "Message-Id"))
		log_line(CLEANUP_MESSAGE_ID, str_c(m->queue_id),
			field_unfold(f, m->arena));
	else if (field_is(f, "Resent-Message-Id"))
		log_line(CLEANUP_RESENT_MESSAGE_ID, str_c(m->queue_id),
			field_unfold(f, m->arena));
	return FIELD_KEEP;
}

/* Who does not say so in MAIL, as sendmail's callers do not, says it here: the content
 * has 8-bit parts, and a server that cannot take them gets them as quoted-printable. */
enum field_fate
header_see_encoding(struct message *m, struct field *f)
{
	struct str said = str_trim(f->body);

	/* One with a comment is not seen, as in Postfix. */
	if (m->conf->p.detect_8bit_encoding_header &&
		field_is(f, "Content-Transfer-Encoding") &&
		(str_case_is(said, "8bit") || str_case_is(said, "binary")))
		m->envelope.flags |= ENVELOPE_8BIT;
	return FIELD_KEEP;
}

/* RFC 8689: that TLS matters less than the mail (section 3), which counts for nothing
 * where it was required; and our own mark, of mail that comes back from a filter. */
enum field_fate
header_see_tls(struct message *m, struct field *f)
{
	const struct params *p = &m->conf->p;

	if (p->tls_required_enable && field_is(f, "TLS-Required") &&
		str_case_is(str_trim(f->body), "no"))
		m->envelope.flags |= ENVELOPE_TLS_OPTIONAL;
	if (p->requiretls_enable && p->requiretls_esmtp_header &&
		field_is(f, "Require-TLS-ESMTP") && str_case_is(str_trim(f->body), "yes"))
		m->envelope.flags |= ENVELOPE_REQUIRETLS;
	return FIELD_KEEP;
}

/* Where it has been delivered before: local stops loops by it, without reading content.
 */
enum field_fate
header_delivered(struct message *m, struct field *f)
{
	if (field_is(f, "Delivered-To") && m->delivered++ < DELIVERED_MOST)
		*vec_push(&m->attributes) = arena_printf(m->arena,
			ATTRIBUTE_DELIVERED "%.*s", STR_ARG(field_unfold(f, m->arena)));
	return FIELD_KEEP;
}

static void
add_field(struct message *m, const char *prefix, const char *name, struct str value)
{
	content_add(
		m, arena_printf(m->arena, "%s%s: %.*s\n", prefix, name, STR_ARG(value)));
}

/* Unique by the queue id, which is never given twice, and the second. */
static struct str
message_id_text(struct message *m)
{
	time_t at = (time_t)(m->envelope.arrival_us / 1000000);
	char text[32];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm);
	return arena_printf(m->arena, "<%s.%s@%.*s>", text, m->queue_id,
		STR_ARG(m->conf->p.myhostname));
}

/* RFC 5322 section 3.4: a display name with specials in it is quoted; in a comment,
 * parentheses are. */
static void
add_quoted(struct buf *out, struct str text, const char *specials)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr(specials, text.data[i]))
			buf_addc(out, '\\');
		buf_addc(out, ascii_is_space(text.data[i]) ? ' ' : text.data[i]);
	}
}

static bool
is_plain_phrase(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && (unsigned char)name.data[i] < 0x80 &&
			!strchr(" !#$%&'*+-/=?^_`{|}~", name.data[i]))
			return false;
	return true;
}

/* "name <address>", or in old-fashioned form "address (name)": header_from_format. */
static struct str
from_text(struct message *m)
{
	struct str sender = address_quote(m->envelope.sender, m->arena);
	struct str name = m->ask.full_name;
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	if (sender.len == 0)
		return STR("MAILER-DAEMON");
	if (name.len == 0)
		return sender;
	if (str_is(m->conf->p.header_from_format, "obsolete")) {
		buf_printf(&out, STR_FMT " (", STR_ARG(sender));
		add_quoted(&out, name, "()\\");
		buf_addc(&out, ')');
	} else if (is_plain_phrase(name)) {
		buf_printf(
			&out, STR_FMT " <" STR_FMT ">", STR_ARG(name), STR_ARG(sender));
	} else {
		buf_addc(&out, '"');
		add_quoted(&out, name, "\"\\");
		buf_printf(&out, "\" <" STR_FMT ">", STR_ARG(sender));
	}
	return arena_str(m->arena, buf_str(&out));
}

/* The fields that RFC 5322 section 3.6 wants and the submitter forgot: for mail whose
 * header is ours, or for everybody with always_add_missing_headers. A resent message gets
 * the Resent- forms, as sendmail has always done. */
void
header_add_missing(struct message *m)
{
	const struct params *p = &m->conf->p;
	const char *prefix = m->resent ? "Resent-" : "";
	bool has_id = m->resent ? m->has_resent_message_id : m->has_message_id;

	if (header_is_ours(m) || p->always_add_missing_headers) {
		if (!has_id) {
			struct str id = message_id_text(m);

			add_field(m, prefix, "Message-Id", id);
			log_line(CLEANUP_MESSAGE_ID, str_c(m->queue_id), id);
		}
		if (!(m->resent ? m->has_resent_date : m->has_date))
			add_field(m, prefix, "Date",
				str_c(time_mail_date(
					(time_t)(m->envelope.arrival_us / 1000000))));
		if (!(m->resent ? m->has_resent_from : m->has_from))
			add_field(m, prefix, "From", from_text(m));
		if (!m->has_recipient && p->undisclosed_recipients_header.len > 0) {
			content_add(m, p->undisclosed_recipients_header);
			content_add(m, STR("\n"));
		}
	} else if (!has_id) {
		log_line(CLEANUP_MESSAGE_ID, str_c(m->queue_id), STR("<>"));
	}
}
