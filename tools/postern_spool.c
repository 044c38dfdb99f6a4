/* postern_spool.c -- postern spool check | export | backup | import | convert: the queue
 * as a whole, with the mail system running or not.
 *
 * An exported message is one file, named by its queue id: lines up to an empty one, then
 * the content. Envelope and states are those of spool(5), in hexadecimal. */
#include "postern.h"
#include "event.h"
#include "log.h"
#include "queue_client.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "Postern message 1\n"
/* Content from this size on gets a body file, as from cleanup. */
#define LARGE ((size_t)1 << 20)
#define TRIES 5

/* One message of the queue. */
struct item {
	uint64_t mid;
	const char *queue_id;
	struct spool_where where;
	bool hold;
	const struct spool_where *states;
	size_t n_states;
};
struct walk {
	int (*fn)(struct walk *w, const struct item *item);
	struct spool_reader *reader;
	struct ipc_link *link; /* NULL: the mail system is down */
	int dir;               /* where exported files go */
	struct strs wanted;    /* ids; none: all */
	struct map *seen;      /* queue ids */
	bool log_is_damaged;
	unsigned long good, bad;
};

NORETURN static void
usage(void)
{
	fprintf(stderr, "usage: postern spool check | export directory [queue_id ...] | "
			"backup directory | import directory | convert log|files\n");
	exit(1);
}

/* ---- every message ---- */
static void ask_again(struct walk *w, const char *queue_id, int *again);

/* again: how often the place may turn out to be an old one, while the system runs. */
static void
visit(struct walk *w, const struct item *item, int *again)
{
	bool is_wanted = w->wanted.n == 0;

	for (size_t i = 0; i < w->wanted.n; i++)
		is_wanted |= str_is(w->wanted.items[i], item->queue_id);
	if (!is_wanted)
		return;
	map_set(w->seen, str_c(item->queue_id), w);
	if (w->fn(w, item) == 0) {
		w->good++;
		return;
	}
	if (errno == ESTALE && w->link && (*again)-- > 0) {
		ask_again(w, item->queue_id, again);
		return;
	}
	log_error(
		"%s: %s", item->queue_id, errno == EBADMSG ? "damaged" : strerror(errno));
	w->bad++;
}

static bool
visit_entry(const struct spool_entry *e, void *arg)
{
	struct item item = { .mid = e->mid,
		.queue_id = e->queue_id,
		.where = e->where,
		.hold = e->hold,
		.states = e->states,
		.n_states = e->n_states };

	visit(arg, &item, NULL);
	return true;
}

static void
visit_listed(struct walk *w, const struct queue_entry *e, struct arena *arena, int *again)
{
	struct spool_where *states =
		arena_alloc(arena, (e->n_states + 1) * sizeof(*states));
	struct item item = { .mid = e->mid,
		.queue_id = arena_cstr(arena, e->queue_id),
		.where = { e->segment, e->offset, e->length },
		.hold = str_is(e->queue, "hold"),
		.states = states,
		.n_states = e->n_states };

	for (size_t i = 0; i < e->n_states; i++)
		states[i] = (struct spool_where){ e->states[i].segment,
			e->states[i].offset, e->states[i].length };
	visit(w, &item, again);
}

/* It was moved between qmgr's answer and our look, or it ended. */
static void
ask_again(struct walk *w, const char *queue_id, int *again)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str id = str_c(queue_id);
	struct queue_list_request ask = { .most = 1, .queue_ids = { &id, 1 } };
	struct queue_list_reply said;

	queue_client_list(w->link, &ask, arena, &said);
	if (said.n_entries > 0)
		visit_listed(w, &said.entries[0], arena, again);
}

/* Page by page. */
static void
walk_by_qmgr(struct walk *w)
{
	struct queue_list_request ask = { .most = 1000 };

	for (;;) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct queue_list_reply said;

		queue_client_list(w->link, &ask, arena, &said);
		if (said.n_entries == 0)
			return;
		for (size_t i = 0; i < said.n_entries; i++) {
			int again = TRIES;

			visit_listed(w, &said.entries[i], arena, &again);
		}
		ask.after = said.entries[said.n_entries - 1].mid;
	}
}

static void
walk_all(void *arg)
{
	struct walk *w = arg;
	const char *log = queue_client_log(postern.conf);
	struct why why = { 0 };
	int result = 0;

	w->link = queue_client_link(postern.conf);
	w->seen = map_new();
	w->reader = spool_reader_open(log, &why);
	if (!w->reader)
		log_fatal("%s", why.text);
	if (w->link)
		walk_by_qmgr(w);
	else if ((result = spool_scan(log, visit_entry, w, &why)) < 0)
		log_fatal("%s", why.text);
	w->log_is_damaged = result > 0;
	spool_reader_close(w->reader);
	if (w->link)
		ipc_link_close(w->link);
}

/* ---- check ---- */
static int
check_item(struct walk *w, const struct item *item)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_content c;
	struct envelope e;
	struct spool_state *states;
	size_t n;
	int result = spool_read(w->reader, item->mid, item->where, false, arena, &c);

	if (result < 0)
		return -1;
	result = spool_body_check(&c);
	fd_close(&c.body_fd);
	for (size_t i = 0; i < item->n_states && result == 0; i++)
		result = spool_read_states(
			w->reader, item->mid, item->states[i], arena, &states, &n);
	if (result == 0 && envelope_get(c.envelope, &e, arena) < 0) {
		errno = EBADMSG;
		result = -1;
	}
	return result;
}

static int
spool_check(void)
{
	struct walk w = { .fn = check_item };

	queue_client_run(walk_all, &w);
	printf("%lu messages are whole, %lu are damaged\n", w.good, w.bad);
	return w.bad > 0 || w.log_is_damaged;
}

/* ---- export ---- */
static void
add_hex(struct buf *b, const char *name, struct str bytes)
{
	buf_addz(b, name);
	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(b, "%02x", (unsigned char)bytes.data[i]);
	buf_addc(b, '\n');
}

static int
add_states(struct walk *w, const struct item *item, struct arena *arena, struct buf *b)
{
	for (size_t i = 0; i < item->n_states; i++) {
		struct spool_state *states;
		size_t n;

		if (spool_read_states(w->reader, item->mid, item->states[i], arena,
			    &states, &n) < 0)
			return -1;
		for (size_t k = 0; k < n; k++) {
			struct buf one CLEANUP(buf_free) = BUF_INIT;

			spool_state_put(&one, &states[k]);
			add_hex(b, "state ", buf_str(&one));
		}
	}
	return 0;
}

static int
copy_body(int from, int to)
{
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(from, piece, sizeof(piece), at)) > 0) {
		if (write_all(to, str_of(piece, (size_t)got)) < 0)
			return -1;
		at += got;
	}
	return (int)got;
}

static int
write_file(struct walk *w, const char *id, struct str head, const struct spool_content *c)
{
	int fd CLEANUP(fd_close) = openat(w->dir, "new.tmp",
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || write_all(fd, head) < 0 || write_all(fd, c->content) < 0 ||
		(c->body_fd >= 0 && copy_body(c->body_fd, fd) < 0) || fsync(fd) < 0)
		return -1;
	return renameat(w->dir, "new.tmp", w->dir, id);
}

static int
export_item(struct walk *w, const struct item *item)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf head CLEANUP(buf_free) = BUF_INIT;
	struct spool_content c;
	int result = spool_read(w->reader, item->mid, item->where, false, arena, &c);

	if (result < 0)
		return -1;
	buf_printf(&head, FIRST_LINE "id %s\narrival %llu\n", item->queue_id,
		(unsigned long long)c.arrival_us);
	if (item->hold)
		buf_addz(&head, "hold\n");
	add_hex(&head, "envelope ", c.envelope);
	result = add_states(w, item, arena, &head);
	buf_addc(&head, '\n');
	if (result == 0)
		result = write_file(w, item->queue_id, buf_str(&head), &c);
	fd_close(&c.body_fd);
	return result;
}

static int
open_directory(const char *path, bool make)
{
	int fd;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		log_fatal("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_fatal("%s: %s", path, strerror(errno));
	return fd;
}

static int
export_to(struct walk *w, const char *path)
{
	w->fn = export_item;
	w->dir = open_directory(path, true);
	queue_client_run(walk_all, w);
	if (fsync(w->dir) < 0)
		log_fatal("%s: %s", path, strerror(errno));
	printf("%lu messages written to %s, %lu could not be read\n", w->good, path,
		w->bad);
	return w->bad > 0;
}

/* A backup that is there already follows the queue: what ended leaves it. */
static void
remove_ended(struct walk *w)
{
	int fd = dup(w->dir);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (queue_client_is_id(str_c(e->d_name)) &&
			!map_get(w->seen, str_c(e->d_name)))
			unlinkat(w->dir, e->d_name, 0);
	if (d)
		closedir(d);
}

/* ---- import ---- */
enum { AT_ONCE = 100 };
struct import {
	const char *path;
	struct spool *spool;
	struct map *there; /* queue ids of the log */
	struct co_queue changed;
	size_t waiting;
	unsigned long good, bad;
};
struct parcel {
	struct import *in;
	struct arena *arena;
	struct spool_put_request put;
	VEC(struct spool_state) states;
	struct spool_body *body;
	const char *name;
};

static bool
unhex(struct str hex, struct arena *arena, struct str *out)
{
	char *bytes = arena_alloc(arena, hex.len / 2 + 1);

	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		unsigned value;

		if (sscanf(hex.data + i, "%2x", &value) != 1)
			return false;
		bytes[i / 2] = (char)value;
	}
	*out = str_of(bytes, hex.len / 2);
	return hex.len % 2 == 0;
}

static bool
read_head_line(struct parcel *p, struct str line)
{
	struct str value = STR("");
	ssize_t blank = str_chr(line, ' ');
	struct spool_state state;
	struct envelope e;

	if (blank >= 0) {
		value = str_from(line, (size_t)blank + 1);
		line = str_sub(line, 0, (size_t)blank);
	}
	if (str_is(line, "id"))
		p->put.queue_id = value;
	else if (str_is(line, "arrival"))
		p->put.arrival_us = strtoull(arena_cstr(p->arena, value), NULL, 10);
	else if (str_is(line, "hold"))
		p->put.hold = true;
	else if (str_is(line, "envelope")) {
		if (!unhex(value, p->arena, &p->put.envelope) ||
			envelope_get(p->put.envelope, &e, p->arena) < 0)
			return false;
		p->put.recipients = (uint32_t)e.n_rcpts;
	} else if (str_is(line, "state")) {
		if (!unhex(value, p->arena, &value) ||
			spool_state_get(value, &state, p->arena) < 0)
			return false;
		*vec_push(&p->states) = state;
	} else
		return false;
	return true;
}

static bool
read_parcel(struct parcel *p, struct str bytes)
{
	struct str first = STR(FIRST_LINE);

	if (!str_eq(str_sub(bytes, 0, first.len), first))
		return false;
	bytes = str_from(bytes, first.len);
	for (;;) {
		ssize_t end = str_chr(bytes, '\n');
		struct str line = end < 0 ? bytes : str_sub(bytes, 0, (size_t)end);

		if (end < 0)
			return false;
		bytes = str_from(bytes, (size_t)end + 1);
		if (line.len == 0)
			break;
		if (!read_head_line(p, line))
			return false;
	}
	p->put.content = bytes;
	return queue_client_is_id(p->put.queue_id) && p->put.recipients > 0;
}

static void
parcel_done(void *arg, int error)
{
	struct parcel *p = arg;
	struct import *in = p->in;

	if (error) {
		log_error("%s: %s", p->name, strerror(error));
		in->bad++;
	} else {
		in->good++;
	}
	vec_free(&p->states);
	arena_free(p->arena);
	in->waiting--;
	co_wake_all(&in->changed);
}

static void
parcel_stored(void *arg, int error, const struct spool_entry *e)
{
	struct parcel *p = arg;

	if (error) {
		parcel_done(p, error);
		return;
	}
	for (size_t i = 0; i < p->states.n; i++)
		p->states.items[i].mid = e->mid;
	spool_update(p->in->spool, p->states.items, p->states.n, parcel_done, p);
}

/* The part of the content that goes into a body file, as large mail does. */
static int
split_body(struct parcel *p)
{
	struct str content = p->put.content;
	int error = 0;

	if (content.len < LARGE)
		return 0;
	p->body = spool_body_new(p->in->spool, &error);
	if (!p->body)
		return error;
	p->put.content = str_sub(content, 0, 64 * 1024);
	if (spool_body_write(p->body, str_from(content, 64 * 1024)) < 0 ||
		spool_body_finish(p->body) < 0) {
		error = errno;
		spool_body_abort(p->body);
	}
	return error;
}

/* The log is written by its owner, who may not read what root has kept. The thread of the
 * loop alone looks with other eyes for a moment. */
static int
read_as_caller(const char *path, struct buf *out)
{
	int error = 0;

	setfsuid(getuid());
	if (read_file(path, (size_t)1 << 31, out) < 0)
		error = errno;
	setfsuid(geteuid());
	return error;
}

static void
import_file(struct import *in, const char *name)
{
	struct arena *arena = arena_new();
	struct parcel *p = arena_alloc(arena, sizeof(*p));
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	char path[4096];
	int error;

	*p = (struct parcel){
		.in = in, .arena = arena, .name = arena_cstr(arena, str_c(name))
	};
	snprintf(path, sizeof(path), "%s/%.31s", in->path, name);
	in->waiting++;
	error = read_as_caller(path, &bytes);
	if (error) {
		parcel_done(p, error);
		return;
	}
	if (!read_parcel(p, arena_str(arena, buf_str(&bytes)))) {
		parcel_done(p, EBADMSG);
		return;
	}
	if (map_get(in->there, p->put.queue_id)) {
		parcel_done(p, EEXIST);
		return;
	}
	error = split_body(p);
	if (error)
		parcel_done(p, error);
	else
		spool_put(in->spool, &p->put, p->body, parcel_stored, p);
}

static bool
note_id(const struct spool_entry *e, void *arg)
{
	struct import *in = arg;

	map_set(in->there, str_c(e->queue_id), in);
	return true;
}

static void
import_all(void *arg)
{
	struct import *in = arg;
	DIR *d = fdopendir(open_directory(in->path, false));
	struct dirent *e;

	if (queue_client_link(postern.conf))
		log_fatal("the mail system is running; stop it first");
	in->spool = queue_client_open_log(postern.conf);
	if (!d || !in->spool)
		log_fatal("%s is not there; \"postern check\" makes it",
			queue_client_log(postern.conf));
	spool_each(in->spool, note_id, in);
	while ((e = readdir(d))) {
		if (queue_client_is_id(str_c(e->d_name)))
			import_file(in, e->d_name);
		while (in->waiting > AT_ONCE &&
			co_wait(&in->changed, DEADLINE_NEVER) == 0)
			;
	}
	while (in->waiting > 0 && co_wait(&in->changed, DEADLINE_NEVER) == 0)
		;
	closedir(d);
	spool_close(in->spool);
}

static int
import_from(const char *path)
{
	struct import in = { .path = path, .there = map_new() };

	queue_client_run(import_all, &in);
	map_free(in.there);
	printf("%lu messages taken in, %lu refused\n", in.good, in.bad);
	return in.bad > 0;
}

/* ---- convert ---- */
struct conversion {
	bool files;
	size_t moved;
	int result;
};

static void
convert_all(void *arg)
{
	struct conversion *c = arg;
	struct why why = { 0 };
	struct spool *spool;

	if (queue_client_link(postern.conf))
		log_fatal("the mail system is running; stop it first (or set "
			  "queue_engine and "
			  "reload: new mail goes to the other engine, old mail drains)");
	spool = queue_client_open_engine(postern.conf, c->files);
	if (!spool)
		log_fatal("%s is not there; \"postern check\" makes it",
			queue_client_log(postern.conf));
	c->result = spool_convert(spool, &c->moved, &why);
	spool_close(spool);
}

static int
convert_to(const char *engine)
{
	struct conversion c = { .files = strcmp(engine, "files") == 0 };

	if (!c.files && strcmp(engine, "log") != 0)
		usage();
	queue_client_run(convert_all, &c);
	printf("%zu messages moved to the engine \"%s\"\n", c.moved, engine);
	if (!str_is(postern.conf->p.queue_engine, engine))
		printf("set \"queue_engine = %s\" for new mail to go there too\n",
			engine);
	return c.result < 0;
}

int
postern_spool(void)
{
	struct walk w = { .dir = -1 };
	const char *what = postern.argc > 1 ? postern.argv[1] : "";
	char *path = postern.argc > 2 ? postern.argv[2] : NULL;
	int status;

	if (strcmp(what, "check") == 0 && !path)
		return spool_check();
	if (!path)
		usage();
	if (strcmp(what, "import") == 0 && postern.argc == 3)
		return import_from(path);
	if (strcmp(what, "convert") == 0 && postern.argc == 3)
		return convert_to(path);
	if (strcmp(what, "export") == 0) {
		w.wanted.items = mem_alloc((size_t)postern.argc * sizeof(struct str));
		for (int i = 3; i < postern.argc; i++)
			w.wanted.items[w.wanted.n++] = str_c(postern.argv[i]);
		return export_to(&w, path);
	}
	if (strcmp(what, "backup") != 0 || postern.argc != 3)
		usage();
	status = export_to(&w, path);
	remove_ended(&w);
	return status;
}
