/* explain.c -- where a recipient's mail would go (postern explain): a probe for one
 * recipient, whose new mail nobody submits. */
#include "explain.h"
#include "local.h"

/* Envelopes of what would be sent as new mail: one for each sender. */
static struct strs
forwarded(struct recipient *r, struct arena *arena)
{
	struct strs out = { arena_alloc(arena, (r->forward.n + 1) * sizeof(struct str)),
		0 };
	struct forwarded *some = arena_alloc(arena, (r->forward.n + 1) * sizeof(*some));

	for (size_t n; (n = forward_group(r, some)) > 0;) {
		struct buf bytes CLEANUP(buf_free) = BUF_INIT;
		struct envelope e;

		forward_envelope(r, "", some, n, &e);
		envelope_put(&bytes, &e);
		out.items[out.n++] = arena_str(arena, buf_str(&bytes));
	}
	return out;
}

static void
take_result(struct recipient *r, struct explain_reply *say, struct arena *arena)
{
	struct str nexthop = r->pass_to, transport;

	say->forwarded = forwarded(r, arena);
	say->verdict = (uint8_t)r->verdict;
	say->code = arena_str(arena, str_c(r->why.code));
	say->text = arena_str(arena, str_c(r->why.text));
	if (r->pass_to.len > 0 && r->verdict == ACCEPT &&
		str_split(&nexthop, ':', &transport)) {
		explain_step("route", STR_NONE, r->d->envelope.rcpts[r->index].address,
			"goes to", r->pass_to);
		say->transport = transport;
		say->nexthop = nexthop;
	}
}

void
local_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	struct delivery d = { .ask = { .probe = true, .nexthop = ask->nexthop },
		.rest_fd = -1,
		.arena = arena,
		.conf = service_conf() };
	struct recipient r = { .d = &d, .index = ask->rcpt, .seen = map_new() };

	say->verdict = TEMPFAIL;
	if (envelope_get(ask->envelope, &d.envelope, arena) == 0 &&
		ask->rcpt < d.envelope.n_rcpts) {
		recipient_follow(&r);
		take_result(&r, say, arena);
	}
	map_free(r.seen);
	vec_free(&r.forward);
}
