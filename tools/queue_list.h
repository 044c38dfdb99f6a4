/* queue_list.h -- the queue as mailq and postqueue -j print it. */
#ifndef QUEUE_LIST_H
#define QUEUE_LIST_H

#include "conf.h"
#include "listing.h"
#include <stdio.h>

enum queue_form { QUEUE_FOR_PEOPLE, QUEUE_JSON };

struct queue_print {
	FILE *out;
	enum queue_form form;
	bool long_ids; /* enable_long_queue_ids: wider columns */
	uint64_t messages, bytes;
};
void queue_print(struct queue_print *p, const struct listing *l);
void queue_print_end(struct queue_print *p);

/* Prints the whole queue. Fatal (log_fatal_exit) when it cannot. */
void queue_list(const struct conf *c, enum queue_form form, FILE *out);

#endif
