/* copy.c -- the cleaner's hands: reads records, checks all of them, and writes and
 * flushes the copies. Runs in the keeper's thread. */
#include "clean.h"
#include <errno.h>
#include <unistd.h>

void
copy_free(struct copy_job *k)
{
	build_free(&k->build);
	vec_free(&k->items);
	vec_free(&k->sources);
	mem_free(k);
}

static int
read_record(
	const struct copy_source *from, struct arena *arena, char **out, struct record *r)
{
	*out = arena_alloc(arena, from->place.length);
	if (read_at(from->fd, *out, from->place.length, from->place.offset) < 0)
		return errno_of_failure();
	if (record_get(*out, from->place.length, &from->id, r) < 0)
		return EBADMSG;
	return 0;
}

/* Messages and ends: as they are, but for the number of the segment. */
static void
copy_whole(struct copy_job *k, struct copy_item *item, struct arena *arena)
{
	const struct copy_source *from = &k->sources.items[item->first_source];
	struct record r;
	char *bytes, *to;

	item->bad_source = item->first_source;
	item->error = read_record(from, arena, &bytes, &r);
	if (!item->error && item->what == COPY_MESSAGE)
		/* Damage must not be spread under a fresh seal. */
		item->error = r.sequence == item->mid && message_is_whole(bytes, &r)
				      ? 0
				      : EBADMSG;
	if (item->error)
		return;
	if (item->what == COPY_MESSAGE)
		r.flags |= RECORD_MOVED;
	to = build_record(&k->build, &r);
	memcpy(to + RECORD_HEADER, bytes + RECORD_HEADER, r.length - RECORD_HEADER);
	item->at = (uint32_t)(to - k->build.bytes.data);
	item->length = r.length;
}

struct states {
	VEC(struct str) raw;
	VEC(struct spool_state) decoded;
};

static int
read_states(struct copy_job *k, struct copy_item *item, size_t source,
	struct arena *arena, struct states *out)
{
	struct record r;
	struct states_head h;
	struct str one;
	char *bytes;
	int error = read_record(&k->sources.items[source], arena, &bytes, &r);

	if (error)
		return error;
	if (states_head_get(bytes, &r, &h) < 0 || h.mid != item->mid)
		return EBADMSG;
	while (states_next(&h.items, &one)) {
		*vec_push(&out->raw) = one;
		if (spool_state_get(one, vec_push(&out->decoded), arena) < 0)
			return EBADMSG;
	}
	return 0;
}

static void
write_snapshot(struct copy_job *k, struct copy_item *item, struct arena *arena,
	struct states *st)
{
	size_t *kept = arena_alloc(arena, (st->raw.n + 1) * sizeof(*kept));
	struct str *items = arena_alloc(arena, (st->raw.n + 1) * sizeof(*items));
	size_t n =
		states_merge(st->decoded.items, st->raw.n, item->recipients, arena, kept);
	const struct built *last;

	ensure(n <= st->raw.n);
	for (size_t i = 0; i < n; i++)
		items[i] = st->raw.items[kept[i]];
	build_states(&k->build, item->mid, item->sequence, RECORD_SNAPSHOT, items, n);
	last = &k->build.records.items[k->build.records.n - 1];
	item->at = last->at;
	item->length = last->r.length;
}

static void
copy_states(struct copy_job *k, struct copy_item *item, struct arena *arena)
{
	struct states st = { 0 };

	for (size_t i = 0; i < item->n_sources && !item->error; i++) {
		item->bad_source = item->first_source + i;
		item->error = read_states(k, item, item->bad_source, arena, &st);
	}
	if (!item->error)
		write_snapshot(k, item, arena, &st);
	vec_free(&st.raw);
	vec_free(&st.decoded);
}

static void
copy_flush(struct copy_job *k)
{
	const struct spool_options *o = &k->s->o;
	const struct segment_id *to = &k->to->id;
	uint32_t end = k->offset + (uint32_t)k->build.bytes.len;

	if (o->broken_no_flush || o->broken_order)
		return;
	if ((o->sync ? o->sync : fdatasync)(k->to->fd) < 0) {
		k->error = errno;
		return;
	}
	mark_write(k->s, STREAM_COLD,
		&(struct mark){ { to->generation, end }, to->salt, 0 });
	mark_sync(k->s);
}

static void
copy_write(struct copy_job *k)
{
	struct str bytes =
		build_finish(&k->build, &k->to->id, STREAM_COLD, k->offset, k->durable);

	if (write_at(k->to->fd, bytes, k->offset) < 0)
		k->error = errno;
	else
		copy_flush(k);
}

void
copy_run(struct job *j)
{
	struct copy_job *k = (struct copy_job *)j;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < k->items.n; i++) {
		struct copy_item *item = &k->items.items[i];

		if (item->what == COPY_STATES)
			copy_states(k, item, arena);
		else
			copy_whole(k, item, arena);
		arena_reset(arena);
	}
	if (k->build.records.n)
		copy_write(k);
}
