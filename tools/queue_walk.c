/* queue_walk.c -- see queue_walk.h. */
#include "queue_walk.h"
#include "log.h"
#include "maildrop.h"
#include "net.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest message of a listing: one with very many recipients. */
#define LISTING_LIMIT ((size_t)256 << 20)

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
walk_showq(int fd, queue_walk_fn *fn, void *arg)
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
			fn(&l, arg);
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
	queue_walk_fn *fn;
	void *arg;
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
walk_entry(const struct spool_entry *e, void *arg)
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
	s->fn(&l, s->arg);
	return true;
}

static void
walk_log(const struct conf *c, const char *directory, queue_walk_fn *fn, void *arg)
{
	struct scan scan = {
		.fn = fn, .arg = arg, .null_sender = c->p.empty_address_recipient
	};
	struct why why = { 0 };

	if (maildrop_each(c->p.queue_directory, fn, arg) < 0 && errno != ENOENT)
		log_warn("cannot read maildrop: %s", strerror(errno));
	if (access(directory, F_OK) < 0 && errno == ENOENT)
		return; /* never started: nothing in it */
	scan.reader = spool_reader_open(directory, &why);
	if (!scan.reader || spool_scan(directory, walk_entry, &scan, &why) < 0)
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
queue_walk(const struct conf *c, queue_walk_fn *fn, void *arg)
{
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
		walk_showq(fd, fn, arg);
	else if (down && may_read_log(directory)) {
		log_warn("Mail system is down -- accessing queue directly (Connect to "
			 "the " STR_FMT " showq service: %s)",
			STR_ARG(c->p.mail_name), error);
		walk_log(c, directory, fn, arg);
	} else if (down)
		log_fatal("Queue report unavailable - mail system is down (Connect to "
			  "the " STR_FMT " showq service: %s)",
			STR_ARG(c->p.mail_name), error);
	else
		log_fatal("Connect to the " STR_FMT " showq service: %s",
			STR_ARG(c->p.mail_name), error);
}
