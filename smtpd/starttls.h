/* starttls.h -- what TLS is for this service: which certificates it shows, whose keys
 * tlsmgr has. */
#ifndef SMTPD_STARTTLS_H
#define SMTPD_STARTTLS_H

#include "site.h"

/* Before the jail: what the configuration says, and what it takes from files that are no
 * secret. Mistakes in it are fatal, or turn TLS off, as with Postfix. */
void starttls_open(struct site *site);
/* For struct service: the certificates, before the first session. */
SWITCHES void starttls_start(void);

#endif
