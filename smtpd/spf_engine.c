/* spf_engine.c -- see spf_engine.h. */
#include "config.h"
#include "alone.h"
#include "explain.h"
#include "log.h"
#include "policy.h"
#include "service.h"
#include "session.h"
#include "spf_engine.h"
#include <errno.h>

#define PATIENCE     ((msec_t)60000) /* behind spf_time_limit: until hangs are seen */
#define PROBLEM_MOST ((size_t)500)

enum spf_engine
spf_engine_parse(struct str value)
{
	static const char *const words[] = {
		[SPF_ENGINE_NATIVE] = "native",
		[SPF_ENGINE_LIBSPF2] = "libspf2",
		[SPF_ENGINE_BOTH] = "both",
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!str_case_is(value, words[i]))
			continue;
#ifndef HAVE_SPF2
		if (i != SPF_ENGINE_NATIVE)
			log_warn("spf_engine: this build has no libspf2: native is used");
		return SPF_ENGINE_NATIVE;
#endif
		return (enum spf_engine)i;
	}
	log_fatal("bad parameter value: spf_engine = " STR_FMT
		  ": specify one of native, libspf2, both",
		STR_ARG(value));
}

/* It could be anybody's by now. */
static bool
is_sound(const struct spf2_reply *said)
{
	for (size_t i = 0; i < said->problem.len; i++)
		if (!ascii_is_print(said->problem.data[i]))
			return false;
	return said->result <= SPF_PERMERROR && said->problem.len <= PROBLEM_MOST;
}

static int
ask(struct session *s, struct ipc_peer *mailauth, const struct spf_question *q,
	struct arena *arena, struct spf2_reply *said)
{
	struct spf2_request question = { .client = s->address,
		.helo = q->helo,
		.sender = q->sender,
		.receiver = q->receiver,
		.patience = (uint32_t)s->p->spf_time_limit };

	return spf2_call(mailauth, &question, said, arena,
		deadline_in(s->p->spf_time_limit + PATIENCE));
}

static int
ask_alone(struct session *s, const struct spf_question *q, struct arena *arena,
	struct spf2_reply *said)
{
	deadline_t until = deadline_in(s->p->spf_time_limit + PATIENCE);
	struct ipc_peer *suspects = service_peer("mailauth-suspect");
	int result;

	do
		result = alone_turn(suspects, until) < 0
				 ? -1
				 : ask(s, suspects, q, arena, said);
	while (result == 0 && said->is_alone_denied);
	return result;
}

/* A process that died may have done so of another client's record: once more, alone. */
static void
check_by_libspf2(struct session *s, const struct spf_question *q, struct arena *arena,
	struct spf_verdict *out)
{
	struct spf2_reply said = { .result = SPF_TEMPERROR };
	int result;

	if (!spf_identity(q, arena, out))
		return;
	result = ask(s, service_peer("mailauth"), q, arena, &said);
	if (result < 0 && alone_is_called_for(errno))
		result = ask_alone(s, q, arena, &said);
	if (result == 0 && is_sound(&said)) {
		out->result = (enum spf_result)said.result;
		out->problem = said.problem;
		return;
	}
	log_warn("libspf2: no verdict for " STR_FMT ": mailauth: %s",
		STR_ARG(out->domain), result < 0 ? strerror(errno) : "unknown verdict");
	out->result = SPF_TEMPERROR;
	out->problem = STR("libspf2 gives no verdict");
}

static void
compare(struct session *s, const struct spf_question *q, const struct spf_verdict *ours,
	struct arena *arena)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct spf_verdict theirs;

	check_by_libspf2(s, q, arena, &theirs);
	if (theirs.result == ours->result)
		return;
	spf_verdict_show(ours, &text);
	buf_addz(&text, ", but libspf2: ");
	spf_verdict_show(&theirs, &text);
	policy_log(s, "spf-difference", buf_str(&text));
}

/* What is only explained is said by the engine that is here. */
void
spf_engine_check(struct session *s, const struct spf_question *q, struct arena *arena,
	struct spf_verdict *out)
{
	enum spf_engine engine = explain_on ? SPF_ENGINE_NATIVE : s->site->spf_engine;

	if (engine == SPF_ENGINE_LIBSPF2)
		check_by_libspf2(s, q, arena, out);
	else
		spf_check(q, arena, out);
	if (engine == SPF_ENGINE_BOTH)
		compare(s, q, out, arena);
}
