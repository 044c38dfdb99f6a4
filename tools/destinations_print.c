/* destinations_print.c -- see destinations_print.h. */
#include "destinations_print.h"
#include "log.h"
#include "queue_client.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const states[] = {
	[DESTINATION_OPEN] = "open",
	[DESTINATION_LIMITED] = "limited",
	[DESTINATION_DEAD] = "dead",
	[DESTINATION_GROUP] = "group",
	[DESTINATION_SUSPENDED] = "suspended",
};

/* Names are the next hops of strangers' mail. */
static void
put_printable(struct buf *line, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_addc(line, (unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f
				       ? '?'
				       : s.data[i]);
}

static void
put_field(struct buf *line, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(line, "  %s", name);
	put_printable(line, value);
}

/* "smtp:example.com  open  busy=2/20 waiting=7  group=example.com" */
static void
print_one(const struct queue_destination *q)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	if (q->state != DESTINATION_GROUP) {
		put_printable(&line, q->transport);
		buf_addc(&line, ':');
	}
	put_printable(&line, q->nexthop);
	buf_printf(&line, "  %s", q->state < COUNT(states) ? states[q->state] : "?");
	if (q->state != DESTINATION_SUSPENDED) {
		buf_printf(&line, "  busy=%u", q->busy);
		if (q->window)
			buf_printf(&line, "/%u", q->window);
		buf_printf(&line, " waiting=%u", q->waiting);
	}
	put_field(&line, "group=", q->group);
	put_field(&line, "limits: ", q->limits);
	if (q->slowed)
		buf_printf(&line, "  slowed to 1/%u", 1u << MIN(q->slowed, 31u));
	put_field(&line, "", q->reason);
	printf("%.*s\n", (int)line.len, line.data);
}

static int
by_state_and_name(const void *a, const void *b)
{
	const struct queue_destination *x = a, *y = b;
	int order = (int)y->state - (int)x->state;

	if (order == 0)
		order = str_cmp(x->transport, y->transport);
	return order ? order : str_cmp(x->nexthop, y->nexthop);
}

void
destinations_print(void *arg)
{
	const struct conf *c = arg;
	struct ipc_link *link = queue_client_link(c);
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct destinations_reply said;

	if (!link)
		log_fatal("the mail system is down");
	queue_client_destinations(link, arena, &said);
	if (said.n_list)
		qsort(said.list, said.n_list, sizeof(*said.list), by_state_and_name);
	for (size_t i = 0; i < said.n_list; i++)
		print_one(&said.list[i]);
	if (said.left_out)
		printf("and %u more\n", said.left_out);
}
