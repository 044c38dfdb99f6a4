/* tickets.c -- see tickets.h. */
#include "tickets.h"
#include "log.h"
#include "messages.h"
#include "service.h"

#define PATIENCE  ((msec_t)3000)
#define ASK_AGAIN ((msec_t)10000) /* after no answer */

static deadline_t good_until;

static bool
use_keys(struct site *site, const struct ticket_keys_reply *said)
{
	struct str keys[TLS_TICKET_KEYS];
	size_t n = MIN(said->n_keys, (size_t)TLS_TICKET_KEYS);

	for (size_t i = 0; i < n; i++) {
		keys[i] = said->keys[i].bytes;
		if (keys[i].len != TLS_TICKET_KEY)
			return false;
	}
	if (n == 0 || said->good_for > INT32_MAX)
		return false;
	tls_context_ticket_keys(site->tls, keys, n);
	good_until = deadline_in((msec_t)said->good_for);
	return true;
}

void
tickets_forget(void)
{
	good_until = 0;
}

SWITCHES void
tickets_refresh(struct site *site)
{
	struct ticket_keys_request ask = { .unused = 0 };
	struct ticket_keys_reply said;
	struct arena *arena;
	static bool told;
	bool got;

	if (!tls_context_has_tickets(site->tls) || event_now() < good_until)
		return;
	/* One asks; who comes meanwhile takes the keys at hand. */
	good_until = deadline_in(ASK_AGAIN);
	arena = arena_new();
	got = ticket_keys_call(service_peer("tlsmgr"), &ask, &said, arena,
		      deadline_in(PATIENCE)) == 0 &&
	      use_keys(site, &said);
	arena_free(arena);
	if (got)
		return;
	if (!told)
		log_warn("tlsmgr gives no ticket keys: TLS sessions are resumed by the "
			 "process they began in only");
	told = true;
}
