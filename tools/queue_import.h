/* queue_import.h -- the parts of postern import --queue. */
#ifndef QUEUE_IMPORT_H
#define QUEUE_IMPORT_H

#include "base.h"
#include "event.h"
#include "postfix_file.h"
#include "spool.h"
#include <sys/stat.h>

struct import {
	const char *queue; /* Postfix's directory */
	struct arena *arena;
	struct spool *spool;
	struct spool_reader *reader;
	struct map *known;
	struct co_queue changed;
	size_t waiting;
	unsigned long taken, held, already, local, bad;
};

/* One file on its way. */
struct parcel {
	struct import *in;
	struct arena *arena;
	struct str path;  /* below the queue directory: "deferred/4/4BF3..." */
	struct str queue; /* "deferred" */
	struct str name;
	struct stat st;
	struct buf content;
	struct postfix_message m;
	struct spool_put_request put;
	VEC(struct spool_state) states;
	struct spool_state last; /* when it may be delivered, or that it is held */
	uint64_t mid;
	bool is_in; /* stored, now or before */
	bool only_move;
	int error;
};

/* import_parcel.c: a file of Postfix's, below its queue directory. */
struct parcel *parcel_new(struct import *in, struct str path) MUST_CHECK;
void parcel_free(struct parcel *p);
/* Its message, with what became of the recipients. -1 and errno; EBADMSG: not a whole
 * message. */
int parcel_read(struct parcel *p) MUST_CHECK;
/* As the mail system that it is of may read it. -1 and errno. */
int import_read_file(struct import *in, struct str path, struct buf *out, struct stat *st)
	MUST_CHECK;

/* queue_import.c: those that are in move to imported/, durably; then they are released,
 * and what is wrong with the others is told. */
void import_move(struct import *in, struct parcel **parcels, size_t n);
void import_release(struct import *in, struct parcel **parcels, size_t n);

/* import_local.c: what lies in maildrop. */
void import_maildrop(struct import *in);

#endif
