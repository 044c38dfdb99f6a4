/* tls.c -- a connection through TLS.
 *
 * OpenSSL works on the socket itself, without blocking; when it says that it would wait,
 * we wait, outside of it. Inside of OpenSSL a coroutine switches in handshakes only,
 * where a key or a certificate is asked of another process; the error queue, which
 * belongs to the thread and not to the coroutine, is emptied after that, and read at once
 * when a call has failed. */
#include "tls_impl.h"
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

/* "error:0A00010B:SSL routines::wrong version number:ssl/record/ssl3_record.c:354": what
 * there is in OpenSSL's queue, which is empty then. */
static void
keep_problems(struct tls *tls)
{
	enum { MOST = 8, TEXT = 256 };
	const char *file, *data;
	int line, flags;
	unsigned long code;

	tls->problems.items = arena_alloc(tls->arena, MOST * sizeof(struct str));
	tls->problems.n = 0;
	while ((code = ERR_get_error_all(&file, &line, NULL, &data, &flags)) != 0) {
		char text[TEXT];
		bool more = flags & ERR_TXT_STRING && data && *data;

		ERR_error_string_n(code, text, sizeof(text));
		if (tls->problems.n < MOST)
			tls->problems.items[tls->problems.n++] =
				arena_printf(tls->arena, "%s:%s:%d%s%s", text, file, line,
					more ? ":" : "", more ? data : "");
	}
}

/* Keeps what the error queue says in c->tls_error and tls->problems. */
static void
keep_error(struct conn *c, int system_error)
{
	struct tls *tls = c->tls;
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason)
		snprintf(tls->error, sizeof(tls->error), "%s", reason);
	else if (code)
		snprintf(tls->error, sizeof(tls->error), "error %lx", code);
	else if (system_error)
		snprintf(tls->error, sizeof(tls->error), "%s", strerror(system_error));
	else
		snprintf(tls->error, sizeof(tls->error), "lost connection");
	keep_problems(tls);
	c->tls_error = str_c(tls->error);
	tls->broken = true;
	errno = code ? EPROTO : system_error ? system_error : ECONNRESET;
}

/* What the result of an SSL_ call means; errno as the call left it. */
static ssize_t
outcome(struct conn *c, int result)
{
	int system_error = errno;

	switch (SSL_get_error(c->tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		keep_error(c, system_error);
		return TLS_FAILED;
	}
}

ssize_t
tls_read(struct conn *c, void *room, size_t size)
{
	size_t n;
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_read_ex(c->tls->ssl, room, size, &n);
	return result == 1 ? (ssize_t)n : outcome(c, result);
}

ssize_t
tls_write(struct conn *c, const void *bytes, size_t size)
{
	ssize_t failed;
	size_t n;
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_write_ex(c->tls->ssl, bytes, size, &n);
	if (result == 1)
		return (ssize_t)n;
	failed = outcome(c, result);
	if (failed != 0)
		return failed;
	errno = EPIPE; /* the peer has said goodbye */
	return TLS_FAILED;
}

void
tls_close(struct conn *c)
{
	struct tls *tls = c->tls;

	ERR_clear_error();
	if (tls->established && !tls->broken && c->error == 0)
		(void)SSL_shutdown(tls->ssl); /* what does not go now, does not go */
	ERR_clear_error();
	SSL_free(tls->ssl);
	buf_wipe(&tls->session);
	arena_free(tls->arena);
	tls_context_free(tls->ctx);
	mem_wipe(tls, sizeof(*tls));
	mem_free(tls);
	c->tls = NULL;
	c->tls_error = STR_NONE;
}

/* ---- handshakes ---- */

/* What the peer sent ahead in clear was never protected: it must not be taken for what
 * comes under TLS (CVE-2011-0411). */
static void
drop_plain_input(struct conn *c)
{
	conn_consume(c, conn_pending(c).len);
	c->skipping = false;
	conn_idle(c);
}

static enum conn_result
tls_start(struct conn *c, struct tls_context *ctx)
{
	struct tls *tls = mem_alloc(sizeof(*tls));

	ERR_clear_error();
	tls->ctx = tls_context_share(ctx);
	tls->arena = arena_new();
	tls->ssl = SSL_new(ctx->ssl);
	ensure(tls->ssl);
	SSL_set_app_data(tls->ssl, tls);
	c->tls = tls;
	if (SSL_set_fd(tls->ssl, c->io.fd) == 1) {
		tls_trace_begin(tls, c->tls_trace, c->tls_who);
		return CONN_OK;
	}
	keep_error(c, errno);
	return conn_failed(c, errno);
}

/* A step of a handshake costs some hundred times what a line costs. When many clients
 * come at once, a few steps are done in each turn of the loop, so that sessions which are
 * established do not wait behind all of them; and a few wait for a private key. */
enum { STEPS_IN_TURN = 8, AT_ONCE = 16 };

static struct {
	unsigned in_turn, at_once;
	struct co_queue waiting;
	struct event_later turn_end;
} steps;

static void
turn_ends(void *arg)
{
	(void)arg;
	steps.in_turn = 0;
}

static int
take_turn(deadline_t patience)
{
	while (steps.at_once >= AT_ONCE)
		if (co_wait(&steps.waiting, patience) < 0)
			return -1;
	steps.at_once++;
	while (steps.in_turn >= STEPS_IN_TURN)
		co_yield ();
	steps.in_turn++;
	steps.turn_end.fn = turn_ends;
	event_at_turn_end(&steps.turn_end);
	return 0;
}

/* As SSL_do_handshake(3); -1 and errno also when the turn did not come in time. */
static int
step(struct conn *c, deadline_t patience, bool *taken)
{
	int done;

	*taken = take_turn(patience) == 0;
	if (!*taken)
		return -1;
	ERR_clear_error();
	errno = 0;
	done = SSL_do_handshake(c->tls->ssl);
	steps.at_once--;
	co_wake_one(&steps.waiting);
	return done;
}

static enum conn_result
handshake_ended(struct conn *c, int error)
{
	c->tls_error =
		error == ETIMEDOUT ? STR("Connection timed out") : STR("interrupted");
	c->tls->broken = true;
	return error == ETIMEDOUT ? CONN_TIMEOUT : CONN_CANCELED;
}

static enum conn_result
handshake(struct conn *c, deadline_t patience)
{
	for (;;) {
		enum conn_result result;
		ssize_t got;
		bool taken;
		int done = step(c, patience, &taken);

		if (!taken)
			return handshake_ended(c, errno);
		if (done == 1)
			break;
		got = outcome(c, done);
		if (got == 0) {
			errno = ECONNRESET;
			c->tls_error = STR("lost connection");
		}
		if (got == 0 || got == TLS_FAILED)
			return conn_failed(c, errno);
		result = conn_wait(c, got == TLS_WANT_WRITE, patience);
		if (result != CONN_OK) {
			c->tls_error = result == CONN_TIMEOUT
					       ? STR("Connection timed out")
					       : STR("interrupted");
			return result;
		}
	}
	c->tls->established = true;
	tls_info_fill(c->tls);
	return CONN_OK;
}

SWITCHES enum conn_result
conn_accept_tls(struct conn *c, struct tls_context *ctx, deadline_t patience)
{
	enum conn_result result = conn_flush(c, patience);

	drop_plain_input(c);
	if (result == CONN_OK)
		result = tls_start(c, ctx);
	if (result != CONN_OK)
		return result;
	SSL_set_accept_state(c->tls->ssl);
	return handshake(c, patience);
}

/* SNI is for names: an address there is an error (RFC 6066 section 3). */
static bool
is_host_name(struct str name)
{
	struct net_addr ignored;

	return name.len > 0 && name.len < 256 && net_addr_parse(name, 0, &ignored) < 0;
}

SWITCHES enum conn_result
conn_connect_tls(struct conn *c, struct tls_context *ctx, struct str server_name,
	struct str session, deadline_t patience)
{
	return conn_connect_tls_by(c, ctx, NULL, server_name, session, patience);
}

SWITCHES enum conn_result
conn_connect_tls_by(struct conn *c, struct tls_context *ctx,
	const struct tls_config *terms, struct str server_name, struct str session,
	deadline_t patience)
{
	enum conn_result result = conn_flush(c, patience);
	char name[256];

	drop_plain_input(c);
	if (result == CONN_OK)
		result = tls_start(c, ctx);
	if (result != CONN_OK)
		return result;
	if (terms && (tls_terms_use(c->tls->ssl, terms) < 0 ||
			     (terms->dane && tls_dane_start(c->tls, terms->dane) < 0))) {
		keep_error(c, EINVAL);
		return conn_failed(c, EINVAL);
	}
	if (is_host_name(server_name)) {
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(server_name));
		SSL_set_tlsext_host_name(c->tls->ssl, name);
	}
	tls_session_resume(c->tls, session);
	SSL_set_connect_state(c->tls->ssl);
	return handshake(c, patience);
}

struct strs
conn_tls_problems(const struct conn *c)
{
	return c->tls ? c->tls->problems : (struct strs){ NULL, 0 };
}

const struct tls_info *
conn_tls_info(const struct conn *c)
{
	return c->tls && c->tls->established ? &c->tls->info : NULL;
}
