/* base.h -- the words everything else is written in: views, buffers, arenas, vectors,
 * maps, deadlines and ensure(). Includes nothing of ours; nothing here switches. */
#ifndef BASE_H
#define BASE_H

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(fn)  __attribute__((cleanup(fn)))
#define NONNULL      __attribute__((nonnull))
#define MUST_CHECK   __attribute__((warn_unused_result))
#define NORETURN     __attribute__((noreturn))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED       __attribute__((unused))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Marks a call that may run other coroutines before it returns; shared state must be
 * looked up again afterwards. Documentation only. */
#define SWITCHES
/* Marks a call that may hold up the whole process on a disk or in a foreign library;
 * sessions reach it through event_offload(). Documentation only. */
#define BLOCKS

/* Our own mistakes: always compiled in, says where, and aborts. Never judges what came
 * from the network or from another process. */
#define ensure(x) ((x) ? (void)0 : ensure_failed(#x, __FILE__, __LINE__))
NORETURN void ensure_failed(const char *what, const char *file, int line);
/* What ensure_failed() tells before it aborts; lib/log puts its panic() here. */
extern void (*ensure_hook)(const char *text);

/* ---- memory that cannot fail: says so and exits when the machine is dying ---- */
/* To be called once, by a process that lives on: malloc then keeps some MB of free
 * memory, since pages that are given back and taken again are cleared by the kernel each
 * time. */
void mem_keep_pages(void);
void *mem_alloc(size_t size) MUST_CHECK;           /* zeroed */
void *mem_resize(void *p, size_t size) MUST_CHECK; /* not zeroed */
void mem_free(void *p);
void mem_free_at(void *pp);               /* for CLEANUP: frees *pp */
NORETURN void mem_exhausted(size_t size); /* what the others do when there is none */
void mem_wipe(void *p, size_t size);

/* ---- str: a view of bytes; owns nothing, may hold NULs ---- */
struct str {
	const char *data;
	size_t len;
};
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_INIT(lit) \
	{ \
		(lit), sizeof(lit) - 1 \
	}
#define STR_NONE   ((struct str){ NULL, 0 })
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline struct str
str_of(const void *data, size_t len)
{
	return (struct str){ data, len };
}
struct str str_c(const char *z); /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *z);
bool str_case_eq(struct str a, struct str b); /* ASCII only */
bool str_case_is(struct str a, const char *z);
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_case_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_case_ends(struct str s, struct str suffix);
/* Index of the first/last c, or -1. */
ssize_t str_chr(struct str s, char c);
ssize_t str_rchr(struct str s, char c);
/* Index of the first occurrence of needle, or -1. */
ssize_t str_find(struct str s, struct str needle);
struct str str_sub(struct str s, size_t from, size_t len); /* clipped to s */
struct str str_from(struct str s, size_t from);
struct str str_trim(struct str s); /* blanks, tabs, CR, LF at both ends */
/* Takes the next item off *rest: items are separated by any of the bytes in seps, empty
 * items are skipped. False when there is none left. */
bool str_token(struct str *rest, const char *seps, struct str *item);
/* Takes everything up to c off *rest (c itself is dropped). False at the end of *rest. */
bool str_split(struct str *rest, char c, struct str *item);
/* "name = value": its parts, without blanks around them; the value may be empty. False:
 * there is no '=', or no name. */
bool str_assignment(struct str text, struct str *name, struct str *value);
/* Decimal numbers only, whole of s; -1 and no change on junk or overflow. */
int str_to_u64(struct str s, uint64_t *out) MUST_CHECK;
int str_to_long(struct str s, long *out) MUST_CHECK;
uint64_t str_hash(struct str s); /* keyed per process: safe with hostile keys */
uint64_t str_case_hash(struct str s);
char ascii_lower(char c);
bool ascii_is_blank(char c); /* space, tab */
bool ascii_is_space(char c); /* the six of isspace() in the C locale */
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
bool ascii_is_print(char c); /* 0x20..0x7e */

/* ---- buf: bytes that grow, owned by whoever holds the struct ---- */
struct buf {
	char *data;
	size_t len, room;
};
#define BUF_INIT \
	{ \
		NULL, 0, 0 \
	}
void buf_free(struct buf *b);              /* for CLEANUP too; b may be used again */
void buf_wipe(struct buf *b);              /* the same, after wiping: secrets */
void buf_need(struct buf *b, size_t more); /* room for `more` bytes behind len */
void buf_add(struct buf *b, struct str s);
void buf_addc(struct buf *b, char c);
void buf_addz(struct buf *b, const char *z);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_drop(struct buf *b, size_t n); /* removes the first n bytes */
const char *buf_cstr(struct buf *b);    /* NUL-terminated; ensure()s no inner NUL */
static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->data, b->len };
}
static inline void
buf_clear(struct buf *b)
{
	b->len = 0;
}

/* ---- text ---- */
/* Length of the well-formed UTF-8 sequence in front, 0 when there is none; *point is its
 * code point. RFC 3629 section 4: no overlong forms, no surrogates. */
size_t utf8_step(struct str s, uint32_t *point);
/* s as a string of JSON, with its quotes (RFC 8259 section 7). What is no UTF-8 becomes
 * U+FFFD: readers of JSON refuse a text that has any. */
void json_put(struct buf *out, struct str s);

/* ---- arena: memory that belongs to a time; freed all at once ---- */
struct arena; /* opaque; chunks of 4 KB and up */
struct arena *arena_new(void) MUST_CHECK;
void arena_free(struct arena *a);
void arena_free_at(struct arena **a); /* for CLEANUP */
void arena_reset(struct arena *a);    /* keeps one chunk for the next use */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;     /* zeroed, 16-aligned */
struct str arena_str(struct arena *a, struct str s) MUST_CHECK; /* copy, NUL behind it */
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
struct str arena_lower(struct arena *a, struct str s) MUST_CHECK;
char *arena_cstr(struct arena *a, struct str s)
	MUST_CHECK; /* copy; NULL if s holds NUL */
size_t arena_used(const struct arena *a);

/* ---- vectors: VEC(type) is a struct with items, n, room ---- */
#define VEC(type) \
	struct { \
		type *items; \
		size_t n, room; \
	}
/* Appends one zeroed item and gives its address (good until the next push). */
#define vec_push(v) \
	(vec_grow((void **)&(v)->items, &(v)->room, (v)->n + 1, sizeof(*(v)->items)), \
		memset(&(v)->items[(v)->n], 0, sizeof(*(v)->items)), \
		&(v)->items[(v)->n++])
#define vec_free(v) (mem_free((v)->items), (v)->items = NULL, (v)->n = (v)->room = 0)
void vec_grow(void **items, size_t *room, size_t n, size_t size);

/* A list of strings in an arena: what decoders, list parameters and look-ups return. */
struct strs {
	struct str *items;
	size_t n;
};

/* ---- map: str -> pointer, keys copied; NULL values are not stored ---- */
struct map; /* opaque */
struct map *map_new(void) MUST_CHECK;
void map_free(struct map *m); /* not the values */
void *map_get(const struct map *m, struct str key);
/* Stores value (NULL removes); returns what was there before. */
void *map_set(struct map *m, struct str key, void *value);
size_t map_count(const struct map *m);
/* Walks in no order: *at starts at 0; false at the end. Removing the entry just returned
 * is allowed, other changes are not. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

/* ---- time ---- */
typedef int64_t msec_t;     /* a span, milliseconds */
typedef int64_t deadline_t; /* a moment on CLOCK_MONOTONIC, milliseconds */
typedef uint64_t octets_t;
#define DEADLINE_NEVER ((deadline_t)INT64_MAX)
msec_t time_monotonic(void); /* milliseconds */
int64_t time_monotonic_us(void);
int64_t time_wall_us(void);        /* microseconds since 1970 */
extern int64_t time_wall_shift_us; /* 0; test builds let their clock jump */
int64_t time_cpu_us(void);         /* of the processor, used by this process */
/* Date: and Received: have it (RFC 5322 section 3.3), in the machine's zone, whose name
 * stands behind it. Good until the next call. */
const char *time_mail_date(time_t at);
deadline_t deadline_in(msec_t span);
bool deadline_passed(deadline_t d);
deadline_t deadline_least(deadline_t a, deadline_t b);

/* ---- what happened to mail: one verdict and one reason for log, reply and bounce ----
 */
enum verdict {
	ACCEPT,
	TEMPFAIL, /* in doubt, this one */
	PERMFAIL,
};
struct why {
	char code[12];  /* enhanced status, RFC 3463: "5.1.1" */
	char text[500]; /* cut at the end when longer; no CR or LF */
};
/* Fill in *why and return the verdict that belongs to the code's class. */
enum verdict why_set(struct why *why, const char *code, const char *fmt, ...)
	PRINTF(3, 4);
/* class.subject.detail, with 2, 4 or 5 as the class and up to three digits for the rest
 * (RFC 3463 section 2). */
bool why_code_is_valid(struct str code);
/* Takes "5.1.1 " or "4.2.0 " off the front of *text; false: there is no such code. */
bool why_code_take(struct str *text, char code[12]);
/* code: temporary; the text is "what: strerror(errno)". */
enum verdict why_errno(struct why *why, const char *code, const char *what);

/* ---- descriptors, files and processes ---- */
void fd_close(int *fd); /* for CLEANUP: closes unless -1, keeps errno */
int fd_take(int *fd);   /* hands it on: fd_close() has nothing left to close */
/* errno after a call that failed: never 0, which would say that it succeeded. */
static inline int
errno_of_failure(void)
{
	int cause = errno;

	return cause ? cause : EIO;
}
int fd_nonblock(int fd);
int fd_cloexec(int fd, bool on);
int write_all(int fd, struct str s) MUST_CHECK; /* blocking descriptors; -1 and errno */
/* Reads a whole file of at most `most` bytes behind *out. -1 and errno (EFBIG). BLOCKS */
int read_file(const char *path, size_t most, struct buf *out) MUST_CHECK;
/* A file in memory that nobody can change any more; name is for /proc only. -1 and errno.
 */
int memfd_sealed(const char *name, struct str content) MUST_CHECK;
/* Its content, mapped: every process that has the descriptor reads the same bytes. They
 * are good until memfd_unmap(). -1 and errno (EINVAL for an empty one). */
int memfd_map(int fd, struct str *out) MUST_CHECK;
void memfd_unmap(struct str content);

/* ---- encodings ---- */
uint32_t crc32c(uint32_t crc, const void *data, size_t len); /* start with 0 */
/* The same without the processor's help: what crc32c() is where there is none. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);
void base64_encode(struct str in, struct buf *out);
int base64_decode(struct str in, struct buf *out) MUST_CHECK; /* strict; -1 on junk */
/* RFC 3461 section 4 xtext. */
void xtext_encode(struct str in, struct buf *out);
int xtext_decode(struct str in, struct buf *out) MUST_CHECK; /* -1 on bad +XX */
/* As C writes it: "\r\n", "\026"; what prints stays. Behind what out holds. */
void c_escape(struct str in, struct buf *out);
/* The other way round: a backslash and a letter, or up to three octal digits. */
void c_unescape(struct str in, struct buf *out);
static inline void
put_u16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
}
static inline void
put_u32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}
static inline void
put_u64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}
static inline uint16_t
get_u16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return be16toh(v);
}
static inline uint32_t
get_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}
static inline uint64_t
get_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

#endif
