/* login.h -- who the client has logged in as (RFC 4954), and which addresses are his. */
#ifndef LOGIN_H
#define LOGIN_H

#include "sasl.h"
#include "session.h"

/* Can it log in now: smtpd_sasl_auth_enable, smtpd_tls_auth_only, EHLO keywords? */
bool login_is_possible(const struct session *s);
/* How it is asked after. */
struct sasl_client login_client(const struct session *s);
/* The mechanisms that are announced to it, with blanks between them, in the arena of the
 * command; or none. */
SWITCHES struct str login_announced(struct session *s);
/* It is that one now: for the rest of the session, or until session_restart(). */
void login_begin(struct session *s, struct str method, struct str username);
/* Is it anybody whom we know? ANONYMOUS (RFC 4505) is nobody. */
bool login_is_somebody(const struct session *s);

#endif
