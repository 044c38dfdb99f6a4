/* tls_sessions.c -- clients that resume what they had with a server before. The bytes of
 * a session are OpenSSL's, and hold its secrets. */
#include "tls_impl.h"
#include <openssl/err.h>

#define SESSION_MOST 16384 /* more is not worth keeping: a certificate within */

/* OpenSSL calls in the middle of a read; whoever asks for it comes later. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_get_app_data(ssl);
	int len = i2d_SSL_SESSION(session, NULL);
	unsigned char *at;

	buf_wipe(&tls->session);
	if (len <= 0 || len > SESSION_MOST || SSL_SESSION_is_resumable(session) != 1)
		return 0;
	buf_need(&tls->session, (size_t)len);
	at = (unsigned char *)tls->session.data;
	tls->session.len = (size_t)i2d_SSL_SESSION(session, &at);
	return 0; /* it stays OpenSSL's */
}

void
tls_sessions_use(struct tls_context *ctx)
{
	SSL_CTX_set_session_cache_mode(
		ctx->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx->ssl, on_session);
}

/* Bytes that are no session are as good as none. */
void
tls_session_resume(struct tls *tls, struct str session)
{
	const unsigned char *at = (const unsigned char *)session.data;
	SSL_SESSION *parsed =
		session.len > 0 ? d2i_SSL_SESSION(NULL, &at, (long)session.len) : NULL;

	if (parsed)
		SSL_set_session(tls->ssl, parsed);
	SSL_SESSION_free(parsed);
	ERR_clear_error();
}

bool
conn_tls_session(struct conn *c, struct buf *out)
{
	if (!c->tls || c->tls->session.len == 0)
		return false;
	buf_wipe(out);
	*out = c->tls->session;
	c->tls->session = (struct buf)BUF_INIT;
	return true;
}
