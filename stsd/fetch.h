/* fetch.h -- what a domain publishes of MTA-STS (RFC 8461 sections 3.1 to 3.3). */
#ifndef FETCH_H
#define FETCH_H

#include "conf.h"
#include "mta_sts.h"

/* Before the jail, and at a reload: whom to trust, as smtp does. */
void fetch_prepare(const struct conf *c);
/* A domain that there can be a policy of: no address, nothing that would be something
 * else in a URL. */
bool fetch_is_domain(struct str domain);
/* The id of its record, in arena. False: there is none, or none can be had now. */
SWITCHES bool fetch_record(struct str domain, struct arena *arena, struct str *id);
/* Its policy, in arena. False: *why has the text for the log. */
SWITCHES bool fetch_policy(
	struct str domain, struct arena *arena, struct mta_sts *out, struct why *why);

#endif
