/* suspects.c -- see suspects.h. Kept in memory only: a stop forgets, and so does an
 * upgrade, which may have brought the remedy. */
#include "suspects.h"

/* The one whose last crash is longest ago makes room. */
#define SUSPECTS_MOST 256

struct suspect {
	uint64_t network;                 /* 0: unused */
	msec_t crashes[SUSPECTS_CRASHES]; /* newest first; 0: there was none */
	msec_t refused_until;
};

static struct suspect suspects[SUSPECTS_MOST];

static struct suspect *
suspect_of(uint64_t network)
{
	struct suspect *oldest = &suspects[0];

	for (size_t i = 0; i < SUSPECTS_MOST; i++) {
		if (suspects[i].network == network)
			return &suspects[i];
		if (suspects[i].crashes[0] < oldest->crashes[0])
			oldest = &suspects[i];
	}
	*oldest = (struct suspect){ .network = network };
	return oldest;
}

bool
suspects_crash(uint64_t network, msec_t now)
{
	struct suspect *s;
	msec_t first;

	if (network == 0)
		return false;
	s = suspect_of(network);
	memmove(&s->crashes[1], &s->crashes[0],
		sizeof(s->crashes) - sizeof(s->crashes[0]));
	s->crashes[0] = now;
	first = s->crashes[SUSPECTS_CRASHES - 1];
	if (first == 0 || now - first >= SUSPECTS_SPAN)
		return false;
	s->refused_until = now + SUSPECTS_SPAN;
	return true;
}

void
suspects_show(struct suspect_page *page, msec_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < SUSPECTS_MOST && n < SUSPECTS_REFUSED; i++)
		if (suspects[i].refused_until > now)
			page->refused[n++] = suspects[i].network;
	while (n < SUSPECTS_REFUSED)
		page->refused[n++] = 0;
}

deadline_t
suspects_change(msec_t now)
{
	deadline_t next = DEADLINE_NEVER;

	for (size_t i = 0; i < SUSPECTS_MOST; i++)
		if (suspects[i].refused_until > now)
			next = MIN(next, suspects[i].refused_until);
	return next;
}
