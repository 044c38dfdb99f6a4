/* limits.h -- what one client, or its network, may do at a time and in a time unit:
 * smtpd_client_*_limit. anvil counts, for all workers together; a session waits for its
 * answer, no other does. Without an answer in time the client is served.
 *
 * Clients in smtpd_client_event_limit_exceptions are not counted, nor are those who may
 * say XCLIENT: they speak for others. */
#ifndef LIMITS_H
#define LIMITS_H

#include "messages.h"

struct session;
struct ipc_peer;

#define LIMITS_PATIENCE ((msec_t)3000) /* with anvil */

/* "192.0.2.0/24": the network of the client, of which the first bits count. */
struct str limits_network_name(const struct session *s, unsigned kept);

/* anvil, to be asked now; NULL with errno EAGAIN: it did not answer lately, and is left
 * alone. Then what came of it, which is given back; without an answer errno says why. */
struct ipc_peer *limits_anvil(void);
bool limits_anvil_said(bool something);

/* Is it in smtpd_client_event_limit_exceptions, or may it say XCLIENT? */
SWITCHES bool limits_exempt(const struct session *s);
/* Is the client to be counted, and as whom? */
void limits_begin(struct session *s);
/* It has connected. False: too many connections; the client was told. */
SWITCHES bool limits_connect(struct session *s);
void limits_disconnect(struct session *s);
/* One more MAIL, RCPT or AUTH. False: too many in this time unit; the client was told. */
SWITCHES bool limits_mail(struct session *s);
SWITCHES bool limits_rcpt(struct session *s);
SWITCHES bool limits_auth(struct session *s);
/* May it begin another TLS session? False: it has had too many already; logged, with what
 * it wanted: "STARTTLS", or "TLS service". */
SWITCHES bool limits_may_start_tls(struct session *s, const char *what);
/* It did begin one. False: that was too much; the client was told. */
SWITCHES bool limits_new_tls(struct session *s);

#endif
