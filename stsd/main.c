/* stsd -- knows what domains say of their mail exchangers (MTA-STS, RFC 8461): the one
 * process that fetches policies by HTTPS, and keeps them. */
#include "event.h"
#include "fetch.h"
#include "file.h"
#include "https.h"
#include "log.h"
#include "messages.h"
#include "policies.h"
#include "service.h"

#define PATIENCE       ((msec_t)30000) /* of a caller, with a web server */
#define THREADS        16              /* that fetch */
#define REFRESHES_MOST 8               /* at a time */
#define SWEEP_LEAST    (int64_t)10     /* seconds between two looks at what is due */
#define SWEEP_MOST     (int64_t)3600

static int64_t
now(void)
{
	return time_wall_us() / 1000000;
}

/* ---- what is due ---- */

static struct {
	struct timer timer;
	bool is_awake; /* something will be due: the process stays */
	size_t running;
} refresh;

struct sweep {
	int64_t next; /* when something is due; 0: nothing is */
};

static void start_fetch(struct policy *p, struct str id, bool refreshes);

static void
sweep_one(struct policy *p, void *arg)
{
	struct sweep *s = arg;
	int64_t due = policy_refresh_time(p);

	if (due == 0)
		return;
	if (due <= now() && refresh.running < REFRESHES_MOST)
		start_fetch(p, p->id, true);
	else
		s->next = s->next == 0 ? due : MIN(s->next, due);
}

static void
sweep(void *unused)
{
	struct sweep s = { .next = 0 };
	int64_t wait;

	(void)unused;
	if (service_draining())
		return;
	policies_each(sweep_one, &s);
	if (refresh.is_awake != (s.next > 0 || refresh.running > 0)) {
		refresh.is_awake = !refresh.is_awake;
		service_busy(refresh.is_awake ? +1 : -1);
	}
	wait = MIN(MAX(s.next - now(), SWEEP_LEAST), SWEEP_MOST);
	if (refresh.is_awake)
		timer_set(&refresh.timer, deadline_in(wait * 1000), sweep, NULL);
}

/* ---- fetching ---- */

struct job {
	struct arena *arena;
	struct str domain, id;
	bool refreshes;
};

static void
learn(struct policy *p, const struct job *job, const struct mta_sts *terms)
{
	policy_learn(p, job->id, terms, now());
	log_info("MTA-STS policy of " STR_FMT ": mode=%s, max_age=%u, id=" STR_FMT,
		STR_ARG(p->domain), mta_sts_word(terms->mode), terms->max_age,
		STR_ARG(job->id));
}

static void
miss(struct policy *p, const struct why *why)
{
	policy_missed(p, now());
	log_warn("MTA-STS policy of " STR_FMT " cannot be fetched: %s%s",
		STR_ARG(p->domain), why->text,
		policy_is_good(p, now()) ? "; the one of before stays" : "");
}

static void
run_fetch(void *arg)
{
	struct job *job = arg;
	struct policy *p;
	struct mta_sts terms;
	struct why why;
	bool ok;

	co_name("fetch");
	ok = fetch_policy(job->domain, job->arena, &terms, &why);
	p = policies_find(job->domain, false);
	ensure(p && p->fetching);
	if (ok)
		learn(p, job, &terms);
	else
		miss(p, &why);
	p->fetching = false;
	co_wake_all(&p->waiting);
	if (ok)
		file_append(p); /* then it may be gone */
	refresh.running -= job->refreshes;
	arena_free(job->arena);
	sweep(NULL);
	service_busy(-1);
}

/* The entry stays until it has ended. */
static void
start_fetch(struct policy *p, struct str id, bool refreshes)
{
	struct arena *arena = arena_new();
	struct job *job = arena_alloc(arena, sizeof(*job));

	*job = (struct job){ .arena = arena,
		.domain = arena_str(arena, p->domain),
		.id = arena_str(arena, id),
		.refreshes = refreshes };
	p->fetching = true;
	refresh.running += refreshes;
	service_busy(+1);
	co_spawn(run_fetch, job, CO_STACK_LARGE);
}

/* ---- questions ---- */

/* What counts for a domain now; NULL: nothing. A domain without a record, or whose record
 * is suppressed, is what it was while its last policy is good (section 5.1). */
SWITCHES static struct policy *
policy_of(struct str domain, struct arena *arena)
{
	deadline_t until;
	struct str id;
	bool has_record = fetch_record(domain, arena, &id);
	struct policy *p = policies_find(domain, has_record);

	until = deadline_in(PATIENCE);
	if (p && has_record && policy_wants_fetch(p, id, now()))
		start_fetch(p, id, false);
	/* After each wait the entry may be another one, or none. */
	while (p && p->fetching && has_record &&
		(!policy_is_good(p, now()) || !str_eq(p->id, id))) {
		if (co_wait(&p->waiting, until) < 0)
			break;
		p = policies_find(domain, false);
	}
	return p && policy_is_good(p, now()) ? p : NULL;
}

static void
answer(struct ipc_request *rq)
{
	struct sts_reply say = { .mode = MTA_STS_NONE };
	struct sts_request asked;
	struct policy *p = NULL;

	service_busy(+1);
	if (sts_request_get(rq->payload, &asked, rq->arena) == 0 &&
		fetch_is_domain(asked.domain))
		p = policy_of(asked.domain, rq->arena);
	if (p) {
		say.mode = (uint8_t)p->terms.mode;
		say.mx = p->terms.mx;
	}
	sts_answer(rq, &say);
	if (p && policy_use(p, now()) && !p->fetching)
		file_append(p);
	service_busy(-1);
	if (file_is_long())
		service_retire("its file has grown");
}

static const struct ipc_handler handlers[] = {
	{ .type = sts_TYPE, .run = answer, .stack = CO_STACK_LARGE },
	{ 0 },
};

/* ---- the process ---- */

static void
before_jail(void)
{
	const struct conf *c = service_conf();
	struct why why;

	event_offload_threads = THREADS;
	if (https_prepare(&why) < 0)
		log_fatal("%s", why.text);
	fetch_prepare(c);
	if (c->p.smtp_tls_CApath.len > 0)
		service_allow_read_links(arena_cstr(c->arena, c->p.smtp_tls_CApath));
	file_open(c);
}

static void
start(void)
{
	sweep(NULL);
}

/* Whom to trust, a fresh process reads. */
static bool
reload(const struct conf *fresh)
{
	(void)fresh;
	service_retire("reload");
	return false;
}

static void
drain(void)
{
	timer_cancel(&refresh.timer);
	if (service_stopping())
		service_leave();
	else
		service_dismiss(service_leave);
}

static const struct service stsd = {
	.name = "stsd",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_INTERNET | SANDBOX_TABLES,
	.peers = (const char *const[]){ "dns", NULL },
	.before_jail = before_jail,
	.start = start,
	.handlers = handlers,
	.reload = reload,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return service_main(&stsd, argc, argv);
}
