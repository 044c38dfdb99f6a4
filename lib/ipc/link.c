/* link.c -- one persistent connection between two of our processes.
 *
 * Reading: all links share one read buffer; frames are handled where they lie in it, and
 * only a beginning that is not complete yet is kept with its link. A frame larger than
 * the buffer is read straight to where it is kept. Writing: everything queued leaves at
 * the end of the turn. */
#include "ipc_impl.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	INBOX = 256 * 1024,
	READS_PER_EVENT = 16,        /* then others get their turn */
	HELLO_PATIENCE = 10 * 1000,  /* from connect to HELLO */
	FD_PATIENCE = 10,            /* when too many descriptors are in flight */
	SOCKET_BUFFER = 1024 * 1024, /* asked for; the kernel gives what it may */
	SENT_WAKE = 4 * 1024 * 1024,
	HELD_LIMIT = 64 * 1024 * 1024,  /* what requests keep before we stop reading */
	HELD_CLOSE = 512 * 1024 * 1024, /* ... and when streams oblige us to go on */
};

static char *inbox;

static void link_event(struct io *io);
static void link_flush(void *arg);
static void link_end(void *arg);
static void link_again(void *arg);
static void link_read(struct ipc_link *l);

static struct ipc_link *
link_new(int fd, const struct ipc_handler *handlers, void *ctx,
	void (*on_close)(struct ipc_link *, void *), const char *name)
{
	struct ipc_link *l = mem_alloc(sizeof(*l));
	int size = SOCKET_BUFFER;

	l->handlers = handlers;
	l->ctx = ctx;
	l->on_close = on_close;
	l->flush = (struct event_later){ .fn = link_flush, .arg = l };
	l->end = (struct event_later){ .fn = link_end, .arg = l };
	l->users = 1;
	l->caller = mem_alloc(sizeof(*l->caller));
	l->caller->users = 1;
	snprintf(l->name, sizeof(l->name), "%s", name);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (io_open(&l->io, fd) < 0) {
		log_warn("link with %s: cannot watch its descriptor: %m", name);
		l->io.fd = -1;
		fd_close(&fd);
		ipc_link_close(l);
		return l;
	}
	l->io.on_event = link_event;
	l->io.arg = l;
	return l;
}

struct ipc_link *
ipc_link_open(int fd, const struct ipc_handler *handlers, void *ctx,
	void (*on_close)(struct ipc_link *, void *ctx), const char *peer_name)
{
	return link_new(fd, handlers, ctx, on_close, peer_name);
}

static void
hello_missing(void *arg)
{
	link_malformed(arg, "said no HELLO in time");
}

struct ipc_link *
ipc_link_accept(int fd, const struct ipc_handler *handlers, void *ctx,
	void (*on_close)(struct ipc_link *, void *ctx), uid_t trusted)
{
	struct ipc_link *l = link_new(fd, handlers, ctx, on_close, "a new client");

	l->wants_hello = true;
	l->trusted = trusted;
	if (!l->closing)
		timer_set(&l->hello_timer, deadline_in(HELLO_PATIENCE), hello_missing, l);
	return l;
}

const struct ipc_caller *
ipc_link_caller(const struct ipc_link *l)
{
	return &l->caller->who;
}

void *
ipc_link_own(struct ipc_link *l)
{
	return l->own;
}

void
ipc_link_set_own(struct ipc_link *l, void *own)
{
	l->own = own;
}

size_t
ipc_link_pending(const struct ipc_link *l)
{
	return l->out.pending;
}

/* ---- the end ---- */

/* Stops all traffic now; the rest waits for the end of the turn, because we may be deep
 * in a handler of this very link. */
void
ipc_link_close(struct ipc_link *l)
{
	if (l->closing)
		return;
	l->closing = true;
	if (l->io.fd >= 0) {
		(void)out_write(&l->out, l->io.fd);
		io_close(&l->io);
	}
	timer_cancel(&l->again);
	timer_cancel(&l->hello_timer);
	event_later_cancel(&l->flush);
	event_at_turn_end(&l->end);
}

bool
ipc_link_idle(const struct ipc_link *l)
{
	int unread = 0;

	return !l->closing && !l->requests && l->in.len == 0 && l->out.pending == 0 &&
	       ioctl(l->io.fd, FIONREAD, &unread) == 0 && unread == 0;
}

void
ipc_link_leave(struct ipc_link *l)
{
	struct frame f = { .kind = FRAME_LEAVE };

	if (l->closing || l->finishing || l->wants_hello || l->said_leave)
		return;
	l->said_leave = true;
	link_send(l, &f, STR_NONE, -1);
}

void
ipc_link_finish(struct ipc_link *l)
{
	if (l->closing || l->finishing)
		return;
	l->finishing = true;
	shutdown(l->io.fd, SHUT_RD);
	timer_set(&l->again, event_now(), link_again, l);
}

void
link_finish_if_done(struct ipc_link *l)
{
	bool done = l->finishing && l->read_out;

	if (l->left)
		done = l->free_calls.n == l->calls.n && l->out.pending == 0;
	if (done && !l->requests)
		ipc_link_close(l);
}

/* Everybody learns of the end; then the link is gone. */
static void
link_end(void *arg)
{
	struct ipc_link *l = arg;

	l->ended = true;
	if (l->peer)
		peer_lost(l->peer, l);
	calls_fail(l);
	requests_orphan(l);
	co_wake_all(&l->sent);
	if (l->on_close)
		l->on_close(l, l->ctx);
	out_free(&l->out);
	buf_free(&l->in);
	fds_close(&l->fds_in);
	vec_free(&l->calls);
	vec_free(&l->free_calls);
	vec_free(&l->slots);
	caller_drop(l->caller);
	link_drop(l);
}

void
link_drop(struct ipc_link *l)
{
	if (--l->users == 0)
		mem_free(l);
}

bool
link_malformed(struct ipc_link *l, const char *why)
{
	if (!l->closing)
		log_warn("link with %s: it %s; closing the link", l->name, why);
	ipc_link_close(l);
	return false;
}

void
caller_drop(struct caller *c)
{
	if (--c->users == 0)
		mem_free(c);
}

/* ---- writing ---- */

void
link_flush_later(struct ipc_link *l)
{
	if (!l->closing)
		event_at_turn_end(&l->flush);
}

static void
queued(struct ipc_link *l)
{
	if (l->out.pending > IPC_OUT_LIMIT)
		link_malformed(l, "does not read what we send");
	else
		link_flush_later(l);
}

void
link_send(struct ipc_link *l, struct frame *f, struct str payload, int fd)
{
	link_send_fds(l, f, payload, &fd, fd >= 0 ? 1 : 0);
}

void
link_send_fds(struct ipc_link *l, struct frame *f, struct str payload, const int *fds,
	size_t n_fds)
{
	if (l->closing)
		return;
	out_frame_fds(&l->out, f, payload, fds, n_fds);
	queued(l);
}

void
link_send_borrowed(struct ipc_link *l, struct frame *f, struct str payload, int fd,
	struct piece **borrower)
{
	if (l->closing)
		return;
	out_frame_borrowed(&l->out, f, payload, fd, borrower);
	queued(l);
}

static void
link_flush(void *arg)
{
	struct ipc_link *l = arg;
	int result;

	if (l->closing || l->blocked)
		return;
	result = out_write(&l->out, l->io.fd);
	l->blocked = result == 1;
	if (l->blocked)
		io_write_blocked(&l->io);
	if (result == 2)
		timer_set(&l->again, deadline_in(FD_PATIENCE), link_again, l);
	if (result < 0) {
		/* The peer is gone; what it said before is still to be read. */
		l->io.hangup = true;
		out_free(&l->out);
		link_read(l);
		ipc_link_close(l);
	}
	if (l->out.pending < SENT_WAKE)
		co_wake_all(&l->sent);
	link_finish_if_done(l);
}

SWITCHES int
ipc_link_wait_sent(struct ipc_link *l, size_t most, deadline_t patience)
{
	int result = 0;

	l->users++;
	while (result == 0 && !l->closing && l->out.pending > most)
		result = co_wait(&l->sent, patience);
	if (result == 0 && l->closing) {
		errno = ECONNRESET;
		result = -1;
	}
	link_drop(l);
	return result;
}

/* ---- reading ---- */

bool
link_hold(struct ipc_link *l, size_t n)
{
	l->held += n;
	return l->held <= HELD_CLOSE ||
	       link_malformed(l, "asks for more than we can keep");
}

void
link_release(struct ipc_link *l, size_t n)
{
	l->held -= n;
	if (l->paused && l->held < HELD_LIMIT / 2 && !l->closing) {
		l->paused = false;
		timer_set(&l->again, event_now(), link_again, l);
	}
}

/* Open streams oblige us to go on reading: their requests wait for what comes. */
static bool
holds_too_much(const struct ipc_link *l)
{
	return l->held > HELD_LIMIT && l->streams_in == 0;
}

/* Those who have a link of their own making stay: they know what its end means. */
static bool
take_leave(struct ipc_link *l)
{
	if (!l->peer)
		return true;
	l->left = true;
	peer_lost(l->peer, l);
	link_finish_if_done(l);
	return !l->closing;
}

static bool
dispatch(struct ipc_link *l, const struct frame *f, struct str payload, struct fds *fds)
{
	if (l->wants_hello || f->kind == FRAME_HELLO)
		return hello_take(l, f, payload);
	switch (f->kind) {
	case FRAME_CALL:
	case FRAME_NOTE:
		return request_take_call(l, f, payload, fds);
	case FRAME_REPLY:
		return call_take_reply(l, f, payload, fds);
	case FRAME_DATA:
		return request_take_data(l, f, payload);
	case FRAME_END:
		return request_take_end(l, f);
	case FRAME_CREDIT:
		return call_take_credit(l, f, payload);
	case FRAME_CANCEL:
		return request_take_cancel(l, f);
	case FRAME_LEAVE:
		return take_leave(l);
	default:
		return link_malformed(l, "sent a frame of an unknown kind");
	}
}

static bool
take_frame(struct ipc_link *l, const struct frame *f, struct str payload)
{
	struct fds fds CLEANUP(fds_close) = { .n = 0 };

	if (f->flags & ~(FRAME_FD | FRAME_STREAM))
		return link_malformed(l, "sent a frame with unknown flags");
	if (f->flags & FRAME_FD) {
		if (l->fds_in.n == 0)
			return link_malformed(
				l, "announced a descriptor that did not come");
		fds = l->fds_in;
		l->fds_in.n = 0;
	}
	return dispatch(l, f, payload, &fds);
}

/* Handles the complete frames in data; how many bytes they were. */
static size_t
parse(struct ipc_link *l, const char *data, size_t len)
{
	size_t used = 0;

	while (!l->closing && len - used >= FRAME_HEADER) {
		struct frame f;

		frame_get(data + used, &f);
		if (f.len > IPC_FRAME_LIMIT) {
			link_malformed(l, "sent a frame above the limit");
			break;
		}
		l->paused = holds_too_much(l);
		if (l->paused || len - used - FRAME_HEADER < f.len)
			break;
		if (!take_frame(l, &f, str_of(data + used + FRAME_HEADER, f.len)))
			break;
		used += FRAME_HEADER + f.len;
	}
	return used;
}

/* What was kept when reading stopped may hold complete frames. */
static void
parse_kept(struct ipc_link *l)
{
	struct buf kept CLEANUP(buf_free) = l->in;
	size_t used;

	l->in = (struct buf)BUF_INIT;
	used = parse(l, kept.data, kept.len);
	if (!l->closing)
		buf_add(&l->in, str_from(buf_str(&kept), used));
}

/* The size of the frame that begins in l->in; 0: not known yet. parse() has seen every
 * whole header, so it is within the limit. */
static size_t
expected(const struct ipc_link *l)
{
	return l->in.len < FRAME_HEADER ? 0 : FRAME_HEADER + get_u32(l->in.data);
}

static bool
take_descriptors(struct ipc_link *l, struct msghdr *m)
{
	bool ok = !(m->msg_flags & MSG_CTRUNC) && l->fds_in.n == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			ok = ok && l->fds_in.n < IPC_FDS_MOST;
			if (ok)
				l->fds_in.fd[l->fds_in.n++] = fd;
			else
				fd_close(&fd);
		}
	}
	return ok || link_malformed(l, "sent descriptors that belong to no frame");
}

enum got { GOT_MORE, GOT_ALL, GOT_NOTHING, GOT_END };

static enum got
receive(struct ipc_link *l, void *room, size_t size, size_t *got)
{
	char control[CMSG_SPACE(IPC_FDS_MOST * sizeof(int))];
	struct iovec part = { room, size };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(l->io.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return GOT_NOTHING;
	if (n <= 0)
		return GOT_END;
	*got = (size_t)n;
	if (m.msg_controllen > 0) /* the kernel stops reading behind a descriptor */
		return take_descriptors(l, &m) ? GOT_MORE : GOT_END;
	return *got < size ? GOT_ALL : GOT_MORE;
}

/* One read, and the frames that it completes. */
static enum got
read_large(struct ipc_link *l, size_t want)
{
	size_t n = 0;
	enum got got;

	buf_need(&l->in, want - l->in.len);
	got = receive(l, l->in.data + l->in.len, want - l->in.len, &n);
	l->in.len += n;
	if (got != GOT_END && l->in.len == want)
		parse_kept(l);
	return got;
}

static enum got
read_small(struct ipc_link *l)
{
	size_t kept = l->in.len, n = 0, used;
	enum got got;

	if (!inbox)
		inbox = mem_resize(NULL, INBOX);
	if (kept > 0)
		memcpy(inbox, l->in.data, kept);
	got = receive(l, inbox + kept, INBOX - kept, &n);
	if (n == 0 || got == GOT_END)
		return got;
	buf_clear(&l->in);
	used = parse(l, inbox, kept + n);
	if (!l->closing && used < kept + n)
		buf_add(&l->in, str_of(inbox + used, kept + n - used));
	else
		buf_free(&l->in);
	return got;
}

static void
link_read(struct ipc_link *l)
{
	if (l->in.len > 0)
		parse_kept(l);
	for (int i = 0; i < READS_PER_EVENT; i++) {
		size_t want = expected(l);
		enum got got;

		if (l->closing || l->paused)
			return;
		got = want > INBOX ? read_large(l, want) : read_small(l);
		if (got == GOT_END) {
			l->read_out = true;
			if (l->finishing)
				link_finish_if_done(l);
			else
				ipc_link_close(l);
			return;
		}
		/* After a hang-up no further event would make us read the rest. */
		if (got == GOT_NOTHING || (got == GOT_ALL && !l->io.hangup))
			return;
	}
	timer_set(&l->again, event_now(), link_again, l);
}

static void
link_again(void *arg)
{
	struct ipc_link *l = arg;

	link_read(l);
	if (!l->closing && l->out.pending > 0)
		link_flush_later(l);
}

static void
link_event(struct io *io)
{
	struct ipc_link *l = io->arg;

	if (io->writable && l->blocked) {
		l->blocked = false;
		link_flush_later(l);
	}
	if (io->readable || io->hangup)
		link_read(l);
}
