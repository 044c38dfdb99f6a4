/* expand.h -- the session's own names in replies that an administrator wrote:
 * default_rbl_reply, smtpd_reject_footer. */
#ifndef EXPAND_H
#define EXPAND_H

#include "base.h"

struct session;

/* "client_address", "sender_domain" ... Characters outside smtpd_expansion_filter are
 * shown as _, since most values are a stranger's. STR_NONE: there is no such name. The
 * value lives as long as the command. */
struct str expand_name(struct session *s, struct str name);

#endif
