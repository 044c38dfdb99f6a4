/* postfix_file.c -- see postfix_file.h. */
#include "postfix_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A line of more octets is kept in parts, as Postfix's line_length_limit has it. */
#define LINE_MOST ((size_t)2048)
/* Of pointer records: a genuine file has a handful for each header that a milter edited.
 */
#define JUMPS_MOST 100000
enum { UTF8_ASKED = 1, UTF8_HEADER = 2, UTF8_SENDER = 4 };
enum { TRACE_VERIFY = 512, TRACE_REPORT = 1024 };

/* ---- records ---- */
int
postfix_record_next(struct postfix_walk *w, struct postfix_record *r)
{
	size_t len = 0, from = w->at;
	unsigned shift = 0;
	unsigned char c;

	if (w->at >= w->file.len)
		return 0;
	r->offset = w->at;
	r->type = w->file.data[w->at++];
	do {
		if (w->at >= w->file.len || shift > 28)
			return -1;
		c = (unsigned char)w->file.data[w->at++];
		len |= (size_t)(c & 0x7f) << shift;
		shift += 7;
	} while (c & 0x80);
	if (len > w->file.len - w->at)
		return -1;
	r->data = str_sub(w->file, w->at, len);
	w->at += len;
	/* Each record counts once: who jumps back goes in circles. */
	w->seen += w->at - from;
	return w->seen > w->file.len ? -1 : 1;
}

int
postfix_record_follow(struct postfix_walk *w, const struct postfix_record *r)
{
	uint64_t to;

	if (str_to_u64(str_trim(r->data), &to) < 0 || w->jumps++ > JUMPS_MOST ||
		to > w->file.len)
		return -1;
	if (to != 0)
		w->at = (size_t)to;
	return 0;
}

/* The next one that is no pointer. */
static int
record_next_there(struct postfix_walk *w, struct postfix_record *r)
{
	int got;

	while ((got = postfix_record_next(w, r)) == 1 && r->type == 'p')
		if (postfix_record_follow(w, r) < 0)
			return -1;
	return got;
}

/* ---- reading a message ---- */
struct reading {
	struct arena *arena;
	struct postfix_message *out;
	VEC(struct rcpt) rcpts;
	VEC(uint64_t) offsets;
	VEC(bool) done;
	VEC(struct str) attributes;
	struct rcpt next;    /* what is known of the recipient that comes */
	struct str redirect; /* for all of them */
	bool has_sender, has_time;
};

static struct str
keep(struct reading *in, struct str s)
{
	return arena_str(in->arena, s);
}

static void
read_time(struct reading *in, struct str text)
{
	struct str seconds = STR_NONE;
	uint64_t s, us = 0;

	text = str_trim(text);
	if (!str_token(&text, " ", &seconds) || str_to_u64(seconds, &s) < 0 ||
		s > UINT64_MAX / 2000000)
		return;
	if (str_to_u64(str_trim(text), &us) < 0 || us > 999999)
		us = 0;
	in->out->envelope.arrival_us = s * 1000000 + us;
	in->has_time = true;
}

static uint8_t
small_number(struct str text)
{
	uint64_t n;

	return str_to_u64(text, &n) == 0 && n < 256 ? (uint8_t)n : 0;
}

static void
read_trace(struct reading *in, struct str value)
{
	uint64_t n;

	if (str_to_u64(value, &n) < 0)
		return;
	if (n & TRACE_VERIFY)
		in->out->envelope.flags |= ENVELOPE_VERIFY;
	if (n & TRACE_REPORT)
		in->out->envelope.flags |= ENVELOPE_REPORT;
}

/* Names that only say again what another one or we say: for log lines, for look-ups. */
static bool
is_repeated(struct str name)
{
	static const char *const names[] = { "create_time", "log_ident",
		"log_client_name", "log_client_address", "log_client_port",
		"log_message_origin", "log_helo_name", "log_protocol_name",
		"client_address_type" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static void
read_attribute(struct reading *in, struct str text)
{
	struct envelope *e = &in->out->envelope;
	const struct {
		const char *name;
		struct str *field;
	} strings[] = {
		{ "client_name", &e->client_name },
		{ "client_address", &e->client_address },
		{ "client_port", &e->client_port },
		{ "helo_name", &e->helo },
		{ "protocol_name", &e->protocol },
		{ "sasl_method", &e->sasl_method },
		{ "sasl_username", &e->sasl_username },
		{ "sasl_sender", &e->sasl_sender },
		{ "envelope_id", &e->envid },
		{ "dsn_orig_rcpt", &in->next.orcpt },
	};
	struct str name, value = text;

	if (!str_split(&value, '=', &name))
		return;
	for (size_t i = 0; i < COUNT(strings); i++)
		if (str_is(name, strings[i].name)) {
			*strings[i].field = keep(in, value);
			return;
		}
	if (str_is(name, "notify_flags"))
		in->next.notify = small_number(value) & 15;
	else if (str_is(name, "ret_flags"))
		e->ret = small_number(value) & 3;
	else if (str_is(name, "rewrite_context"))
		e->flags |= str_is(value, "local") ? ENVELOPE_REWRITE : 0;
	else if (str_is(name, "encoding"))
		e->flags |= str_is(value, "8bit") ? ENVELOPE_8BIT : 0;
	else if (str_is(name, "trace_flags"))
		read_trace(in, value);
	else if (!is_repeated(name))
		*vec_push(&in->attributes) = keep(in, text);
}

static void
read_rcpt(struct reading *in, const struct postfix_record *r)
{
	in->next.address = keep(in, r->data);
	if (str_eq(in->next.original, in->next.address))
		in->next.original = STR_NONE;
	*vec_push(&in->rcpts) = in->next;
	*vec_push(&in->offsets) = r->offset;
	*vec_push(&in->done) = r->type == 'D';
	in->next = (struct rcpt){ 0 };
}

static void
read_size(struct reading *in, struct str text)
{
	struct str item = STR_NONE;
	uint64_t utf8 = 0;

	for (int i = 0; i < 6 && str_token(&text, " ", &item); i++)
		if (i == 5 && str_to_u64(item, &utf8) == 0 && (utf8 & UTF8_ASKED))
			in->out->envelope.flags |= ENVELOPE_SMTPUTF8;
}

static void
read_envelope_record(struct reading *in, const struct postfix_record *r)
{
	uint64_t n;

	switch (r->type) {
	case 'C':
		read_size(in, r->data);
		break;
	case 'T':
		read_time(in, r->data);
		break;
	case 'A':
		read_attribute(in, r->data);
		break;
	case 'F':
		in->out->full_name = keep(in, r->data);
		break;
	case 'S':
		in->out->envelope.sender = keep(in, r->data);
		in->has_sender = true;
		break;
	case 'L':
		*vec_push(&in->attributes) = arena_printf(
			in->arena, ATTRIBUTE_FILTER STR_FMT, STR_ARG(r->data));
		break;
	case '>':
		in->redirect = keep(in, r->data);
		break;
	case 'V':
		*vec_push(&in->attributes) =
			arena_printf(in->arena, ATTRIBUTE_VERP STR_FMT, STR_ARG(r->data));
		break;
	case 'W':
		in->out->delay_sent = str_to_u64(str_trim(r->data), &n) == 0 && n == 0;
		break;
	case 'O':
		in->next.original = keep(in, r->data);
		break;
	case 'R':
	case 'D':
		read_rcpt(in, r);
		break;
	default:
		break;
	}
}

/* M to X. 0; -1: it is cut. */
static int
read_content(struct postfix_walk *w, struct buf *content)
{
	struct postfix_record r;
	int got;

	while ((got = record_next_there(w, &r)) == 1 && r.type != 'X') {
		if (r.type != 'N' && r.type != 'L')
			continue; /* what a milter removed */
		buf_add(content, r.data);
		if (r.type == 'N')
			buf_addc(content, '\n');
	}
	return got == 1 ? 0 : -1;
}

/* One recipient is left, and is another. */
static void
redirect(struct reading *in)
{
	if (!in->redirect.data || in->rcpts.n == 0)
		return;
	if (!in->rcpts.items[0].original.data)
		in->rcpts.items[0].original = in->rcpts.items[0].address;
	in->rcpts.items[0].address = in->redirect;
	in->rcpts.n = 1;
}

static void *
moved(struct arena *a, const void *items, size_t n, size_t size)
{
	void *to = arena_alloc(a, n * size + 1);

	if (n)
		memcpy(to, items, n * size);
	return to;
}

static void
hand_over(struct reading *in)
{
	struct postfix_message *out = in->out;
	struct arena *a = in->arena;

	redirect(in);
	out->envelope.n_rcpts = in->rcpts.n;
	out->envelope.rcpts =
		moved(a, in->rcpts.items, in->rcpts.n, sizeof(*in->rcpts.items));
	out->offsets = moved(a, in->offsets.items, in->rcpts.n, sizeof(uint64_t));
	out->done = moved(a, in->done.items, in->rcpts.n, sizeof(bool));
	out->envelope.attributes.n = in->attributes.n;
	out->envelope.attributes.items =
		moved(a, in->attributes.items, in->attributes.n, sizeof(struct str));
}

int
postfix_get(struct str file, struct arena *a, struct postfix_message *out,
	struct buf *content)
{
	struct reading in = { .arena = a, .out = out };
	struct postfix_walk w = { .file = file };
	struct postfix_record r;
	bool has_content = false;
	int got;

	memset(out, 0, sizeof(*out));
	while ((got = record_next_there(&w, &r)) == 1 && r.type != 'E') {
		if (r.type != 'M') {
			read_envelope_record(&in, &r);
			continue;
		}
		if (has_content || read_content(&w, content) < 0) {
			got = -1;
			break;
		}
		has_content = true;
	}
	if (got == 1 && has_content && in.has_sender && in.has_time && in.rcpts.n > 0)
		hand_over(&in);
	else
		got = -1;
	vec_free(&in.rcpts);
	vec_free(&in.offsets);
	vec_free(&in.done);
	vec_free(&in.attributes);
	if (got == 1)
		return 0;
	errno = EBADMSG;
	return -1;
}

/* ---- outcomes ---- */
static void
read_outcome_line(struct postfix_outcome *o, struct str name, struct str value)
{
	const struct {
		const char *name;
		struct str *field;
	} strings[] = {
		{ "recipient", &o->recipient },
		{ "original_recipient", &o->original },
		{ "dsn_orig_rcpt", &o->orcpt },
		{ "status", &o->status },
		{ "action", &o->action },
		{ "reason", &o->reason },
		{ "mta_mname", &o->remote_mta },
		{ "diag_text", &o->diagnostic },
	};

	for (size_t i = 0; i < COUNT(strings); i++)
		if (str_is(name, strings[i].name))
			*strings[i].field = value;
	if (str_is(name, "offset"))
		o->has_offset = str_to_u64(value, &o->offset) == 0;
	else if (str_is(name, "notify_flags"))
		o->notify = small_number(value) & 15;
	else if (str_is(name, "diag_type"))
		o->diagnostic_is_smtp = str_is(value, "smtp");
}

bool
postfix_outcome_get(struct str *rest, struct postfix_outcome *out)
{
	struct str line, name;

	*out = (struct postfix_outcome){ 0 };
	while (str_split(rest, '\n', &line)) {
		if (line.len == 0 && out->recipient.data)
			return true;
		/* "<user@example>: reason", of older versions, is said again below. */
		if (line.len > 0 && line.data[0] != '<' && str_split(&line, '=', &name))
			read_outcome_line(out, name, line);
	}
	return out->recipient.data != NULL;
}

static void
put_line(struct buf *b, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(b, "%s=", name);
	for (size_t i = 0; i < value.len; i++) /* a line stays one */
		buf_addc(b, value.data[i] == '\n' ? ' ' : value.data[i]);
	buf_addc(b, '\n');
}

void
postfix_outcome_put(struct buf *b, const struct postfix_outcome *o)
{
	buf_addc(b, '\n');
	buf_addc(b, '<');
	buf_add(b, o->recipient);
	buf_addz(b, ">: ");
	buf_add(b, o->reason);
	buf_addc(b, '\n');
	put_line(b, "recipient", o->recipient);
	put_line(b, "original_recipient", o->original);
	if (o->has_offset)
		buf_printf(b, "offset=%llu\n", (unsigned long long)o->offset);
	put_line(b, "dsn_orig_rcpt", o->orcpt);
	if (o->notify)
		buf_printf(b, "notify_flags=%u\n", o->notify);
	put_line(b, "status", o->status);
	put_line(b, "action", o->action);
	if (o->diagnostic.len) {
		put_line(b, "diag_type",
			o->diagnostic_is_smtp ? STR("smtp") : STR("x-unix"));
		put_line(b, "diag_text", o->diagnostic);
	}
	if (o->remote_mta.len) {
		put_line(b, "mta_type", STR("dns"));
		put_line(b, "mta_mname", o->remote_mta);
	}
	put_line(b, "reason", o->reason);
	buf_addc(b, '\n');
}

/* ---- writing a message ---- */
static void
put_record(struct buf *b, char type, struct str data)
{
	size_t len = data.len;

	buf_addc(b, type);
	do {
		buf_addc(b, (char)((len & 0x7f) | (len > 0x7f ? 0x80 : 0)));
		len >>= 7;
	} while (len > 0);
	buf_add(b, data);
}

static void
put_attribute(struct buf *b, const char *name, struct str value)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	if (value.len == 0)
		return;
	buf_printf(&text, "%s=", name);
	buf_add(&text, value);
	put_record(b, 'A', buf_str(&text));
}

static void
put_number(struct buf *b, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (value)
		put_attribute(b, name, str_c(text));
}

static void
put_client(struct buf *b, const struct envelope *e)
{
	struct buf origin CLEANUP(buf_free) = BUF_INIT;

	if (e->client_name.len || e->client_address.len) {
		buf_add(&origin, e->client_name);
		buf_printf(&origin, "[" STR_FMT "]", STR_ARG(e->client_address));
	}
	put_attribute(b, "sasl_method", e->sasl_method);
	put_attribute(b, "sasl_username", e->sasl_username);
	put_attribute(b, "sasl_sender", e->sasl_sender);
	put_attribute(b, "log_client_name", e->client_name);
	put_attribute(b, "log_client_address", e->client_address);
	put_attribute(b, "log_client_port", e->client_port);
	put_attribute(b, "log_message_origin", buf_str(&origin));
	put_attribute(b, "log_helo_name", e->helo);
	put_attribute(b, "log_protocol_name", e->protocol);
	put_attribute(b, "client_name", e->client_name);
	put_attribute(b, "client_address", e->client_address);
	put_attribute(b, "client_port", e->client_port);
	put_attribute(b, "helo_name", e->helo);
	put_attribute(b, "protocol_name", e->protocol);
	if (e->client_address.len) /* AF_INET6, AF_INET */
		put_attribute(b, "client_address_type",
			str_chr(e->client_address, ':') >= 0 ? STR("10") : STR("2"));
}

/* Those that Postfix has records for, and those that it gave us. */
static void
put_others(struct buf *b, const struct envelope *e)
{
	static const struct {
		struct str prefix;
		char type; /* 0: it is not told */
	} known[] = {
		{ STR_INIT(ATTRIBUTE_DELIVERED), 0 }, /* in the header as well */
		{ STR_INIT(ATTRIBUTE_FILTER), 'L' },
		{ STR_INIT(ATTRIBUTE_VERP), 'V' },
	};

	for (size_t i = 0; i < e->attributes.n; i++) {
		struct str one = e->attributes.items[i];
		size_t k = 0;

		while (k < COUNT(known) && !str_starts(one, known[k].prefix))
			k++;
		if (k == COUNT(known))
			put_record(b, 'A', one);
		else if (known[k].type)
			put_record(b, known[k].type, str_from(one, known[k].prefix.len));
	}
}

/* Gives the place of the record that a log names. */
static uint64_t
put_rcpt(struct buf *b, const struct rcpt *r, bool done, bool for_maildrop)
{
	struct str original = rcpt_original(r);
	struct buf orcpt CLEANUP(buf_free) = BUF_INIT;
	uint64_t at;

	put_number(b, "notify_flags", r->notify & 15);
	if (r->orcpt.len) {
		put_attribute(b, "dsn_orig_rcpt", r->orcpt);
	} else if (!for_maildrop) {
		buf_addz(&orcpt, "rfc822;");
		buf_add(&orcpt, original);
		put_attribute(b, "dsn_orig_rcpt", buf_str(&orcpt));
	}
	if (!for_maildrop)
		put_record(b, 'O', original);
	at = b->len;
	put_record(b, done ? 'D' : 'R', r->address);
	return at;
}

static void
put_arrival(struct buf *b, uint64_t us, bool for_maildrop)
{
	char text[64];

	snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)(us / 1000000),
		(unsigned long long)(us % 1000000));
	put_record(b, 'T', str_c(text));
	if (!for_maildrop)
		put_number(b, "create_time", us / 1000000);
}

/* Everything that is not a recipient comes first: so Postfix may stop reading among many
 * recipients, and come back for the others. */
void
postfix_put_envelope(
	struct buf *b, const struct postfix_message *m, bool for_maildrop, int64_t warn)
{
	const struct envelope *e = &m->envelope;
	char text[64];

	if (!for_maildrop) {
		buf_need(b, POSTFIX_SIZE_RECORD);
		memset(b->data + b->len, 0, POSTFIX_SIZE_RECORD);
		b->len += POSTFIX_SIZE_RECORD;
	}
	put_arrival(b, e->arrival_us, for_maildrop);
	put_attribute(b, "log_ident", e->queue_id);
	put_attribute(b, "rewrite_context",
		e->flags & ENVELOPE_REWRITE ? STR("local") : STR("remote"));
	put_attribute(b, "envelope_id", e->envid);
	put_number(b, "ret_flags", e->ret);
	if (m->full_name.len)
		put_record(b, 'F', m->full_name);
	put_record(b, 'S', e->sender);
	put_number(b, "trace_flags",
		(e->flags & ENVELOPE_VERIFY          ? TRACE_VERIFY
			: e->flags & ENVELOPE_REPORT ? TRACE_REPORT
						     : 0));
	if (e->flags & ENVELOPE_8BIT)
		put_attribute(b, "encoding", STR("8bit"));
	put_client(b, e);
	put_others(b, e);
	if (warn >= 0) {
		snprintf(text, sizeof(text), "%15lld", (long long)warn);
		put_record(b, 'W', str_c(text));
	}
	for (size_t i = 0; i < e->n_rcpts; i++) {
		uint64_t at =
			put_rcpt(b, &e->rcpts[i], m->done && m->done[i], for_maildrop);

		if (m->offsets)
			m->offsets[i] = at;
	}
	put_record(b, 'M', STR_NONE);
}

static void
put_line_record(struct buf *b, struct str line)
{
	while (line.len > LINE_MOST) {
		put_record(b, 'L', str_sub(line, 0, LINE_MOST));
		line = str_from(line, LINE_MOST);
	}
	put_record(b, 'N', line);
}

void
postfix_put_text(struct buf *b, struct buf *line, struct str text)
{
	ssize_t end;

	while ((end = str_chr(text, '\n')) >= 0) {
		if (line->len == 0) {
			put_line_record(b, str_sub(text, 0, (size_t)end));
		} else {
			buf_add(line, str_sub(text, 0, (size_t)end));
			put_line_record(b, buf_str(line));
			buf_clear(line);
		}
		text = str_from(text, (size_t)end + 1);
	}
	buf_add(line, text);
}

void
postfix_put_end(struct buf *b, struct buf *line)
{
	if (line->len)
		put_line_record(b, buf_str(line));
	buf_clear(line);
	put_record(b, 'X', STR_NONE);
	put_record(b, 'E', STR_NONE);
}

bool
postfix_has_8bit_header(struct str content)
{
	ssize_t end = str_find(content, STR("\n\n"));
	struct str header = end < 0 ? content : str_sub(content, 0, (size_t)end);

	for (size_t i = 0; i < header.len; i++)
		if (header.data[i] & 0x80)
			return true;
	return false;
}

static bool
is_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] & 0x80)
			return true;
	return false;
}

void
postfix_put_size(char at[POSTFIX_SIZE_RECORD], uint64_t place, uint64_t size,
	const struct postfix_message *m, bool utf8_header)
{
	const struct envelope *e = &m->envelope;
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	unsigned utf8 = e->flags & ENVELOPE_SMTPUTF8 ? UTF8_ASKED : 0;
	char text[POSTFIX_SIZE_RECORD];

	utf8 |= utf8 && utf8_header ? UTF8_HEADER : 0;
	utf8 |= utf8 && is_8bit(e->sender) ? UTF8_SENDER : 0;
	snprintf(text, sizeof(text), "%15llu %15llu %15llu %15u %15llu %15u",
		(unsigned long long)size, (unsigned long long)place,
		(unsigned long long)e->n_rcpts, 0u, (unsigned long long)size, utf8);
	put_record(&b, 'C', str_c(text));
	ensure(b.len == POSTFIX_SIZE_RECORD);
	memcpy(at, b.data, POSTFIX_SIZE_RECORD);
}

/* ---- places ---- */

/* Of base 52; base 51 lacks the z. */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/* The five hexadecimal digits that short ids begin with; long ones say the same in four
 * digits of base 52 behind the six or more of the seconds, and a z further on. */
static bool
microseconds(struct str id, char hex[8])
{
	ssize_t z = str_rchr(id, 'z');
	unsigned us = 0;

	if (z < 10)
		return false;
	for (size_t i = (size_t)z - 4; i < (size_t)z; i++) {
		const char *digit = id.data[i] ? strchr(digits, id.data[i]) : NULL;

		if (!digit)
			return false;
		us = us * 52 + (unsigned)(digit - digits);
	}
	snprintf(hex, 8, "%05X", us % 1000000);
	return true;
}

void
postfix_subfolder(struct str queue_id, unsigned depth, char out[32])
{
	char hex[8];
	struct str by = microseconds(queue_id, hex) ? str_c(hex) : queue_id;
	size_t at = 0;

	for (size_t i = 0; i < MIN(depth, 15u); i++) {
		if (i > 0)
			out[at++] = '/';
		out[at++] = i < by.len ? by.data[i] : '_';
	}
	out[at] = '\0';
}

/* Puts at least `width` digits in front of `at`. */
static char *
digits_before(char *at, uint64_t n, unsigned base, int width)
{
	for (; n > 0 || width > 0; n /= base, width--)
		*--at = digits[n % base];
	return at;
}

void
postfix_file_name(
	struct str id, bool long_form, uint64_t seconds, uint64_t inode, char out[32])
{
	char hex[8], text[32], *end = text + sizeof(text) - 1, *at = end;
	bool was_long = microseconds(id, hex);

	if (!was_long)
		snprintf(hex, sizeof(hex), "%.*s", (int)MIN(id.len, (size_t)5), id.data);
	if (!long_form) {
		snprintf(out, 32, "%s%llX", hex, (unsigned long long)inode);
		return;
	}
	*end = '\0';
	at = digits_before(at, inode, 51, 1);
	*--at = 'z';
	if (was_long) { /* seconds and microseconds as they are */
		snprintf(out, 32, "%.*s%s", (int)str_rchr(id, 'z'), id.data, at);
		return;
	}
	at = digits_before(at, strtoul(hex, NULL, 16) % 1000000, 52, 4);
	at = digits_before(at, seconds, 52, 6);
	memcpy(out, at, (size_t)(end - at) + 1);
}
