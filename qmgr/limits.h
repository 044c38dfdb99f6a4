/* limits.h -- what shaping_maps says of a destination, and the count of messages that
 * keeps to it.
 *
 *	entry = "none" / 1*(word)            ; words are separated by blanks or commas
 *	word  = "messages_per_second=" n / "messages_per_minute=" n / "connections=" n
 *	      / "messages_per_connection=" n / "delay=" time / "group=" name / "adapt"
 *
 * Numbers are from 1 to 1,000,000. A time is as in main.cf, with fractions of a second:
 *0.25s. */
#ifndef LIMITS_H
#define LIMITS_H

#include "base.h"

#define LIMIT_MOST       1000000
#define LIMIT_DELAY_MOST ((msec_t)24 * 3600 * 1000)
#define GROUP_LENGTH     200 /* octets of a name */

struct limits {
	uint32_t per_second, per_minute, connections, per_connection; /* 0: none */
	msec_t delay;     /* between the begins of two deliveries; 0: none */
	struct str group; /* who shares them, or none: as shaping.h has it */
};
/* A time of such a word. False: it is none, or longer than LIMIT_DELAY_MOST. */
bool limits_read_time(struct str value, msec_t *out);
/* ACCEPT: *out, whose strings are views of text; for "none" *any is false. PERMFAIL: it
 * is no entry. */
enum verdict limits_parse(struct str text, struct limits *out, bool *any, struct why *why)
	MUST_CHECK;
/* "5/s 100/min connections=3": what postqueue and the log show; "" for none. */
void limits_show(const struct limits *l, struct buf *out);

/* ---- at most so many in any span of time ----
 * Begins are counted in slots of a twentieth of the span; one slot more than the span has
 * counts, so that no span, wherever it starts, has more than are allowed. */
#define RATE_SLOTS 21
struct rate {
	msec_t span;
	int64_t newest; /* number of the last slot that counts, since the clock's zero */
	uint32_t slots[RATE_SLOTS], sum;
};
/* When one more may begin, with at most `most` (0: no limit) in a span: now or later. */
deadline_t rate_opens(struct rate *r, uint32_t most, deadline_t now);
void rate_count(struct rate *r, deadline_t now);

#endif
