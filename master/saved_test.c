/* saved_test.c -- what a successor understands, and what not. */
#include "saved.h"
#include "test.h"

#define HEAD SAVED_FORMAT "\nmaster 7 3 4 5\n"

static const struct {
	const char *text;
	int want;
} cases[] = {
	{ HEAD, 0 },
	{ HEAD "line smtp smtpd 0 0 1 0\nlistener 6\nworker 99 8 1 50 3 1 0 0\n", 0 },
	{ HEAD "line smtp smtpd 0 0 1 0\nlistener 6\nlistener 7\n\n", 0 },
	{ "", -1 },
	{ SAVED_FORMAT "\n", -1 },                    /* nothing about master */
	{ "postern-master 0\nmaster 7 3 4 5\n", -1 }, /* another version */
	{ HEAD "listener 6\n", -1 },                  /* of no line */
	{ HEAD "worker 99 8 1 50 3 1 0 0\n", -1 },
	{ HEAD "line smtp smtpd 0 0 1\n", -1 },
	{ HEAD "line smtp\n", -1 },
	{ HEAD "line smtp smtpd 0 0 1 0\nlistener x\n", -1 },
	{ HEAD "line smtp smtpd 0 0 1 0\nworker 99 8 1 50 3 1 0\n", -1 },
	{ HEAD "future 1\n", -1 },
};

TEST(states_are_read_strictly)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct saved s;

		test_row(i);
		CHECK_INT(saved_parse(str_c(cases[i].text), &s), cases[i].want);
		saved_free(&s);
	}
}

TEST(every_number_finds_its_place)
{
	struct saved s;
	const struct saved_worker *w;

	CHECK_INT(saved_parse(str_c(cases[1].text), &s), 0);
	CHECK_INT(s.generation, 7);
	CHECK_INT(s.locks[1], 4);
	CHECK_INT(s.identities, 5);
	CHECK_INT(s.lines.n, 1);
	CHECK_STR(s.lines.items[0].conf.command, "smtpd");
	CHECK(s.lines.items[0].used && !s.lines.items[0].removed);
	CHECK_INT(s.lines.items[0].listeners.items[0], 6);
	w = &s.lines.items[0].workers.items[0];
	CHECK_INT(w->pid, 99);
	CHECK_INT(w->control, 8);
	CHECK_INT(w->number, 1);
	CHECK_INT(w->limit, 50);
	CHECK_INT(w->load, 3);
	CHECK(w->ready && !w->leaving && !w->full);
	saved_free(&s);
}

TEST_MAIN()
