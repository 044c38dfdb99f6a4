/* queue_list.h -- the queue as mailq and postqueue -j print it, or a part of it. */
#ifndef QUEUE_LIST_H
#define QUEUE_LIST_H

#include "conf.h"
#include "progress.h"
#include "queue_query.h"
#include <stdio.h>

enum queue_form { QUEUE_FOR_PEOPLE, QUEUE_JSON, QUEUE_COUNT };

struct queue_print {
	FILE *out;
	enum queue_form form;
	bool long_ids; /* enable_long_queue_ids: wider columns */
	uint64_t messages, bytes;
	const struct queue_query *query; /* only what it means; NULL: everything */
	struct progress progress;
};
void queue_print(struct queue_print *p, const struct listing *l);
void queue_print_end(struct queue_print *p);

/* Prints the queue, or what the query means of it. Fatal (log_fatal_exit) when it cannot.
 */
void queue_list(const struct conf *c, enum queue_form form,
	const struct queue_query *query, FILE *out);

#endif
