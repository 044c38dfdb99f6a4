/* answers.c -- see answers.h. */
#include "answers.h"
#include "log.h"

/* One question in hand: a name, or what the search list makes of it. */
struct asked {
	const struct answers *from;
	struct ipc_request *rq;
	struct dns_request ask;
	struct strs names;
	size_t at;              /* which of them is asked now */
	struct dns_reply first; /* of the name as given, when there is none better */
	bool have_first;
};

static void ask_next(struct asked *a);

static bool
in_hosts(struct asked *a, struct dns_reply *reply)
{
	return (a->ask.flags & DNS_HOSTS) &&
	       hosts_file_find(a->from->hosts, a->names.items[a->at], a->ask.type,
		       a->rq->arena, reply);
}

static void
answer(void *arg, const struct dns_reply *reply)
{
	struct asked *a = arg;
	struct dns_reply say = *reply, found;

	/* hosts: files after dns, where nsswitch.conf asks for that order */
	if (reply->status != DNS_OK && in_hosts(a, &found))
		say = found;
	if (say.status == DNS_OK || say.status == DNS_TEMPFAIL) {
		dns_answer(a->rq, &say);
		return;
	}
	/* "There is such a host" outlives "there is none" of another name. */
	if (!a->have_first || say.status == DNS_NODATA)
		a->first = say;
	a->have_first = true;
	if (++a->at < a->names.n)
		ask_next(a);
	else
		dns_answer(a->rq, &a->first);
}

static void
ask_next(struct asked *a)
{
	struct dns_reply found;

	if ((a->ask.flags & DNS_HOSTS) && !hosts_dns_first(a->from->hosts) &&
		in_hosts(a, &found))
		dns_answer(a->rq, &found);
	else
		resolver_ask(a->from->resolver, a->names.items[a->at], a->ask.type,
			(a->ask.flags & DNS_VALIDATE) != 0, a->rq->arena, answer, a);
}

void
answers_give(const struct answers *from, struct ipc_request *rq)
{
	struct asked *a = arena_alloc(rq->arena, sizeof(*a));

	a->from = from;
	a->rq = rq;
	if (dns_request_get(rq->payload, &a->ask, rq->arena) < 0) {
		struct dns_reply reply = { .status = DNS_TEMPFAIL,
			.reason = STR("malformed question") };

		log_warn("malformed question from %s", rq->caller->program);
		dns_answer(rq, &reply);
		return;
	}
	a->names = hosts_names(from->hosts, a->ask.name, a->ask.flags, rq->arena);
	ask_next(a);
}
