/* explain.c -- which way a recipient would take (postern explain): what active.c asks for
 * each, and nothing is queued. */
#include "explain.h"
#include "active.h"
#include "explained.h"
#include "outside.h"
#include "schedule.h"
#include "suspend.h"

static void
explain_end_of_route(const struct route_result *to)
{
	struct buf way CLEANUP(buf_free) = BUF_INIT;

	buf_printf(
		&way, STR_FMT ":" STR_FMT, STR_ARG(to->transport), STR_ARG(to->nexthop));
	explain_step("route", STR_NONE, to->recipient, "goes to", buf_str(&way));
}

static void
explain_one(const struct envelope *e, struct rcpt *r, struct explain_reply *say,
	struct arena *arena)
{
	struct str filter = active_filter(e);
	const struct suspension *suspension;
	struct route_result to;
	struct why why = { 0 };

	if (filter.len > 0) {
		explain_step("filter", STR_NONE, STR_NONE, "is", filter);
		route_through(outside.route, filter, r->address, &to);
	} else {
		say->verdict = (uint8_t)route_resolve(outside.route, ROUTE_FOR_MAIL,
			e->sender, r->address, arena, &to, &why);
	}
	explain_end_of_route(&to);
	suspension = suspend_why(to.transport, to.nexthop);
	if (say->verdict == ACCEPT && suspension)
		say->verdict = (uint8_t)why_set(
			&why, "4.3.2", STR_FMT, STR_ARG(suspend_text(suspension, arena)));
	else if (say->verdict == ACCEPT && transport_is_deferred(to.transport))
		say->verdict = (uint8_t)why_set(&why, "4.3.2", "deferred transport");
	say->code = arena_str(arena, str_c(why.code));
	say->text = arena_str(arena, str_c(why.text));
	say->transport = to.transport;
	say->nexthop = to.nexthop;
	r->address = to.recipient;
}

void
qmgr_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct envelope e;

	if (envelope_get(ask->envelope, &e, arena) < 0 || ask->rcpt >= e.n_rcpts) {
		say->verdict = TEMPFAIL;
		return;
	}
	suspend_start(); /* this process does nothing else, and begins here */
	explain_one(&e, &e.rcpts[ask->rcpt], say, arena);
	envelope_put(&envelope, &e);
	say->envelope = arena_str(arena, buf_str(&envelope));
}
