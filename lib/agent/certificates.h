/* certificates.h -- what a server shows in its handshakes: certificates whose private
 * keys tlsmgr alone has, and does with them what a handshake needs (tls_keys.h); and
 * session tickets, whose keys tlsmgr makes for all processes, for a client may come to
 * any of them next.
 *
 * A context holds everything but the private keys. One is made before the jail, with the
 * authorities and parameters from files (the base); each time tlsmgr has other
 * certificates the base gives rise to another context, while sessions go on with theirs.
 * A process has one of these. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "conf.h"
#include "event.h"
#include "net.h"

struct certificates {
	struct tls_context *context; /* NULL: none, or not at the moment */
	/* What the caller fills in; good until certificates_close(). */
	struct strs chain_files, pairs; /* certificate file, key file, and so on */
	struct tls_config config;
	struct str sni_maps; /* tls_server_sni_maps */
	/* Of certificates.c: */
	struct tls_context *base; /* without certificates; NULL: TLS is off */
	uint64_t version;         /* of those at hand */
	deadline_t look_again, tickets_until;
	bool asking, told, refused, tickets_told;
	struct co_queue waiting;
};

/* Parameters with names of files, "none" for none: that of the chain files, or three
 * pairs of a certificate's and its key's. The arena owns the lists. */
#define CERTIFICATES_PAIRS 3
void certificates_name(struct certificates *c, struct str chain_files,
	const struct str (*pairs)[2], struct arena *arena);
/* Completes c->config by the parameters that are one for all servers, tls_*. */
void certificates_configure(struct certificates *c, const struct params *p,
	struct str eecdh_grade, struct arena *arena);

/* Before the jail: makes the base, or warns that there is no TLS and why (`parameter` is
 * what to set). `anonymous`: with ciphers that need no certificate, where none is named.
 * BLOCKS */
void certificates_open(struct certificates *c, const struct params *p, bool anonymous,
	const char *parameter);
void certificates_close(struct certificates *c);

/* The certificates, before the first session. */
SWITCHES void certificates_start(struct certificates *c);
/* Before a handshake: certificates that have changed, the keys of tickets when it is time
 * for others. Without an answer those at hand go on. */
SWITCHES void certificates_refresh(struct certificates *c);
/* Is there TLS here, as far as the configuration and tlsmgr say? A handshake may still
 * find that it cannot be had at the moment: then c->context is NULL. */
bool certificates_are_offered(const struct certificates *c);

#endif
