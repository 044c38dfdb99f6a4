/* dovecot.c -- asks Dovecot's auth service, or our own one for Cyrus SASL. All sessions
 * of a process share one connection, since that is what Dovecot wants of a process (it
 * refuses a second one with the same CPID): requests have numbers, and are answered in
 * any order.
 *
 * The connection is driven by the loop: what is to be said leaves at the end of the turn,
 * what comes is given to whoever waits for it. A session waits for its own answer only.
 */
#include "dovecot_line.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE   ((msec_t)10000) /* as Postfix: to connect, and for each answer */
#define LEFT_ALONE ((msec_t)1000)  /* after a connection that failed */
/* A server that answers nobody hangs, or its machine is gone. It is not enough that one
 * answer is late: Dovecot lets addresses that failed often wait 15 seconds. */
#define SILENCE  ((msec_t)30000)
#define OUT_ROOM (16 * 1024)
#define OUT_MOST (1024 * 1024) /* it does not read any more */
#define LOST     STR("Connection lost to authentication server")

struct request {
	struct dovecot *of;
	uint32_t id, link; /* which one it was asked over */
	bool waits, lost;
	struct arena *arena; /* of the answer */
	struct sasl_answer answer;
	struct co_queue answered;
};

struct dovecot {
	const char *server; /* for the log: "Dovecot auth socket 'private/auth'" */
	const char *endpoint, *application, *service, *realm;
	/* As the type's configuration has them; the one that is not NULL counts. */
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience);
	struct ipc_peer *(*peer)(const char *name);
	struct arena *arena;

	/* One coroutine connects, others wait for it. */
	enum { CLOSED, CONNECTING, HANDSHAKE, READY } state;
	struct co_queue changed;
	deadline_t left_alone_until;
	bool version_seen;

	struct io io;
	struct buf in, out;
	struct event_later flush;
	struct arena *line;  /* of the line in hand */
	deadline_t heard_at; /* the last byte */

	uint32_t links, last_id;
	struct map *requests; /* id -> struct request: those that are under way */

	/* As the last handshake that was finished said, and as the one in hand says. */
	bool known;
	struct mechanisms {
		VEC(struct sasl_mechanism) list;
		struct arena *arena;
	} offered, coming;
};

/* ---- the list of mechanisms ---- */

static void
mechanisms_clear(struct mechanisms *m)
{
	m->list.n = 0;
	arena_reset(m->arena);
}

static bool
mechanisms_add(struct mechanisms *m, const struct sasl_mechanism *found)
{
	struct sasl_mechanism *fresh;

	if (m->list.n == DOVECOT_MECHS_MOST)
		return false;
	fresh = vec_push(&m->list);
	fresh->name = arena_str(m->arena, found->name);
	fresh->properties = found->properties;
	return true;
}

/* What the handshake said counts from its end on. */
static void
mechanisms_take_over(struct dovecot *d)
{
	struct mechanisms before = d->offered;

	d->offered = d->coming;
	d->coming = before;
	d->known = true;
}

/* ---- the end of a connection ---- */

static struct str
key_of(const uint32_t *id)
{
	return str_of(id, sizeof(*id));
}

static void
request_wake(struct request *r)
{
	map_set(r->of->requests, key_of(&r->id), NULL);
	r->waits = false;
	co_wake_all(&r->answered);
}

/* All that wait hear that there will be no answer. */
static void
link_end(struct dovecot *d)
{
	size_t at = 0;
	struct str key;
	void *value;

	if (d->state != HANDSHAKE && d->state != READY)
		return;
	io_close(&d->io);
	d->state = CLOSED;
	event_later_cancel(&d->flush);
	buf_wipe(&d->in);
	buf_wipe(&d->out);
	while (map_next(d->requests, &at, &key, &value)) {
		struct request *r = value;

		r->lost = true;
		sasl_answer_set(&r->answer, SASL_TEMPFAIL, LOST);
		request_wake(r);
	}
	co_wake_all(&d->changed);
}

static void
link_fail(struct dovecot *d, const char *why)
{
	log_warn("SASL: %s: %s", d->server, why);
	d->left_alone_until = deadline_in(LEFT_ALONE);
	link_end(d);
}

/* ---- what comes ---- */

static bool
take_handshake(struct dovecot *d, const struct dovecot_line *line)
{
	switch (line->word) {
	case DOVECOT_VERSION:
		d->version_seen = line->major == 1;
		return d->version_seen;
	case DOVECOT_MECH:
		return d->version_seen && mechanisms_add(&d->coming, &line->mechanism);
	case DOVECOT_DONE:
		if (!d->version_seen)
			return false;
		mechanisms_take_over(d);
		d->state = READY;
		co_wake_all(&d->changed);
		return true;
	case DOVECOT_OTHER:
		return d->version_seen;
	case DOVECOT_OK:
	case DOVECOT_FAIL:
	case DOVECOT_CONT:
		break;
	}
	return false;
}

static struct str
kept(struct request *r, struct str s)
{
	return s.data ? arena_str(r->arena, s) : STR_NONE;
}

/* For a request that nobody waits for any more it is nothing to us. */
static bool
take_answer(struct dovecot *d, const struct dovecot_line *line)
{
	struct request *r = map_get(d->requests, key_of(&line->id));

	if (!r)
		return true;
	if (line->word == DOVECOT_OK && line->user.len == 0) {
		log_warn("SASL: %s: OK without a user", d->server);
		sasl_answer_set(
			&r->answer, SASL_REFUSED, STR("Authentication backend error"));
		request_wake(r);
		return true;
	}
	if (line->word == DOVECOT_CONT)
		sasl_answer_set(&r->answer, SASL_MORE, kept(r, line->challenge));
	else if (line->word == DOVECOT_OK)
		sasl_answer_set(&r->answer, SASL_DONE, STR(""));
	else
		sasl_answer_set(&r->answer,
			line->temporary ? SASL_TEMPFAIL : SASL_REFUSED,
			kept(r, line->reason));
	r->answer.username = kept(r, line->user);
	request_wake(r);
	return true;
}

static bool
take_line(struct dovecot *d, struct str text)
{
	struct dovecot_line line;

	arena_reset(d->line);
	if (!dovecot_line_read(text, d->line, &line))
		return false;
	if (d->state == HANDSHAKE)
		return take_handshake(d, &line);
	if (line.word == DOVECOT_OK || line.word == DOVECOT_FAIL ||
		line.word == DOVECOT_CONT)
		return take_answer(d, &line);
	return true; /* new mechanisms, when it was reloaded: they come with DONE */
}

/* The lines that are complete. False: the connection was ended. */
static bool
take_lines(struct dovecot *d)
{
	struct str rest = buf_str(&d->in), line;
	ssize_t end;
	size_t used = 0;

	while ((end = str_chr(rest, '\n')) >= 0) {
		line = str_sub(rest, 0, (size_t)end);
		if (!take_line(d, line)) {
			link_fail(d, "protocol error");
			return false;
		}
		rest = str_from(rest, (size_t)end + 1);
		used += (size_t)end + 1;
	}
	buf_drop(&d->in, used);
	if (d->in.len <= DOVECOT_LINE_MOST)
		return true;
	link_fail(d, "a line is too long");
	return false;
}

static void
link_read(struct dovecot *d)
{
	for (;;) {
		ssize_t n;

		buf_need(&d->in, 4096);
		n = read(d->io.fd, d->in.data + d->in.len, d->in.room - d->in.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			d->io.readable = false;
			return;
		}
		if (n <= 0) {
			if (d->state == HANDSHAKE)
				link_fail(d, "lost connection");
			else
				link_end(d);
			return;
		}
		d->in.len += (size_t)n;
		d->heard_at = event_now();
		if (!take_lines(d))
			return;
	}
}

/* ---- what goes ---- */

/* There are passwords in it: no copy is left where it had no room. */
static void
out_need(struct dovecot *d, size_t more)
{
	struct buf larger = BUF_INIT;

	if (d->out.room - d->out.len >= more)
		return;
	buf_need(&larger, 2 * d->out.len + more);
	buf_add(&larger, buf_str(&d->out));
	buf_wipe(&d->out);
	d->out = larger;
}

static void
link_flush(void *arg)
{
	struct dovecot *d = arg;

	while (d->out.len > 0) {
		ssize_t n = write(d->io.fd, d->out.data, d->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			io_write_blocked(&d->io);
			if (d->out.len > OUT_MOST)
				link_fail(d, "it does not read");
			return;
		}
		if (n < 0) {
			link_end(d);
			return;
		}
		if ((size_t)n < d->out.len)
			memmove(d->out.data, d->out.data + n, d->out.len - (size_t)n);
		mem_wipe(d->out.data + d->out.len - (size_t)n, (size_t)n);
		d->out.len -= (size_t)n;
	}
}

static void
link_event(struct io *io)
{
	struct dovecot *d = io->arg;

	if (io->readable)
		link_read(d);
	if (d->state != CLOSED && d->io.writable)
		link_flush(d);
}

/* ---- connecting ---- */

static void
greet(struct dovecot *d)
{
	out_need(d, OUT_ROOM);
	buf_printf(&d->out, "VERSION\t1\t0\nCPID\t%d\n", (int)getpid());
	event_at_turn_end(&d->flush);
}

/* The helper gives us a socket that speaks the same. */
SWITCHES static int
attach(struct dovecot *d, deadline_t patience)
{
	struct sasl_attach_request ask = { .application = str_c(d->application),
		.service = str_c(d->service),
		.realm = str_c(d->realm) };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct ipc_link *link = ipc_peer_link(d->peer("sasl"), patience);
	struct buf b CLEANUP(buf_free) = BUF_INIT;
	struct str reply;
	int fd = -1;

	sasl_attach_request_put(&b, &ask);
	if (!link || ipc_link_call(link, sasl_attach_TYPE, buf_str(&b), -1, arena, &reply,
			     &fd, patience) < 0)
		return -1;
	if (fd < 0)
		errno = EPROTO;
	return fd;
}

/* A coroutine of its own: who waits for it may be cancelled. */
static void
link_open(void *arg)
{
	struct dovecot *d = arg;
	deadline_t patience = deadline_in(PATIENCE);
	int fd = d->peer ? attach(d, patience) : d->connect(d->endpoint, patience);

	if (fd < 0 || io_open(&d->io, fd) < 0) {
		log_line(SASL_CONNECT, str_c(d->server), str_c(strerror(errno)));
		fd_close(&fd);
		d->left_alone_until = deadline_in(LEFT_ALONE);
		d->state = CLOSED;
		co_wake_all(&d->changed);
		return;
	}
	d->io.on_event = link_event;
	d->io.arg = d;
	d->version_seen = false;
	d->state = HANDSHAKE;
	d->links++;
	mechanisms_clear(&d->coming);
	greet(d);
}

static void
link_begin(struct dovecot *d)
{
	if (d->state != CLOSED || event_now() < d->left_alone_until)
		return;
	d->state = CONNECTING;
	co_spawn(link_open, d, CO_STACK_SMALL);
}

/* Waits until it is there. False: it is not. */
SWITCHES static bool
link_ready(struct dovecot *d)
{
	deadline_t patience = deadline_in(PATIENCE);

	link_begin(d);
	while (d->state == CONNECTING || d->state == HANDSHAKE)
		if (co_wait(&d->changed, patience) < 0) {
			if (errno == ETIMEDOUT && d->state == HANDSHAKE)
				link_fail(d, "timeout");
			return false;
		}
	return d->state == READY;
}

/* ---- what sasl.c asks for ---- */

static struct dovecot *
new_server(const struct sasl_config *config)
{
	struct dovecot *d = mem_alloc(sizeof(*d));

	d->arena = arena_new();
	d->service = arena_str(d->arena, config->service).data;
	d->line = arena_new();
	d->requests = map_new();
	d->offered.arena = arena_new();
	d->coming.arena = arena_new();
	d->flush = (struct event_later){ .fn = link_flush, .arg = d };
	return d;
}

static void *
dovecot_open(const struct sasl_config *config)
{
	struct dovecot *d = new_server(config);
	bool has_kind = str_starts(config->path, STR("inet:")) ||
			str_starts(config->path, STR("unix:"));

	d->server = arena_printf(
		d->arena, "Dovecot auth socket '" STR_FMT "'", STR_ARG(config->path))
			    .data;
	d->endpoint = arena_printf(
		d->arena, "%s" STR_FMT, has_kind ? "" : "unix:", STR_ARG(config->path))
			      .data;
	d->connect = config->connect;
	return d;
}

static void *
cyrus_open(const struct sasl_config *config)
{
	struct dovecot *d = new_server(config);

	d->server = "the service sasl";
	d->application = arena_str(d->arena, config->path).data;
	d->realm = config->realm.len ? arena_str(d->arena, config->realm).data : NULL;
	d->peer = config->peer;
	return d;
}

static void
dovecot_close(void *own)
{
	struct dovecot *d = own;

	ensure(d->state != CONNECTING);
	link_end(d);
	map_free(d->requests);
	vec_free(&d->offered.list);
	vec_free(&d->coming.list);
	arena_free(d->offered.arena);
	arena_free(d->coming.arena);
	arena_free(d->line);
	arena_free(d->arena);
	mem_free(d);
}

/* Nobody waits for a server that said once what it offers: AUTH finds out whether it is
 * still there. */
SWITCHES static bool
dovecot_mechanisms(void *own, const struct sasl_client *client, struct arena *arena,
	struct strs *out)
{
	struct dovecot *d = own;

	if (d->known)
		link_begin(d);
	else if (!link_ready(d))
		return false;
	out->items = arena_alloc(arena, (d->offered.list.n + 1) * sizeof(*out->items));
	out->n = 0;
	for (size_t i = 0; i < d->offered.list.n; i++) {
		const struct sasl_mechanism *m = &d->offered.list.items[i];

		if (sasl_mechanism_is_good(m, &client->options))
			out->items[out->n++] = arena_str(arena, m->name);
	}
	return true;
}

/* Waits for what comes next. */
SWITCHES static void
await_answer(struct request *r, struct sasl_answer *answer)
{
	struct dovecot *d = r->of;
	deadline_t patience = deadline_in(PATIENCE);

	r->lost = false;
	r->waits = true;
	map_set(d->requests, key_of(&r->id), r);
	event_at_turn_end(&d->flush);
	while (r->waits)
		if (co_wait(&r->answered, patience) < 0 && r->waits) {
			bool too_late = errno == ETIMEDOUT;

			sasl_answer_set(&r->answer, SASL_TEMPFAIL, LOST);
			request_wake(r);
			if (too_late && d->heard_at + SILENCE < event_now())
				link_fail(d, "timeout");
		}
	*answer = r->answer;
}

static void
add_value(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "\t%s=", name);
	dovecot_add_escaped(out, value);
}

/* resp comes last: what is behind it would be part of it. "=" is an empty one. */
static void
send_auth(struct request *r, const struct sasl_client *client, struct str mechanism,
	struct str initial)
{
	struct buf *out = &r->of->out;

	/* Escapes double what they are used for. */
	out_need(r->of, 256 + 2 * (strlen(r->of->service) + initial.len));
	buf_printf(out, "AUTH\t%lu\t" STR_FMT, (unsigned long)r->id, STR_ARG(mechanism));
	add_value(out, "service", str_c(r->of->service));
	buf_addz(out, "\tnologin");
	add_value(out, "lip", client->server_address);
	add_value(out, "rip", client->client_address);
	if (client->secured)
		buf_addz(out, "\tsecured");
	if (initial.data)
		add_value(out, "resp", initial.len ? initial : STR("="));
	buf_addc(out, '\n');
}

/* A connection that ended before anything was answered over it may have been left from
 * before a restart of Dovecot: the next one is a new one. */
SWITCHES static void *
dovecot_begin(void *own, const struct sasl_client *client, struct str mechanism,
	struct str initial, struct arena *arena, struct sasl_answer *answer)
{
	struct dovecot *d = own;
	struct request *r = arena_alloc(arena, sizeof(*r));

	r->of = d;
	r->arena = arena;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (!link_ready(d)) {
			sasl_answer_set(answer, SASL_TEMPFAIL, LOST);
			return NULL;
		}
		r->id = ++d->last_id;
		r->link = d->links;
		send_auth(r, client, mechanism, initial);
		await_answer(r, answer);
		if (!r->lost)
			break;
	}
	return r;
}

/* Is the server that knows of it still there? */
static bool
is_under_way(const struct request *r)
{
	return r->link == r->of->links && r->of->state == READY;
}

SWITCHES static void
dovecot_go_on(void *exchange, struct str response, struct arena *arena,
	struct sasl_answer *answer)
{
	struct request *r = exchange;

	(void)arena;
	if (!is_under_way(r)) {
		sasl_answer_set(answer, SASL_TEMPFAIL, LOST);
		return;
	}
	out_need(r->of, 64 + response.len);
	buf_printf(&r->of->out, "CONT\t%lu\t" STR_FMT "\n", (unsigned long)r->id,
		STR_ARG(response));
	await_answer(r, answer);
}

/* What was not finished is of no interest any more. */
static void
dovecot_end(void *exchange)
{
	struct request *r = exchange;

	if (!is_under_way(r) || r->answer.status == SASL_DONE ||
		r->answer.status == SASL_REFUSED)
		return;
	buf_printf(&r->of->out, "CANCEL\t%lu\n", (unsigned long)r->id);
	event_at_turn_end(&r->of->flush);
}

const struct sasl_type sasl_dovecot = {
	.name = "dovecot",
	.open = dovecot_open,
	.close = dovecot_close,
	.mechanisms = dovecot_mechanisms,
	.begin = dovecot_begin,
	.go_on = dovecot_go_on,
	.end = dovecot_end,
};

/* Cyrus SASL, as our program sasl speaks for it. */
const struct sasl_type sasl_cyrus = {
	.name = "cyrus",
	.open = cyrus_open,
	.close = dovecot_close,
	.mechanisms = dovecot_mechanisms,
	.begin = dovecot_begin,
	.go_on = dovecot_go_on,
	.end = dovecot_end,
};
