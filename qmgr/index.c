/* index.c -- see index.h. */
#include "index.h"

#define FIRST_ROOM 64 /* a power of two */
/* Mids that are found for a listing at a time, 8 bytes each. */
#define AHEAD ((size_t)50000)

const char *const queue_names[] = { "incoming", "active", "deferred", "hold", "gone" };

/* ---- the table by mid: linear probing, removal by shifting back ---- */

static size_t
home_of(const struct index *ix, uint64_t mid)
{
	/* Mids are consecutive: spread them, or whole runs would be probed. */
	return (size_t)(mid * 0x9e3779b97f4a7c15u >> 20) & (ix->room - 1);
}

static size_t
slot_of(const struct index *ix, uint64_t mid)
{
	size_t at = home_of(ix, mid);

	while (ix->slots[at] && ix->slots[at]->mid != mid)
		at = (at + 1) & (ix->room - 1);
	return at;
}

static void
table_resize(struct index *ix, size_t room)
{
	struct message **old = ix->slots;
	size_t old_room = ix->room;

	ix->slots = mem_alloc(room * sizeof(*ix->slots));
	ix->room = room;
	for (size_t i = 0; i < old_room; i++)
		if (old[i])
			ix->slots[slot_of(ix, old[i]->mid)] = old[i];
	mem_free(old);
}

static void
table_remove(struct index *ix, struct message *m)
{
	size_t hole = slot_of(ix, m->mid), mask = ix->room - 1;

	ensure(ix->slots[hole] == m);
	ix->slots[hole] = NULL;
	ix->n--;
	for (size_t at = (hole + 1) & mask; ix->slots[at]; at = (at + 1) & mask) {
		size_t home = home_of(ix, ix->slots[at]->mid);

		/* Would a search from its home pass the hole? Then it moves there. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			ix->slots[hole] = ix->slots[at];
			ix->slots[at] = NULL;
			hole = at;
		}
	}
	if (ix->room > FIRST_ROOM && ix->n * 8 < ix->room)
		table_resize(ix, ix->room / 2);
}

/* ---- the heap of the sleeping ---- */

static void
heap_put(struct index *ix, size_t place, struct message *m)
{
	ix->sleeping[place] = m;
	m->place = (uint32_t)place;
}

static void
heap_up(struct index *ix, size_t place)
{
	struct message *m = ix->sleeping[place];

	while (place > 1 && ix->sleeping[place / 2]->wake > m->wake) {
		heap_put(ix, place, ix->sleeping[place / 2]);
		place /= 2;
	}
	heap_put(ix, place, m);
}

static void
heap_down(struct index *ix, size_t place)
{
	struct message *m = ix->sleeping[place];
	size_t child;

	while ((child = place * 2) <= ix->n_sleeping) {
		if (child < ix->n_sleeping &&
			ix->sleeping[child + 1]->wake < ix->sleeping[child]->wake)
			child++;
		if (ix->sleeping[child]->wake >= m->wake)
			break;
		heap_put(ix, place, ix->sleeping[child]);
		place = child;
	}
	heap_put(ix, place, m);
}

static void
heap_add(struct index *ix, struct message *m)
{
	vec_grow((void **)&ix->sleeping, &ix->sleeping_room, ix->n_sleeping + 2,
		sizeof(*ix->sleeping));
	heap_put(ix, ++ix->n_sleeping, m);
	heap_up(ix, ix->n_sleeping);
}

static void
heap_remove(struct index *ix, struct message *m)
{
	size_t place = m->place;
	struct message *last = ix->sleeping[ix->n_sleeping--];

	m->place = 0;
	if (last == m)
		return;
	heap_put(ix, place, last);
	heap_down(ix, place);
	heap_up(ix, last->place);
}

/* ---- messages ---- */

void
index_init(struct index *ix)
{
	memset(ix, 0, sizeof(*ix));
	table_resize(ix, FIRST_ROOM);
}

static void
message_free(struct message *m)
{
	if (m->n_states > 1)
		mem_free(m->states);
	mem_free(m);
}

void
index_free(struct index *ix)
{
	for (size_t i = 0; i < ix->room; i++)
		if (ix->slots[i])
			message_free(ix->slots[i]);
	mem_free(ix->slots);
	mem_free(ix->sleeping);
	mem_free(ix->ahead.mids);
	memset(ix, 0, sizeof(*ix));
}

struct message *
index_add(struct index *ix, uint64_t mid, struct str queue_id)
{
	struct message *m;

	if (queue_id.len == 0 || queue_id.len > 31 || str_chr(queue_id, '\0') >= 0)
		return NULL;
	if (ix->n * 4 >= ix->room * 3)
		table_resize(ix, ix->room * 2);
	m = mem_alloc(sizeof(*m) + queue_id.len + 1);
	m->mid = mid;
	memcpy(m->queue_id, queue_id.data, queue_id.len);
	ensure(!ix->slots[slot_of(ix, mid)]);
	ix->slots[slot_of(ix, mid)] = m;
	ix->n++;
	return m;
}

struct message *
index_find(const struct index *ix, uint64_t mid)
{
	return ix->slots[slot_of(ix, mid)];
}

static void
leave_queue(struct index *ix, struct message *m)
{
	if (m->place)
		heap_remove(ix, m);
}

void
index_remove(struct index *ix, struct message *m)
{
	leave_queue(ix, m);
	table_remove(ix, m);
	/* A list of ready messages has no way back to the one before: it is freed there.
	 */
	if (m->listed)
		m->dropped = true;
	else
		message_free(m);
}

const struct spool_at *
message_states(const struct message *m)
{
	return m->n_states == 1 ? &m->state : m->states;
}

void
message_set_states(struct message *m, const struct spool_at *states, size_t n)
{
	if (m->n_states > 1 && n != m->n_states)
		mem_free(m->states);
	if (n > 1 && n != m->n_states)
		m->states = mem_alloc(n * sizeof(*states));
	if (n > 1)
		memcpy(m->states, states, n * sizeof(*states));
	else if (n == 1)
		m->state = *states;
	else
		m->states = NULL;
	m->n_states = (uint32_t)n;
}

void
index_set_queue(struct index *ix, struct message *m, enum queue_name queue)
{
	leave_queue(ix, m);
	m->queue = (uint8_t)queue;
}

void
index_sleep(struct index *ix, struct message *m, uint32_t wake)
{
	index_set_queue(ix, m, QUEUE_DEFERRED);
	m->wake = wake;
	if (!m->worked_on)
		heap_add(ix, m);
}

void
index_make_ready(struct index *ix, struct message *m, bool fresh)
{
	struct message_list *list = fresh ? &ix->incoming : &ix->due;

	index_set_queue(ix, m, fresh ? QUEUE_INCOMING : QUEUE_DEFERRED);
	if (m->listed || m->worked_on)
		return;
	m->listed = true;
	m->ready = NULL;
	if (list->last)
		list->last->ready = m;
	else
		list->first = m;
	list->last = m;
}

size_t
index_wake_due(struct index *ix, uint32_t now, size_t most)
{
	size_t n = 0;

	for (; n < most && ix->n_sleeping && ix->sleeping[1]->wake <= now; n++)
		index_make_ready(ix, ix->sleeping[1], false);
	return n;
}

uint32_t
index_first_wake(const struct index *ix)
{
	return ix->n_sleeping ? ix->sleeping[1]->wake : 0;
}

void
index_wake_all(struct index *ix)
{
	while (ix->n_sleeping) {
		struct message *m = ix->sleeping[ix->n_sleeping];

		m->flush = true;
		index_make_ready(ix, m, false);
	}
}

static struct message *
list_take(struct message_list *list)
{
	struct message *m;

	while ((m = list->first)) {
		list->first = m->ready;
		if (!list->first)
			list->last = NULL;
		m->listed = false;
		m->ready = NULL;
		if (m->dropped)
			message_free(m);
		else if (m->place == 0 &&
			 (m->queue == QUEUE_INCOMING || m->queue == QUEUE_DEFERRED))
			return m;
		/* else it went on hold, or back to sleep, meanwhile */
	}
	return NULL;
}

struct message *
index_take(struct index *ix)
{
	static bool old_first;
	struct message *m;

	old_first = !old_first;
	m = list_take(old_first ? &ix->due : &ix->incoming);
	return m ? m : list_take(old_first ? &ix->incoming : &ix->due);
}

bool
index_next(const struct index *ix, size_t *at, struct message **out)
{
	while (*at < ix->room)
		if ((*out = ix->slots[(*at)++]))
			return true;
	return false;
}

/* Keeps the `most` smallest in a heap whose largest is at [0]. */
static void
sift_largest(struct message **heap, size_t n, size_t place)
{
	size_t child;
	struct message *m = heap[place];

	while ((child = place * 2 + 1) < n) {
		if (child + 1 < n && heap[child + 1]->mid > heap[child]->mid)
			child++;
		if (heap[child]->mid <= m->mid)
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = m;
}

size_t
index_list(const struct index *ix, uint64_t after, struct message **out, size_t most)
{
	size_t n = 0, at = 0;
	struct message *m;

	while (most && index_next(ix, &at, &m)) {
		if (m->mid <= after || m->queue == QUEUE_GONE)
			continue;
		if (n < most) {
			out[n++] = m;
			if (n == most)
				for (size_t i = n / 2 + 1; i-- > 0;)
					sift_largest(out, n, i);
		} else if (m->mid < out[0]->mid) {
			out[0] = m;
			sift_largest(out, n, 0);
		}
	}
	if (n < most)
		for (size_t i = n / 2 + 1; i-- > 0;)
			if (i < n)
				sift_largest(out, n, i);
	/* Heap sort: the largest goes to the end, n times. */
	for (size_t left = n; left > 1; left--) {
		m = out[0];
		out[0] = out[left - 1];
		out[left - 1] = m;
		sift_largest(out, left - 1, 0);
	}
	return n;
}

static void
look_ahead(struct index *ix, uint64_t after)
{
	struct message **found = mem_alloc(AHEAD * sizeof(struct message *));

	if (!ix->ahead.mids)
		ix->ahead.mids = mem_alloc(AHEAD * sizeof(*ix->ahead.mids));
	ix->ahead.after = after;
	ix->ahead.n = index_list(ix, after, found, AHEAD);
	for (size_t i = 0; i < ix->ahead.n; i++)
		ix->ahead.mids[i] = found[i]->mid;
	mem_free(found);
}

/* Where in ahead the first one behind `after` is. */
static size_t
place_ahead(const struct index *ix, uint64_t after)
{
	size_t low = 0, high = ix->ahead.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ix->ahead.mids[middle] <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
index_page(struct index *ix, uint64_t after, struct message **out, size_t most)
{
	bool begins = after == 0;
	size_t n = 0;

	do {
		size_t at = place_ahead(ix, after);

		if (begins || at == ix->ahead.n || after < ix->ahead.after) {
			look_ahead(ix, after);
			begins = false;
			at = 0;
		}
		for (; at < ix->ahead.n && n < most; at++) {
			struct message *m = index_find(ix, ix->ahead.mids[at]);

			after = ix->ahead.mids[at];
			if (m && m->queue != QUEUE_GONE)
				out[n++] = m;
		}
	} while (n == 0 && most > 0 && ix->ahead.n > 0);
	return n;
}
