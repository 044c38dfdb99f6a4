/* spool_test.c -- the writer and the reader, end to end. */
#include "spool_test.h"
#include <errno.h>

TEST(a_message_is_stored_and_read)
{
	struct rig r;
	uint64_t mid;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("Subject: x\n\nhello\n"), &mid), 0);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	CHECK_INT((long long)spool_count(r.spool), 1);
	rig_settle(&r);
	rig_close(&r);
	rig_open(&r);
	rig_expect(&r, mid, "env", STR("Subject: x\n\nhello\n"));
	rig_finish(&r, mid);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_close(&r);
	rig_open(&r);
	CHECK_INT((long long)spool_count(r.spool), 0);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST(states_survive_the_death_of_the_process)
{
	struct rig r;
	uint64_t mid;
	struct spool_entry e;

	rig_new(&r);
	CHECK_INT(rig_put(&r, "4abc", "env", STR("x"), &mid), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_DEFERRED, 77), 0);
	CHECK_INT(rig_state(&r, mid, SPOOL_HOLD, 0), 0);
	rig_kill(&r);
	rig_open(&r);
	CHECK(spool_find(r.spool, mid, &e));
	CHECK_INT((long long)e.wake_us, 77);
	CHECK(e.hold && !e.expire);
	CHECK_INT((long long)e.n_states, 2);
	rig_close(&r);
	CHECK_STR(rig_logged(), "");
}

TEST_MAIN()
