/* sendmail_message.c -- a message from standard input: line ends, the end of it,
 * recipients out of its header. */
#include "addrlist.h"
#include "fields.h"
#include "log.h"
#include "mailbox.h"
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
	struct buf ready; /* clean lines that were not passed on yet */
	bool ended;       /* also by a line with a single dot */
	bool line_start;
	bool keep_cr; /* line ends stay as they are */
	bool first_line_over;
	char held[2]; /* a dot that begins the line, a CR: the next byte decides */
	size_t n_held;
};

static bool
holds_cr(const struct input *in)
{
	return in->n_held > 0 && in->held[in->n_held - 1] == '\r';
}

static bool
holds_dot_line(const struct input *in)
{
	return in->n_held == 1 && in->held[0] == '.';
}

static void
release(struct input *in)
{
	buf_add(&in->ready, str_of(in->held, in->n_held));
	in->n_held = 0;
}

static void
take_line_end(struct input *in)
{
	if (!in->first_line_over &&
		str_case_is(in->s->conf->p.sendmail_fix_line_endings, "strict"))
		in->keep_cr = !holds_cr(in);
	in->first_line_over = true;
	if (holds_cr(in) && !in->keep_cr)
		in->n_held--;
	if (holds_dot_line(in)) {
		in->n_held = 0;
		in->ended = true;
		return;
	}
	release(in);
	buf_addc(&in->ready, '\n');
	in->line_start = true;
}

static void
take_byte(struct input *in, char c)
{
	bool dot = c == '.' && in->line_start && !in->s->dots_are_text;

	in->line_start = false;
	if (!dot && (c != '\r' || holds_cr(in)))
		release(in);
	if (dot || c == '\r')
		in->held[in->n_held++] = c;
	else
		buf_addc(&in->ready, c);
}

/* CRLF becomes LF (sendmail_fix_line_endings: always, never, or as the first line says),
 * a line of one dot ends the message (unless -i). */
static void
input_take(struct input *in, struct str raw)
{
	for (size_t i = 0; i < raw.len && !in->ended; i++)
		if (raw.data[i] == '\n')
			take_line_end(in);
		else
			take_byte(in, raw.data[i]);
}

static void
input_finish(struct input *in)
{
	if (!holds_dot_line(in))
		release(in);
	in->ended = true;
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
	else
		input_finish(in);
	return !in->ended;
}

static void
input_free(struct input *in)
{
	buf_free(&in->ready);
}

/* ---- the header ---- */

struct header {
	struct addr_list to, resent; /* for -t; where somebody resent it, to the latter */
	struct buf out;              /* the header section as it goes out */
};

static void
header_free(struct header *h)
{
	addr_list_free(&h->to);
	addr_list_free(&h->resent);
	buf_free(&h->out);
}

static void
header_field(struct header *h, const struct field *f, const struct sendmail *s)
{
	static const char *const lists[] = { "To", "Cc", "Bcc" };
	struct str name = f->name;
	bool resent = str_case_starts(name, STR("Resent-"));

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
	if (event == FIELDS_END)
		buf_addc(&h->out, '\n');
	buf_add(&in->ready, buf_str(&rest));
	fields_free(&fields);
}

/* ---- who sends it ---- */

/* The login name, and the name of the person behind it: "First Last,room,phone", where an
 * & stands for the login name. NAME in the environment says it better. */
static struct str
login(const struct sendmail *s, struct str *full)
{
	struct passwd *pw = getpwuid(getuid());
	const char *given = getenv("NAME");
	struct str name, gecos;

	if (!pw)
		log_fatal("no login name found for user ID %d", (int)getuid());
	name = arena_str(s->arena, str_c(pw->pw_name));
	gecos = str_c(pw->pw_gecos);
	if (str_chr(gecos, ',') >= 0)
		gecos = str_sub(gecos, 0, (size_t)str_chr(gecos, ','));
	if (given)
		*full = str_c(given);
	else
		*full = str_chr(gecos, '&') >= 0 ? name : arena_str(s->arena, gecos);
	return name;
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
			.address = address_unquote(address, s->arena),
			.notify = s->notify,
		};
	}
}

/* Recipients on the command line may be lists themselves: "a@b.c, d@e.f". One without an
 * address is the null address, and not nobody. */
static void
split_rcpts(struct sendmail *s)
{
	struct addr_list all = { 0 };

	for (size_t i = 0; i < s->rcpts.n; i++) {
		size_t before = all.list.n;

		addr_list_parse(s->rcpts.items[i], s->arena, &all);
		if (all.list.n == before)
			vec_push(&all.list)->address = STR("");
	}
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

static void
check_rcpts(const struct sendmail *s, size_t n)
{
	if (n > 0)
		return;
	log_fatal(STR_FMT "(%d): %s", STR_ARG(s->sender), (int)getuid(),
		s->from_header ? "No recipient addresses found in message header"
			       : "Recipient addresses must be specified on the command "
				 "line or via the -t option");
}

/* What -bv sends in place of a message: only its envelope is tried. */
static void
add_probe(const struct sendmail *s, struct buf *out)
{
	buf_printf(out, "From: " STR_FMT "\nSubject: probe\nTo:", STR_ARG(s->sender));
	for (size_t i = 0; i < s->rcpts.n; i++)
		buf_printf(
			out, "%s\t" STR_FMT, i ? ",\n" : "", STR_ARG(s->rcpts.items[i]));
	buf_addz(out, "\n\n");
}

static void
fill_envelope(const struct sendmail *s, struct str full, struct drop *d)
{
	const struct {
		bool set;
		uint32_t flag;
	} flags[] = {
		{ s->body_8bit, ENVELOPE_8BIT },
		{ s->utf8, ENVELOPE_SMTPUTF8 },
		{ s->requiretls, ENVELOPE_REQUIRETLS },
		{ !s->gateway, ENVELOPE_REWRITE },
		{ s->report, ENVELOPE_REPORT },
		{ s->verify, ENVELOPE_VERIFY },
	};

	*d = (struct drop){ .sender = s->sender,
		.envid = s->envid,
		.ret = s->ret,
		.full_name = full,
		.verp = s->verp };
	for (size_t i = 0; i < COUNT(flags); i++)
		if (flags[i].set)
			d->flags |= flags[i].flag;
}

/* The exit status, with the reason on standard error: postdrop said its own part. */
static int
report_end(const struct sendmail *s, int status)
{
	if (status == EX_UNAVAILABLE)
		log_fatal(STR_FMT "(%d): message file too big", STR_ARG(s->sender),
			(int)getuid());
	if (status == 0 && (s->verify || s->report))
		printf("Mail Delivery Status Report will be mailed to <" STR_FMT ">.\n",
			STR_ARG(s->sender));
	return status;
}

int
sendmail_message(struct sendmail *s)
{
	struct input in = { .s = s,
		.line_start = true,
		.ended = s->verify,
		.keep_cr = str_case_is(s->conf->p.sendmail_fix_line_endings, "never") };
	struct header h = { 0 };
	struct drop d;
	struct str full, name = login(s, &full);
	struct drop_child child;

	if (!s->sender_given)
		s->sender = name;
	if (s->verp.len > 0 && s->sender.len == 0)
		log_fatal("(%d): -V option requires non-null sender address",
			(int)getuid());
	split_rcpts(s);
	if (!s->from_header)
		check_rcpts(s, s->rcpts.n);
	if (s->verify)
		add_probe(s, &h.out);
	else
		header_read(&h, &in);
	fill_envelope(s, s->full_name_given ? s->full_name : full, &d);
	add_rcpts(s, &d, s->from_header ? (h.resent.list.n ? &h.resent : &h.to) : NULL);
	check_rcpts(s, d.n_rcpts);
	drop_child_start(&child, s);
	drop_child_envelope(&child, &d);
	(void)!drop_write_chunk(child.fd, buf_str(&h.out));
	pass_on(&child, &in);
	input_free(&in);
	header_free(&h);
	return report_end(s, drop_child_end(&child));
}
