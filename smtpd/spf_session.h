/* spf_session.h -- SPF in a session (RFC 7208). A verdict is asked for once in a
 * transaction, whoever wants it: restrictions, spf_mode, the header. */
#ifndef SPF_SESSION_H
#define SPF_SESSION_H

#include "policy.h"

/* spf_mode; each does what the one before it does, too. */
enum spf_mode {
	SPF_MODE_OFF,
	SPF_MODE_LOG,
	SPF_MODE_TAG,    /* Received-SPF */
	SPF_MODE_ENFORCE /* refuses a fail */
};
/* Fatal when it is none of these words. */
enum spf_mode spf_mode_parse(struct str value);

/* What is known of the transaction in hand; lives as long as that. */
struct spf_known;

/* spf_mode = enforce, after all restrictions have passed. */
SWITCHES enum decision spf_enforce(struct session *s);
/* For policy servers: "pass" ...; data NULL with spf_mode = off, for clients that are not
 * checked, and before there is something to check. */
SWITCHES struct str spf_result_known(struct session *s);
/* What cleanup tells of it, or DMARC needs: results, spf_result and spf_domain, in the
 * command's arena. */
SWITCHES void spf_tell(struct session *s, struct submit_request *out);
/* The first recipient was accepted: logs the verdict, and adds the header. */
SWITCHES void spf_record_verdict(struct session *s);

#endif
