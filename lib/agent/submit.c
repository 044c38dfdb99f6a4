/* submit.c -- see submit.h. */
#include "submit.h"
#include "log.h"
#include "service.h"
#include <errno.h>

/* How often cleanup may die under one message before it is put aside. */
#define CRASHES_MOST 3

struct submission {
	struct submit_request ask; /* its views point into `arena` */
	const char *service;       /* cleanup_service_name */
	struct arena *arena;
	int lent[IPC_FDS_MOST];
	size_t n_lent;
	struct buf kept; /* content so far, while it may have to be sent again */
	struct ipc_stream *stream; /* NULL: nothing was sent yet */
	bool outgrown;             /* more than SUBMIT_KEPT: there is only this one try */
	int error;                 /* of the stream, once it cannot be written any more */
};

/* Suspects go one at a time, so that an innocent message that was in the same process is
 * not taken down a second time by the guilty one. */
static struct co_queue suspects_turn;
static bool suspect_in_hand;

struct submission *
submission_new(const struct submit_request *ask)
{
	struct arena *arena = arena_new();
	struct submission *s = arena_alloc(arena, sizeof(*s));
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	s->arena = arena;
	s->service = arena_cstr(arena, service_conf()->p.cleanup_service_name);
	submit_request_put(&bytes, ask);
	ensure(submit_request_get(arena_str(arena, buf_str(&bytes)), &s->ask, arena) ==
		0);
	return s;
}

void
submission_lend(struct submission *s, const int *fds, size_t n)
{
	ensure(n <= IPC_FDS_MOST);
	for (size_t i = 0; i < n; i++)
		s->lent[i] = fds[i];
	s->n_lent = n;
}

static void
submission_free(struct submission *s)
{
	buf_free(&s->kept);
	arena_free(s->arena);
}

void
submission_abort(struct submission *s)
{
	if (s->stream)
		ipc_stream_abort(s->stream);
	submission_free(s);
}

/* Opens the stream to `service` and sends what is kept. -1 and errno. */
static int
submission_open(struct submission *s, const char *service, deadline_t patience)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	submit_request_put(&bytes, &s->ask);
	s->stream = ipc_stream_begin_with(service_peer(service), submit_TYPE,
		buf_str(&bytes), s->lent, s->n_lent, patience);
	if (!s->stream)
		return -1;
	return ipc_stream_write(s->stream, buf_str(&s->kept), patience);
}

int
submission_write(struct submission *s, struct str bytes, deadline_t patience)
{
	if (s->error)
		return -1;
	if (s->kept.len + bytes.len <= SUBMIT_KEPT && !s->outgrown) {
		buf_add(&s->kept, bytes);
		return 0;
	}
	if (!s->outgrown) {
		s->outgrown = true;
		if (submission_open(s, s->service, patience) < 0)
			goto lost;
		buf_free(&s->kept);
	}
	if (ipc_stream_write(s->stream, bytes, patience) == 0)
		return 0;
lost:
	s->error = errno;
	return -1;
}

/* One try of a message that is still kept whole. */
static int
submission_try(struct submission *s, const char *service, struct arena *arena,
	struct str *reply, deadline_t patience)
{
	struct ipc_stream *stream;
	int result = submission_open(s, service, patience);

	stream = s->stream;
	s->stream = NULL;
	if (!stream)
		return -1;
	/* A failed write may only mean that cleanup answered early: finish knows. */
	(void)result;
	return ipc_stream_finish(stream, arena, reply, patience);
}

/* Did the process at the other end die, rather than answer late or not exist? */
static bool
is_crash(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

/* After a first crash: alone, and in a service that handles one message at a time. That
 * one has the settings of `cleanup`: messages of a cleanup_service_name of its own stay
 * with that. */
static int
submission_retry(
	struct submission *s, struct arena *arena, struct str *reply, deadline_t patience)
{
	const char *service =
		strcmp(s->service, "cleanup") == 0 ? "cleanup-suspect" : s->service;
	int result = -1;

	while (suspect_in_hand)
		if (co_wait(&suspects_turn, patience) < 0)
			return -1;
	suspect_in_hand = true;
	for (s->ask.crashes = 1; result < 0 && s->ask.crashes <= CRASHES_MOST;) {
		result = submission_try(s, service, arena, reply, patience);
		if (result < 0 && !is_crash(errno))
			break;
		if (result < 0)
			s->ask.crashes++;
	}
	suspect_in_hand = false;
	co_wake_one(&suspects_turn);
	return result;
}

enum verdict
submission_end(struct submission *s, struct arena *arena, struct submit_reply *said,
	deadline_t patience)
{
	struct str reply = STR_NONE;
	int result = -1;

	if (s->outgrown && s->stream) {
		result = ipc_stream_finish(s->stream, arena, &reply, patience);
		s->stream = NULL;
	} else if (!s->outgrown) {
		result = submission_try(s, s->service, arena, &reply, patience);
		if (result < 0 && is_crash(errno) && s->n_lent == 0)
			result = submission_retry(s, arena, &reply, patience);
	}
	if (result < 0 || submit_reply_get(reply, said, arena) < 0) {
		log_warn("cleanup: no answer for a message from %.*s: %s",
			STR_ARG(s->ask.origin), strerror(errno));
		*said = (struct submit_reply){ .verdict = TEMPFAIL,
			.code = STR("4.3.0"),
			.text = STR("queue file write error"),
			.smtp_code = 451 };
	}
	submission_free(s);
	return (enum verdict)said->verdict;
}
