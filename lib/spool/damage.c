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

/* Queue ids of messages whose states still tell of them, though their records are gone.
 */
static size_t
ids_around(struct recovery *r, const struct bad_range *b, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < r->s->index.room && n < 5; i++) {
		const struct entry *e = r->s->index.table[i];

		if (!e || (e->flags & ENTRY_FINISHED) || e->where.slot != b->g->id.slot)
			continue;
		if (e->where.offset + e->where.length == b->from ||
			(e->where.offset >= b->to &&
				e->where.offset < b->to + SPOOL_BLOCK)) {
			buf_printf(out, "%s%s", n ? ", " : "", e->queue_id);
			n++;
		}
	}
	return n;
}

static void
tell(struct recovery *r, const struct bad_range *b)
{
	struct buf ids CLEANUP(buf_free) = BUF_INIT;
	size_t orphans = 0;

	for (size_t i = 0; i < r->states.n; i++)
		orphans += !index_get(&r->s->index, r->states.items[i].mid);
	ids_around(r, b, &ids);
	log_error("spool: segment %u (log/%08x.seg) is damaged at bytes %u to %u; all "
		  "other mail "
		  "is served, the bytes are kept in corrupt/log-%u-%u-%u; mail next to "
		  "them: "
		  "%.*s; states of unknown messages: %zu",
		b->g->id.generation, b->g->id.slot, b->from, b->to, b->g->id.generation,
		b->from, b->to - b->from, ids.len ? (int)ids.len : 4,
		ids.len ? ids.data : "none", orphans);
}

/* The newest manifest knows where sealed segments end. */
void
damage_find_missing_ends(struct recovery *r)
{
	for (size_t i = 0; i < r->manifest.n; i++) {
		const struct manifest_item *m = &r->manifest.items[i];
		struct segment *g = m->id.slot < r->s->segments.n
					    ? r->s->segments.items[m->id.slot]
					    : NULL;

		if (!g || !g->surveyed || g->end_is_missing ||
			g->id.generation != m->id.generation ||
			m->state != SEGMENT_SEALED || g->state != SEGMENT_SEALED ||
			m->end <= g->end || m->end > g->id.size)
			continue;
		g->end_is_missing = true;
		*vec_push(&r->bad) = (struct bad_range){ g, round_up(g->end, SPOOL_PACK),
			m->end, false, true };
	}
}

void
damage_cover_torn(struct recovery *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->bad.n; i++) {
		const struct bad_range *b = &r->bad.items[i];

		if (is_flushed(r, b->g, b->from))
			r->bad.items[kept++] = *b;
		else if (!b->missing_end)
			cover_range(r, b);
	}
	r->bad.n = kept;
}

void
damage_tell(struct recovery *r)
{
	struct spool *s = r->s;

	for (size_t i = 0; i < r->bad.n; i++) {
		const struct bad_range *b = &r->bad.items[i];

		if (b->from >= b->to || !is_flushed(r, b->g, b->from))
			continue;
		s->damaged = true;
		tell(r, b);
		damage_keep(s, b->g, b->from, b->to);
	}
}

/* ---- files that are not there ---- */
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
				  "was "
				  "there: an old copy? Mail may be missing, and mail "
				  "that was "
				  "delivered may be delivered again; put the newer file "
				  "back",
				m->id.slot, g->id.generation, m->id.generation);
		else
			log_error(
				"spool: segment %u (log/%08x.seg) is missing%s; stop the "
				"system and put the file back if you have it",
				m->id.generation, m->id.slot,
				m->state == SEGMENT_SPARE
					? " (it was empty when last seen)"
					: ": the mail in it is not served");
	}
}
