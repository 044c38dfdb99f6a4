/* keys.c -- see keys.h.
 *
 * A ring is what was read at one time: keys and their certificates. When files have
 * changed the next ring takes the place of the one before, which stays until the change
 * after that: handshakes that began with its certificates need its keys. */
#include "keys.h"
#include "event.h"
#include "log.h"
#include "reader.h"
#include "service.h"
#include "tls_keys.h"
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#define LOOK_AGAIN      ((msec_t)1000)
#define IDENTITIES_MOST 256           /* sets of files that somebody asked for */
#define FILES_MOST      32            /* in one of them */
#define PEM_MOST        (1024 * 1024) /* octets of all its files */
#define TABLES_MOST     16
#define QUEUED_MOST     64 /* uses of keys under way for one process */
#define THREADS_MOST    16

struct ring {
	struct tls_chains *chains;
	unsigned uses; /* as the ring that is current or was before, and by threads */
};

/* Where a key is, by its name. */
struct place {
	struct ring *ring;
	size_t i;
};
static struct map *places;

/* ---- rings ---- */

static void
ring_drop(struct ring *ring)
{
	if (!ring || --ring->uses > 0)
		return;
	for (size_t i = 0; i < tls_chains_count(ring->chains); i++) {
		struct place *at = map_get(places, tls_chains_key(ring->chains, i));

		if (!at || at->ring != ring)
			continue; /* a later ring has the same key */
		map_set(places, tls_chains_key(ring->chains, i), NULL);
		mem_free(at);
	}
	tls_chains_free(ring->chains);
	mem_free(ring);
}

/* Takes over chains. */
static struct ring *
ring_new(struct tls_chains *chains)
{
	struct ring *ring = mem_alloc(sizeof(*ring));

	ring->chains = chains;
	ring->uses = 1;
	for (size_t i = 0; i < tls_chains_count(chains); i++) {
		struct str key = tls_chains_key(chains, i);
		struct place *at = map_get(places, key);

		if (!at) {
			at = mem_alloc(sizeof(*at));
			map_set(places, key, at);
		}
		*at = (struct place){ ring, i };
	}
	return ring;
}

/* What a reply says of it. */
static struct tls_certificates *
ring_show(const struct ring *ring, struct arena *arena, size_t *n)
{
	struct tls_certificates *shown;

	*n = tls_chains_count(ring->chains);
	shown = arena_alloc(arena, (*n + 1) * sizeof(*shown));
	for (size_t i = 0; i < *n; i++) {
		struct tls_chain chain = tls_chains_show(ring->chains, i, arena);

		shown[i].key = chain.key;
		shown[i].certificates = chain.certificates;
	}
	return shown;
}

/* ---- identities: what a service's configuration names ---- */

struct identity {
	struct arena *arena; /* of the names */
	struct str name;     /* the request, as bytes */
	struct strs chain_files, pairs;
	uint64_t stamps[FILES_MOST];
	uint64_t version; /* 0: never read */
	struct ring *now, *before;
	deadline_t look_again;
	bool looking;
	struct co_queue lookers;
	struct why why; /* of the last failure */
};
static struct map *identities;

static struct str
file_of(const struct identity *id, size_t i)
{
	return i < id->chain_files.n ? id->chain_files.items[i]
				     : id->pairs.items[i - id->chain_files.n];
}

static size_t
files_of(const struct identity *id)
{
	return id->chain_files.n + id->pairs.n;
}

static int
cannot_read(struct identity *id, struct str file)
{
	why_set(&id->why, "4.7.0", "cannot open " STR_FMT ": %s", STR_ARG(file),
		strerror(errno));
	return -1;
}

/* 1: one of the files is another one than before. 0, -1 and id->why. */
static int
has_changed(struct identity *id)
{
	for (size_t i = 0; i < files_of(id); i++) {
		struct buf pem CLEANUP(buf_wipe) = BUF_INIT;
		uint64_t stamp = id->stamps[i];
		int got = reader_get(READER_FILE, file_of(id, i), &stamp, &pem);

		if (got < 0)
			return cannot_read(id, file_of(id, i));
		if (got > 0)
			return 1;
	}
	return 0;
}

static int
read_file_of(struct identity *id, size_t i, uint64_t *stamp, struct buf *pem)
{
	*stamp = 0;
	if (reader_get(READER_FILE, file_of(id, i), stamp, pem) != 1)
		return cannot_read(id, file_of(id, i));
	if (pem->len <= PEM_MOST)
		return 0;
	errno = EFBIG;
	return cannot_read(id, file_of(id, i));
}

static int
read_pair(struct identity *id, size_t i, uint64_t *stamps, struct tls_chains *chains)
{
	struct buf cert CLEANUP(buf_wipe) = BUF_INIT;
	struct buf key CLEANUP(buf_wipe) = BUF_INIT;

	if (read_file_of(id, i, &stamps[i], &cert) < 0 ||
		read_file_of(id, i + 1, &stamps[i + 1], &key) < 0)
		return -1;
	return tls_chains_add_pair(chains,
		(struct tls_pem){ buf_str(&cert), file_of(id, i) },
		(struct tls_pem){ buf_str(&key), file_of(id, i + 1) }, &id->why);
}

static int
read_files(struct identity *id, uint64_t *stamps, struct tls_chains *chains)
{
	size_t n = id->chain_files.n;

	for (size_t i = 0; i < n; i++) {
		struct buf pem CLEANUP(buf_wipe) = BUF_INIT;

		if (read_file_of(id, i, &stamps[i], &pem) < 0 ||
			tls_chains_add(chains, buf_str(&pem), file_of(id, i), &id->why) <
				0)
			return -1;
	}
	if (n > 0 && tls_chains_end(chains, file_of(id, n - 1), &id->why) < 0)
		return -1;
	for (size_t i = n; i + 1 < files_of(id); i += 2)
		if (read_pair(id, i, stamps, chains) < 0)
			return -1;
	return 0;
}

static uint64_t
version_of(const uint64_t *stamps, size_t n)
{
	return crc32c(0, stamps, n * sizeof(*stamps)) + UINT64_C(1);
}

/* A file that was written halfway, or a key whose certificate is not there yet: the ring
 * at hand is good until the next look. */
static void
look(struct identity *id)
{
	uint64_t stamps[FILES_MOST] = { 0 };
	struct tls_chains *chains;
	int changed = id->now ? has_changed(id) : 1;

	if (changed <= 0)
		return;
	chains = tls_chains_new();
	if (read_files(id, stamps, chains) < 0) {
		if (id->now)
			log_warn("the certificates before are kept: %s", id->why.text);
		tls_chains_free(chains);
		return;
	}
	ring_drop(id->before);
	id->before = id->now;
	id->now = ring_new(chains);
	memcpy(id->stamps, stamps, sizeof(stamps));
	id->version = version_of(stamps, files_of(id));
	id->why.text[0] = '\0';
}

/* One looks; who comes meanwhile waits for what it sees. */
static void
look_in_turn(struct identity *id)
{
	while (id->looking)
		if (co_wait(&id->lookers, DEADLINE_NEVER) < 0)
			return;
	if (event_now() < id->look_again)
		return;
	id->looking = true;
	look(id);
	id->looking = false;
	id->look_again = event_now() + LOOK_AGAIN;
	co_wake_all(&id->lookers);
}

static struct strs
copy_names(struct strs names, struct arena *arena)
{
	struct strs copy = { arena_alloc(arena, (names.n + 1) * sizeof(struct str)),
		names.n };

	for (size_t i = 0; i < names.n; i++)
		copy.items[i] = arena_str(arena, names.items[i]);
	return copy;
}

/* NULL: more files, or more sets of them, than anybody has. */
static struct identity *
identity_find(const struct tls_identity_request *ask)
{
	struct tls_identity_request named = *ask;
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct identity *id;
	struct arena *arena;

	named.known = 0;
	tls_identity_request_put(&name, &named);
	id = map_get(identities, buf_str(&name));
	if (id)
		return id;
	if (ask->chain_files.n + ask->pairs.n > FILES_MOST || ask->pairs.n % 2 != 0 ||
		map_count(identities) >= IDENTITIES_MOST)
		return NULL;
	arena = arena_new();
	id = arena_alloc(arena, sizeof(*id));
	id->arena = arena;
	id->chain_files = copy_names(ask->chain_files, arena);
	id->pairs = copy_names(ask->pairs, arena);
	map_set(identities, buf_str(&name), id);
	return id;
}

void
keys_identity(struct ipc_request *rq)
{
	struct tls_identity_request ask;
	struct tls_identity_reply say = { .error = STR_NONE };
	struct identity *id = NULL;

	if (tls_identity_request_get(rq->payload, &ask, rq->arena) == 0)
		id = identity_find(&ask);
	if (!id) {
		say.error = STR("too many files");
		tls_identity_answer(rq, &say);
		return;
	}
	look_in_turn(id);
	say.version = id->version;
	if (id->now && id->version != ask.known)
		say.chains = ring_show(id->now, rq->arena, &say.n_chains);
	if (!id->now)
		say.error = str_c(id->why.text);
	tls_identity_answer(rq, &say);
}

/* ---- server names ---- */

struct entry {
	struct str pem; /* base64; in the table's bytes */
	struct ring *ring;
};
struct table {
	struct buf bytes;
	struct map *entries;
};
struct names {
	uint64_t stamp;
	struct table *now, *before;
	deadline_t look_again;
	bool looking;
	struct co_queue lookers;
	int error;
};
static struct map *names_of; /* each table's, by its name */

static void
table_free(struct table *t)
{
	size_t at = 0;
	struct str key;
	void *value;

	if (!t)
		return;
	while (map_next(t->entries, &at, &key, &value)) {
		struct entry *entry = value;

		ring_drop(entry->ring);
		mem_free(entry);
	}
	map_free(t->entries);
	buf_wipe(&t->bytes);
	mem_free(t);
}

static struct table *
table_of(struct buf *bytes)
{
	struct table *t = mem_alloc(sizeof(*t));
	struct ipc_reader r;

	t->bytes = *bytes;
	*bytes = (struct buf)BUF_INIT;
	t->entries = map_new();
	r = ipc_reader_of(buf_str(&t->bytes));
	while (r.at < r.end && !r.bad) {
		struct str key = ipc_get_str(&r), value = ipc_get_str(&r);
		struct entry *entry;

		if (r.bad || map_get(t->entries, key))
			continue; /* the first counts */
		entry = mem_alloc(sizeof(*entry));
		entry->pem = value;
		map_set(t->entries, key, entry);
	}
	return t;
}

static void
look_at_table(struct str spec, struct names *n)
{
	struct buf bytes CLEANUP(buf_wipe) = BUF_INIT;
	int got = reader_get(READER_TABLE, spec, &n->stamp, &bytes);

	n->error = got < 0 ? errno_of_failure() : 0;
	if (got <= 0)
		return;
	table_free(n->before);
	n->before = n->now;
	n->now = table_of(&bytes);
}

static struct names *
names_find(struct str spec)
{
	struct names *n = map_get(names_of, spec);

	if (!n && map_count(names_of) < TABLES_MOST) {
		n = mem_alloc(sizeof(*n));
		map_set(names_of, spec, n);
	}
	if (!n)
		return NULL;
	while (n->looking)
		if (co_wait(&n->lookers, DEADLINE_NEVER) < 0)
			return NULL;
	if (event_now() >= n->look_again) {
		n->looking = true;
		look_at_table(spec, n);
		n->looking = false;
		n->look_again = event_now() + LOOK_AGAIN;
		co_wake_all(&n->lookers);
	}
	return n->now ? n : NULL;
}

/* The name, then its parents with a dot in front, as Postfix. */
static struct entry *
entry_find(const struct table *t, struct str name)
{
	struct entry *entry = map_get(t->entries, name);

	for (size_t i = 1; !entry && i < name.len; i++)
		if (name.data[i] == '.')
			entry = map_get(t->entries, str_from(name, i));
	return entry;
}

static int
read_entry(struct entry *entry, struct str name, struct why *why)
{
	struct buf pem CLEANUP(buf_wipe) = BUF_INIT;
	struct tls_chains *chains;

	if (entry->ring)
		return 0;
	if (base64_decode(entry->pem, &pem) < 0) {
		why_set(why, "4.7.0",
			"malformed BASE64 value for " STR_FMT ": use postmap -F",
			STR_ARG(name));
		return -1;
	}
	chains = tls_chains_new();
	if (tls_chains_add(chains, buf_str(&pem), name, why) < 0 ||
		tls_chains_end(chains, name, why) < 0) {
		tls_chains_free(chains);
		return -1;
	}
	entry->ring = ring_new(chains);
	return 0;
}

/* Fills in what is found in the tables, or an error. */
static void
find_name(
	const struct tls_sni_request *ask, struct tls_sni_reply *say, struct arena *arena)
{
	struct str name = arena_lower(arena, ask->name);
	struct str rest = ask->maps, spec;

	while (str_token(&rest, ", \t\r\n", &spec)) {
		struct names *n = names_find(spec);
		struct entry *entry = n ? entry_find(n->now, name) : NULL;
		struct why why;

		if (!n) {
			say->error = arena_printf(arena, "table " STR_FMT ": %s",
				STR_ARG(spec), strerror(errno_of_failure()));
			return;
		}
		if (!entry)
			continue;
		if (read_entry(entry, name, &why) == 0)
			say->chains = ring_show(entry->ring, arena, &say->n_chains);
		else
			say->error = arena_str(arena, str_c(why.text));
		return;
	}
}

void
keys_sni(struct ipc_request *rq)
{
	struct tls_sni_request ask;
	struct tls_sni_reply say = { .error = STR_NONE };

	if (tls_sni_request_get(rq->payload, &ask, rq->arena) == 0)
		find_name(&ask, &say, rq->arena);
	tls_sni_answer(rq, &say);
}

/* ---- use ---- */

/* Others that may ask tlsmgr have no servers' keys to use. */
static bool
may_use(const struct ipc_caller *caller)
{
	return strcmp(caller->program, "smtpd") == 0 ||
	       strcmp(caller->program, "postscreen") == 0;
}

struct use {
	const struct place *at;
	struct tls_key_use ask;
	struct buf out;
	int result;
};

static void
in_thread(void *arg)
{
	struct use *use = arg;

	use->result =
		tls_chains_use(use->at->ring->chains, use->at->i, &use->ask, &use->out);
}

static struct str
with_key(struct use *use)
{
	struct place at = *use->at;

	at.ring->uses++;
	use->at = &at;
	event_offload(in_thread, use);
	ring_drop(at.ring);
	use->at = NULL;
	return use->result == 0 ? STR_NONE : STR("the key cannot do that");
}

/* Uses of keys under way for the process that asks are counted by link: one that was
 * taken over must not keep the threads busy for all others. */
static bool
has_room(struct ipc_request *rq)
{
	size_t queued = (size_t)(uintptr_t)ipc_link_own(rq->link);

	if (queued >= QUEUED_MOST)
		return false;
	ipc_link_set_own(rq->link, (void *)(uintptr_t)(queued + 1));
	return true;
}

static void
gives_room(struct ipc_request *rq)
{
	if (rq->link)
		ipc_link_set_own(rq->link, (char *)ipc_link_own(rq->link) - 1);
}

void
keys_use(struct ipc_request *rq)
{
	struct tls_key_request ask;
	struct tls_key_reply say = { .error = STR("no such key"), .unknown = true };
	struct use use = { .result = -1 };

	if (!may_use(rq->caller)) {
		log_warn("%s may not use private keys", rq->caller->program);
		tls_key_answer(rq, &say);
		return;
	}
	if (!rq->link || !has_room(rq)) {
		say.error = STR("too many at a time");
		say.unknown = false;
		tls_key_answer(rq, &say);
		return;
	}
	if (tls_key_request_get(rq->payload, &ask, rq->arena) == 0)
		use.at = map_get(places, ask.key);
	if (use.at) {
		use.ask = (struct tls_key_use){ .decrypt = ask.decrypt,
			.digest = ask.digest,
			.pss = ask.pss,
			.client_version = ask.client_version,
			.negotiated_version = ask.negotiated_version,
			.data = ask.data };
		say.error = with_key(&use);
		say.result = buf_str(&use.out);
		say.unknown = false;
	}
	gives_room(rq);
	tls_key_answer(rq, &say);
	buf_wipe(&use.out);
}

void
keys_start(void)
{
	cpu_set_t set;
	struct why why;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		event_offload_threads = MIN(CPU_COUNT(&set), THREADS_MOST);
	if (tls_library_open(service_conf()->p.tls_config_file,
		    service_conf()->p.tls_config_name, &why) < 0)
		log_warn("%s", why.text);
	places = map_new();
	identities = map_new();
	names_of = map_new();
	reader_start(service_conf());
}
