/* damage.c -- bytes of the log that are not what they should be: the remains of a write
 * that a power cut tore (nobody was told that it was there), or damage.
 *
 * Each batch says up to where its stream was flushed before it was written. What lies
 * behind the furthest such point may be torn; it is covered with filling, so that no
 * later start takes it for damage. What lies before it was whole once: that is damage, it
 * is kept in corrupt/, told with all that is known, and everything around it is served.
 */
#include "recover.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void
damage_keep(struct spool *s, const struct segment *g, uint32_t from, uint32_t to)
{
	char name[64];
	char *bytes CLEANUP(mem_free_at) = mem_alloc(to - from);
	int fd CLEANUP(fd_close) = -1;

	if (s->corrupt < 0)
		return;
	snprintf(name, sizeof(name), "log-%u-%u-%u", g->id.generation, from, to - from);
	for (uint32_t at = 0; at < to - from; at += SPOOL_BLOCK) {
		uint32_t len = MIN((uint32_t)SPOOL_BLOCK, to - from - at);

		if (read_at(g->fd, bytes + at, len, from + at) < 0)
			memset(bytes + at, 0,
				len); /* what can be read is better than nothing */
	}
	fd = openat(s->corrupt, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return; /* kept by an earlier start */
	if (fd < 0 || write_all(fd, str_of(bytes, to - from)) < 0 || fsync(fd) < 0)
		log_warn("spool: cannot keep damaged bytes in corrupt/%s: %s", name,
			strerror(errno));
}

bool
is_flushed(const struct recovery *r, const struct segment *g, uint32_t offset)
{
	struct log_point at = { g->id.generation, offset };

	return point_before(at, r->durable[g->stream]);
}

/* Bytes that say: nothing here. */
static void
cover(const struct segment *g, const char *head, size_t len, uint32_t offset)
{
	if (write_at(g->fd, str_of(head, len), offset) < 0 || fdatasync(g->fd) < 0)
		log_warn("spool: cannot cover torn bytes in segment %u: %s",
			g->id.generation, strerror(errno));
}

void
damage_cover_record(const struct segment *g, uint32_t offset, uint32_t length)
{
	char head[RECORD_HEADER];
	struct record r = { .length = length, .head = RECORD_HEADER };

	record_seal(head, &g->id, &r);
	cover(g, head, sizeof(head), offset);
}

static void
cover_range(const struct recovery *r, const struct bad_range *b)
{
	char head[BATCH_HEADER];
	struct batch fill = { .offset = b->from,
		.length = b->to - b->from,
		.durable = r->durable[b->g->stream],
		.stream = b->g->stream,
		.flags = BATCH_FILL };

	if (b->in_batch) {
		damage_cover_record(b->g, b->from, b->to - b->from);
		return;
	}
	batch_put(head, &b->g->id, &fill);
	cover(b->g, head, sizeof(head), b->from);
}

/* ---- what is lost with it ---- */

/* Bytes that were a message's head, though something in it is wrong: its queue id. */
static bool
id_of_head(
	const char *p, const struct segment *g, const struct bad_range *b, struct str *id)
{
	uint64_t sequence = get_u64(p + 16);
	size_t n = 0;

	*id = str_of(p + MESSAGE_HEAD - 32, 32);
	while (n < id->len && ascii_is_alnum(id->data[n]))
		n++;
	for (size_t i = n; i < id->len; i++)
		if (id->data[i] != 0)
			return false;
	id->len = n;
	return n > 0 && n < 32 &&
	       (p[24] == RECORD_MESSAGE || get_u32(p + 8) == MESSAGE_HEAD) &&
	       (get_u32(p + 12) == g->id.generation ||
		       (b->before && sequence > b->after && sequence < b->before));
}

static void
add_id(struct buf *out, struct str id)
{
	buf_addz(out, out->len ? ", " : "");
	buf_add(out, id);
}

static void
ids_within(const struct bad_range *b, struct buf *out)
{
	/* A head may begin before the place where the bytes stopped making sense. */
	uint32_t len = b->to - b->from;
	char *bytes CLEANUP(mem_free_at) = mem_alloc(len);

	if (read_at(b->g->fd, bytes, len, b->from) < 0)
		return;
	for (uint32_t at = 0; at + MESSAGE_HEAD <= len; at += SPOOL_ALIGN) {
		struct str id;

		if (id_of_head(bytes + at, b->g, b, &id))
			add_id(out, id);
	}
}

/* Where the sequence of records goes on behind the end of a segment; 0: nobody knows. */
static uint64_t
next_span(const struct recovery *r, uint32_t generation)
{
	const struct span *best = NULL;

	for (size_t i = 0; i < r->spans.n; i++) {
		const struct span *c = &r->spans.items[i];

		if (c->generation > generation &&
			(!best || c->generation < best->generation))
			best = c;
	}
	if (best)
		return best->first;
	return generation == r->marks[STREAM_HOT].durable.generation
		       ? r->marks[STREAM_HOT].next
		       : 0;
}

static uint64_t
last_span(const struct recovery *r, uint32_t generation)
{
	uint64_t last = 0;

	for (size_t i = 0; i < r->spans.n; i++)
		if (r->spans.items[i].generation < generation)
			last = MAX(last, r->spans.items[i].last);
	return last;
}

/* What may be lost: sequences between two, without those of states that are there. */
struct lost {
	uint64_t first, last; /* last 0: no end is known; less than first: nothing */
};

/* Records are numbered one after the other, in all segments together, and messages of the
 * hot stream lie in that order. */
static struct lost
lost_between(const struct recovery *r, uint64_t after, uint64_t before)
{
	struct lost l = { after + 1, before ? before - 1 : 0 };

	while (before && l.first <= l.last && settle_has(r, l.first))
		l.first++;
	while (before && l.first <= l.last && settle_has(r, l.last))
		l.last--;
	if (before && l.first > l.last)
		l = (struct lost){ 2, 1 };
	return l;
}

static bool
is_nothing(struct lost l)
{
	return l.last && l.last < l.first;
}

static void
say_lost(struct lost l, struct buf *out)
{
	if (is_nothing(l))
		buf_addz(out, "no message is lost with them");
	else if (l.first == 1 && !l.last) /* the cold stream: moved, in any order */
		buf_addz(out, "which messages are lost with them is not known");
	else if (l.last)
		buf_printf(out, "lost with them: messages numbered %llu to %llu",
			(unsigned long long)l.first, (unsigned long long)l.last);
	else
		buf_printf(out, "lost with them: messages numbered from %llu on",
			(unsigned long long)l.first);
}

/* Zeroes behind a record whose batch header is gone: there was nothing. */
static bool
is_padding(const struct bad_range *b, struct lost l)
{
	char block[SPOOL_BLOCK];
	uint32_t len = b->to - b->from;

	if (len > sizeof(block) || b->to % SPOOL_BLOCK || !is_nothing(l) ||
		read_at(b->g->fd, block, len, b->from) < 0)
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (block[i])
			return false;
	return true;
}

static void
tell(struct recovery *r, const struct bad_range *b)
{
	struct buf ids CLEANUP(buf_free) = BUF_INIT, said CLEANUP(buf_free) = BUF_INIT;
	uint32_t generation = b->g->id.generation;
	struct lost l = { 1, 0 };

	if (b->g->stream == STREAM_HOT)
		l = lost_between(r, b->after ? b->after : last_span(r, generation),
			b->before ? b->before : next_span(r, generation));
	if (is_padding(b, l))
		return;
	say_lost(l, &said);
	ids_within(b, &ids);
	if (ids.len)
		buf_printf(&said, ", among them " STR_FMT, STR_ARG(buf_str(&ids)));
	log_error("spool: segment %u (log/%08x.seg) is damaged at bytes %u to %u; all "
		  "other mail is served, the bytes are kept in corrupt/log-%u-%u-%u; "
		  "%s",
		generation, b->g->id.slot, b->from, b->to, generation, b->from,
		b->to - b->from, buf_cstr(&said));
	r->s->damaged = true;
	damage_keep(r->s, b->g, b->from, b->to);
}

static uint64_t
span_end(const struct recovery *r, uint32_t generation)
{
	for (size_t i = 0; i < r->spans.n; i++)
		if (r->spans.items[i].generation == generation)
			return r->spans.items[i].last;
	return 0;
}

/* There were batches up to `end`. */
static void
expect_end(struct recovery *r, uint32_t generation, uint8_t stream, uint32_t end)
{
	struct segment *g = segment_of_generation(r->s, generation);

	if (!g || !g->surveyed || end <= g->end || end > g->id.size)
		return;
	if (g->state == SEGMENT_SPARE) { /* it looked empty: no batch is left */
		g->state = SEGMENT_SEALED;
		g->stream = stream;
		r->s->n_spares--;
	}
	if (g->state != SEGMENT_SEALED)
		return;
	g->end_is_missing = true;
	*vec_push(&r->bad) = (struct bad_range){ g, round_up(g->end, SPOOL_PACK), end,
		false, true, span_end(r, generation), 0 };
	g->end = end; /* the next manifests say so again */
}

/* The newest manifest knows where sealed segments end, the mark how far the last one of a
 * stream went. */
void
damage_find_missing_ends(struct recovery *r)
{
	for (size_t i = 0; i < STREAMS; i++)
		expect_end(r, r->marks[i].durable.generation, (uint8_t)i,
			r->marks[i].durable.offset);
	for (size_t i = 0; i < r->manifest.n; i++) {
		const struct manifest_item *m = &r->manifest.items[i];

		if (m->state == SEGMENT_SEALED)
			expect_end(r, m->id.generation, m->stream, m->end);
	}
}

/* Where a batch header is damaged, its records may be whole. */
void
damage_salvage(struct recovery *r)
{
	size_t n = r->bad.n, kept = 0;
	VEC(struct survey *) found = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct bad_range *b = &r->bad.items[i];
		struct survey *v;

		if (b->in_batch || b->from >= b->to || !is_flushed(r, b->g, b->from)) {
			r->bad.items[kept++] = *b;
			continue;
		}
		*vec_push(&found) = v = survey_new(r, b->g);
		v->last = b->after;
		survey_range(v, b->from, b->to);
		/* Of the pieces that are left the last ones are followed by what
		 * followed the whole. */
		for (; v->open_bad < v->bad.n; v->open_bad++)
			v->bad.items[v->open_bad].before = b->before;
	}
	r->bad.n = kept;
	for (size_t i = 0; i < found.n; i++)
		survey_merge(found.items[i]);
	vec_free(&found);
}

/* The ids that can still be read: what was torn was not promised to anybody, but whoever
 * looks for it should find a line. */
static void
cover_and_tell(const struct recovery *r, const struct bad_range *b)
{
	struct buf ids CLEANUP(buf_free) = BUF_INIT;

	ids_within(b, &ids);
	if (ids.len)
		torn_tell(buf_str(&ids));
	cover_range(r, b);
}

/* An end that only the mark or a manifest knew of is covered as well: at the next start
 * all of it lies before what was flushed since. */
void
damage_cover_torn(struct recovery *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->bad.n; i++) {
		const struct bad_range *b = &r->bad.items[i];

		if (is_flushed(r, b->g, b->from))
			r->bad.items[kept++] = *b;
		else
			cover_and_tell(r, b);
	}
	r->bad.n = kept;
}

void
damage_tell(struct recovery *r)
{
	for (size_t i = 0; i < r->bad.n; i++) {
		const struct bad_range *b = &r->bad.items[i];

		if (b->from >= b->to || !is_flushed(r, b->g, b->from))
			continue;
		tell(r, b);
	}
}

/* ---- files that are not there ---- */
static void
tell_missing(struct recovery *r, const struct manifest_item *m)
{
	struct buf lost CLEANUP(buf_free) = BUF_INIT;
	struct lost l = { 1, 0 };

	if (m->state == SEGMENT_SPARE || m->stream == STREAM_HOT)
		l = lost_between(r, last_span(r, m->id.generation),
			next_span(r, m->id.generation));
	say_lost(l, &lost);
	log_error("spool: segment %u (log/%08x.seg) is missing%s; stop the system and "
		  "put the file back if you have it; %s",
		m->id.generation, m->id.slot,
		m->state == SEGMENT_SPARE ? " (it was empty when last seen)"
					  : ": the mail in it is not served",
		buf_cstr(&lost));
}

void
damage_missing(struct recovery *r)
{
	struct spool *s = r->s;

	for (size_t i = 0; i < r->manifest.n; i++) {
		const struct manifest_item *m = &r->manifest.items[i];
		const struct segment *g =
			m->id.slot < s->segments.n ? s->segments.items[m->id.slot] : NULL;

		if (g && (g->fd < 0 || g->id.generation >= m->id.generation))
			continue; /* there, or told already that it cannot be read */
		s->damaged = true;
		s->generation = MAX(s->generation, m->id.generation);
		if (g)
			log_error("spool: log/%08x.seg holds segment %u, but segment %u "
				  "was there: an old copy? Mail may be missing, and mail "
				  "that was delivered may be delivered again; put the "
				  "newer file back",
				m->id.slot, g->id.generation, m->id.generation);
		else
			tell_missing(r, m);
	}
}
