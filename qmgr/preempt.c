/* preempt.c -- small messages go before large ones: the preemptive scheduling of
 * Postfix's SCHEDULER_README.
 *
 * A job earns a slot with every transport_delivery_slot_cost of its deliveries. Another
 * one that needs no more deliveries than there are slots may go before it and uses them
 * up. It may go earlier, on credit: with transport_delivery_slot_discount percent of the
 * slots, and transport_delivery_slot_loan of them, still to be earned. So the large one
 * is never later by more than a part of its own length, however many small ones come. Who
 * goes is decided before there are enough slots, among all that ever could; else those
 * with one recipient would shut out those with two. */
#include "active.h"
#include "outside.h"
#include "schedule_impl.h"

#define SECOND_US 1000000

/* Deliveries that j still takes, at the most: where the recipients that are being routed
 * go is not known yet. */
static int64_t
needs(const struct job *j)
{
	return (int64_t)j->left + (int64_t)j->message->unrouted;
}

static bool
has_ready_share(const struct job *j)
{
	for (const struct share *s = j->shares; s; s = s->more)
		if (s->n > 0 && s->to->place)
			return true;
	return false;
}

/* May it ever go before one that has, and will have, that many slots? Not if another one
 * went before it. */
static bool
may_go(const struct job *j, int64_t slots)
{
	return j->children == 0 && needs(j) <= slots && has_ready_share(j);
}

/* Never 0. */
static double
waited(const struct job *j, int64_t now_us)
{
	return (double)(MAX(now_us - j->message->taken_us, 0) + SECOND_US);
}

/* What j has waited, for each of the deliveries it takes altogether. */
static double
score_of(const struct job *j, int64_t now_us)
{
	return waited(j, now_us) / (double)(j->taken + needs(j));
}

/* The best of those behind j. */
static struct job *
find_candidate(const struct job *j, int64_t slots, int64_t now_us)
{
	struct job *best = NULL;
	double most = 0;

	for (struct job *c = j->next; c; c = c->next) {
		double score = score_of(c, now_us);

		/* Those that follow came later, and have a delivery at least. */
		if (!c->parent && most >= waited(c, now_us))
			break;
		if (score > most && may_go(c, slots)) {
			most = score;
			best = c;
		}
	}
	return best;
}

/* The answer is good for a second, or, when there is none, until preempt_look_again(). */
static struct job *
candidate_for(struct job *j, int64_t slots)
{
	struct preemption *p = &j->transport->preemption;
	int64_t now_us = outside.now_us(), second = now_us / SECOND_US;

	if (p->of == j &&
		(!p->candidate || (p->second == second && may_go(p->candidate, slots))))
		return p->candidate;
	*p = (struct preemption){ j, find_candidate(j, slots, now_us), second };
	return p->candidate;
}

/* So that it need not be routed by a few recipients at a time, half of what is left. */
static void
grant_extra(struct job *j)
{
	struct recipient_pool *p = &j->transport->pool;
	int64_t left = MAX(p->most - p->used, 0) + MAX(p->extra - p->extra_used, 0);

	j->extra += (uint32_t)(left / 2);
	p->extra_used += left / 2;
}

struct job *
preempt(struct job *j)
{
	const struct slot_rules *rules = &j->transport->slot_rules;
	int64_t cost = rules->cost;
	struct job *c;

	/* With a cost of 1 others could hold it up for ever. */
	if (cost < 2 || j->slots <= 0 || j->taken + needs(j) < rules->minimum * cost)
		return j;
	c = candidate_for(j, (j->left + j->slots) / cost);
	if (!c ||
		j->slots / cost + rules->loan < needs(c) * (100 - rules->discount) / 100)
		return j;
	j->slots -= needs(c) * cost;
	job_go_before(c, j);
	if (c->message->unrouted > 0)
		grant_extra(c);
	return c;
}

void
preempt_look_again(struct transport *t)
{
	if (!t->preemption.candidate)
		t->preemption.of = NULL;
}

void
preempt_forget(struct job *j)
{
	struct preemption *p = &j->transport->preemption;

	if (p->of == j || p->candidate == j)
		*p = (struct preemption){ 0 };
}
