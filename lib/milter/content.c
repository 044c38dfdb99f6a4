/* content.c -- a message, told to one milter: its fields, its text, and what the milter
 * makes of it. */
#include "milter_impl.h"
#include "log.h"

bool
milter_take(struct milter_taker *taker, const struct milter_edit *edit)
{
	/* Other changes between the pieces would be of a body that is none yet. */
	if (edit->kind == EDIT_BODY && taker->body == BODY_OVER) {
		taker->body = BODY_MIXED;
		return false;
	}
	if (edit->kind == EDIT_BODY)
		taker->body = BODY_NOW;
	else if (taker->body == BODY_NOW)
		taker->body = BODY_OVER;
	return taker->take(taker->arg, edit);
}

/* One more thing to tell: false, it has decided. */
static bool
goes_on(struct milters *m, struct milter *one, enum milter_stage stage, struct str packet,
	struct milter_taker *taker, struct milter_verdict *verdict)
{
	*verdict =
		milter_tell(m, one, stage, packet, one->service.content_timeout, taker);
	return verdict->wish == MILTER_CONTINUES && one->state == MILTER_IN_MESSAGE;
}

/* Lines within a field end in LF, without one at its end; the first blank behind the
 * colon goes, unless it is wanted. */
static void
put_field(struct buf *packet, struct str text, bool leading_space)
{
	ssize_t colon = str_chr(text, ':');
	struct str name = str_sub(text, 0, colon < 0 ? text.len : (size_t)colon);
	struct str body = str_from(text, colon < 0 ? text.len : (size_t)colon + 1);

	while (name.len > 0 && ascii_is_blank(name.data[name.len - 1]))
		name.len--;
	if (!leading_space && body.len > 0 && ascii_is_blank(body.data[0]))
		body = str_from(body, 1);
	if (str_ends(body, STR("\n")))
		body.len--;
	milter_put_string(packet, name);
	milter_put_string(packet, body);
}

static bool
tell_fields(struct milters *m, struct milter *one, const struct milter_message *message,
	struct milter_taker *taker, struct milter_verdict *verdict)
{
	bool spaces = one->options.protocol & MILTER_LEADING_SPACE;

	if (one->options.protocol & MILTER_NO_HEADER)
		return true;
	for (size_t i = 0; i < message->n_fields; i++) {
		struct buf packet CLEANUP(buf_free) = BUF_INIT;
		size_t at = milter_packet_open(&packet, 'L');

		put_field(&packet, message->fields[i], spaces);
		milter_packet_close(&packet, at);
		milter_put_macros(m, one, MILTER_HEADER_FIELD);
		if (!goes_on(m, one, MILTER_HEADER_FIELD, buf_str(&packet), taker,
			    verdict))
			return false;
	}
	return true;
}

static bool
tell_simply(struct milters *m, struct milter *one, enum milter_stage stage,
	struct milter_taker *taker, struct milter_verdict *verdict)
{
	struct buf packet CLEANUP(buf_free) = BUF_INIT;

	if (one->options.protocol & milter_events[stage].unwanted &&
		milter_events[stage].unwanted)
		return true;
	milter_packet_close(
		&packet, milter_packet_open(&packet, milter_events[stage].command));
	milter_put_macros(m, one, stage);
	return goes_on(m, one, stage, buf_str(&packet), taker, verdict);
}

/* A piece of the body, LF as CRLF. *in_line: its CR went already with the piece before.
 */
static void
fill_chunk(struct buf *packet, struct str *body, bool *cr_sent)
{
	size_t room = MILTER_CHUNK;

	while (body->len > 0 && room > 0) {
		ssize_t lf = str_chr(str_sub(*body, 0, room), '\n');
		struct str run = str_sub(*body, 0, lf < 0 ? room : (size_t)lf);

		buf_add(packet, run);
		room -= run.len;
		*body = str_from(*body, run.len);
		if (lf < 0 || room == 0)
			continue;
		if (!*cr_sent) {
			buf_addc(packet, '\r');
			room--;
		}
		*cr_sent = room == 0;
		if (*cr_sent)
			break;
		buf_addc(packet, '\n');
		room--;
		*body = str_from(*body, 1);
	}
}

static bool
tell_body(struct milters *m, struct milter *one, struct str body,
	struct milter_taker *taker, struct milter_verdict *verdict)
{
	struct buf packet CLEANUP(buf_free) = BUF_INIT;
	bool cr_sent = false;

	if (one->options.protocol & MILTER_NO_BODY)
		return true;
	while (body.len > 0 && !taker->skips) {
		size_t at;

		buf_clear(&packet);
		at = milter_packet_open(&packet, 'B');
		fill_chunk(&packet, &body, &cr_sent);
		milter_packet_close(&packet, at);
		milter_put_macros(m, one, MILTER_BODY);
		if (!goes_on(m, one, MILTER_BODY, buf_str(&packet), taker, verdict))
			return false;
	}
	return true;
}

struct milter_verdict
milter_tell_message(struct milters *m, struct milter *one,
	const struct milter_message *message,
	bool (*take)(void *arg, const struct milter_edit *edit), void *arg)
{
	struct milter_taker taker = { .take = take, .arg = arg };
	struct milter_verdict verdict = MILTER_NOTHING;

	if (one->state == MILTER_DONE)
		return one->last;
	if (one->state != MILTER_IN_MESSAGE)
		return MILTER_NOTHING;
	if (!tell_fields(m, one, message, &taker, &verdict) ||
		!tell_simply(m, one, MILTER_EOH, &taker, &verdict) ||
		!tell_body(m, one, message->body, &taker, &verdict))
		return verdict;
	(void)tell_simply(m, one, MILTER_EOM, &taker, &verdict);
	return verdict;
}
