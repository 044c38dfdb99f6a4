/* Steps are kept in order, with their parts, and only while somebody asks. */
#include "explain.h"
#include "test.h"
#include <arpa/nameser.h>

static void
begin(unsigned may_ask, struct arena *arena)
{
	explain_begin(&(struct explain_request){ .may_ask = may_ask }, arena);
}

TEST(nobody_asks)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct explain_reply say = { 0 };
	size_t step;

	explain_step("log", STR("before"), STR_NONE, "says", STR_NONE);
	step = explain_open("before", STR_NONE, STR_NONE);
	explain_close(step, "done", STR_NONE);
	CHECK(explain_may(EXPLAIN_DNS | EXPLAIN_POLICY));
	begin(0, a);
	CHECK(!explain_may(EXPLAIN_DNS));
	explain_end(&say);
	CHECK_INT((long long)say.n_steps, 0);
	CHECK(explain_may(EXPLAIN_DNS));
}

TEST(parts_of_steps)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct explain_reply say = { 0 };
	size_t outer, inner;

	begin(EXPLAIN_DNS | EXPLAIN_VERIFY, a);
	CHECK(explain_may(EXPLAIN_DNS));
	CHECK(!explain_may(EXPLAIN_DNS | EXPLAIN_POLICY));
	outer = explain_open("restrictions", STR("list"), STR_NONE);
	inner = explain_open("restriction", STR("check"), STR("hash:x"));
	explain_lookup("parameter", STR("hash:x"), STR("key"), "found", STR("REJECT"));
	explain_lookup("mydestination", STR_NONE, STR("key"), "not found", STR_NONE);
	explain_close(inner, "refuses", STR("554"));
	explain_close(outer, "refuses", STR_NONE);
	explain_rewrite("same", STR("a"), STR("a"));
	explain_rewrite("other", STR("a"), STR("b"));
	explain_end(&say);

	CHECK_INT((long long)say.n_steps, 5);
	CHECK_INT(say.steps[0].depth, 0);
	CHECK_STR(say.steps[0].result, "refuses");
	CHECK_INT(say.steps[1].depth, 1);
	CHECK_STR(say.steps[1].subject, "hash:x");
	CHECK_STR(say.steps[1].text, "554");
	CHECK_INT(say.steps[2].depth, 2);
	CHECK_STR(say.steps[2].kind, "table");
	CHECK_STR(say.steps[2].name, "parameter");
	CHECK_STR(say.steps[2].table, "hash:x");
	CHECK_STR(say.steps[2].text, "REJECT");
	CHECK_STR(say.steps[3].kind, "list");
	CHECK(!say.steps[3].table.data);
	CHECK_INT(say.steps[4].depth, 0);
	CHECK_STR(say.steps[4].name, "other");
	CHECK_STR(say.steps[4].text, "b");
	CHECK(!say.left_out);
}

/* What comes from tables may be long, and steps many: the reply is one frame. */
TEST(bounds)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct explain_reply say = { 0 };
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct buf frame CLEANUP(buf_free) = BUF_INIT;
	size_t step;

	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 'x');
	begin(0, a);
	for (int i = 0; i < 20000; i++)
		explain_step("log", STR_NONE, STR_NONE, "says", buf_str(&text));
	step = explain_open("late", STR_NONE, STR_NONE);
	explain_close(step, "done", STR_NONE);
	explain_end(&say);
	CHECK(say.left_out);
	CHECK(say.n_steps > 100);
	explain_reply_put(&frame, &say);
	CHECK(frame.len < IPC_FRAME_LIMIT);
}

TEST(what_the_dns_said)
{
	static const struct {
		uint16_t type;
		uint8_t status;
		const char *data, *reason, *name, *result, *text;
	} rows[] = {
		{ ns_t_mx, DNS_OK, "mx.example", "", "MX", "found",
			"mx.example, mx.example" },
		{ ns_t_tlsa, DNS_OK, "\3\1\1\xab\xfe", "", "TLSA", "found",
			"3 1 1 abfe, 3 1 1 abfe" },
		{ ns_t_a, DNS_NXDOMAIN, NULL, "unknown", "A", "no such name", "" },
		{ ns_t_txt, DNS_NODATA, NULL, "unknown", "TXT", "no such record", "" },
		{ ns_t_aaaa, DNS_TEMPFAIL, NULL, "try again", "AAAA", "error",
			"try again" },
		{ 9999, 200, NULL, "strange", "", "error", "strange" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();
		struct dns_rr rr = { .type = rows[i].type,
			.data = str_c(rows[i].data ? rows[i].data : "") };
		struct dns_rr records[] = { rr, rr };
		struct dns_reply said = { .status = rows[i].status,
			.reason = str_c(rows[i].reason),
			.records = records,
			.n_records = rows[i].data ? 2 : 0 };
		struct explain_reply say = { 0 };

		test_row(i);
		begin(0, a);
		explain_dns(STR("x.example"), rows[i].type, &said);
		explain_end(&say);
		CHECK_INT((long long)say.n_steps, 1);
		CHECK_STR(say.steps[0].name, rows[i].name);
		CHECK_STR(say.steps[0].subject, "x.example");
		CHECK_STR(say.steps[0].result, rows[i].result);
		CHECK_STR(say.steps[0].text, rows[i].text);
	}
}

TEST_MAIN()
