/* export_files.c -- a message of our log as the files that a Postfix has of it: the
 * message, and the logs of what happened to its recipients. */
#include "queue_export.h"
#include "log.h"
#include "postfix_file.h"
#include "postfix_queue.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Its files are being made. */
struct making {
	struct export *ex;
	struct arena *arena;
	struct spool_entry e;
	struct spool_content content;
	struct postfix_message m;
	const struct spool_state **reasons; /* for each recipient, or NULL */
	bool *owed;                         /* a notice of its end */
	VEC(struct spool_state) states;
	struct buf logs[3];
};

/* ---- what became of the recipients ---- */

static void
apply(struct making *g, size_t rcpt, const struct spool_state *s)
{
	switch (s->kind) {
	case SPOOL_DEFERRED:
		if (!g->m.done[rcpt])
			g->reasons[rcpt] = s;
		break;
	case SPOOL_DONE:
	case SPOOL_NOTIFIED:
		g->m.done[rcpt] = true;
		g->owed[rcpt] = false;
		break;
	case SPOOL_FAILED:
		g->owed[rcpt] = !g->m.done[rcpt] || g->owed[rcpt];
		g->m.done[rcpt] = true;
		g->reasons[rcpt] = s;
		break;
	case SPOOL_DELAY_SENT:
		g->m.delay_sent = true;
		break;
	default:
		break;
	}
}

static void
apply_all(struct making *g)
{
	size_t n = g->m.envelope.n_rcpts;

	for (size_t i = 0; i < g->states.n; i++) {
		const struct spool_state *s = &g->states.items[i];

		for (size_t r = 0; r < n && s->rcpts.len == 0; r++)
			apply(g, r, s);
		for (size_t at = 0; at + 4 <= s->rcpts.len; at += 4)
			if (get_u32(s->rcpts.data + at) < n)
				apply(g, get_u32(s->rcpts.data + at), s);
	}
	/* An alias that became others: nothing is delivered to it. */
	for (size_t r = 0; r < n; r++)
		if ((g->m.envelope.rcpts[r].notify & NOTIFY_EXPANDED) && !g->m.done[r])
			g->m.done[r] = g->owed[r] = true;
}

static int
making_read(struct making *g)
{
	int result = spool_read(
		g->ex->reader, g->e.mid, g->e.where, false, g->arena, &g->content);

	for (size_t i = 0; i < g->e.n_states && result == 0; i++) {
		struct spool_state *states;
		size_t n;

		result = spool_read_states(
			g->ex->reader, g->e.mid, g->e.states[i], g->arena, &states, &n);
		for (size_t j = 0; j < n && result == 0; j++)
			*vec_push(&g->states) = states[j];
	}
	if (result == 0)
		result = spool_body_check(&g->content);
	if (result == 0 &&
		(envelope_get(g->content.envelope, &g->m.envelope, g->arena) < 0 ||
			g->m.envelope.n_rcpts == 0)) {
		errno = EBADMSG;
		result = -1;
	}
	return result;
}

/* ---- the logs beside it ---- */

static void
log_rcpt(struct making *g, size_t rcpt)
{
	static const struct spool_state expanded = { .status = STR_INIT("2.0.0"),
		.reason = STR_INIT("alias expanded") };
	const struct rcpt *r = &g->m.envelope.rcpts[rcpt];
	const struct spool_state *s = g->reasons[rcpt] ? g->reasons[rcpt] : &expanded;
	struct dsn_detail detail = { .expanded = s == &expanded };
	struct postfix_outcome o = { .has_offset = true,
		.offset = g->m.offsets[rcpt],
		.recipient = r->address,
		.original = r->original,
		.orcpt = r->orcpt,
		.notify = r->notify & 15,
		.status = s->status,
		.reason = s->reason };
	unsigned which = DEFER;

	if (s->detail.len > 0 && dsn_detail_get(s->detail, &detail, g->arena) < 0)
		detail = (struct dsn_detail){ 0 };
	o.remote_mta = detail.remote_mta;
	o.diagnostic = detail.diagnostic;
	o.diagnostic_is_smtp = detail.diagnostic_is_smtp;
	o.action = STR("delayed");
	if (g->m.done[rcpt]) {
		which = str_starts(s->status, STR("2")) ? TRACE : BOUNCE;
		o.action = which == BOUNCE   ? STR("failed")
			   : detail.expanded ? STR("expanded")
					     : STR("delivered");
	}
	postfix_outcome_put(&g->logs[which], &o);
}

static void
make_logs(struct making *g)
{
	for (size_t r = 0; r < g->m.envelope.n_rcpts; r++)
		if (g->m.done[r] ? g->owed[r] : g->reasons[r] != NULL)
			log_rcpt(g, r);
}

/* ---- files ---- */

static int
open_staged(struct export *ex, const char *folder, struct str name, struct arena *a)
{
	struct str path = arena_printf(a, "exported/%s/" STR_FMT, folder, STR_ARG(name));
	int fd = openat(ex->dir, path.data,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fchown(fd, ex->owner, ex->group) < 0)
		fd_close(&fd);
	return fd;
}

static int
write_out(int fd, struct buf *b, uint64_t *written)
{
	if (write_all(fd, buf_str(b)) < 0)
		return -1;
	*written += b->len;
	buf_clear(b);
	return 0;
}

/* Content and the end, behind what b holds. */
static int
write_content(struct making *g, int fd, struct buf *b, uint64_t *written)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got = 0;
	int result = 0;

	postfix_put_text(b, &line, g->content.content);
	while (result == 0 && g->content.body_fd >= 0 &&
		(got = pread(g->content.body_fd, piece, sizeof(piece), at)) > 0) {
		postfix_put_text(b, &line, str_of(piece, (size_t)got));
		result = write_out(fd, b, written);
		at += got;
	}
	postfix_put_end(b, &line);
	return result < 0 || got < 0 ? -1 : write_out(fd, b, written);
}

static int64_t
warn_time(const struct making *g)
{
	uint64_t arrival = g->m.envelope.arrival_us / 1000000;

	if (g->m.delay_sent)
		return 0;
	return g->ex->delay_warning > 0 && g->m.envelope.sender.len > 0
		       ? (int64_t)arrival + g->ex->delay_warning / 1000
		       : -1;
}

static int
write_message(struct making *g)
{
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	struct str id = str_c(g->e.queue_id);
	char size[POSTFIX_SIZE_RECORD];
	uint64_t written = 0, place;
	time_t wake = (time_t)((g->e.wake_us + 999999) / 1000000);
	struct timespec times[2] = { { .tv_sec = wake ? wake : time(NULL) } };
	int fd CLEANUP(fd_close) = -1;

	times[1] = times[0];
	fd = open_staged(
		g->ex, export_folders[g->e.hold ? HOLD : DEFERRED], id, g->arena);
	postfix_put_envelope(&b, &g->m, false, warn_time(g));
	place = b.len;
	make_logs(g);
	if (fd < 0 || write_content(g, fd, &b, &written) < 0)
		return -1;
	postfix_put_size(size, place, written - place - 4, &g->m,
		postfix_has_8bit_header(g->content.content));
	if (pwrite(fd, size, sizeof(size), 0) != sizeof(size) ||
		fchmod(fd, g->e.expire ? 0710 : 0700) < 0 || futimens(fd, times) < 0)
		return -1;
	fd_close(&g->ex->last);
	g->ex->last = fd_take(&fd);
	return 0;
}

static int
write_logs(struct making *g)
{
	for (unsigned i = 0; i < COUNT(g->logs); i++) {
		int fd CLEANUP(fd_close) = -1;

		if (g->logs[i].len == 0)
			continue;
		fd = open_staged(
			g->ex, export_folders[i], str_c(g->e.queue_id), g->arena);
		if (fd < 0 || write_all(fd, buf_str(&g->logs[i])) < 0)
			return -1;
	}
	return 0;
}

/* The first step, of one message. */
bool
export_make(struct export *ex, const struct known *k)
{
	struct making g = { .ex = ex, .arena = arena_new() };
	int result;

	g.content.body_fd = -1;
	/* The cleaner may have moved it since it was noted. */
	ensure(spool_find(ex->spool, k->mid, &g.e));
	result = making_read(&g);
	if (result == 0) {
		size_t n = g.m.envelope.n_rcpts;

		g.m.envelope.queue_id = str_c(k->queue_id);
		g.m.done = arena_alloc(g.arena, n * sizeof(bool));
		g.m.offsets = arena_alloc(g.arena, n * sizeof(uint64_t));
		g.reasons = arena_alloc(g.arena, n * sizeof(*g.reasons));
		g.owed = arena_alloc(g.arena, n * sizeof(bool));
		apply_all(&g);
		postfix_queue_enter();
		if (write_message(&g) < 0 || write_logs(&g) < 0)
			log_fatal("write to %s/exported: %s", ex->queue, strerror(errno));
		postfix_queue_leave();
	} else {
		log_error("%s: %s: it stays", k->queue_id,
			errno == EBADMSG ? "damaged" : strerror(errno));
		ex->bad++;
	}
	fd_close(&g.content.body_fd);
	vec_free(&g.states);
	for (size_t i = 0; i < COUNT(g.logs); i++)
		buf_free(&g.logs[i]);
	arena_free(g.arena);
	return result == 0;
}
