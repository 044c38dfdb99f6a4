/* shaping.c -- see shaping.h. */
#include "shaping.h"
#include "exchangers.h"
#include "log.h"
#include "outside.h"
#include "resolver.h"
#include "schedule_impl.h"
#include "throttle.h"

/* Of a reply that patterns see: keys are anybody's. */
#define REPLY_MOST ((size_t)500)
/* How long what a table said is good for. */
#define GOOD_FOR ((msec_t)10000)

static struct {
	struct maps *limits, *replies; /* NULL: there are none */
	bool limits_switch, replies_switch;
} shaping;

/* ---- tables ---- */

static struct maps *
open_one(const char *parameter, struct str value, unsigned flags, bool *may_switch)
{
	*may_switch = dict_may_switch(value);
	return str_trim(value).len ? maps_open(parameter, value, flags, outside.conf)
				   : NULL;
}

void
shaping_open(void)
{
	const struct params *p = &outside.conf->p;

	shaping.limits = open_one("shaping_maps", p->shaping_maps,
		DICT_FOLD | DICT_PARENT_DOT, &shaping.limits_switch);
	shaping.replies = open_one("shaping_reply_maps", p->shaping_reply_maps, DICT_FOLD,
		&shaping.replies_switch);
}

bool
shaping_may_switch(void)
{
	return shaping.limits_switch || shaping.replies_switch;
}

/* A destination that is never without mail notices a changed table, too. */
bool
shaping_is_stale(const struct destination *d)
{
	return shaping.limits && event_now() - d->shaped > GOOD_FOR;
}

/* ---- the entry of a destination ---- */

/* "[Relay.example]:587" is relay.example. */
static struct str
domain_of(struct str nexthop, struct arena *arena)
{
	ssize_t end;

	if (nexthop.len && nexthop.data[0] == '[') {
		nexthop = str_from(nexthop, 1);
		end = str_chr(nexthop, ']');
	} else {
		end = str_chr(nexthop, ':');
	}
	return arena_lower(arena, end < 0 ? nexthop : str_sub(nexthop, 0, (size_t)end));
}

struct entry {
	struct str value, group;
};

bool
shaping_is_on(void)
{
	return shaping.limits != NULL;
}

void
shaping_learn(struct destination *d, struct strs exchangers)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	size_t most = (size_t)outside.conf->p.shaping_mx_cache_limit;

	if (shaping.limits &&
		exchangers_learn(domain_of(d->nexthop, arena), exchangers, most))
		d->shaped = event_now() - GOOD_FOR - 1; /* as this delivery ends */
}

/* "mx:host", and "mx:.parent" of each of them. */
static enum dict_result
find_exchanger(struct maps *limits, struct str names, struct arena *arena,
	struct entry *out, struct why *why)
{
	enum dict_result found = DICT_NOTFOUND;
	struct str rest = names, name;

	while (found == DICT_NOTFOUND && str_split(&rest, ',', &name))
		for (ssize_t dot = 0; found == DICT_NOTFOUND && dot >= 0;) {
			found = maps_find(limits,
				arena_printf(arena, "mx:" STR_FMT, STR_ARG(name)), arena,
				&out->value, why);
			name = str_from(name, name.data[0] == '.');
			dot = str_chr(name, '.');
			name = str_from(name, dot < 0 ? name.len : (size_t)dot);
		}
	return found;
}

/* The tables may be closed by a reload: not before nobody looks into them any more. */
static enum dict_result
find_entry(struct maps *limits, const struct destination *d, struct arena *arena,
	struct entry *out, struct why *why)
{
	struct str domain = domain_of(d->nexthop, arena);
	/* A copy: while a look-up waits other deliveries learn. */
	struct str names = arena_str(arena, exchangers_of(domain));
	struct str transport =
		arena_printf(arena, "transport:" STR_FMT, STR_ARG(d->transport->name));
	enum dict_result found = DICT_NOTFOUND;

	out->group = domain;
	if (domain.len)
		found = maps_find_domain(limits, domain, true, arena, &out->value, why);
	if (found == DICT_NOTFOUND && names.len) {
		out->group = names;
		found = find_exchanger(limits, names, arena, out, why);
	}
	if (found == DICT_NOTFOUND) {
		out->group = transport;
		found = maps_find(limits, transport, arena, &out->value, why);
	}
	if (found == DICT_NOTFOUND) {
		out->group = names.len ? names : domain.len ? domain : transport;
		found = maps_find(limits, STR("*"), arena, &out->value, why);
	}
	return found;
}

static enum verdict
join(struct destination *d, const struct entry *e, struct why *why)
{
	struct limits l;
	bool any;

	if (limits_parse(e->value, &l, &any, why) != ACCEPT)
		return TEMPFAIL;
	if (any)
		throttle_join(d, l.group.len ? l.group : e->group, &l);
	else
		throttle_leave(d);
	return ACCEPT;
}

/* A limit that is not known might be one that keeps us off a block list. */
static void
cannot_tell(struct destination *d, const struct why *cause)
{
	struct why why;

	log_warn("shaping_maps lookup error for " STR_FMT ": %s", STR_ARG(d->nexthop),
		cause->text);
	throttle_leave(d);
	why_set(&why, "4.3.0", "shaping_maps lookup error");
	if (!destination_is_dead(d))
		destination_die(d, &why);
}

struct look {
	struct destination *d;
	bool done, later; /* shaping_look() has returned */
};

static void
look(void *arg)
{
	struct look *l = arg;
	struct destination *d = l->d;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct why why = { 0 };
	struct entry e;
	enum dict_result found = shaping.limits
					 ? find_entry(shaping.limits, d, arena, &e, &why)
					 : DICT_NOTFOUND;

	if (found == DICT_NOTFOUND)
		throttle_leave(d);
	else if (found == DICT_ERROR || join(d, &e, &why) != ACCEPT)
		cannot_tell(d, &why);
	d->looking = false;
	l->done = true;
	if (l->later) {
		mem_free(l);
		destination_consider(d);
		schedule_soon();
	}
}

void
shaping_look(struct destination *d)
{
	struct look *l;

	if (d->looking)
		return;
	d->shaped = event_now();
	if (!shaping.limits) {
		throttle_leave(d);
		return;
	}
	l = mem_alloc(sizeof(*l));
	l->d = d;
	d->looking = true;
	outside.where_tables_work(look, l);
	if (l->done)
		mem_free(l);
	else
		l->later = true;
}

/* Look-ups that are under way have the old tables: they end first. */
void
shaping_reload(void)
{
	struct maps *old[] = { shaping.limits, shaping.replies };

	shaping_open();
	for (size_t i = 0; i < COUNT(old); i++)
		if (old[i])
			resolver_retire_maps(old[i]);
}

/* ---- replies ---- */

/* RFC 5321 section 4.2.1, RFC 3463 section 3.8: 421, 450 or 451, for a reason that is
 * policy: who we are, what and how much we send. */
static bool
is_about_policy(struct str reply)
{
	static const char *const codes[] = { "421", "450", "451" };

	if (reply.len < 8 || memcmp(reply.data + 4, "4.7.", 4) != 0)
		return false;
	for (size_t i = 0; i < COUNT(codes); i++)
		if (memcmp(reply.data, codes[i], 3) == 0)
			return true;
	return false;
}

/* "slow", "rest 10m" or "none". False: it says nothing that is understood. */
static bool
read_wish(struct str value, bool *slow, msec_t *rest)
{
	struct str word;

	*rest = 0;
	*slow = str_token(&value, " \t", &word) && !str_is(word, "none");
	if (!*slow || str_is(word, "slow"))
		return word.len > 0 && str_trim(value).len == 0;
	return str_is(word, "rest") && limits_read_time(str_trim(value), rest);
}

struct heard {
	struct str group, reply; /* behind the struct */
	uint32_t news;
	bool slow, done, later;
};

static void
apply(void *arg)
{
	struct heard *h = arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct throttle *t;
	struct why why;
	struct str value = STR_NONE;
	enum dict_result found = DICT_NOTFOUND;
	msec_t rest = 0;

	h->slow = is_about_policy(h->reply);
	if (shaping.replies)
		found = maps_find(shaping.replies, h->reply, arena, &value, &why);
	if (found == DICT_ERROR)
		log_warn("shaping_reply_maps lookup error: %s", why.text);
	if (found == DICT_FOUND && !read_wish(value, &h->slow, &rest))
		log_warn("shaping_reply_maps: \"" STR_FMT "\" is not \"slow\", "
			 "\"rest time\" or \"none\"",
			STR_ARG(value));
	t = throttle_named(h->group);
	if (h->slow && t)
		throttle_slow(t, h->news, h->reply, rest);
	h->done = true;
	if (h->later)
		mem_free(h);
}

bool
shaping_heard(const struct flight *f, struct str reply)
{
	struct heard *h;
	char *text;
	bool slow;

	if (!f->throttle || reply.len < 3 || reply.data[0] != '4')
		return false;
	reply = str_sub(reply, 0, REPLY_MOST);
	h = mem_alloc(sizeof(*h) + f->throttle->name.len + reply.len);
	text = (char *)(h + 1);
	memcpy(text, f->throttle->name.data, f->throttle->name.len);
	h->group = str_of(text, f->throttle->name.len);
	memcpy(text + h->group.len, reply.data, reply.len);
	h->reply = str_of(text + h->group.len, reply.len);
	h->news = f->news;
	outside.where_tables_work(apply, h);
	slow = h->done && h->slow;
	if (h->done)
		mem_free(h);
	else
		h->later = true;
	return slow;
}
