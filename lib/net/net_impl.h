/* net_impl.h -- the door between connections and TLS: what conn.c knows of tls*.c. No
 * OpenSSL type shows here, and none of these calls waits. */
#ifndef NET_IMPL_H
#define NET_IMPL_H

#include "net.h"

/* ---- conn.c ---- */
enum line_found { LINE_FOUND, LINE_MORE, LINE_SKIPPED };
/* Takes a line out of what has been read; no input or output. LINE_MORE: its end is not
 * there yet. LINE_SKIPPED: one that was too long has ended now. */
enum line_found conn_take_line(struct conn *c, struct str *line);
/* Waits for a descriptor that would have blocked. */
enum conn_result conn_wait(struct conn *c, bool for_write, deadline_t patience);
enum conn_result conn_failed(struct conn *c, int error);

/* ---- tls.c ---- */
enum tls_want {
	TLS_WANT_READ = -1,
	TLS_WANT_WRITE = -2,
	TLS_FAILED = -3, /* c->tls_error and c->error say why */
};
/* Bytes, 0 at the end, or enum tls_want. */
ssize_t tls_read(struct conn *c, void *room, size_t size);
ssize_t tls_write(struct conn *c, const void *bytes, size_t size);
void tls_close(struct conn *c); /* says goodbye if it can; frees c->tls */

/* ---- tls_config.c: Postfix's syntax for protocols ("!SSLv3", ">=TLSv1.2", a list) ----
 */
enum { TLS_PROTOCOLS = 5 };
struct tls_protocols {
	bool allowed[TLS_PROTOCOLS]; /* SSLv3, TLSv1 ... TLSv1.3 */
};
int tls_protocols_parse(struct str text, struct tls_protocols *out, struct why *why)
	MUST_CHECK;
/* The OpenSSL cipher list for a grade, with what is excluded. */
int tls_cipher_list(const struct tls_config *conf, struct buf *out, struct why *why)
	MUST_CHECK;

#endif
