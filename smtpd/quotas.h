/* quotas.h -- what who has logged in, and who may send as a domain, may send in an hour
 * and in a day: smtpd_login_*_limit, smtpd_sender_domain_*_limit. anvil counts, for all
 * workers together, and outlives restarts; without an answer in time the client is
 * served.
 *
 * Clients that have no limits (limits.h) are not counted, nor are the names in
 * smtpd_login_limit_exceptions and smtpd_sender_domain_limit_exceptions. */
#ifndef SMTPD_QUOTAS_H
#define SMTPD_QUOTAS_H

#include "base.h"

struct session;

/* One more MAIL for asked_sender with asked_size, or one more RCPT. False: too many; the
 * client was told. Where smtpd_*_limit_action is hold, the message will be. */
SWITCHES bool quotas_mail(struct session *s);
SWITCHES bool quotas_rcpt(struct session *s);
/* A message of this size was taken. */
SWITCHES void quotas_sent(struct session *s, octets_t size);

#endif
