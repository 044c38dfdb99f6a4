/* transcript.c -- see transcript.h. */
#include "transcript.h"
#include "event.h"
#include "log.h"
#include "messages.h"
#include "service.h"

#define TEXT_MOST ((size_t)64 * 1024)
#define PATIENCE  ((msec_t)300 * 1000)

unsigned
faults_wanted(const struct conf *c)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {
		{ "bounce", FAULT_BOUNCE },
		{ "policy", FAULT_POLICY },
		{ "protocol", FAULT_PROTOCOL },
		{ "resource", FAULT_RESOURCE },
		{ "software", FAULT_SOFTWARE },
		{ "data", FAULT_DATA },
	};
	struct str list = c->p.notify_classes, word;
	unsigned wanted = 0;

	while (str_token(&list, ", \t\r\n", &word))
		for (size_t i = 0; i < COUNT(words); i++)
			if (str_case_is(word, words[i].name))
				wanted |= words[i].bit;
	return wanted;
}

/* Drops whole lines from the start. */
static void
make_room(struct transcript *t, size_t more)
{
	struct str rest = buf_str(&t->text), line;

	while (rest.len + more > TEXT_MOST && str_split(&rest, '\n', &line))
		continue;
	buf_drop(&t->text, t->text.len - rest.len);
}

void
transcript_add(struct transcript *t, enum transcript_side side, struct str line)
{
	line = str_sub(line, 0, TEXT_MOST / 4);
	make_room(t, line.len + 6);
	buf_addz(&t->text, side == WE_SAID ? "Out: " : "In:  ");
	for (size_t i = 0; i < line.len; i++)
		buf_addc(
			&t->text, (unsigned char)line.data[i] < ' ' ? '?' : line.data[i]);
	buf_addc(&t->text, '\n');
	t->lines++;
}

/* On its way to bounce: the encoded request. */
struct on_its_way {
	struct buf request;
};

static void
send_it(void *arg)
{
	struct on_its_way *way = arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct transcript_reply said;
	struct str reply;

	co_name("transcript");
	if (ipc_call(service_peer("bounce"), transcript_TYPE, buf_str(&way->request), -1,
		    arena, &reply, deadline_in(PATIENCE)) < 0 ||
		transcript_reply_get(reply, &said, arena) < 0 || said.verdict != ACCEPT)
		log_warn("the postmaster is not told of a session with errors");
	buf_free(&way->request);
	mem_free(way);
	service_busy(-1);
}

static void
forget(struct transcript *t)
{
	buf_clear(&t->text);
	t->lines = 0;
	t->faults = 0;
}

void
transcript_end(struct transcript *t, unsigned wanted, unsigned whose, struct str peer,
	struct str reason)
{
	struct transcript_request ask = { .rejected = (t->faults & FAULT_BOUNCE) != 0,
		.whose = (uint8_t)whose,
		.peer = peer,
		.text = buf_str(&t->text),
		.reason = reason };
	struct on_its_way *way;

	if (t->faults & wanted) {
		way = mem_alloc(sizeof(*way));
		transcript_request_put(&way->request, &ask);
		service_busy(+1);
		co_spawn(send_it, way, CO_STACK_SMALL);
	}
	forget(t);
}

void
transcript_free(struct transcript *t)
{
	buf_free(&t->text);
	forget(t);
}
