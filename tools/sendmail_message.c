/* sendmail_message.c -- a message from standard input: line ends, the end of it,
 * recipients out of its header, and a From: that is missing. */
#include "addrlist.h"
#include "fields.h"
#include "log.h"
#include "sendmail.h"
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* -t needs the header before the first byte can be passed on; a longer one is no header.
 */
#define HEADER_MOST ((size_t)4 * 1024 * 1024)

struct input {
	const struct sendmail *s;
	struct buf ready;       /* clean lines that were not passed on yet */
	bool line_start, ended; /* ended: a line with a single dot */
	bool first_line;
	char held;     /* '.' or CR whose meaning the next byte decides */
	bool dot_line; /* the line so far is a dot */
};

/* Takes raw bytes: CRLF becomes LF, a line of one dot ends the message (unless -i). */
static void
input_take(struct input *in, struct str raw)
{
	for (size_t i = 0; i < raw.len && !in->ended; i++) {
		char c = raw.data[i];

		if (in->held == '\r') {
			in->held = 0;
			if (c != '\n')
				buf_addc(&in->ready, '\r');
		}
		if (c == '\r') {
			in->held = '\r';
			continue;
		}
		if (in->dot_line && c == '\n') {
			in->ended = true;
			break;
		}
		if (in->dot_line)
			buf_addc(&in->ready, '.');
		in->dot_line = false;
		if (in->line_start && c == '.' && !in->s->dots_are_text) {
			in->dot_line = true;
			in->line_start = false;
			continue;
		}
		in->line_start = c == '\n';
		buf_addc(&in->ready, c);
	}
}

/* Reads more of standard input. False at its end. */
static bool
input_more(struct input *in)
{
	char raw[16384];
	ssize_t got;

	if (in->ended)
		return false;
	do
		got = read(0, raw, sizeof(raw));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		log_fatal("read the message: %s", strerror(errno));
	if (got > 0)
		input_take(in, str_of(raw, (size_t)got));
	else {
		if (in->held == '\r')
			buf_addc(&in->ready, '\r');
		in->ended = true;
	}
	return !in->ended;
}

/* ---- the header ---- */

struct header {
	struct addr_list to, resent;
	bool is_resent, has_from;
	bool ended;
	struct buf out; /* the header section as it goes out */
};

static void
header_field(struct header *h, const struct field *f, const struct sendmail *s)
{
	static const char *const lists[] = { "To", "Cc", "Bcc" };
	struct str name = f->name;
	bool resent = str_case_starts(name, STR("Resent-"));

	h->is_resent |= resent;
	h->has_from |= str_case_is(name, "From");
	if (resent)
		name = str_from(name, 7);
	for (size_t i = 0; i < COUNT(lists); i++)
		if (s->from_header && str_case_is(name, lists[i]))
			addr_list_parse(f->body, s->arena, resent ? &h->resent : &h->to);
	buf_add(&h->out, f->text);
}

/* Lines "From user date", and ">From" where somebody quoted one, belong to the mailbox
 * that the message was in. */
static void
skip_mailbox_lines(struct str *text)
{
	while (str_starts(*text, STR("From ")) || str_starts(*text, STR(">From "))) {
		ssize_t lf = str_chr(*text, '\n');

		if (lf < 0)
			return;
		*text = str_from(*text, (size_t)lf + 1);
	}
}

/* Reads the header section; what came behind it stays in in->ready. */
static void
header_read(struct header *h, struct input *in)
{
	struct fields fields = { .limit = HEADER_MOST };
	struct field field;
	enum fields_event event = FIELDS_MORE;
	struct buf rest CLEANUP(buf_free) = BUF_INIT;
	bool first = true, more = true;

	while (event != FIELDS_END && more) {
		struct str text;

		more = input_more(in);
		text = buf_str(&in->ready);
		if (first)
			skip_mailbox_lines(&text);
		first = false;
		while ((event = fields_next(&fields, &text, &field)) == FIELDS_FIELD)
			header_field(h, &field, in->s);
		if (event == FIELDS_END) {
			buf_add(&rest, buf_str(&fields.line));
			buf_add(&rest, text);
		}
		buf_clear(&in->ready);
	}
	if (event != FIELDS_END) {
		while (fields_finish(&fields, &field) == FIELDS_FIELD)
			header_field(h, &field, in->s);
		buf_add(&rest, buf_str(&fields.line));
	}
	buf_add(&in->ready, buf_str(&rest));
	fields_free(&fields);
}

/* ---- who sends it ---- */

/* The login name, and the name of the person behind it: "First Last,room,phone", where an
 * & stands for the login name. */
static struct str
login(const struct sendmail *s, struct str *full)
{
	struct passwd *pw = getpwuid(getuid());
	struct str name, gecos;

	if (!pw)
		log_fatal("no login name found for user ID %d", (int)getuid());
	name = arena_str(s->arena, str_c(pw->pw_name));
	gecos = str_c(pw->pw_gecos);
	if (str_chr(gecos, ',') >= 0)
		gecos = str_sub(gecos, 0, (size_t)str_chr(gecos, ','));
	*full = str_chr(gecos, '&') >= 0 ? name : arena_str(s->arena, gecos);
	return name;
}

static struct str
at_origin(const struct sendmail *s, struct str address)
{
	if (str_chr(address, '@') >= 0 || address.len == 0)
		return address;
	return arena_printf(
		s->arena, "%.*s@%.*s", STR_ARG(address), STR_ARG(s->conf->p.myorigin));
}

/* RFC 5322 section 3.4: a display name with specials in it is quoted. */
static void
add_from(const struct sendmail *s, struct header *h, struct str full)
{
	struct str sender =
		at_origin(s, s->sender.len ? s->sender : STR("MAILER-DAEMON"));
	bool plain = true;

	for (size_t i = 0; i < full.len; i++)
		plain &= ascii_is_alnum(full.data[i]) ||
			 strchr(" !#$%&'*+-/=?^_`{|}~", full.data[i]);
	if (full.len == 0) {
		buf_printf(&h->out, "From: %.*s\n", STR_ARG(sender));
		return;
	}
	buf_addz(&h->out, plain ? "From: " : "From: \"");
	for (size_t i = 0; i < full.len; i++) {
		if (!plain && (full.data[i] == '"' || full.data[i] == '\\'))
			buf_addc(&h->out, '\\');
		buf_addc(&h->out, full.data[i] == '\n' ? ' ' : full.data[i]);
	}
	buf_printf(&h->out, "%s <%.*s>\n", plain ? "" : "\"", STR_ARG(sender));
}

/* ---- all of it ---- */

static void
add_rcpts(const struct sendmail *s, struct drop *d, const struct addr_list *found)
{
	size_t n = s->rcpts.n + (found ? found->list.n : 0);

	d->rcpts = arena_alloc(s->arena, (n + 1) * sizeof(*d->rcpts));
	for (size_t i = 0; i < n; i++) {
		struct str address = i < s->rcpts.n
					     ? s->rcpts.items[i]
					     : found->list.items[i - s->rcpts.n].address;

		d->rcpts[d->n_rcpts++] = (struct rcpt){
			.address = address,
			.notify = s->notify,
		};
	}
}

/* Recipients on the command line may be lists themselves: "a@b.c, d@e.f". */
static void
split_rcpts(struct sendmail *s)
{
	struct addr_list all = { 0 };

	for (size_t i = 0; i < s->rcpts.n; i++)
		addr_list_parse(s->rcpts.items[i], s->arena, &all);
	vec_free(&s->rcpts);
	for (size_t i = 0; i < all.list.n; i++)
		*vec_push(&s->rcpts) = all.list.items[i].address;
	addr_list_free(&all);
}

static void
pass_on(struct drop_child *c, struct input *in)
{
	bool failed = false;
	char last = '\n';

	for (;;) {
		if (in->ready.len > 0) {
			last = in->ready.data[in->ready.len - 1];
			failed |= drop_write_chunk(c->fd, buf_str(&in->ready)) < 0;
			buf_clear(&in->ready);
		}
		if (in->ended || failed)
			break;
		input_more(in);
	}
	if (last != '\n' && !failed)
		(void)!drop_write_chunk(c->fd, STR("\n"));
}

int
sendmail_message(struct sendmail *s)
{
	struct input in = { .s = s, .line_start = true };
	struct header h = { 0 };
	struct drop d = { .ret = s->ret, .envid = s->envid };
	struct str full, name = login(s, &full);
	struct drop_child child;
	int status;

	if (!s->sender_given)
		s->sender = name;
	if (s->full_name.data)
		full = s->full_name;
	split_rcpts(s);
	if (!s->from_header && s->rcpts.n == 0)
		log_fatal(STR_FMT "(%d): Recipient addresses must be specified on the "
				  "command line or via the -t option",
			STR_ARG(name), (int)getuid());
	header_read(&h, &in);
	if (!h.has_from && !h.is_resent)
		add_from(s, &h, full);
	d.sender = s->sender;
	d.flags = (s->body_8bit ? ENVELOPE_8BIT : 0) | (s->utf8 ? ENVELOPE_SMTPUTF8 : 0);
	add_rcpts(s, &d, s->from_header ? (h.is_resent ? &h.resent : &h.to) : NULL);
	if (d.n_rcpts == 0)
		log_fatal(STR_FMT "(%d): No recipient addresses found in message header",
			STR_ARG(name), (int)getuid());
	buf_addc(&h.out, '\n');
	drop_child_start(&child, s);
	drop_child_envelope(&child, &d);
	(void)!drop_write_chunk(child.fd, buf_str(&h.out));
	pass_on(&child, &in);
	status = drop_child_end(&child);
	return status;
}
