/* explain.c -- see explain.h. */
#include "explain.h"
#include <arpa/nameser.h>

/* All of it fits into one frame. */
#define STEPS_MOST 10000
#define BYTES_MOST (IPC_FRAME_LIMIT / 2)
#define TEXT_MOST  1000 /* of each part */

bool explain_on;

static struct {
	struct arena *arena;
	VEC(struct explain_step) steps;
	unsigned may_ask;
	size_t bytes; /* in texts */
	uint8_t depth;
	bool left_out; /* there were more */
} explain;

void
explain_begin(const struct explain_request *ask, struct arena *arena)
{
	explain_on = true;
	explain.arena = arena;
	explain.steps.n = 0;
	explain.may_ask = ask->may_ask;
	explain.bytes = 0;
	explain.depth = 0;
	explain.left_out = false;
}

void
explain_end(struct explain_reply *say)
{
	explain_on = false;
	say->n_steps = explain.steps.n;
	say->steps = arena_alloc(
		explain.arena, (explain.steps.n + 1) * sizeof(struct explain_step));
	if (explain.steps.n > 0)
		memcpy(say->steps, explain.steps.items,
			explain.steps.n * sizeof(struct explain_step));
	say->left_out = explain.left_out;
	vec_free(&explain.steps);
}

bool
explain_may(unsigned what)
{
	return !explain_on || (explain.may_ask & what) == what;
}

static struct str
kept(struct str s)
{
	if (!s.data)
		return STR_NONE;
	s = arena_str(explain.arena, str_sub(s, 0, MIN(s.len, TEXT_MOST)));
	explain.bytes += s.len;
	return s;
}

/* NULL: nobody asks, or there are too many. */
static struct explain_step *
add(const char *kind, struct str name, struct str subject)
{
	struct explain_step *step;

	if (!explain_on)
		return NULL;
	if (explain.steps.n == STEPS_MOST || explain.bytes > BYTES_MOST) {
		explain.left_out = true;
		return NULL;
	}
	step = vec_push(&explain.steps);
	*step = (struct explain_step){ .depth = explain.depth,
		.kind = str_c(kind),
		.name = kept(name),
		.subject = kept(subject) };
	return step;
}

void
explain_step(const char *kind, struct str name, struct str subject, const char *result,
	struct str text)
{
	struct explain_step *step = add(kind, name, subject);

	if (step) {
		step->result = str_c(result);
		step->text = kept(text);
	}
}

size_t
explain_open(const char *kind, struct str name, struct str subject)
{
	size_t at = explain.steps.n;

	if (!explain_on)
		return 0;
	(void)add(kind, name, subject);
	explain.depth++;
	return at;
}

void
explain_close(size_t at, const char *result, struct str text)
{
	if (!explain_on)
		return;
	explain.depth--;
	if (at < explain.steps.n) {
		explain.steps.items[at].result = str_c(result);
		explain.steps.items[at].text = kept(text);
	}
}

void
explain_lookup(const char *parameter, struct str table, struct str key,
	const char *result, struct str text)
{
	struct explain_step *step =
		add(table.data ? "table" : "list", str_c(parameter), key);

	if (step) {
		step->table = kept(table);
		step->result = str_c(result);
		step->text = kept(text);
	}
}

void
explain_rewrite(const char *how, struct str from, struct str to)
{
	if (explain_on && !str_eq(from, to))
		explain_step("rewrite", str_c(how), from, "becomes", to);
}

const char *
explain_verdict(enum verdict verdict)
{
	return verdict == ACCEPT     ? "accepts"
	       : verdict == TEMPFAIL ? "fails for now"
				     : "fails";
}

static const char *
type_name(uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = { { ns_t_a, "A" }, { ns_t_aaaa, "AAAA" }, { ns_t_mx, "MX" },
		{ ns_t_cname, "CNAME" }, { ns_t_ns, "NS" }, { ns_t_ptr, "PTR" },
		{ ns_t_txt, "TXT" }, { ns_t_tlsa, "TLSA" } };

	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].type == type)
			return names[i].name;
	return "";
}

/* "3 1 1 0a1b..." (RFC 6698 section 2.2). */
static void
add_tlsa(struct buf *text, struct str data)
{
	for (size_t i = 0; i < data.len && text->len < TEXT_MOST; i++)
		buf_printf(text, i < 3 ? "%u " : "%02x", (unsigned char)data.data[i]);
}

void
explain_dns(struct str name, uint16_t type, const struct dns_reply *said)
{
	static const char *const results[] = { "found", "no such name", "no such record",
		"error" };
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	unsigned status = MIN(said->status, (unsigned)DNS_TEMPFAIL);

	for (size_t i = 0; i < said->n_records && text.len < TEXT_MOST; i++) {
		const struct dns_rr *record = &said->records[i];

		if (record->type != type && record->type != ns_t_cname)
			continue; /* signatures */
		buf_addz(&text, text.len > 0 ? ", " : "");
		if (record->type == ns_t_tlsa)
			add_tlsa(&text, record->data);
		else
			buf_add(&text, record->data);
	}
	explain_step("dns", str_c(type_name(type)), name, results[status],
		status == DNS_TEMPFAIL ? said->reason : buf_str(&text));
}
