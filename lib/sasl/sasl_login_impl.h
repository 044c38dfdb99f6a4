/* sasl_login_impl.h -- inside of one exchange, for the files of its mechanisms. */
#ifndef SASL_LOGIN_IMPL_H
#define SASL_LOGIN_IMPL_H

#include "sasl_login.h"
#include "tls_digest.h"

struct sasl_login {
	const struct sasl_login_mechanism *m;
	unsigned steps; /* done */
	struct buf user, password, host, nonce;
	unsigned port;
	/* SCRAM: what both sides said, which the signatures are of, and what the server
	 * has to sign with; and did it? */
	struct buf said;
	unsigned char server_key[DIGEST_MOST];
	bool server_proved;
};
/* enum digest in `variant`. */
bool sasl_scram_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why);
/* The mistakes of a server, and of OpenSSL, in the words of Cyrus SASL, which are in
 * administrators' notes. Both false. */
bool sasl_bad_protocol(struct why *why);
bool sasl_bad_server(struct why *why);
bool sasl_failure(struct why *why);
/* RFC 5801 section 4: a name with =2C and =3D for "," and "=". */
void sasl_add_name(struct buf *out, struct str name);

#endif
