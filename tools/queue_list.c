/* queue_list.c -- see queue_list.h. */
#include "queue_list.h"
#include "json.h"
#include "log.h"
#include "maildrop.h"
#include "net.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Longest message of a listing: one with very many recipients. */
#define LISTING_LIMIT ((size_t)256 << 20)
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
	else
		print_for_people(p, l);
	p->messages++;
	p->bytes += l->size;
}

void
queue_print_end(struct queue_print *p)
{
	if (p->form == QUEUE_JSON)
		return;
	if (p->messages == 0)
		fputs("Mail queue is empty\n", p->out);
	else
		fprintf(p->out, "\n-- %llu Kbytes in %llu Request%s.\n",
			(unsigned long long)p->bytes / 1024,
			(unsigned long long)p->messages, p->messages == 1 ? "" : "s");
}

/* ---- from showq ---- */

NORETURN static void
malformed(void)
{
	log_fatal("malformed showq server response");
}

/* Reads more behind what is there. */
static void
read_more(int fd, struct buf *b)
{
	ssize_t got;

	if (b->len > LISTING_LIMIT)
		malformed();
	buf_need(b, 64 * 1024);
	do
		got = read(fd, b->data + b->len, 64 * 1024);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		malformed();
	b->len += (size_t)got;
}

static void
print_from_showq(int fd, struct queue_print *p)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	enum listing_result result = LISTING_MORE;
	bool greeted = false;

	while (result != LISTING_END) {
		struct str rest = buf_str(&b);
		struct listing l;

		arena_reset(arena);
		result = greeted ? listing_get(&rest, arena, &l)
				 : listing_get_greeting(&rest);
		if (result == LISTING_MALFORMED)
			malformed();
		if (result == LISTING_MESSAGE && greeted)
			queue_print(p, &l);
		if (result == LISTING_MESSAGE) {
			greeted = true;
			buf_drop(&b, b.len - rest.len);
		} else if (result == LISTING_MORE) {
			read_more(fd, &b);
		}
	}
}

/* ---- from the log, with the system down ---- */

struct scan {
	struct spool_reader *reader;
	struct queue_print *print;
	struct str null_sender;
};

static const char *
queue_of(const struct spool_entry *e)
{
	if (e->hold)
		return "hold";
	return e->wake_us || e->n_states ? "deferred" : "incoming";
}

static bool
print_entry(const struct spool_entry *e, void *arg)
{
	struct scan *s = arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct listing l = { .queue = str_c(queue_of(e)),
		.queue_id = str_c(e->queue_id),
		.time = (int64_t)(e->arrival_us / 1000000),
		.size = e->size,
		.expire = e->expire };

	if (listing_read(s->reader, e->mid, e->where, e->states, e->n_states, arena, &l) <
		0) {
		log_warn("%s: cannot be read: %s", e->queue_id, strerror(errno));
		return true;
	}
	if (l.sender.len == 0)
		l.sender = s->null_sender;
	queue_print(s->print, &l);
	return true;
}

static void
print_dropped(const struct listing *l, void *arg)
{
	queue_print(arg, l);
}

static void
print_from_log(const struct conf *c, const char *directory, struct queue_print *p)
{
	struct scan scan = { .print = p, .null_sender = c->p.empty_address_recipient };
	struct why why = { 0 };

	if (maildrop_each(c->p.queue_directory, print_dropped, p) < 0)
		log_warn("cannot read maildrop: %s", strerror(errno));
	scan.reader = spool_reader_open(directory, &why);
	if (!scan.reader || spool_scan(directory, print_entry, &scan, &why) < 0)
		log_fatal("cannot read the queue: %s", why.text);
	spool_reader_close(scan.reader);
}

/* Root, or whoever owns the queue (an instance of one's own). */
static bool
may_read_log(const char *directory)
{
	struct stat st;

	return geteuid() == 0 || (stat(directory, &st) == 0 && st.st_uid == getuid());
}

void
queue_list(const struct conf *c, enum queue_form form, FILE *out)
{
	struct queue_print p = {
		.out = out, .form = form, .long_ids = c->p.enable_long_queue_ids
	};
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str queue = c->p.queue_directory;
	struct str path = arena_printf(arena, STR_FMT "/public/" STR_FMT, STR_ARG(queue),
		STR_ARG(c->p.showq_service_name));
	const char *directory = arena_printf(arena, STR_FMT "/log", STR_ARG(queue)).data;
	struct why why = { 0 };
	int fd CLEANUP(fd_close) = net_connect_unix(path.data, &why);
	bool down = errno == ENOENT || errno == ECONNREFUSED;
	const char *error = strerror(errno);

	if (fd >= 0)
		print_from_showq(fd, &p);
	else if (down && may_read_log(directory)) {
		log_warn("Mail system is down -- accessing queue directly (Connect to "
			 "the " STR_FMT " showq service: %s)",
			STR_ARG(c->p.mail_name), error);
		print_from_log(c, directory, &p);
	} else if (down)
		log_fatal("Queue report unavailable - mail system is down (Connect to "
			  "the " STR_FMT " showq service: %s)",
			STR_ARG(c->p.mail_name), error);
	else
		log_fatal("Connect to the " STR_FMT " showq service: %s",
			STR_ARG(c->p.mail_name), error);
	queue_print_end(&p);
	if (fflush(out) || ferror(out))
		log_fatal("output write error: %s", strerror(errno));
}
