/* mta_sts.h -- policies of MTA-STS (RFC 8461): which hosts take a domain's mail, and that
 * they have TLS with a certificate. Nothing here asks anybody. */
#ifndef MTA_STS_H
#define MTA_STS_H

#include "base.h"

#define MTA_STS_TEXT_MOST ((size_t)64 * 1024) /* of a policy; section 3.2 */
#define MTA_STS_MX_MOST   200                 /* patterns */

enum mta_sts_mode {
	MTA_STS_NONE,    /* the domain has, or wants, no policy any more */
	MTA_STS_TESTING, /* what fails is told, and the mail goes */
	MTA_STS_ENFORCE,
};
struct mta_sts {
	enum mta_sts_mode mode;
	uint32_t max_age; /* seconds that it is good for */
	struct strs mx;   /* patterns: a host, or *.parent; lower case */
};

/* The id in a TXT record at _mta-sts (section 3.1), a view into it. False: the record is
 * something else, or broken. */
bool mta_sts_id(struct str record, struct str *id);
/* A policy as it was fetched (section 3.2); patterns in arena. PERMFAIL: it is none; why
 * has the text for the log. */
enum verdict mta_sts_parse(
	struct str text, struct arena *arena, struct mta_sts *out, struct why *why);
/* Is a host one of these (section 4.1)? A wildcard is for one label. */
bool mta_sts_matches(struct strs mx, struct str host);
/* "none", "testing", "enforce". */
const char *mta_sts_word(enum mta_sts_mode mode);

#endif
