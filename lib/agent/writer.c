/* writer.c -- see writer.h. */
#include "writer.h"
#include "deliver.h"
#include "log.h"
#include "service.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writers wait for the disk, not for the processor; as many at a time share one flush. */
#define WRITER_THREADS 24
/* Longer than any lock or slow disk should take; the mail is then tried again later. */
#define WRITER_PATIENCE ((msec_t)600 * 1000)

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
	w.maildir = str_ends(ask.path, STR("/"));
	if (!w.order.path)
		why_set(&w.why, "4.2.0", "mailbox name holds a NUL");
	else if (mailbox_locks(ask.locks, &w.order) < 0)
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

static const struct ipc_handler writer_handlers[] = {
	{ .type = mailbox_TYPE, .run = writer_mailbox, .stack = CO_STACK_SMALL },
	{ 0 },
};

static void
writer_orphaned(struct ipc_link *link, void *ctx)
{
	(void)link, (void)ctx;
	event_stop();
}

NORETURN static void
writer_child(int fd, uid_t uid, gid_t gid)
{
	struct why why;

	event_after_fork();
	event_init();
	umask(077);
	event_offload_threads = WRITER_THREADS;
	if (sandbox_enter("writer", SANDBOX_MAILBOX, uid, gid, service_conf(), &why) < 0)
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
	pid_t pid; /* 0: this place is free */
	struct ipc_link *link;
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
	w->pid = 0;
}

static void
writer_reaped(pid_t pid, int status, void *arg)
{
	(void)arg;
	if (status != 0)
		log_warn(
			"mailbox writer pid %d ended with status 0x%x", (int)pid, status);
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
	int pair[2];
	pid_t pid;

	if (!w) {
		why_set(why, "4.3.0", "too many users have mail at once");
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		why_errno(why, "4.3.0", "socketpair");
		return NULL;
	}
	log_flush(); /* or the child would say it again */
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		writer_child(pair[1], uid, gid);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		why_errno(why, "4.3.0", "fork");
		return NULL;
	}
	*w = (struct writer){ .uid = uid, .gid = gid, .pid = pid };
	w->link = ipc_link_open(pair[0], NULL, w, writer_lost, "mailbox writer");
	event_on_child(pid, writer_reaped, NULL);
	return w;
}

enum verdict
writer_deliver(uid_t uid, gid_t gid, const struct mailbox_request *ask, int fd,
	struct arena *arena, struct why *why)
{
	struct writer *w = writer_find(uid, gid);
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct mailbox_reply said;
	struct ipc_link *link;
	struct str reply;
	int result;

	if (geteuid() != 0 && uid != geteuid())
		return why_set(why, "4.3.5",
			"mail system configuration error: this instance "
			"runs as uid %d and cannot deliver as uid %d",
			(int)geteuid(), (int)uid);
	if (!w && !(w = writer_start(uid, gid, why)))
		return TEMPFAIL;
	timer_cancel(&w->idle);
	w->busy++;
	link = w->link;
	mailbox_request_put(&bytes, ask);
	result = ipc_link_call(link, mailbox_TYPE, buf_str(&bytes), fd, arena, &reply,
		NULL, deadline_in(WRITER_PATIENCE));
	if (w->link == link && --w->busy == 0)
		timer_set(
			&w->idle, deadline_in(service_conf()->p.max_idle), writer_end, w);
	if (result < 0 || mailbox_reply_get(reply, &said, arena) < 0)
		return why_set(why, "4.3.0", "mailbox writer: %s", strerror(errno));
	snprintf(why->code, sizeof(why->code), "%.*s", STR_ARG(said.code));
	snprintf(why->text, sizeof(why->text), "%.*s", STR_ARG(said.text));
	return said.verdict <= PERMFAIL ? (enum verdict)said.verdict : TEMPFAIL;
}

void
writers_close(void)
{
	for (size_t i = 0; i < COUNT(writers); i++)
		if (writers[i].link && writers[i].busy == 0)
			writer_end(&writers[i]);
}
