/* tls_trace.c -- what OpenSSL does, for smtpd_tls_loglevel and its like from 2 on.
 *
 * Level 2 tells its steps and the peer's certificates, 3 the bytes of handshakes, 4 all
 * bytes that pass the socket. */
#include "tls_impl.h"
#include "log.h"

enum { IN_LINE = 16 };

static const struct {
	const char *word;
	int level;
} words[] = {
	{ "0", 0 },
	{ "none", 0 },
	{ "1", 1 },
	{ "routine", 1 },
	{ "2", TLS_TRACE_STEPS },
	{ "debug", TLS_TRACE_STEPS },
	{ "3", TLS_TRACE_HANDSHAKE },
	{ "ssl-expert", TLS_TRACE_HANDSHAKE },
	{ "4", TLS_TRACE_ALL },
	{ "ssl-developer", TLS_TRACE_ALL },
};

int
tls_loglevel(struct str text)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_case_is(text, words[i].word))
			return words[i].level;
	return -1;
}

/* ---- steps ---- */

static void
tell_alert(bool got, int alert)
{
	if ((alert & 0xff) != SSL3_AD_CLOSE_NOTIFY)
		log_info("SSL3 alert %s:%s:%s", got ? "read" : "write",
			SSL_alert_type_string_long(alert),
			SSL_alert_desc_string_long(alert));
}

static bool
will_go_on(const SSL *ssl, int result)
{
	int error = SSL_get_error(ssl, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void
tell_step(const SSL *ssl, int where, int result)
{
	const char *side = SSL_is_server(ssl) ? "SSL_accept" : "SSL_connect";
	const char *state = SSL_state_string_long(ssl);

	if (where & SSL_CB_LOOP)
		log_info("%s:%s", side, state);
	else if (where & SSL_CB_ALERT)
		tell_alert(where & SSL_CB_READ, result);
	else if (where & SSL_CB_EXIT && result == 0)
		log_info("%s:failed in %s", side, state);
	else if (where & SSL_CB_EXIT && result < 0 && !will_go_on(ssl, result))
		log_info("%s:error in %s", side, state);
}

/* What OpenSSL thinks of each certificate is kept as it is. */
static int
tell_certificate(int is_good, X509_STORE_CTX *store)
{
	const SSL *ssl =
		X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls *tls = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	char subject[512] = "";

	if (certificate)
		X509_NAME_oneline(
			X509_get_subject_name(certificate), subject, sizeof(subject));
	log_info(STR_FMT ": depth=%d verify=%d subject=%s", STR_ARG(tls->who),
		X509_STORE_CTX_get_error_depth(store), is_good, subject);
	return tls->verify ? tls->verify(is_good, store) : is_good;
}

/* ---- bytes ---- */

static void
tell_line(size_t at, struct str bytes)
{
	struct buf hex CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < IN_LINE; i++) {
		unsigned char c = i < bytes.len ? (unsigned char)bytes.data[i] : 0;

		if (i == IN_LINE / 2)
			buf_addc(&text, ' ');
		if (i < bytes.len)
			buf_printf(&hex, "%02x", c);
		else
			buf_addz(&hex, "  ");
		buf_addc(&hex, i == IN_LINE / 2 - 1 && i + 1 < bytes.len ? '|' : ' ');
		if (i < bytes.len)
			buf_addc(&text, c > ' ' && c < 0x7f ? (char)c : '.');
	}
	log_info("%04zx " STR_FMT " " STR_FMT, at, STR_ARG(buf_str(&hex)),
		STR_ARG(buf_str(&text)));
}

/* The end may be blanks and zeros, which a line tells. */
static void
tell_bytes(struct str bytes)
{
	struct str rest = bytes;

	while (rest.len > 0 &&
		(rest.data[rest.len - 1] == ' ' || !rest.data[rest.len - 1]))
		rest.len--;
	for (size_t at = 0; at < rest.len; at += IN_LINE)
		tell_line(at, str_sub(rest, at, MIN(rest.len - at, (size_t)IN_LINE)));
	if (rest.len < bytes.len)
		log_info("%04zx - <SPACES/NULLS>", bytes.len);
}

static long
tell_io(BIO *bio, int what, const char *bytes, size_t asked, int ignored,
	long ignored_too, int result, size_t *done)
{
	const struct tls *tls = (const struct tls *)BIO_get_callback_arg(bio);
	const char *way = what == (BIO_CB_READ | BIO_CB_RETURN)    ? "read from"
			  : what == (BIO_CB_WRITE | BIO_CB_RETURN) ? "write to"
								   : NULL;

	(void)ignored, (void)ignored_too;
	if (!way || (tls->established && tls->trace < TLS_TRACE_ALL))
		return result;
	if (result <= 0 || !done) {
		log_info("%s " STR_FMT " (%zu bytes => %d)", way, STR_ARG(tls->who),
			asked, result);
		return result;
	}
	log_info("%s " STR_FMT " (%zu bytes => %zu (0x%zX))", way, STR_ARG(tls->who),
		asked, *done, *done);
	tell_bytes(str_of(bytes, *done));
	return result;
}

void
conn_tls_trace(struct conn *c, int level, struct str who)
{
	c->tls_trace = level;
	c->tls_who = who;
}

void
tls_trace_begin(struct tls *tls, int level, struct str who)
{
	if (level < TLS_TRACE_STEPS)
		return;
	tls->trace = level;
	tls->who = arena_str(tls->arena, who);
	SSL_set_info_callback(tls->ssl, tell_step);
	tls->verify = SSL_get_verify_callback(tls->ssl);
	SSL_set_verify(tls->ssl, SSL_get_verify_mode(tls->ssl), tell_certificate);
	if (level < TLS_TRACE_HANDSHAKE)
		return;
	BIO_set_callback_ex(SSL_get_rbio(tls->ssl), tell_io);
	BIO_set_callback_arg(SSL_get_rbio(tls->ssl), (char *)tls);
}
