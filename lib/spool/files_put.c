/* files_put.c -- new mail for the files engine, in the loop's thread: what is to be
 * written is built here, files_disk.c writes it. */
#include "files.h"
#include <errno.h>

enum { GATHER_LIMIT = 1 << 30 }; /* of one message */

static uint64_t
next_mid(struct files *f)
{
	return f->last = MAX(f->last + 1, FILE_MID | (uint64_t)time_wall_us());
}

static int
refusal(const struct spool *s, const struct spool_put_request *m)
{
	if (s->files->dir < 0)
		return EAGAIN;
	if (m->envelope.len + m->content.len > GATHER_LIMIT)
		return EMSGSIZE;
	for (size_t i = 0; i < m->queue_id.len; i++)
		if (!ascii_is_alnum(m->queue_id.data[i]))
			return EINVAL;
	return m->queue_id.len == 0 || m->queue_id.len > 31 ? EINVAL : 0;
}

/* States that come with it (from the other engine) are in the file from the start. */
static void
add_states(struct file_put *p, struct file_places *at, const struct spool_state *states,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf one CLEANUP(buf_free) = BUF_INIT;
		struct spool_state state = states[i];
		octets_t place;

		state.mid = p->mid;
		spool_state_put(&one, &state);
		place = file_state_place(at->end, one.len);
		while (p->bytes.len < place)
			buf_addc(&p->bytes, 0);
		file_state_put(&p->bytes, p->mid, place, at->begin, at->records++,
			buf_str(&one));
		at->end = p->bytes.len;
		entry_apply(p->e, state.kind, state.when_us);
	}
	at->durable = at->end;
}

static void
build_file(struct file_put *p, const struct spool_put_request *m,
	const struct spool_body *body, const struct spool_state *states, size_t n)
{
	struct file_head h = {
		.mid = p->mid,
		.arrival_us = m->arrival_us,
		.size = p->e->size,
		.recipients = m->recipients,
		.hold = m->hold,
		.envelope = (uint32_t)m->envelope.len,
		.content = (uint32_t)m->content.len,
		.envelope_crc = crc32c(0, m->envelope.data, m->envelope.len),
		.content_crc = crc32c(0, m->content.data, m->content.len),
		.body_crc = body ? body_crc(body) : 0,
		.body = p->e->body,
	};
	octets_t used = FILE_HEAD + m->envelope.len + m->content.len;
	struct file_places at = { 0 };

	memcpy(h.queue_id, m->queue_id.data, m->queue_id.len);
	h.states = (used + FILE_ALIGN - 1) / FILE_ALIGN * FILE_ALIGN;
	at.begin = at.end = h.states;
	buf_need(&p->bytes, (size_t)h.states + FILE_SPARE + 4096);
	file_head_put(p->bytes.data, &h);
	p->bytes.len = FILE_HEAD;
	buf_add(&p->bytes, m->envelope);
	buf_add(&p->bytes, m->content);
	p->envelope = m->envelope.len;
	while (p->bytes.len < h.states)
		buf_addc(&p->bytes, 0);
	add_states(p, &at, states, n);
	used = at.size = (p->bytes.len + FILE_SPARE + 4095) / 4096 * 4096;
	set_places(p->e, &at);
	set_pack_at(p->e);
	buf_need(&p->bytes, (size_t)used - p->bytes.len);
	memset(p->bytes.data + p->bytes.len, 0, (size_t)used - p->bytes.len);
	p->bytes.len = (size_t)used;
}

void
files_put(struct spool *s, const struct spool_put_request *m, struct spool_body *body,
	const struct spool_state *states, size_t n,
	void (*done)(void *arg, int error, const struct spool_entry *e), void *arg)
{
	int error = refusal(s, m);
	char id[32] = "";
	struct file_put *p;

	if (error) {
		if (body)
			spool_body_abort(body);
		done(arg, error, NULL);
		return;
	}
	memcpy(id, m->queue_id.data, m->queue_id.len);
	p = mem_alloc(sizeof(*p));
	*p = (struct file_put){ .mid = next_mid(s->files),
		.e = entry_new(id),
		.fd = -1,
		.done = done,
		.arg = arg };
	p->e->mid = p->mid;
	p->e->arrival_us = m->arrival_us;
	p->e->recipients = m->recipients;
	p->e->size = m->content.len + (body ? body_size(body) : 0);
	p->e->body = body ? body_number(body) : 0;
	p->e->flags = m->hold ? ENTRY_HOLD | ENTRY_HELD_AT_FIRST : 0;
	build_file(p, m, body, states, n);
	*vec_push(&s->files->gather) = p;
	if (body)
		body_keep(body);
	spool_turn(s);
}

void
file_put_free(struct file_put *p)
{
	buf_free(&p->bytes);
	mem_free(p);
}

/* All of them are in the index before anybody is told. */
void
files_puts_stored(struct spool *s, struct file_job *k)
{
	struct buf states CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < k->puts.n; i++) {
		file_add(s->files, k->puts.items[i]->e);
		s->files->written += k->puts.items[i]->bytes.len;
	}
	for (size_t i = 0; i < k->puts.n; i++) {
		struct file_put *p = k->puts.items[i];
		struct spool_entry e;

		file_export(s, p->e, &e, &states);
		e.envelope = str_of(p->bytes.data + FILE_HEAD, p->envelope);
		p->done(p->arg, 0, &e);
	}
}

void
files_puts_lost(struct spool *s, struct file_job *k)
{
	log_error("spool: %zu new messages could not be stored: %s", k->puts.n,
		strerror(k->put_error));
	for (size_t i = 0; i < k->puts.n; i++) {
		struct file_put *p = k->puts.items[i];

		if (p->e->body) {
			*vec_push(&s->dead_bodies) = p->e->body;
			s->plan_due = true;
		}
		entry_free(p->e);
		p->done(p->arg, k->put_error, NULL);
	}
}
