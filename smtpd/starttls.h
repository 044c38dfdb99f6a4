/* starttls.h -- what TLS is for this service: which certificates it shows, whose keys
 * tlsmgr has. */
#ifndef SMTPD_STARTTLS_H
#define SMTPD_STARTTLS_H

#include "site.h"

/* Before the jail: what the configuration says, and what it takes from files that are no
 * secret. Mistakes in it are fatal, or turn TLS off, as with Postfix. */
void starttls_open(struct site *site);
void starttls_close(struct site *site);
/* For struct service: the certificates, before the first session. */
SWITCHES void starttls_start(void);
/* Before a handshake, and where one is offered: certificates that have changed, the keys
 * of tickets when it is time for others. */
SWITCHES void starttls_refresh(struct site *site);
/* Is there TLS here, as far as the configuration and tlsmgr say? A handshake may still
 * find that it cannot be had at the moment: then site->tls is NULL. */
bool starttls_is_offered(const struct site *site);

#endif
