/* play.h -- the stage of the queue manager's tests: all of it, against a spool, agents
 * and a bounce of our own making, over socket pairs and with a clock that the test moves.
 */
#ifndef PLAY_H
#define PLAY_H

#include "active.h"
#include "control.h"
#include "delivery.h"
#include "event.h"
#include "loader.h"
#include "outside.h"
#include "schedule.h"
#include "store.h"
#include "test.h"
#include "ticker.h"

#define SECOND   INT64_C(1000000)
#define PATIENCE ((msec_t)10000)

extern struct arena *play_arena; /* of one test */
extern int64_t play_now;         /* microseconds since 1970 */
extern struct buf play_logged;

/* ---- spool ---- */

/* A message, and everything that was said about it. */
struct play_stored {
	struct buf envelope, content;
	struct spool_message_note note;
	VEC(struct spool_state) states;
	bool ended;
};
extern struct ipc_link *play_spool;
extern struct buf play_said; /* "1 FINISHED\n..." */
extern int play_read_error;  /* of the next read */

struct play_stored *play_message(uint64_t mid);
void play_state(const struct spool_state *s); /* as if it had been told */
void play_spool_connect(void);
/* A message in the spool: recipients separated by blanks; a trailing ! is NOTIFY=NEVER, +
 * NOTIFY=SUCCESS, and > says that it is forwarded, as from SRS. */
void play_put(uint64_t mid, const char *sender, const char *rcpts);
void play_announce(uint64_t mid, bool with_envelope);
void play_new_mail(uint64_t mid, const char *sender, const char *rcpts); /* both */

/* ---- agents: deliveries pile up until the test answers them ---- */

enum { PLAY_DELIVERIES = 200, PLAY_AGENTS = 8 };
extern struct play_delivery {
	struct ipc_request *rq;
	struct deliver_request ask;
	struct envelope envelope;
	bool answered;
} play_deliveries[PLAY_DELIVERIES];
extern size_t play_n_deliveries;
extern struct play_agent {
	struct ipc_link *link, *qmgr_side;
} play_agents[PLAY_AGENTS];

void play_agent_connect(const char *program, const char *transport, uint32_t slots);
void play_answer(size_t n, enum verdict verdict, const char *code, const char *text,
	bool site_down);
void play_delivered(size_t n);

/* ---- the rest of the world ---- */

extern size_t play_started; /* workers that were asked for */
extern int play_start_error;
extern struct play_noticed {
	struct active **items;
	size_t n, room;
} play_noticed;
extern bool play_bounce_accepts, play_bounce_is_slow;
#define PLAY_ALL_NOTICES \
	(1u << NOTICE_FAILURE | 1u << NOTICE_DELAY | 1u << NOTICE_SUCCESS)

bool play_log_has(const char *text);
bool play_flights_are_over(void);
/* Everything that is going to happen by itself has happened. */
SWITCHES void play_calm(void);

/* Runs the loop until cond, or for as long as no test should take. */
#define UNTIL(cond) \
	do { \
		deadline_t patience_ = deadline_in(PATIENCE); \
		while (!(cond) && !deadline_passed(patience_)) \
			co_sleep(deadline_in(1)); \
		CHECK(cond); \
	} while (0)

/* ---- a test: in a coroutine, with the loader beside it ---- */

void play_begins(const char *main_cf);
SWITCHES void play_ends(void);
void play_in_loop(void (*fn)(void));
#define QUEUE_TEST(id, conf) \
	static void body_##id(void); \
	static void run_##id(void) \
	{ \
		play_begins(conf); \
		body_##id(); \
		play_ends(); \
	} \
	TEST(id) \
	{ \
		play_in_loop(run_##id); \
	} \
	static void body_##id(void)

#endif
