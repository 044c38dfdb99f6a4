/* queue_list.c -- see queue_list.h. */
#include "queue_list.h"
#include "json.h"
#include "log.h"
#include "queue_walk.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

/* "(reason)" ends here when it fits. */
#define REASON_COLUMN 76

/* ---- for people: the columns of Postfix, byte by byte ---- */

static const struct {
	const char *text, *sender;
	const char *id, *time, *rcpt; /* headings */
} columns[] = {
	{ "%-11s %7s %-20s %s\n", "%-11s %7lld %20.20s %s\n", "-Queue ID-",
		"----Arrival Time----", "-Sender/Recipient-------" },
	{ "%-17s %8s %-19s %s\n", "%-17s %8lld %19.19s %s\n", "----Queue ID-----",
		"---Arrival Time----", "--Sender/Recipient------" },
};

/* Control characters would let a sender write to the terminal. */
static const char *
printable(struct str s, struct buf *b)
{
	buf_clear(b);
	for (size_t i = 0; i < s.len; i++)
		buf_addc(b, (unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f
				    ? '?'
				    : s.data[i]);
	return buf_cstr(b);
}

static char
flag_of(const struct listing *l)
{
	if (str_is(l->queue, "active"))
		return '*';
	if (l->expire)
		return '#';
	return str_is(l->queue, "hold") ? '!' : ' ';
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are in the table */
static void
print_columns(struct queue_print *p, const struct listing *l, struct buf *b)
{
	char id[64], when[64];
	time_t t = (time_t)l->time;

	snprintf(id, sizeof(id), STR_FMT "%c", STR_ARG(str_sub(l->queue_id, 0, 40)),
		flag_of(l));
	if (!ctime_r(&t, when))
		snprintf(when, sizeof(when), "%-20s", "?");
	fprintf(p->out, columns[p->long_ids].sender, id, (long long)l->size, when,
		printable(l->sender, b));
}

static void
print_text(struct queue_print *p, const char *id, const char *size, const char *when,
	const char *rcpt)
{
	fprintf(p->out, columns[p->long_ids].text, id, size, when, rcpt);
}
#pragma GCC diagnostic pop

static void
print_for_people(struct queue_print *p, const struct listing *l)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	struct str last = STR("");

	if (p->messages == 0)
		print_text(p, columns[p->long_ids].id, "--Size--",
			columns[p->long_ids].time, columns[p->long_ids].rcpt);
	else
		fputc('\n', p->out);
	print_columns(p, l, &b);
	for (size_t i = 0; i < l->n_rcpts; i++) {
		const struct listing_rcpt *r = &l->rcpts[i];

		/* One line for all that wait for the same reason. */
		if (!str_eq(r->reason, last)) {
			const char *text = r->reason.len ? printable(r->reason, &b)
							 : "reason unavailable";
			int width = REASON_COLUMN - (int)strlen(text);

			last = r->reason;
			fprintf(p->out, "%*s(%s)\n", MAX(width, 0), "", text);
		}
		print_text(p, "", "", "", printable(r->address, &b));
	}
}

/* ---- JSON: an object on each line ---- */

static void
print_member(FILE *out, const char *name, struct str value)
{
	fprintf(out, "\"%s\": ", name);
	json_string(out, value);
}

static void
print_json(struct queue_print *p, const struct listing *l)
{
	fputc('{', p->out);
	print_member(p->out, "queue_name", l->queue);
	fputs(", ", p->out);
	print_member(p->out, "queue_id", l->queue_id);
	fprintf(p->out,
		", \"arrival_time\": %lld, \"message_size\": %llu, \"forced_expire\": "
		"%s, ",
		(long long)l->time, (unsigned long long)l->size,
		l->expire ? "true" : "false");
	print_member(p->out, "sender", l->sender);
	fputs(", \"recipients\": [", p->out);
	for (size_t i = 0; i < l->n_rcpts; i++) {
		const struct listing_rcpt *r = &l->rcpts[i];

		fputs(i ? ", {" : "{", p->out);
		if (r->original.len) {
			print_member(p->out, "orig_address", r->original);
			fputs(", ", p->out);
		}
		print_member(p->out, "address", r->address);
		if (r->reason.len) {
			fputs(", ", p->out);
			print_member(p->out, r->failed ? "bounce_reason" : "delay_reason",
				r->reason);
		}
		fputc('}', p->out);
	}
	fputs("]}\n", p->out);
}

/* ---- both ---- */

void
queue_print(struct queue_print *p, const struct listing *l)
{
	if (p->form == QUEUE_JSON)
		print_json(p, l);
	else if (p->form == QUEUE_FOR_PEOPLE)
		print_for_people(p, l);
	p->messages++;
	p->bytes += l->size;
}

void
queue_print_end(struct queue_print *p)
{
	if (p->form == QUEUE_JSON)
		return;
	if (p->form == QUEUE_COUNT)
		fprintf(p->out, "%llu\n", (unsigned long long)p->messages);
	else if (p->messages == 0 && p->query)
		fputs("No message matches\n", p->out);
	else if (p->messages == 0)
		fputs("Mail queue is empty\n", p->out);
	else
		fprintf(p->out, "\n-- %llu Kbytes in %llu Request%s.\n",
			(unsigned long long)p->bytes / 1024,
			(unsigned long long)p->messages, p->messages == 1 ? "" : "s");
}

static void
print_message(const struct listing *l, void *arg)
{
	struct queue_print *p = arg;
	bool meant = !p->query || queue_query_matches(p->query, l,
					  (int64_t)(time_wall_us() / 1000000));

	progress_step(&p->progress, meant);
	if (meant)
		queue_print(p, l);
}

void
queue_list(const struct conf *c, enum queue_form form, const struct queue_query *query,
	FILE *out)
{
	struct queue_print p = { .out = out,
		.form = form,
		.long_ids = c->p.enable_long_queue_ids,
		.query = query };

	/* Where the listing itself goes by, it shows how far it is. */
	progress_begin(&p.progress, form == QUEUE_COUNT || !isatty(fileno(out)));
	queue_walk(c, print_message, &p);
	progress_end(&p.progress);
	queue_print_end(&p);
	if (fflush(out) || ferror(out))
		log_fatal("output write error: %s", strerror(errno));
}
