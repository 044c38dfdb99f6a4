/* sendmail_content.c -- DATA and BDAT of sendmail -bs: a message on its way to postdrop.
 */
#include "esmtp.h"
#include "sendmail_smtp.h"
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

/* The hop from our caller (RFC 5321 section 4.4); the next one is pickup's. */
static void
add_received(const struct dialogue *d, struct buf *out)
{
	buf_printf(out,
		"Received: from " STR_FMT " (localhost [127.0.0.1])\n\tby " STR_FMT
		" (" STR_FMT ") with %s",
		STR_ARG(d->helo.len ? d->helo : STR("localhost")),
		STR_ARG(d->p->myhostname), STR_ARG(d->p->mail_name),
		d->drop.flags & ENVELOPE_SMTPUTF8 ? "UTF8SMTP"
		: d->extended                     ? "ESMTP"
						  : "SMTP");
	if (d->rcpts.n == 1)
		buf_printf(
			out, "\n\tfor <" STR_FMT ">", STR_ARG(d->rcpts.items[0].address));
	buf_printf(out, "; %s\n", time_mail_date(time(NULL)));
}

/* What a postdrop that died would have read is lost with it: its status tells. */
static void
pass(struct dialogue *d, struct str bytes)
{
	if (bytes.len > 0)
		(void)!drop_write_chunk(d->child.fd, bytes);
}

static void
content_begin(struct dialogue *d)
{
	struct buf received CLEANUP(buf_free) = BUF_INIT;

	d->drop.rcpts = d->rcpts.items;
	d->drop.n_rcpts = d->rcpts.n;
	add_received(d, &received);
	drop_child_start(&d->child, d->s);
	drop_child_envelope(&d->child, &d->drop);
	d->open = true;
	d->cr = d->line_begun = false;
	d->size = 0;
	pass(d, buf_str(&received));
}

void
content_abort(struct dialogue *d)
{
	if (d->open)
		drop_child_abort(&d->child);
	d->open = false;
}

/* The reply to the end of the content. */
static void
content_end(struct dialogue *d, bool chunked)
{
	int status = drop_child_end(&d->child);

	d->open = false;
	forget(d);
	if (status == 0 && chunked)
		say("250 2.0.0 Ok: %llu bytes queued", (unsigned long long)d->size);
	else if (status == 0)
		say("250 2.0.0 Ok: queued");
	else if (status == EX_UNAVAILABLE)
		say("552 5.3.4 Error: message file too big");
	else
		say("451 4.3.0 Error: queue file write error");
}

/* ---- DATA ---- */

/* Lines up to the dot. False: input ended before it. */
static bool
pass_lines(struct dialogue *d)
{
	char *line = NULL;
	size_t room = 0;
	struct str text;
	bool whole = false;

	while (!whole && hear(&line, &room, &text)) {
		whole = str_is(text, ".");
		if (whole)
			break;
		if (str_starts(text, STR(".")))
			text = str_from(text, 1);
		line[(size_t)(text.data - line) + text.len] = '\n';
		pass(d, str_of(text.data, text.len + 1));
	}
	free(line);
	return whole;
}

void
verb_data(struct dialogue *d, struct str args)
{
	if (args.len > 0) {
		say("501 5.5.4 Syntax: DATA");
	} else if (d->open || d->broken) {
		say("503 5.5.1 Error: DATA after BDAT");
	} else if (d->rcpts.n == 0) {
		say(d->in_mail ? "554 5.5.1 Error: no valid recipients"
			       : "503 5.5.1 Error: need RCPT command");
	} else {
		say("354 End data with <CR><LF>.<CR><LF>");
		content_begin(d);
		if (pass_lines(d))
			content_end(d, false);
		else
			d->ended = true;
	}
}

/* ---- BDAT ---- */

/* Line ends become ours, wherever chunks are cut. */
static void
pass_chunk(struct dialogue *d, struct str bytes)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];

		if (d->cr && c != '\n')
			buf_add(&out, STR("\r"));
		d->cr = c == '\r';
		if (!d->cr)
			buf_add(&out, str_of(&c, 1));
		d->line_begun = c != '\n';
	}
	pass(d, buf_str(&out));
}

/* The end that the last line has not. */
static void
pass_rest(struct dialogue *d)
{
	if (d->cr)
		pass(d, STR("\r"));
	if (d->line_begun) {
		pass(d, STR("\n"));
		d->size += 2;
	}
}

/* The octets of a chunk are read, whatever becomes of them. False: input ended. */
static bool
take_chunk(struct dialogue *d, octets_t count)
{
	char bytes[16384];

	while (count > 0) {
		size_t want = count < sizeof(bytes) ? (size_t)count : sizeof(bytes);
		size_t got = fread(bytes, 1, want, stdin);

		if (got == 0)
			return false;
		if (d->open)
			pass_chunk(d, str_of(bytes, got));
		count -= got;
	}
	return true;
}

/* The reply to a chunk that is not taken, or NULL. */
static const char *
objection(const struct dialogue *d, octets_t count)
{
	octets_t limit = (octets_t)d->p->message_size_limit;
	octets_t size = d->open ? d->size : 0;

	if (!d->in_mail)
		return "503 5.5.1 Error: need RCPT command";
	if (d->rcpts.n == 0)
		return "554 5.5.1 Error: no valid recipients";
	if (limit > 0 && (count > limit || size > limit - count))
		return "552 5.3.4 Chunk exceeds message size limit";
	return NULL;
}

void
verb_bdat(struct dialogue *d, struct str args)
{
	const char *refused;
	octets_t count;
	bool last;

	if (!bdat_parse(args, &count, &last)) {
		/* Nobody knows how much follows: what comes would be read as commands. */
		say("521 5.5.4 Syntax: BDAT count [LAST]");
		d->ended = true;
		return;
	}
	refused = d->broken ? NULL : objection(d, count);
	if (refused)
		content_abort(d);
	else if (!d->broken && !d->open)
		content_begin(d);
	if (!take_chunk(d, count)) {
		d->ended = true;
		return;
	}
	d->size += count;
	if (d->broken)
		say("551 5.0.0 Discarded %llu bytes after earlier error",
			(unsigned long long)count);
	else if (refused)
		say("%s", refused);
	else if (!last)
		say("250 2.0.0 Ok: %llu bytes", (unsigned long long)count);
	d->broken = d->broken || refused;
	if (last && d->broken) {
		forget(d);
	} else if (last) {
		pass_rest(d);
		content_end(d, true);
	}
}
