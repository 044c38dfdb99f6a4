/* events.c -- see events.h. One coroutine connects, through broker, and writes. A line is
 * forgotten when it was written whole: after a broken connection the reader may see the
 * last ones twice. */
#include "events.h"
#include "event.h"
#include "log.h"
#include "outside.h"
#include "service.h"
#include <errno.h>
#include <sys/socket.h>

#define CONNECT_PATIENCE ((msec_t)10000)
#define RETRY            ((msec_t)1000)
#define WRITE_PATIENCE   ((msec_t)60000)
#define PIECE            ((size_t)64 * 1024)

static struct {
	struct buf waiting; /* whole lines */
	uint64_t lost; /* lines there was no room for, since the last that there was */
	bool running;
	bool renew;  /* event_socket may be another one by now */
	bool broken; /* said so in the log */
	struct co_queue wake;
} events;

static bool
are_wanted(void)
{
	return outside.conf->p.event_socket.len > 0;
}

/* ---- lines ---- */

static void
put_text(struct buf *line, const char *name, struct str value)
{
	buf_printf(line, ", \"%s\": ", name);
	json_put(line, value);
}

static void
begin(struct buf *line, const char *what, const struct message *m)
{
	int64_t now = outside.now_us();

	buf_printf(line, "{\"event\": \"%s\", \"time\": %lld.%06d, \"queue_id\": \"%s\"",
		what, (long long)(now / 1000000), (int)(now % 1000000), m->queue_id);
}

static bool
fits(size_t more)
{
	return events.waiting.len + more <=
	       (size_t)outside.conf->p.event_socket_buffer_limit;
}

static void
end(struct buf *line)
{
	struct buf gap CLEANUP(buf_free) = BUF_INIT;

	buf_addz(line, "}\n");
	if (events.lost)
		buf_printf(&gap, "{\"event\": \"lost\", \"lines\": %llu}\n",
			(unsigned long long)events.lost);
	if (!fits(gap.len + line->len)) {
		events.lost++;
		return;
	}
	events.lost = 0;
	buf_add(&events.waiting, buf_str(&gap));
	buf_add(&events.waiting, buf_str(line));
	co_wake_all(&events.wake);
}

void
events_accepted(const struct message *m, struct str envelope)
{
	static struct buf line;
	struct arena *arena CLEANUP(arena_free_at) = NULL;
	struct envelope e;

	if (!are_wanted())
		return;
	arena = arena_new();
	if (envelope_get(envelope, &e, arena) < 0 ||
		e.flags & (ENVELOPE_PROBE | ENVELOPE_VERIFY))
		return;
	buf_clear(&line);
	begin(&line, "accepted", m);
	buf_printf(&line, ", \"size\": %llu, \"recipients\": %zu",
		(unsigned long long)m->size, e.n_rcpts);
	put_text(&line, "sender", e.sender);
	if (e.client_address.len) {
		put_text(&line, "client_name", e.client_name);
		put_text(&line, "client_address", e.client_address);
		put_text(&line, "helo", e.helo);
	}
	if (e.sasl_username.len)
		put_text(&line, "sasl_username", e.sasl_username);
	put_text(&line, "protocol", e.protocol.len ? e.protocol : STR("local"));
	end(&line);
}

static void
tell(const char *what, const struct active *a, uint32_t n, const struct destination *to,
	struct str status, struct str reason)
{
	static struct buf line;
	const struct rcpt *r = &a->envelope.rcpts[n];
	int64_t age = outside.now_us() - (int64_t)a->message->arrival_us;

	buf_clear(&line);
	begin(&line, what, a->message);
	put_text(&line, "sender", a->envelope.sender);
	put_text(&line, "recipient", r->address);
	if (!str_eq(rcpt_original(r), r->address))
		put_text(&line, "original_recipient", rcpt_original(r));
	if (to) {
		put_text(&line, "transport", to->transport->name);
		put_text(&line, "nexthop", to->nexthop);
	}
	buf_printf(&line, ", \"delay\": %.3f", (double)MAX(age, 0) / 1e6);
	put_text(&line, "status", status);
	put_text(&line, "reason", reason);
	end(&line);
}

void
events_outcome(const struct active *a, uint32_t n, const struct destination *to,
	const struct outcome *o)
{
	const char *what = o->verdict == ACCEPT     ? "delivered"
			   : o->verdict == PERMFAIL ? "bounced"
						    : "deferred";

	if (are_wanted() && !a->verifying && !(a->envelope.flags & ENVELOPE_PROBE))
		tell(what, a, n, to, o->code, o->text);
}

void
events_expired(const struct active *a, uint32_t n)
{
	if (are_wanted())
		tell("bounced", a, n, NULL, a->now[n].code, a->now[n].text);
}

/* ---- the connection ---- */

/* The first lines, whole ones, about as many as one write takes. */
static size_t
piece_of(struct str waiting)
{
	ssize_t end;

	if (waiting.len <= PIECE)
		return waiting.len;
	end = str_rchr(str_sub(waiting, 0, PIECE), '\n');
	if (end < 0) /* one long line */
		end = str_chr(waiting, '\n');
	return (size_t)end + 1;
}

/* A reader that went away shows by the end of what it never says; without asking, TCP
 * would take one write more for it. */
static bool
has_gone(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Until the connection breaks, or is not the one that is wanted. */
SWITCHES static void
write_lines(int fd)
{
	struct io io;

	if (io_open(&io, fd) < 0)
		return;
	while (!events.renew) {
		struct buf piece CLEANUP(buf_free) = BUF_INIT;

		if (events.waiting.len == 0) {
			if (co_wait(&events.wake, DEADLINE_NEVER) < 0)
				break;
			continue;
		}
		/* A copy: what waits may grow, and move, meanwhile. */
		buf_add(&piece, str_sub(buf_str(&events.waiting), 0,
					piece_of(buf_str(&events.waiting))));
		if (has_gone(io.fd) || io_write_all(&io, buf_str(&piece),
					       deadline_in(WRITE_PATIENCE)) < 0)
			break;
		buf_drop(&events.waiting, piece.len);
	}
	io_detach(&io);
}

static void
keep_connected(void *arg)
{
	struct buf endpoint CLEANUP(buf_free) = BUF_INIT;

	(void)arg;
	co_name("event_socket");
	while (are_wanted()) {
		int fd CLEANUP(fd_close) = -1;

		events.renew = false;
		buf_clear(&endpoint);
		buf_add(&endpoint, outside.conf->p.event_socket);
		fd = service_connect(buf_cstr(&endpoint), deadline_in(CONNECT_PATIENCE));
		if (fd < 0 && !events.broken)
			log_warn(
				"event_socket %s: %m; trying again", buf_cstr(&endpoint));
		events.broken = fd < 0;
		if (fd >= 0)
			write_lines(fd);
		if (!events.renew && co_sleep(deadline_in(RETRY)) < 0)
			break;
	}
	buf_free(&events.waiting);
	events.lost = 0;
	events.running = false;
}

void
events_start(void)
{
	if (!are_wanted() || events.running)
		return;
	events.running = true;
	co_spawn(keep_connected, NULL, CO_STACK_SMALL);
}

void
events_reload(void)
{
	events.renew = true;
	co_wake_all(&events.wake);
	events_start();
}
