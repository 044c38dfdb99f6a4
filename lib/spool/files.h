/* files.h -- the engine that keeps a file for each message, beside the log and behind the
 * same calls (spool.h). Which of the two a message is in is told by its id (file.h): new
 * mail goes where queue_engine says, old mail stays where it is until it ends. */
#ifndef SPOOL_FILES_H
#define SPOOL_FILES_H

#include "engine.h"
#include "file.h"

/* A state on its way: gathered, then written, then flushed. */
struct file_pending {
	uint64_t mid, when_us;
	uint8_t kind;
	bool is_written, in_flush;
	octets_t end;     /* in the file, once written */
	struct str state; /* its own memory */
};
/* What is in the index of files: an entry with other uses for its places. */
struct file_places {
	octets_t begin, end, durable; /* of its states */
	octets_t size;                /* of the file */
	uint32_t records;
};
struct file_put;
struct file_job;
struct files {
	struct spool *s;
	int dir; /* log/files; -1: nothing was ever kept there */
	struct worker *worker;
	struct index index;
	uint64_t last; /* id given last */
	uint64_t old;  /* the last one from before the start */
	bool indexing;
	VEC(struct file_put *) gather;
	VEC(struct file_pending) pending;
	size_t unwritten;    /* of them */
	int refused;         /* why some could not be written, for those who wait */
	VEC(uint64_t) ended; /* their files are to be removed */
	VEC(uint64_t) ended_bodies; /* of those */
	VEC(uint64_t) rewrite;      /* their files are to be written anew */
	struct file_job *job;
	uint64_t flushes; /* jobs started that flush what was written */
	VEC(struct barrier) barriers;
	bool flush_due;
	struct timer timer;
	octets_t live, disk;     /* of what is in the index */
	octets_t written, moved; /* since the start; of it, into new files */
};

/* Opens the directory; makes it when mail is to go there. -1 and *why. */
BLOCKS int files_open(struct spool *s, struct why *why);
void files_free(struct spool *s);
/* Starts reading what is there in the keeper; all at once with read_only. */
void files_index(struct spool *s);
/* Both engines are indexed: what is in both, because a conversion was broken off, is one
 * message: the file. */
void files_settle(struct spool *s);

/* ---- between the files of this engine ---- */
struct file_places places_of(const struct entry *e);
void set_places(struct entry *e, const struct file_places *p);
void set_pack_at(
	struct entry *e); /* when its states have grown to this they are packed */
bool file_export(const struct spool *s, const struct entry *e, struct spool_entry *out,
	struct buf *states);
/* Into the index, and out of it when it ended. */
void file_add(struct files *f, struct entry *e);
void file_ended(struct files *f, struct entry *e);
/* The file of an entry in the index grew, or is another one. */
void file_changed(struct files *f, struct entry *e, const struct file_places *p);
/* files_put.c */
void files_put(struct spool *s, const struct spool_put_request *m,
	struct spool_body *body, const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg);
void files_puts_stored(struct spool *s, struct file_job *k);
void files_puts_lost(struct spool *s, struct file_job *k);
void file_put_free(struct file_put *p);
/* files_state.c */
void files_update(struct spool *s, const struct spool_state *state);
int files_write(struct spool *s);
void file_write_anew(struct files *f, struct entry *e);
void files_forget(struct files *f, size_t from); /* pending ones of no kind */
/* files_flush.c */
void files_kick(struct spool *s);
void files_flush_soon(struct spool *s, msec_t when);
bool files_idle(const struct spool *s);
void files_barrier(struct spool *s, void (*fn)(struct spool *s, void *arg), void *arg);

/* files_disk.c: what runs in threads. */
struct file_put {
	uint64_t mid;
	struct entry *e;
	struct buf bytes;
	size_t envelope;
	int fd;
	void (*done)(void *arg, int error, const struct spool_entry *e);
	void *arg;
};
struct file_rewrite {
	uint64_t mid;
	struct file_places places; /* before, then after */
	uint32_t recipients;
	VEC(struct str) states; /* not flushed yet; views */
	int error;
};
struct file_job {
	struct job job;
	struct spool *s;
	uint64_t flush; /* its number; 0: only new mail */
	VEC(struct file_put *) puts;
	int put_error;
	VEC(uint64_t) dirty;
	int dirty_error;
	VEC(uint64_t) ended;
	VEC(uint64_t) ended_bodies;
	int ended_error;
	VEC(struct file_rewrite) rewrites;
};
BLOCKS void file_job_run(struct job *j);
/* One file of the directory as the start finds it. */
struct file_found {
	struct entry *e; /* NULL: not a message that lives */
	struct file_places places;
	bool again; /* to be written anew: something in it is damaged or torn */
	bool hold;  /* something was lost: not to be delivered before somebody looked */
	bool finished;
};
BLOCKS void file_look(struct spool *s, uint64_t mid, struct file_found *out);
/* Every name in it; fn may remove files. */
BLOCKS void files_names(struct spool *s,
	void (*fn)(struct spool *s, const char *path, uint64_t mid, void *arg),
	void *arg);
BLOCKS int reserve_make(int dir);
BLOCKS octets_t reserve_size(int dir);
/* Gives the disk some of the reserve. -1: nothing is left of it. */
BLOCKS int reserve_use(int dir);

/* file_read.c: readers. dir: the log's. */
BLOCKS int file_read(int dir, uint64_t mid, bool envelope_only, struct arena *arena,
	struct spool_content *out, struct file_head *h);
BLOCKS int file_read_states(int dir, uint64_t mid, struct spool_where at,
	struct arena *arena, struct spool_state **states, size_t *n);

#endif
