/* tickets.c -- see tickets.h. */
#include "tickets.h"
#include <sys/random.h>

static struct {
	unsigned char keys[2][TICKET_KEY]; /* the newest first */
	size_t n;
	deadline_t made; /* the first of them */
} tickets;

static int
add_key(deadline_t now)
{
	unsigned char fresh[TICKET_KEY];

	if (getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh))
		return -1;
	memcpy(tickets.keys[1], tickets.keys[0], TICKET_KEY);
	memcpy(tickets.keys[0], fresh, TICKET_KEY);
	mem_wipe(fresh, sizeof(fresh));
	tickets.n = MIN(tickets.n + 1, COUNT(tickets.keys));
	tickets.made = now;
	return 0;
}

static void
forget(size_t from)
{
	for (size_t i = from; i < tickets.n; i++)
		mem_wipe(tickets.keys[i], TICKET_KEY);
	tickets.n = MIN(tickets.n, from);
}

int
tickets_now(msec_t lifetime, deadline_t now, struct ticket_keys *out)
{
	if (tickets.n > 0 && now >= tickets.made + 2 * lifetime)
		forget(0); /* nobody asked for long */
	if ((tickets.n == 0 || now >= tickets.made + lifetime) && add_key(now) < 0)
		return -1;
	*out = (struct ticket_keys){ .n = tickets.n,
		.good_for = tickets.made + lifetime - now };
	for (size_t i = 0; i < tickets.n; i++)
		out->keys[i] = str_of(tickets.keys[i], TICKET_KEY);
	return 0;
}
