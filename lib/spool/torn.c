/* torn.c -- messages whose heads reached the disk and whose rest did not, when the power
 * went in the middle of a flush. Nobody was told that they are there.
 *
 * A start reads only heads. Behind the point up to which a stream is known to be flushed,
 * contents are checked too: that is what one flush was about. */
#include "recover.h"

static bool
is_whole(struct recovery *r, struct place at)
{
	const struct segment *g = segment_of(r->s, at.slot);
	struct record rec;
	char *bytes CLEANUP(mem_free_at) = mem_resize(NULL, at.length);

	return read_at(g->fd, bytes, at.length, at.offset) == 0 &&
	       record_get(bytes, at.length, &g->id, &rec) == 0 &&
	       message_is_whole(bytes, &rec);
}

/* Was it flushed? If not, it may be torn. */
static bool
is_promised(struct recovery *r, struct place at)
{
	return is_flushed(r, segment_of(r->s, at.slot), at.offset);
}

static void
cover_torn(struct recovery *r, struct place at)
{
	if (!r->s->read_only && !is_promised(r, at))
		damage_cover_record(segment_of(r->s, at.slot), at.offset, at.length);
}

/* Of two records of one message, one may be the cleaner's unfinished copy, or be damaged:
 * the other one counts. */
void
twins_settle(struct recovery *r)
{
	for (size_t i = 0; i < r->twins.n; i++) {
		struct twin *t = &r->twins.items[i];
		struct entry *e = index_get(&r->s->index, t->mid);
		struct place other = e->where;

		if (!is_whole(r, t->where)) {
			cover_torn(r, t->where);
			if (is_promised(r, t->where))
				account_ghost(r->s, e, t->where.slot);
		} else if (!is_whole(r, other)) {
			account_moved(r->s, e, t->where);
			cover_torn(r, other);
		} else {
			account_ghost(r->s, e, t->where.slot);
		}
	}
	r->twins.n = 0;
}

void
torn_tell(struct str ids)
{
	log_info("spool: " STR_FMT " was being written when the system went down, and is "
		 "not whole; nobody was told that it had been taken",
		STR_ARG(ids));
}

void
torn_messages(struct recovery *r)
{
	VEC(uint64_t) torn = { 0 };

	twins_settle(r);
	for (size_t i = 0; i < r->s->index.room; i++) {
		const struct entry *e = r->s->index.table[i];

		if (e && !is_promised(r, e->where) && !is_whole(r, e->where))
			*vec_push(&torn) = e->mid;
	}
	for (size_t i = 0; i < torn.n; i++) {
		struct entry *e = index_get(&r->s->index, torn.items[i]);

		cover_torn(r, e->where);
		torn_tell(str_c(e->queue_id));
		account_dropped(r->s, e);
	}
	vec_free(&torn);
}
