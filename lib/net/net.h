/* net.h -- addresses, and connections that speak lines (SMTP, LMTP, policy ...), in clear
 * or under TLS. */
#ifndef NET_H
#define NET_H

#include "base.h"
#include "event.h"
#include <sys/socket.h>

/* ---- addresses ---- */
struct net_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};
/* "192.0.2.1", "2001:db8::1": the text form without brackets; an IPv4-mapped IPv6 address
 * shows as IPv4. out needs NET_ADDR_TEXT bytes. */
#define NET_ADDR_TEXT 64
const char *net_addr_text(const struct net_addr *a, char *out);
unsigned net_addr_port(const struct net_addr *a);
/* Numeric only, optional brackets; "IPv6:" prefix of RFC 5321 literals too. */
int net_addr_parse(struct str text, unsigned port, struct net_addr *out) MUST_CHECK;
/* Unmaps ::ffff:a.b.c.d in place. */
void net_addr_unmap(struct net_addr *a);

/* A pattern of a network list: 192.0.2.0/24, [2001:db8::]/32, [::1]. Host bits must be
 * zero; *why names the remedy (contract 1.3). */
struct net_block {
	unsigned char bytes[16];
	unsigned bits; /* of the family's 32 or 128 */
	bool v6;
};
int net_block_parse(struct str text, struct net_block *out, struct why *why) MUST_CHECK;
bool net_block_has(const struct net_block *b, const struct net_addr *a);

/* ---- listening ---- */
/* One inet service line (contract 2.1: port, host:port, [v6]:port, names from
 * services(5)) bound on the given interface addresses ("all" and
 * "loopback-only" among them; one that comes twice is bound once) or, with none, on all
 * of the protocols asked for. Fills in descriptors; -1 and *why. */
struct net_fds {
	int fd[64];
	size_t n;
};
int net_listen_inet(struct str endpoint, const struct strs *interfaces, bool ipv4,
	bool ipv6, int backlog, struct net_fds *out, struct why *why) MUST_CHECK;
int net_listen_unix(const char *path, mode_t mode, int backlog, struct why *why)
	MUST_CHECK;
/* "host:port" of other software is "inet:host:port"; "unix:path" stays. NULL: a NUL in
 * it. */
const char *net_endpoint(struct str name, struct arena *arena);
int net_connect_unix(const char *path, struct why *why) MUST_CHECK; /* blocking */
/* Sends/receives one descriptor with at least one byte over a blocking or ready socket.
 */
int net_send_fd(int sock, struct str bytes, int fd) MUST_CHECK;
ssize_t net_recv_fd(int sock, void *bytes, size_t room, int *fd) MUST_CHECK;
int net_peer_cred(int sock, pid_t *pid, uid_t *uid, gid_t *gid) MUST_CHECK;

/* ---- conn: a buffered connection ---- */
enum conn_result {
	CONN_OK,
	CONN_LINE = CONN_OK,
	CONN_TOO_LONG, /* the rest of that line was skipped */
	CONN_CLOSED,   /* the peer hung up */
	CONN_TIMEOUT,
	CONN_ERROR,    /* errno */
	CONN_CANCELED, /* we are shutting down */
};
/* Between whom a connection is, where its socket does not tell. */
struct conn_ends {
	struct net_addr client, server;
};
struct conn {
	struct io io;
	struct conn_ends *ends; /* NULL: the socket tells; freed with the connection */
	struct buf in, out;     /* given back to a pool while the session idles */
	size_t at;              /* bytes of `in` already consumed */
	size_t line_limit; /* longest line accepted by conn_read_line, default 2048 */
	struct tls *tls;   /* NULL in clear */
	octets_t received, sent;
	bool bare_lf, bare_cr; /* the last line ended in LF without CR / held a bare CR */
	int error;             /* errno of the first fatal error */
	struct str tls_error;  /* why TLS failed; static or owned by tls */
	struct str tls_who;    /* see conn_tls_trace() */
	int tls_trace;
	size_t scanned; /* bytes behind `at` that hold no line end */
	bool skipping;  /* within a line that was too long */
	unsigned fills; /* reads since the last wait */
};
/* Takes over fd (closed by conn_close, also when it fails: then NULL and errno). */
struct conn *conn_open(int fd);
void conn_close(struct conn *c);
void conn_close_at(struct conn **c);
/* The two ends of a connection; IPv6 addresses that stand for IPv4 ones are unmapped.
 * False: it is none of the network. */
bool conn_client(const struct conn *c, struct net_addr *out) MUST_CHECK;
bool conn_server(const struct conn *c, struct net_addr *out) MUST_CHECK;
/* Sends what is buffered, waits for one line and gives it without its line end. A line
 * may end in LF alone: bare_lf says so. The view is good until the next conn_ call. */
SWITCHES enum conn_result conn_read_line(
	struct conn *c, struct str *line, deadline_t patience);
/* Sends what is buffered when nothing is readable; gives all bytes at hand (at least
 * one). conn_consume() drops some of them. */
SWITCHES enum conn_result conn_peek(
	struct conn *c, struct str *bytes, deadline_t patience);
void conn_consume(struct conn *c, size_t n);
/* Bytes the peer sent ahead that were not consumed yet (without reading more). */
struct str conn_pending(const struct conn *c);
/* Buffers; flushed by the next read that has to wait, by conn_flush, or at 64 KB at the
 * caller's next conn_flush. */
void conn_write(struct conn *c, struct str bytes);
void conn_printf(struct conn *c, const char *fmt, ...) PRINTF(2, 3);
SWITCHES enum conn_result conn_flush(struct conn *c, deadline_t patience);
/* Frees both buffers when empty: call before a long wait. */
void conn_idle(struct conn *c);
/* What was read is wiped: it was a secret. Views of it are gone. */
void conn_forget(struct conn *c);

/* ---- TLS below a conn (lib/tls implements; OpenSSL does not show here) ---- */
struct tls_context;
struct tls;
struct tls_chain; /* tls_keys.h */
struct tls_info {
	struct str protocol, cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
	unsigned used_bits, alg_bits;
	struct str key_exchange, signature, signature_digest; /* may be empty */
	unsigned signature_bits;
	struct str client_signature, client_signature_digest; /* servers */
	unsigned client_signature_bits;
	bool reused, peer_certificate, trusted;
	struct str peer_cn, issuer_cn, fingerprint, key_fingerprint;
	/* Servers: the name that certificates were chosen by. Clients: that they asked
	 * for. */
	struct str server_name;
	struct str distrust; /* why the peer's certificate is not trusted */
};
/* DANE: what the DNS says of a server's certificate (RFC 6698 section 2.1). */
struct tls_tlsa {
	uint8_t usage, selector, matching;
	struct str data;
};
struct tls_dane {
	struct str base; /* where the records were found; goes into the SNI. Empty: trust
			    anchors, for names that the caller looks at */
	struct strs names; /* others that an authority's certificate (usage 2) may have */
	const struct tls_tlsa *records; /* usable ones */
	size_t n;
};
/* files: key and certificate chain files as smtpd_tls_chain_files takes them, or separate
 * certificate and key. Loaded now, while we may read them. NULL and *why. */
struct tls_config {
	/* Instead of files: certificates whose keys are elsewhere (tls_keys.h). */
	const struct tls_chain *chains;
	size_t n_chains;
	struct strs chain_files;
	struct str cert_file, key_file, eccert_file, eckey_file; /* legacy pairs */
	struct str ca_file, ca_path;
	struct str protocols, ciphers, exclude_ciphers, cipherlist; /* Postfix syntax */
	/* Groups for key exchange, the best first; none: OpenSSL's. */
	struct str groups;
	struct str ssl_options, disabled_workarounds; /* names of OpenSSL's bits */
	bool prefer_own_ciphers;
	bool default_authorities; /* those of the system, too */
	bool ask_certificate, require_certificate;
	int verify_depth; /* certificates above the peer's */
	/* Servers: a file with parameters for DHE ("auto": as strong as the key). */
	struct str dh_file;
	/* Servers: the same configuration as that, whose authorities and DHE parameters
	 * are taken instead of the files. */
	const struct tls_context *base;
	/* Servers: without certificates; for anonymous ciphers, or as a base. */
	bool no_certificate;
	/* Servers: the certificates for a name that a client asked for. 1; 0: there are
	 * none, those above are shown; -1: the handshake fails. May switch. */
	int (*sni)(struct str name, struct arena *arena, const struct tls_chain **chains,
		size_t *n);
	struct str fingerprint_digest; /* none: sha256 */
	/* Servers: sessions are resumed for so many seconds, by tickets; 0: not at all.
	 */
	int64_t session_lifetime;
	struct str ticket_cipher; /* of OpenSSL's names; in CBC mode */
	/* Only where that is the same, and what is asked of certificates. */
	struct str session_scope;
	bool keep_sessions; /* clients: for conn_tls_session() */
	/* Clients: DANE with these, as tls_dane_digests has them; none: without. */
	struct str dane_digests;
	const struct tls_dane *dane; /* of terms: it alone says who is trusted */
};
struct tls_context *tls_server_context(const struct tls_config *conf, struct why *why);
struct tls_context *tls_client_context(const struct tls_config *conf, struct why *why);
/* Connections that were made with it go on. */
void tls_context_free(struct tls_context *ctx);
/* Session tickets (RFC 5077, RFC 8446 section 4.6.1): a client resumes its session
 * without a full handshake, with whichever process has the key. Until it is given some a
 * context has a key of its own. The first is for new tickets; others are accepted. */
#define TLS_TICKET_KEY  80 /* bytes: a name of 16, 32 for cipher and MAC each */
#define TLS_TICKET_KEYS 2
bool tls_context_has_tickets(const struct tls_context *ctx);
void tls_context_ticket_keys(struct tls_context *ctx, const struct str *keys, size_t n);
/* Handshakes over a conn whose unread plain bytes are dropped first (RFC 3207
 * section 4.2, CVE-2011-0411); needs a large stack. Afterwards conn_ calls go through
 * TLS. */
SWITCHES enum conn_result conn_accept_tls(
	struct conn *c, struct tls_context *ctx, deadline_t patience);
/* server_name: for SNI, may be empty. session: to be resumed, if the server will; of
 * conn_tls_session(), or none. */
SWITCHES enum conn_result conn_connect_tls(struct conn *c, struct tls_context *ctx,
	struct str server_name, struct str session, deadline_t patience);
/* The same, with the protocols and ciphers of terms instead of the context's, which were
 * checked by tls_terms_check(), and with DANE if terms have it. */
SWITCHES enum conn_result conn_connect_tls_by(struct conn *c, struct tls_context *ctx,
	const struct tls_config *terms, struct str server_name, struct str session,
	deadline_t patience);
/* False: there are no dane_digests, or a mistake in them, which is logged. */
bool tls_context_has_dane(const struct tls_context *ctx);
/* How many of the records can be used with SMTP (RFC 7672 section 3.1): those of the
 * usages 2 and 3 that are in order. They are the first then. */
size_t tls_dane_usable(struct tls_context *ctx, struct tls_tlsa *records, size_t n);
/* Adds the certificates and public keys of a file in PEM as records. BLOCKS. -1 and
 * *why: it cannot be read, or there is something else in it. */
BLOCKS int tls_anchors_read(struct str path, struct arena *arena,
	struct tls_dane *anchors, struct why *why) MUST_CHECK;
int tls_terms_check(const struct tls_config *terms, struct why *why) MUST_CHECK;
/* Is the server's certificate for this name, or for one below ".domain" (RFC 6125)? Says
 * nothing about who issued it. A * in the certificate is one label, as with Postfix 3.7
 * whatever tls_wildcard_matches_multiple_labels says. */
bool conn_tls_named(const struct conn *c, struct str name);
/* What to resume this session with on another connection; the server may send that with
 * the first bytes after the handshake only. Secret. False: nothing came since the last
 * call. */
bool conn_tls_session(struct conn *c, struct buf *out);
const struct tls_info *conn_tls_info(const struct conn *c); /* NULL in clear */
/* smtpd_tls_loglevel and its like, in numbers or Postfix's words: 0 to 4; -1: neither. */
enum { TLS_TRACE_STEPS = 2, TLS_TRACE_HANDSHAKE, TLS_TRACE_ALL };
int tls_loglevel(struct str text);
/* Has the steps of a handshake logged that begins later, from level 3 on its bytes, with
 * 4 all of the connection's. who: the peer in these lines; lives as long as the conn. */
void conn_tls_trace(struct conn *c, int level, struct str who);
/* What the library says of the error in c->tls_error, for the log; good until
 * conn_close(). None: it was no error of the library's. */
struct strs conn_tls_problems(const struct conn *c);
/* Appends what the log says of a TLS connection: "TLSv1.3 with cipher ... (256/256 bits)
 * key-exchange X25519 server-signature ...". Nothing in clear. */
void conn_tls_text(const struct conn *c, struct buf *out);
/* Appends the server's certificates, its own first: names, fingerprints, PEM. Where there
 * are trusted certificates, the chain that leads to one of them. */
void conn_tls_chain(const struct conn *c, struct buf *out);
/* When the first certificate of a PEM file, or another one that is no authority's,
 * expires, in seconds since 1970. -1 and *why when there is none. BLOCKS */
int tls_certificate_ends(const char *path, int64_t *ends, struct why *why) MUST_CHECK;
/* Appends for each of the same certificates 32 bytes, SHA-256 of its public key: what a
 * TLSA record 3 1 1 has (RFC 6698). -1 and *why as above. BLOCKS */
int tls_certificate_keys(const char *path, struct buf *out, struct why *why) MUST_CHECK;
/* The library: "OpenSSL 3.0.11 19 Sep 2023", as of the headers and as it runs; the kinds
 * of keys it knows, in the words of postconf -T. */
const char *tls_version_compiled(void);
const char *tls_version_running(void);
void tls_each_key_algorithm(void (*fn)(const char *name));

#endif
