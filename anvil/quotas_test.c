/* quotas_test.c -- periods, what counts and what does not, the table, the bound. */
#include "quotas.h"
#include "test.h"
#include <stdio.h>

#define HOUR ((int64_t)3600)
#define DAY  ((int64_t)86400)

static struct quota_reply
ask_as(enum quota_how how, const char *name, enum quota_kind kind, uint64_t amount,
	uint64_t hour, uint64_t day, int64_t now)
{
	return quotas_ask(&(struct quota_request){ .about = QUOTA_LOGIN,
				  .name = str_c(name),
				  .kind = (uint8_t)kind,
				  .amount = amount,
				  .how = (uint8_t)how,
				  .hour = hour,
				  .day = day },
		now);
}

/* Past everything that earlier tests did. */
static int64_t
fresh_time(void)
{
	static int64_t now = 1000000;

	quotas_configure(HOUR);
	quotas_tell(NULL);
	now += 10 * DAY;
	CHECK_INT(quotas_forget(now), 0);
	(void)quotas_peaks(QUOTA_LOGIN);
	return now;
}

/* One login with a limit of 3 messages in an hour and 5 in a day. */
static const struct {
	int64_t at;
	enum quota_how how;
	bool over;
	enum quota_period period;
	uint64_t used;
} rows[] = {
	{ 0, QUOTA_WITHIN, false, 0, 0 },
	{ 1, QUOTA_LOOK, false, 0, 0 },
	{ 2, QUOTA_WITHIN, false, 0, 0 },
	{ 3, QUOTA_WITHIN, false, 0, 0 },
	{ 4, QUOTA_WITHIN, true, QUOTA_HOUR, 4 },
	{ 5, QUOTA_WITHIN, true, QUOTA_HOUR, 4 }, /* what is refused does not count */
	{ 6, QUOTA_LOOK, true, QUOTA_HOUR, 4 },
	{ HOUR, QUOTA_WITHIN, false, 0, 0 },
	{ HOUR + 1, QUOTA_WITHIN, false, 0, 0 },
	{ HOUR + 2, QUOTA_WITHIN, true, QUOTA_DAY, 6 },
	{ HOUR + 3, QUOTA_ALWAYS, true, QUOTA_DAY, 6 },
	{ HOUR + 4, QUOTA_ALWAYS, true, QUOTA_HOUR, 4 },
	{ 2 * HOUR, QUOTA_WITHIN, true, QUOTA_DAY, 8 },
	{ DAY - 1, QUOTA_WITHIN, true, QUOTA_DAY, 8 },
	{ DAY, QUOTA_WITHIN, false, 0, 0 },
};

TEST(an_hour_and_a_day_have_limits_of_their_own)
{
	int64_t t = fresh_time();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct quota_reply said = ask_as(
			rows[i].how, "joe", QUOTA_MESSAGES, 1, 3, 5, t + rows[i].at);

		test_row(i);
		CHECK_INT(said.over, rows[i].over);
		CHECK_INT(said.period, rows[i].period);
		CHECK_INT(said.used, rows[i].used);
	}
	CHECK(!ask_as(QUOTA_WITHIN, "joe", QUOTA_RECIPIENTS, 5, 0, 5, t + DAY).over);
	CHECK(!ask_as(QUOTA_WITHIN, "jim", QUOTA_MESSAGES, 1, 1, 1, t + DAY).over);
	CHECK_INT(quotas_peaks(QUOTA_LOGIN).of[QUOTA_MESSAGES].value, 4);
	CHECK_INT(quotas_peaks(QUOTA_LOGIN).of[QUOTA_MESSAGES].value, 0);
}

TEST(a_clock_that_is_set_back_locks_nobody_out)
{
	int64_t t = fresh_time();

	CHECK(!ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t + 5 * DAY).over);
	CHECK(ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t + 5 * DAY).over);
	CHECK(!ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t).over);
}

TEST(numbers_do_not_run_over)
{
	int64_t t = fresh_time();

	(void)ask_as(QUOTA_ALWAYS, "joe", QUOTA_BYTES, UINT64_MAX, 0, 0, t);
	CHECK_INT(ask_as(QUOTA_ALWAYS, "joe", QUOTA_BYTES, 7, 0, 1, t).used, UINT64_MAX);
}

/* ---- the table ---- */

struct dump {
	struct arena *arena;
	VEC(struct str) keys, values;
};
static struct dump told;

static void
dump(struct str key, struct str value, void *arg)
{
	struct dump *d = arg;

	*vec_push(&d->keys) = arena_str(d->arena, key);
	*vec_push(&d->values) = arena_str(d->arena, value);
}

static void
note(struct str key, struct str value)
{
	dump(key, value, &told);
}

static void
dump_free(struct dump *d)
{
	vec_free(&d->keys);
	vec_free(&d->values);
	arena_free(d->arena);
}

static void
take_all(const struct dump *d)
{
	for (size_t i = 0; i < d->keys.n; i++)
		CHECK(quotas_take(d->keys.items[i], d->values.items[i]));
	quotas_taken();
}

TEST(what_is_written_is_read_again)
{
	int64_t t = fresh_time();
	struct dump d = { .arena = arena_new() };

	told = (struct dump){ .arena = arena_new() };
	quotas_tell(note);
	(void)ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 0, 0, t);
	(void)ask_as(QUOTA_WITHIN, "jim", QUOTA_BYTES, 77, 0, 0, t + 1);
	(void)ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 0, 0, t + 2);
	quotas_tell(NULL);
	CHECK_INT(told.keys.n, 3);
	quotas_write(dump, &d);
	CHECK_INT(d.keys.n, 2);
	CHECK_STR(d.keys.items[0], "login:jim"); /* the quietest first */
	CHECK_STR(told.values.items[2], d.values.items[1].data);
	CHECK_INT(quotas_forget(t + 10 * DAY), 0);
	take_all(&d);
	CHECK_INT(ask_as(QUOTA_LOOK, "joe", QUOTA_MESSAGES, 1, 1, 0, t + 3).used, 3);
	CHECK_INT(
		ask_as(QUOTA_LOOK, "jim", QUOTA_BYTES, 1, 0, 77, t + HOUR + 5).used, 78);
	CHECK_INT(quotas_forget(t + DAY + 1), t + DAY + 2); /* jim's place is as it was */
	CHECK_INT(quotas_forget(t + 10 * DAY), 0);
	take_all(&told); /* a journal: the last one of a key counts */
	CHECK_INT(ask_as(QUOTA_LOOK, "joe", QUOTA_MESSAGES, 1, 1, 0, t + 3).used, 3);
	dump_free(&d);
	dump_free(&told);
}

TEST(what_is_no_entry_is_not_taken)
{
	static const struct {
		const char *key, *value;
		bool want;
	} cases[] = {
		{ "login:a", "1:1:2:3:4:1:2:3:4", true },
		{ "domain:a", "1:1:2:3:4:1:2:3:18446744073709551615", true },
		{ "login:", "1:1:2:3:4:1:2:3:4", false },
		{ "smtp:a", "1:1:2:3:4:1:2:3:4", false },
		{ "", "1:1:2:3:4:1:2:3:4", false },
		{ "login:b", "", false },
		{ "login:b", "1:1:2:3:4:1:2:3", false },
		{ "login:b", "1:1:2:3:4:1:2:3:4:5", false },
		{ "login:b", "1:1:2:3:4:1:2:3:-4", false },
		{ "login:b", "9223372036854775807:1:2:3:4:1:2:3:4", false },
		{ "login:b", "1:1:2:3:4:9223372036854775807:2:3:4", false },
	};

	(void)fresh_time();
	for (size_t i = 0; i < COUNT(cases); i++) {
		test_row(i);
		CHECK_INT(quotas_take(str_c(cases[i].key), str_c(cases[i].value)),
			cases[i].want);
	}
	quotas_taken();
}

/* ---- commands ---- */

static void
show(const struct quota_account *a, void *arg)
{
	buf_printf(arg, STR_FMT, STR_ARG(a->name));
	for (size_t i = 0; i < a->n_spans; i++)
		buf_printf(arg, " %llu/%llu/%llu",
			(unsigned long long)a->spans[i].messages,
			(unsigned long long)a->spans[i].recipients,
			(unsigned long long)a->spans[i].bytes);
	buf_addc(arg, ';');
}

static void
shows(int64_t now, const char *want)
{
	struct buf got CLEANUP(buf_free) = BUF_INIT;

	quotas_each(now, show, &got);
	CHECK_STR(buf_str(&got), want);
}

TEST(limits_are_lifted)
{
	int64_t t = fresh_time();

	(void)ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t);
	(void)ask_as(QUOTA_WITHIN, "joe", QUOTA_BYTES, 9, 0, 0, t);
	CHECK(!quotas_lift(STR("login:jim"), t));
	CHECK(!quotas_lift(STR("joe"), t));
	shows(t + 1, "login:joe 1/0/9 1/0/9;");
	shows(t + HOUR, "login:joe 0/0/0 1/0/9;");
	CHECK(ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t + HOUR).over);
	CHECK(quotas_lift(STR("login:joe"), t + HOUR));
	shows(t + HOUR, "login:joe 0/0/0 0/0/0;");
	CHECK(!ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 1, 1, t + HOUR).over);
}

TEST(memory_is_bounded_and_a_flood_of_domains_forgets_no_login)
{
	int64_t t = fresh_time();
	char name[40];

	(void)ask_as(QUOTA_WITHIN, "joe", QUOTA_MESSAGES, 1, 0, 0, t);
	for (int i = 0; i < QUOTAS_MOST + 100; i++) {
		struct quota_request ask = { .about = QUOTA_DOMAIN,
			.kind = QUOTA_MESSAGES,
			.amount = 1,
			.how = QUOTA_WITHIN,
			.hour = 1 };

		snprintf(name, sizeof(name), "%d.example", i);
		ask.name = str_c(name);
		CHECK(!quotas_ask(&ask, t).over);
	}
	CHECK_INT(ask_as(QUOTA_LOOK, "joe", QUOTA_MESSAGES, 1, 1, 0, t).used, 2);
	CHECK(!quotas_lift(STR("domain:99.example"), t));
	CHECK(quotas_lift(STR("domain:100.example"), t));
	CHECK(!quotas_take(STR("domain:more"), STR("1:1:2:3:4:1:2:3:4")));
}

/* What a peer may send, though none of ours does. */
TEST(senseless_requests_count_nothing)
{
	int64_t t = fresh_time();
	char longest[123];
	static const struct quota_request senseless[] = {
		{ .about = QUOTA_ABOUTS, .name = STR_INIT("a"), .amount = 9, .hour = 1 },
		{ .kind = QUOTA_KINDS, .name = STR_INIT("a"), .amount = 9, .hour = 1 },
		{ .how = QUOTA_HOWS, .name = STR_INIT("a"), .amount = 9, .hour = 1 },
		{ .how = QUOTA_ALWAYS, .amount = 9, .hour = 1 },
	};

	for (size_t i = 0; i < COUNT(senseless); i++)
		CHECK(!quotas_ask(&senseless[i], t).over);
	memset(longest, 'x', sizeof(longest));
	longest[122] = 0;
	CHECK(!ask_as(QUOTA_ALWAYS, longest, QUOTA_BYTES, 9, 1, 1, t).over);
	CHECK(ask_as(QUOTA_ALWAYS, longest + 1, QUOTA_BYTES, 9, 1, 1, t).over);
	CHECK_INT(quotas_forget(t + 1), t + DAY);
}

TEST_MAIN()
