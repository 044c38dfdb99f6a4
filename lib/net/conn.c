/* conn.c -- a buffered connection, in clear or through TLS.
 *
 * Input is scanned for line ends once, however it arrives in pieces. Output leaves in one
 * write when somebody has to wait: for more input, or in conn_flush(). An idle connection
 * holds no buffers: they are taken from the pool when the first byte is there. */
#include "net_impl.h"
#include <errno.h>
#include <unistd.h>

enum {
	ROOM = 16 * 1024, /* of a pooled buffer: a message of usual size in one read */
	ROOM_BULK = 64 * 1024, /* when a read filled all of that */
	POOL_MOST = 64,
	OUT_MOST = 64 * 1024, /* more than this does not wait for a quiet moment */
	FILLS_PER_TURN = 16,  /* reads before others get their turn */
	LINE_LIMIT = 2048,
};

/* ---- buffers ---- */

static struct {
	char *items[POOL_MOST];
	size_t n;
} pool;

static void
room_take(struct buf *b)
{
	if (b->room > 0)
		return;
	if (pool.n > 0) {
		b->data = pool.items[--pool.n];
		b->room = ROOM;
	} else {
		buf_need(b, ROOM);
	}
}

/* What came or went under TLS may be a password; it does not go to the next session. */
static void
room_give(const struct conn *c, struct buf *b)
{
	if (c->tls)
		mem_wipe(b->data, b->room);
	if (b->room == ROOM && pool.n < POOL_MOST)
		pool.items[pool.n++] = b->data;
	else
		mem_free(b->data);
	*b = (struct buf)BUF_INIT;
}

void
conn_idle(struct conn *c)
{
	if (c->at == c->in.len && c->in.room > 0) {
		room_give(c, &c->in);
		c->at = c->scanned = 0;
	}
	if (c->out.len == 0 && c->out.room > 0)
		room_give(c, &c->out);
}

void
conn_forget(struct conn *c)
{
	if (c->in.room == 0)
		return;
	mem_wipe(c->in.data, c->at);
	mem_wipe(c->in.data + c->in.len, c->in.room - c->in.len);
}

/* ---- life ---- */

struct conn *
conn_open(int fd)
{
	struct conn *c = mem_alloc(sizeof(*c));

	c->line_limit = LINE_LIMIT;
	if (io_open(&c->io, fd) == 0)
		return c;
	fd_close(&fd);
	mem_free(c);
	return NULL;
}

void
conn_close(struct conn *c)
{
	if (!c)
		return;
	c->at = c->in.len;
	c->out.len = 0;
	conn_idle(c);
	if (c->tls)
		tls_close(c);
	io_close(&c->io);
	mem_free(c->ends);
	mem_free(c);
}

void
conn_close_at(struct conn **c)
{
	conn_close(*c);
	*c = NULL;
}

/* ---- whose it is ---- */

static bool
found_end(struct net_addr *a)
{
	net_addr_unmap(a);
	return a->sa.ss_family == AF_INET || a->sa.ss_family == AF_INET6;
}

bool
conn_client(const struct conn *c, struct net_addr *out)
{
	*out = (struct net_addr){ .len = sizeof(out->sa) };
	if (c->ends)
		*out = c->ends->client;
	else if (getpeername(c->io.fd, (struct sockaddr *)&out->sa, &out->len) < 0)
		return false;
	return found_end(out);
}

bool
conn_server(const struct conn *c, struct net_addr *out)
{
	*out = (struct net_addr){ .len = sizeof(out->sa) };
	if (c->ends)
		*out = c->ends->server;
	else if (getsockname(c->io.fd, (struct sockaddr *)&out->sa, &out->len) < 0)
		return false;
	return found_end(out);
}

/* ---- how things end ---- */

/* Time that ran out and cancellation are not faults of the connection: a last reply can
 * still be sent. */
enum conn_result
conn_failed(struct conn *c, int error)
{
	if (error == ETIMEDOUT)
		return CONN_TIMEOUT;
	if (error == ECANCELED)
		return CONN_CANCELED;
	if (c->error == 0)
		c->error = error;
	errno = c->error;
	return error == EPIPE || error == ECONNRESET ? CONN_CLOSED : CONN_ERROR;
}

enum conn_result
conn_wait(struct conn *c, bool for_write, deadline_t patience)
{
	int result;

	c->fills = 0;
	if (for_write) {
		c->io.writable = false;
		result = io_wait_write(&c->io, patience);
	} else {
		c->io.readable = false;
		result = io_wait_read(&c->io, patience);
	}
	return result < 0 ? conn_failed(c, errno) : CONN_OK;
}

/* ---- output ---- */

void
conn_write(struct conn *c, struct str bytes)
{
	room_take(&c->out);
	buf_add(&c->out, bytes);
}

void
conn_printf(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	room_take(&c->out);
	va_start(ap, fmt);
	buf_vprintf(&c->out, fmt, ap);
	va_end(ap);
}

/* Writes once. Bytes, or enum tls_want. */
static ssize_t
write_once(struct conn *c, struct str s)
{
	ssize_t n;

	if (c->tls)
		return tls_write(c, s.data, s.len);
	do
		n = write(c->io.fd, s.data, s.len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_WANT_WRITE : TLS_FAILED;
}

SWITCHES enum conn_result
conn_flush(struct conn *c, deadline_t patience)
{
	enum conn_result result = CONN_OK;
	size_t done = 0;

	if (c->error)
		return conn_failed(c, c->error);
	while (done < c->out.len && result == CONN_OK) {
		ssize_t n = write_once(c, str_from(buf_str(&c->out), done));

		if (n >= 0)
			done += (size_t)n;
		else if (n == TLS_FAILED)
			result = conn_failed(c, errno);
		else
			result = conn_wait(c, n == TLS_WANT_WRITE, patience);
	}
	c->sent += done;
	buf_drop(&c->out, done);
	if (result == CONN_CLOSED || result == CONN_ERROR)
		buf_clear(&c->out);
	if (c->out.len == 0 && c->out.room > ROOM)
		room_give(c, &c->out);
	return result;
}

/* ---- input ---- */

/* Room behind what is unread. */
static void
make_room(struct conn *c)
{
	bool filled = c->in.len == c->in.room && c->in.room > 0;

	room_take(&c->in);
	if (c->at > 0) {
		memmove(c->in.data, c->in.data + c->at, c->in.len - c->at);
		c->in.len -= c->at;
		c->at = 0;
	}
	if (filled && c->in.room < ROOM_BULK)
		buf_need(&c->in, ROOM_BULK - c->in.len);
	else if (c->in.len == c->in.room)
		buf_need(&c->in, ROOM);
}

/* Reads once. Bytes, 0 at the end, or enum tls_want. */
static ssize_t
read_once(struct conn *c)
{
	size_t room = c->in.room - c->in.len;
	ssize_t n;

	if (c->tls)
		return tls_read(c, c->in.data + c->in.len, room);
	do
		n = read(c->io.fd, c->in.data + c->in.len, room);
	while (n < 0 && errno == EINTR);
	if (n > 0 && (size_t)n < room && c->io.stream && !c->io.hangup)
		c->io.readable = false; /* that was all */
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_WANT_READ : TLS_FAILED;
}

/* Nothing to read: sends what waits, and lets go of empty buffers meanwhile. */
static enum conn_result
wait_input(struct conn *c, bool for_write, deadline_t patience)
{
	if (c->out.len > 0) {
		enum conn_result result = conn_flush(c, patience);

		if (result != CONN_OK)
			return result;
	}
	conn_idle(c);
	return conn_wait(c, for_write, patience);
}

/* At least one byte more. */
static enum conn_result
fill(struct conn *c, deadline_t patience)
{
	enum conn_result result = CONN_OK;

	if (c->error)
		return conn_failed(c, c->error);
	if (event_now() > patience)
		return CONN_TIMEOUT;
	if (c->out.len >= OUT_MOST)
		result = conn_flush(c, patience);
	if (++c->fills > FILLS_PER_TURN) {
		c->fills = 0;
		co_yield ();
	}
	while (result == CONN_OK) {
		ssize_t n = TLS_WANT_READ;

		if (c->io.readable || c->tls) {
			make_room(c);
			n = read_once(c);
		}
		if (n == 0)
			return CONN_CLOSED;
		if (n == TLS_FAILED)
			return conn_failed(c, errno);
		if (n > 0) {
			c->in.len += (size_t)n;
			c->received += (octets_t)n;
			return CONN_OK;
		}
		result = wait_input(c, n == TLS_WANT_WRITE, patience);
	}
	return result;
}

static void
consume_line(struct conn *c, size_t n)
{
	c->at += n;
	c->scanned = 0;
}

enum line_found
conn_take_line(struct conn *c, struct str *line)
{
	struct str have = conn_pending(c);
	struct str fresh = str_from(have, c->scanned);
	ssize_t lf = str_chr(fresh, '\n');
	size_t len;

	if (lf < 0) {
		/* One more than the limit may be the CR of the line end. */
		if (c->skipping || have.len > c->line_limit + 1) {
			c->skipping = true;
			consume_line(c, have.len);
		}
		c->scanned = c->in.len - c->at;
		return LINE_MORE;
	}
	len = c->scanned + (size_t)lf;
	consume_line(c, len + 1);
	c->bare_lf = len == 0 || have.data[len - 1] != '\r';
	len -= !c->bare_lf;
	if (c->skipping || len > c->line_limit) {
		c->skipping = false;
		return LINE_SKIPPED;
	}
	*line = str_sub(have, 0, len);
	c->bare_cr = str_chr(*line, '\r') >= 0;
	return LINE_FOUND;
}

SWITCHES enum conn_result
conn_read_line(struct conn *c, struct str *line, deadline_t patience)
{
	for (;;) {
		enum conn_result result;

		switch (conn_take_line(c, line)) {
		case LINE_FOUND:
			return CONN_LINE;
		case LINE_SKIPPED:
			return CONN_TOO_LONG;
		case LINE_MORE:
			break;
		}
		result = fill(c, patience);
		if (result != CONN_OK)
			return result;
	}
}

SWITCHES enum conn_result
conn_peek(struct conn *c, struct str *bytes, deadline_t patience)
{
	if (c->at == c->in.len) {
		enum conn_result result = fill(c, patience);

		if (result != CONN_OK)
			return result;
	}
	*bytes = conn_pending(c);
	return CONN_OK;
}

void
conn_consume(struct conn *c, size_t n)
{
	ensure(n <= c->in.len - c->at);
	consume_line(c, n);
}

struct str
conn_pending(const struct conn *c)
{
	return c->in.len > c->at ? str_of(c->in.data + c->at, c->in.len - c->at)
				 : STR("");
}
