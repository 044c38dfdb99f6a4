/* stamps.h -- which tests a client has passed, and until when that is believed: what
 * postscreen_cache_map holds (POSTSCREEN_README). Times are seconds since 1970. */
#ifndef STAMPS_H
#define STAMPS_H

#include "base.h"

/* In the order of the table's values, which is Postfix's. */
enum test_kind {
	TEST_PREGREET,
	TEST_DNSBL,
	TEST_PIPELINING,
	TEST_NON_SMTP,
	TEST_BARE_NEWLINE,
	TESTS
};
#define TEST_BIT(test) (1U << (test))
#define TESTS_EARLY    (TEST_BIT(TEST_PREGREET) | TEST_BIT(TEST_DNSBL))
#define TESTS_DEEP \
	(TEST_BIT(TEST_PIPELINING) | TEST_BIT(TEST_NON_SMTP) | \
		TEST_BIT(TEST_BARE_NEWLINE))

#define STAMP_NEW      0 /* never passed */
#define STAMP_DISABLED 1 /* was switched off when the client passed the others */

struct stamps {
	int64_t until[TESTS];
};

/* "1700000000;0;1;1;1". Values of older versions have fewer numbers: what is missing was
 * switched off. False: it is none. */
bool stamps_read(struct str value, struct stamps *out) MUST_CHECK;
/* Behind what out holds. */
void stamps_write(const struct stamps *s, struct buf *out);
/* Those of the enabled tests that have to be passed (again). */
unsigned stamps_due(const struct stamps *s, unsigned enabled, int64_t now);
/* Is one of them still to be passed for the first time? */
bool stamps_are_new(const struct stamps *s);
/* Tests that are switched off now are no news when they are switched on later. */
void stamps_disable(struct stamps *s, unsigned enabled);

#endif
