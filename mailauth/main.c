/* mailauth -- verifies the signatures of strangers' mail, and asks the second engine for
 * SPF, with libraries that have been broken into before: nothing can be reached from here
 * but the DNS, a process serves a few hundred messages, and what makes it hang or crash
 * costs that message its verdict.
 */
#include "config.h"
#include "dkim_sign.h"
#include "event.h"
#include "log.h"
#include "results.h"
#include "service.h"
#include "spf.h"
#include "turn.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	SERVES = 500,  /* messages and clients, then a fresh process takes over */
	BEAT = 1000,   /* ms */
	HANGS = 10000, /* ms without a turn of the loop */
};

static unsigned messages;

/* ---- the watchdog: a thread sees whether the loop still turns ---- */

static atomic_uint beats;
static struct timer beat;

static void
on_beat(void *unused)
{
	(void)unused;
	atomic_fetch_add(&beats, 1);
	timer_set(&beat, deadline_in(BEAT), on_beat, NULL);
}

/* Two looks that far apart: one would take a machine that slept for a hang. */
static void *
watch(void *unused)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	unsigned before = 0, still = 0;

	(void)unused;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct timespec until;
		unsigned now;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += HANGS / 2000;
		while (pthread_cond_timedwait(&never, &lock, &until) == 0)
			;
		now = atomic_load(&beats);
		still = now == before ? still + 1 : 0;
		before = now;
		if (still == 2)
			abort();
	}
	return NULL;
}

static void
watch_start(void)
{
	pthread_t thread;

	on_beat(NULL);
	if (pthread_create(&thread, NULL, watch, NULL) != 0)
		log_fatal("no thread for the watchdog");
	pthread_detach(thread);
}

/* ---- a message ---- */

static enum dns_status
ask(void *unused, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type };

	(void)unused;
	if (dns_call(service_peer("dns"), &question, said, arena, until) < 0)
		*said = (struct dns_reply){ .status = DNS_TEMPFAIL };
	return (enum dns_status)said->status;
}

static const struct auth_dns dns = { .ask = ask };

SWITCHES static void
judge_author(const struct mail_auth_request *asked, struct author_domains authors,
	struct arena *arena, struct mail_auth_reply *say)
{
	struct dmarc_identity *ids = arena_alloc(arena, (say->n_dkim + 1) * sizeof(*ids));
	struct dmarc_question q = { .authors = authors,
		.identities = ids,
		.dns = &dns,
		.until = deadline_in(service_conf()->p.dkim_time_limit) };
	struct dmarc_verdict v;

	q.n = results_identities((enum spf_result)asked->spf_result, asked->spf_domain,
		say->dkim, say->n_dkim, ids);
	dmarc_check(&q, arena, &v);
	say->dmarc_result = (uint8_t)v.result;
	say->dmarc_policy = (uint8_t)v.policy;
	say->dmarc_published = (uint8_t)v.published;
	say->dmarc_domain = v.domain;
	say->dmarc_record = v.record;
	say->dmarc_dkim = v.dkim;
	say->dmarc_spf = v.spf;
}

SWITCHES static void
judge_chain(struct arc *arc, struct author_domains authors, struct arena *arena,
	struct mail_auth_reply *say)
{
	struct arc_verdict v;

	arc_end(arc, authors_only(&authors), arena, &v);
	say->arc_result = (uint8_t)v.result;
	say->arc_problem = v.problem;
	say->seals = v.seals;
	say->n_seals = v.n;
}

/* A message as it is read: by us, and by the library. */
struct reading {
	struct dkim_verifier *dkim; /* NULL: say->error */
	struct authors *authors;
	struct arc *arc; /* NULL: nobody asks for it */
};

/* 0: to its end. */
SWITCHES static int
read_message(struct ipc_request *rq, const struct reading *r)
{
	struct str chunk;
	int got;

	while ((got = ipc_request_read(rq, &chunk, DEADLINE_NEVER)) > 0) {
		if (!r->dkim)
			continue;
		authors_add(r->authors, chunk);
		dkim_verify_add(r->dkim, chunk);
		if (r->arc)
			arc_add(r->arc, chunk);
	}
	return got;
}

static void
verify(struct ipc_request *rq, const struct mail_auth_request *asked,
	struct mail_auth_reply *say)
{
	const struct params *p = &service_conf()->p;
	const struct dkim_rules rules = { .signatures = (unsigned)p->dkim_signature_limit,
		.key_bits = (unsigned)p->dkim_minimum_key_bits };
	deadline_t until = deadline_in(p->dkim_time_limit);
	struct reading r = { .authors = authors_new((size_t)p->header_size_limit) };
	struct author_domains authors;
	struct why why;
	bool is_whole;

	r.dkim = dkim_verify_new(&dns, &rules, until, &why);
	if (!r.dkim)
		say->error = arena_printf(rq->arena, "%s", why.text);
	if (asked->wants_arc)
		r.arc = arc_new(&dns, rules.key_bits, until);
	is_whole = read_message(rq, &r) == 0 && r.dkim;
	if (is_whole)
		dkim_verify_end(r.dkim, rq->arena, &say->dkim, &say->n_dkim);
	/* A verdict counts only of who has survived all of it. */
	dkim_verify_free(r.dkim);
	authors = authors_end(r.authors, rq->arena);
	if (is_whole && asked->wants_dmarc)
		judge_author(asked, authors, rq->arena, say);
	if (is_whole && r.arc)
		judge_chain(r.arc, authors, rq->arena, say);
	arc_free(r.arc);
	authors_free(r.authors);
}

/* ---- a client ---- */

static void
ask_libspf2(const struct spf2_request *asked, struct arena *arena, struct spf2_reply *say)
{
	struct spf_question q = { .helo = asked->helo,
		.sender = asked->sender,
		.receiver = asked->receiver,
		.until = deadline_in(asked->patience),
		.dns = &dns };
	struct spf_verdict v = { .result = SPF_TEMPERROR,
		.problem = STR("malformed request") };

	if (net_addr_parse(asked->client, 0, &q.client) == 0)
		spf2_check(&q, arena, &v);
	say->result = (uint8_t)v.result;
	say->problem = v.problem;
}

/* ---- requests ---- */

static void
served(void)
{
	turn_end();
	service_busy(-1);
	if (++messages == SERVES)
		service_retire("it has served enough");
}

static void
on_message(struct ipc_request *rq)
{
	struct mail_auth_reply say = { .error = STR_NONE };
	struct mail_auth_request asked;

	if (!turn_begin(rq)) {
		say.is_alone_denied = true;
		mail_auth_answer(rq, &say);
		return;
	}
	service_busy(+1);
	if (mail_auth_request_get(rq->payload, &asked, rq->arena) == 0)
		verify(rq, &asked, &say);
	else
		say.error = STR("malformed request");
	mail_auth_answer(rq, &say);
	served();
}

static void
on_client(struct ipc_request *rq)
{
	struct spf2_reply say = { .result = SPF_TEMPERROR };
	struct spf2_request asked;

	if (!turn_begin(rq)) {
		say.is_alone_denied = true;
		spf2_answer(rq, &say);
		return;
	}
	service_busy(+1);
	if (spf2_request_get(rq->payload, &asked, rq->arena) == 0)
		ask_libspf2(&asked, rq->arena, &say);
	spf2_answer(rq, &say);
	served();
}

static const struct ipc_handler handlers[] = {
	{ .type = mail_auth_TYPE, .run = on_message, .stack = CO_STACK_LARGE },
	{ .type = spf2_TYPE, .run = on_client, .stack = CO_STACK_LARGE },
	{ .type = auth_turn_TYPE, .run = turn_on_request },
	{ 0 },
};

/* ---- the process ---- */

/* The libraries and OpenSSL find what they want to read at their first use. */
static void
before_jail(void)
{
#ifdef HAVE_OPENDKIM
	const struct dkim_rules rules = { .signatures = 1 };
	struct why why;
	struct dkim_verifier *v = dkim_verify_new(&dns, &rules, DEADLINE_NEVER, &why);

	if (!v)
		log_fatal("%s", why.text);
	dkim_verify_free(v);
#endif
	dkim_content_free(dkim_content_new(true, false)); /* OpenSSL's */
}

static void
start(void)
{
	/* What was in hand when another one died. */
	if (strcmp(service_name(), "mailauth-suspect") == 0)
		turn_start();
	watch_start();
}

static const struct service service = {
	.name = "mailauth",
	.user = USER_AUTH,
	.peers = (const char *const[]){ "dns", NULL },
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
