/* writer.c -- see writer.h. */
#include "writer.h"
#include "deliver.h"
#include "launcher.h"
#include "log.h"
#include "service.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writers wait for the disk, not for the processor; as many at a time share one flush. */
#define WRITER_THREADS 24
/* Longer than any lock or slow disk should take; the mail is then tried again later. */
#define WRITER_PATIENCE ((msec_t)600 * 1000)
/* A home directory that does not answer defers the mail of its user, and no other's. */
#define LIST_PATIENCE ((msec_t)60 * 1000)

/* ---- the child ---- */

struct mailbox_work {
	struct mailbox_order order;
	enum verdict verdict;
	struct why why;
	bool maildir;
};

static void
mailbox_write(void *arg)
{
	struct mailbox_work *w = arg;

	w->verdict = w->maildir ? maildir_deliver(&w->order, &w->why)
				: mbox_deliver(&w->order, &w->why);
}

static void
writer_mailbox(struct ipc_request *rq)
{
	const struct conf *c = service_conf();
	struct mailbox_request ask;
	struct mailbox_work w = { .verdict = TEMPFAIL };
	struct mailbox_reply say;

	if (mailbox_request_get(rq->payload, &ask, rq->arena) < 0)
		log_panic("malformed mailbox request from our own parent");
	w.order.path = arena_cstr(rq->arena, ask.path);
	w.order.hostname = arena_cstr(rq->arena, c->p.myhostname);
	w.order.headers = ask.headers;
	w.order.sender = ask.sender;
	w.order.first = ask.content;
	w.order.rest_fd = rq->fd;
	w.order.rest = ask.rest;
	w.order.limit = ask.limit;
	w.order.strict = ask.how & MAILBOX_STRICT;
	w.order.named = ask.how & MAILBOX_NAMED;
	w.order.gives_up = ask.how & MAILBOX_GIVES_UP;
	w.order.quota = (struct quota){ ask.quota_bytes, ask.quota_count };
	w.order.quota_waits = ask.how & MAILBOX_WAITS;
	w.order.lock_attempts = c->p.deliver_lock_attempts;
	w.order.lock_delay = c->p.deliver_lock_delay;
	w.order.lock_stale = c->p.stale_lock_time;
	w.maildir = str_ends(ask.path, STR("/"));
	if (!w.order.path)
		why_set(&w.why, "4.2.0", "mailbox name holds a NUL");
	else if (mailbox_locks(ask.locks, &w.order).data)
		why_set(&w.why, "4.3.5",
			"mail system configuration error: unknown lock method "
			"in \"%.*s\"",
			STR_ARG(ask.locks));
	else
		event_offload(mailbox_write, &w);
	say = (struct mailbox_reply){ .verdict = (uint8_t)w.verdict,
		.code = str_c(w.why.code),
		.text = str_c(w.why.text) };
	mailbox_answer(rq, &say);
}

/* ---- .forward files and lists ---- */

#define LIST_MOST ((size_t)2 * 1024 * 1024)

struct list_work {
	const struct list_file_request *ask;
	struct arena *arena;
	struct list_file_reply say;
};

static void
read_list(struct list_work *w, int fd)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	ssize_t got;

	do {
		buf_need(&text, 16384);
		got = read(fd, text.data + text.len, 16384);
		if (got > 0)
			text.len += (size_t)got;
		if (text.len > LIST_MOST) {
			w->say.error = EFBIG;
			return;
		}
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		w->say.error = (uint32_t)errno;
	w->say.content = arena_str(w->arena, buf_str(&text));
}

static uint32_t
directory_mode(struct arena *arena, struct str path)
{
	ssize_t slash = str_rchr(path, '/');
	struct stat st;

	if (slash <= 0 ||
		stat(arena_cstr(arena, str_sub(path, 0, (size_t)slash)), &st) < 0)
		return 0;
	return st.st_mode;
}

/* Opened first and looked at then: what is judged is what is read. O_NONBLOCK, or a FIFO
 * would hold us up. */
static bool
list_try(struct list_work *w, struct str path)
{
	const char *z = arena_cstr(w->arena, path);
	int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | (w->ask->links ? 0 : O_NOFOLLOW);
	int fd CLEANUP(fd_close) = z ? open(z, flags) : -1;
	struct stat st;

	if (fd < 0 && (!z || errno == ENOENT || errno == ENOTDIR))
		return false;
	w->say.directory_mode = directory_mode(w->arena, path);
	if (fd < 0) {
		w->say.regular = errno != ELOOP && errno != ENXIO;
		w->say.error = (uint32_t)errno;
	} else if (fstat(fd, &st) < 0)
		w->say.error = (uint32_t)errno;
	else {
		w->say.regular = S_ISREG(st.st_mode);
		w->say.uid = st.st_uid;
		w->say.mode = st.st_mode;
		if (w->say.regular)
			read_list(w, fd);
	}
	return true;
}

static void
list_work(void *arg)
{
	struct list_work *w = arg;
	const char *home = w->ask->home.len ? arena_cstr(w->arena, w->ask->home) : "/";
	struct stat st;

	if (!home || stat(home, &st) < 0) {
		w->say.home_error = home ? (uint32_t)errno : EINVAL;
		return;
	}
	for (size_t i = 0; i < w->ask->paths.n; i++)
		if (list_try(w, w->ask->paths.items[i])) {
			w->say.found = (uint32_t)i + 1;
			return;
		}
}

static void
writer_list_file(struct ipc_request *rq)
{
	struct list_file_request ask;
	struct list_work w = { .ask = &ask, .arena = rq->arena };

	if (list_file_request_get(rq->payload, &ask, rq->arena) < 0)
		log_panic("malformed list request from our own parent");
	event_offload(list_work, &w);
	list_file_answer(rq, &w.say);
}

static const struct ipc_handler writer_handlers[] = {
	{ .type = mailbox_TYPE, .run = writer_mailbox, .stack = CO_STACK_SMALL },
	{ .type = list_file_TYPE, .run = writer_list_file, .stack = CO_STACK_SMALL },
	{ 0 },
};

static void
writer_orphaned(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	event_stop();
}

void
writer_child(int fd, uid_t uid, gid_t gid, const struct conf *c)
{
	struct why why;

	event_init();
	umask(077);
	event_offload_threads = WRITER_THREADS;
	if (sandbox_enter("writer", SANDBOX_MAILBOX, uid, gid, c, &why) < 0)
		log_fatal("mailbox writer for uid %d: %s", (int)uid, why.text);
	ipc_link_open(fd, writer_handlers, NULL, writer_orphaned, "parent");
	event_run();
	log_flush();
	_exit(0);
}

/* ---- the parent ---- */

struct writer {
	uid_t uid;
	gid_t gid;
	struct ipc_link *link; /* NULL: this place is free */
	unsigned busy;
	struct timer idle;
};
static struct writer writers[WRITERS_MOST];

static void
writer_end(void *arg)
{
	struct writer *w = arg;

	timer_cancel(&w->idle);
	if (w->link)
		ipc_link_close(w->link); /* the child sees the end of it and leaves */
}

static void
writer_lost(struct ipc_link *link, void *ctx)
{
	struct writer *w = ctx;

	(void)link;
	timer_cancel(&w->idle);
	w->link = NULL;
}

static struct writer *
writer_find(uid_t uid, gid_t gid)
{
	for (size_t i = 0; i < COUNT(writers); i++)
		if (writers[i].link && writers[i].uid == uid && writers[i].gid == gid)
			return &writers[i];
	return NULL;
}

/* A free place; else that of a child with nothing to do, which is let go. */
static struct writer *
writer_place(void)
{
	struct writer *oldest = NULL;

	for (size_t i = 0; i < COUNT(writers); i++) {
		struct writer *w = &writers[i];

		if (!w->link)
			return w;
		if (w->busy == 0 && (!oldest || w->idle.at < oldest->idle.at))
			oldest = w;
	}
	if (oldest)
		writer_end(oldest);
	return oldest && !oldest->link ? oldest : NULL;
}

static struct writer *
writer_start(uid_t uid, gid_t gid, struct why *why)
{
	struct writer *w = writer_place();
	int fd = w ? launcher_child(LAUNCH_WRITER, uid, gid) : -1;

	if (!w) {
		why_set(why, "4.3.0", "too many users have mail at once");
		return NULL;
	}
	if (fd < 0) {
		launcher_why(uid, why);
		return NULL;
	}
	*w = (struct writer){ .uid = uid, .gid = gid };
	w->link = ipc_link_open(fd, NULL, w, writer_lost, "mailbox writer");
	return w;
}

/* One call to the child of that user. */
static enum verdict
writer_ask(uid_t uid, gid_t gid, unsigned type, struct str ask, int fd, msec_t patience,
	struct arena *arena, struct str *reply, struct why *why)
{
	struct writer *w = writer_find(uid, gid);
	struct ipc_link *link;
	int result;

	if (!w && !(w = writer_start(uid, gid, why)))
		return TEMPFAIL;
	timer_cancel(&w->idle);
	w->busy++;
	link = w->link;
	result = ipc_link_call(
		link, type, ask, fd, arena, reply, NULL, deadline_in(patience));
	if (w->link == link && --w->busy == 0)
		timer_set(
			&w->idle, deadline_in(service_conf()->p.max_idle), writer_end, w);
	if (result == 0)
		return ACCEPT;
	return why_set(why, "4.3.0", "mailbox writer: %s", strerror(errno));
}

enum verdict
writer_deliver(uid_t uid, gid_t gid, const struct mailbox_request *ask, int fd,
	struct arena *arena, struct why *why)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct mailbox_reply said;
	struct str reply;

	mailbox_request_put(&bytes, ask);
	if (writer_ask(uid, gid, mailbox_TYPE, buf_str(&bytes), fd, WRITER_PATIENCE,
		    arena, &reply, why) != ACCEPT)
		return TEMPFAIL;
	if (mailbox_reply_get(reply, &said, arena) < 0)
		return why_set(why, "4.3.0", "mailbox writer: malformed answer");
	snprintf(why->code, sizeof(why->code), STR_FMT, STR_ARG(said.code));
	snprintf(why->text, sizeof(why->text), STR_FMT, STR_ARG(said.text));
	return said.verdict <= PERMFAIL ? (enum verdict)said.verdict : TEMPFAIL;
}

enum verdict
writer_quota(const char *parameter, struct str value, bool bounces,
	struct mailbox_request *ask, struct why *why)
{
	struct quota q;

	if (quota_parse(value, &q) < 0) {
		log_warn("%s: bad quota \"" STR_FMT "\": 1000000S, 500C or 1000000S,500C "
			 "is needed",
			parameter, STR_ARG(value));
		return why_set(why, "4.3.5", "mail system configuration error");
	}
	ask->quota_bytes = q.bytes;
	ask->quota_count = q.count;
	if (!bounces)
		ask->how |= MAILBOX_WAITS;
	return ACCEPT;
}

enum verdict
writer_list_read(uid_t uid, gid_t gid, const struct list_file_request *ask,
	struct arena *arena, struct list_file_reply *said, struct why *why)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct str reply;

	list_file_request_put(&bytes, ask);
	if (writer_ask(uid, gid, list_file_TYPE, buf_str(&bytes), -1, LIST_PATIENCE,
		    arena, &reply, why) != ACCEPT)
		return TEMPFAIL;
	if (list_file_reply_get(reply, said, arena) < 0 || said->found > ask->paths.n)
		return why_set(why, "4.3.0", "mailbox writer: malformed answer");
	return ACCEPT;
}

void
writers_close(void)
{
	for (size_t i = 0; i < COUNT(writers); i++)
		if (writers[i].link && writers[i].busy == 0)
			writer_end(&writers[i]);
}
