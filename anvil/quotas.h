/* quotas.h -- what logins and the domains of senders have sent: messages, recipients and
 * bytes, in an hour (anvil_quota_time_unit) and in a day. Each period of an account
 * begins with the first event after the end of the one before.
 *
 * Times are seconds since 1970, given by the caller, since what is counted outlives the
 * process (anvil_quota_map). Memory is bounded: of logins and of domains the one that
 * was quiet for the longest time is forgotten when there are QUOTAS_MOST. */
#ifndef QUOTAS_H
#define QUOTAS_H

#include "base.h"
#include "counts.h"
#include "messages.h"

#define QUOTAS_MOST 65536
#define QUOTA_NAME  127 /* bytes of "login:joe" */

/* How long an hour is. Called again it changes that. */
void quotas_configure(int64_t hour);

/* An account wants to send so much more: see quota_request. What is senseless is within
 * all limits, and counts for nobody. */
struct quota_reply quotas_ask(const struct quota_request *ask, int64_t now) MUST_CHECK;

/* Calls fn with each account, the one that was quiet for the longest time first; periods
 * that are over are empty. */
void quotas_each(
	int64_t now, void (*fn)(const struct quota_account *a, void *arg), void *arg);
/* The account of that name begins anew; false: there is none. */
bool quotas_lift(struct str name, int64_t now) MUST_CHECK;

/* Forgets who was quiet for all periods; when to do that again, 0 when nobody is left. */
int64_t quotas_forget(int64_t now);

/* The greatest numbers since the last report, within an hour; and begins anew. */
struct quota_peaks {
	struct peak of[QUOTA_KINDS];
};
struct quota_peaks quotas_peaks(enum quota_about about);

/* ---- as in anvil_quota_map: "login:joe", and "seen", then for hour and day "began",
 * "messages", "recipients", "bytes", with colons between ---- */

/* From now on calls fn with each account that is new, or another one. */
void quotas_tell(void (*fn)(struct str key, struct str value));
/* Calls fn with each. */
void quotas_write(void (*fn)(struct str key, struct str value, void *arg), void *arg);
/* Adds one, in place of one with this key; false: it is none, or has no room. */
bool quotas_take(struct str key, struct str value) MUST_CHECK;
void quotas_taken(void); /* after the last one */

#endif
