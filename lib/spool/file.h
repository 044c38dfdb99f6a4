/* file.h -- the bytes of one message's file, when queue_engine = files (man/spool.5).
 *
 * A head of 512 bytes of text, for whoever looks at it by hand; the envelope; the content
 * (or its first part, the rest being a body file as the log has them); zeroes up to where
 * states begin. Behind that states, appended one by one, and zeroes that were written in
 * advance, so that a full disk has room for the first ones.
 *
 * A record of states that fits into a block does not cross from one into the next: a
 * power cut leaves it or takes it. Each has its number, and says up to where the states
 * were flushed when it was written; so one that is missing is known for damage or for
 * torn. */
#ifndef SPOOL_FILE_H
#define SPOOL_FILE_H

#include "base.h"

#define FILE_STATE_MARK "PoSt" /* the first bytes of a state */
enum {
	FILE_HEAD = 512,
	FILE_STATE_MARK_SIZE = 4,
	FILE_STATE = 40,   /* the header of a state */
	FILE_SPARE = 2048, /* zeroes for states, at least */
	FILE_ALIGN = 8,
	FILE_PATH = 32, /* room for "5f/800064f2c9a1135f.tmp" */
};
#define FILES_DIRECTORY "files"
/* Ids of such messages have this bit, those of the log never. */
#define FILE_MID ((uint64_t)1 << 63)
/* The segment in the place of such a message; offset and length of its states are counted
 * in units of FILE_ALIGN. */
#define FILE_SEGMENT UINT32_MAX

struct file_head {
	uint64_t mid, arrival_us;
	octets_t size; /* of the content, body file included */
	uint32_t recipients;
	bool hold;                  /* when it came */
	uint32_t envelope, content; /* bytes */
	uint32_t envelope_crc, content_crc, body_crc;
	uint64_t body;   /* the body file's number; 0: none */
	octets_t states; /* where they begin */
	char queue_id[32];
};
void file_head_put(char out[FILE_HEAD], const struct file_head *h);
int file_head_get(const char in[FILE_HEAD], struct file_head *out) MUST_CHECK;

static inline bool
is_file_mid(uint64_t mid)
{
	return mid & FILE_MID;
}
/* Below the directory: by the last byte of the id, then the id. */
void file_path(char out[FILE_PATH], uint64_t mid, const char *suffix);
/* The id a file's name tells; 0: it is no such name. */
uint64_t file_mid_of(const char *name);

/* ---- states ---- */
/* Where a state of this size goes when everything up to `end` is used. */
octets_t file_state_place(octets_t end, size_t length);
static inline size_t
file_state_size(size_t length)
{
	return (FILE_STATE + length + FILE_ALIGN - 1) / FILE_ALIGN * FILE_ALIGN;
}
/* Appends a record for that place. */
void file_state_put(struct buf *out, uint64_t mid, octets_t at, octets_t durable,
	uint32_t number, struct str state);

struct file_walk {
	void (*state)(void *arg, struct str state); /* an encoded struct spool_state */
	void *arg;
	/* Filled in: */
	octets_t end;     /* behind the last good one */
	uint32_t records; /* the number of the next one */
	bool damaged;     /* something that was flushed is not there */
	bool torn;        /* something that was not */
};
/* The bytes of a file from `begin` on. */
void file_walk(struct str area, octets_t begin, uint64_t mid, struct file_walk *w);

#endif
