/* queue_export.c -- gives our queue to a Postfix (postern export).
 *
 * As with postern import, nothing gets lost and nothing comes twice: a message's files
 * are made in exported/, where Postfix does not look; it ends in our log; its files move
 * to where Postfix finds them, the message last. Each step is on the disk before the
 * next. A later run makes anew what is still in our log, and moves the rest. On its way
 * there a message gets the name that Postfix wants of its file. */
#include "postern.h"
#include "log.h"
#include "postfix_file.h"
#include "postfix_queue.h"
#include "queue_client.h"
#include "queue_export.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_ONCE = 200 };

const char *const export_folders[] = { "defer", "bounce", "trace", "deferred", "hold" };

static bool
note(const struct spool_entry *e, void *arg)
{
	struct export *ex = arg;
	struct known *k = arena_alloc(ex->arena, sizeof(*k));

	k->mid = e->mid;
	k->hold = e->hold;
	memcpy(k->queue_id, e->queue_id, sizeof(k->queue_id));
	*vec_push(&ex->all) = k;
	map_set(ex->ours, str_c(k->queue_id), k);
	return true;
}

/* ---- the steps behind the first ---- */

/* syncfs() alone need not flush the disk's cache (lib/spool/files_disk.c). */
void
export_sync(struct export *ex)
{
	if (syncfs(ex->dir) < 0 || (ex->last >= 0 && fsync(ex->last) < 0))
		log_fatal("%s: %s", ex->queue, strerror(errno));
}

static bool
is_hashed(const struct export *ex, const char *folder)
{
	for (size_t i = 0; i < ex->hashed.n; i++)
		if (str_is(ex->hashed.items[i], folder))
			return true;
	return false;
}

/* Folders on the way to where Postfix looks; made as it makes them. */
static void
make_folders(struct export *ex, const char *path)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		char part[256];

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdirat(ex->dir, part, 0700) == 0 &&
			fchownat(ex->dir, part, ex->owner, ex->group, 0) == 0)
			continue;
		if (errno != EEXIST)
			log_fatal("%s/%s: %s", ex->queue, part, strerror(errno));
	}
}

/* The name that a file gets, if it has been made. The same in a later run, should this
 * one end between the files of a message. */
bool
export_name(const struct export *ex, const char *folder, struct str id, char out[32])
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "exported/%s/" STR_FMT, folder, STR_ARG(id));
	if (fstatat(ex->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	postfix_file_name(
		id, ex->long_names, (uint64_t)st.st_mtim.tv_sec, st.st_ino, out);
	return true;
}

static void
place(struct export *ex, const char *folder, struct str id, struct str name)
{
	char from[256], to[256], sub[32] = "";

	snprintf(from, sizeof(from), "exported/%s/" STR_FMT, folder, STR_ARG(id));
	if (is_hashed(ex, folder))
		postfix_subfolder(name, ex->depth, sub);
	snprintf(to, sizeof(to), "%s/%s%s" STR_FMT, folder, sub, *sub ? "/" : "",
		STR_ARG(name));
	if (faccessat(ex->dir, from, F_OK, 0) < 0)
		return; /* it has no such log */
	make_folders(ex, to);
	if (renameat(ex->dir, from, ex->dir, to) < 0)
		log_fatal("rename %s to %s in %s: %s", from, to, ex->queue,
			strerror(errno));
}

static void
place_all(struct export *ex, struct str id)
{
	char name[32];

	if (!export_name(ex, export_folders[DEFERRED], id, name) &&
		!export_name(ex, export_folders[HOLD], id, name))
		log_fatal("%s/exported: no message " STR_FMT, ex->queue, STR_ARG(id));
	for (size_t f = 0; f < EXPORT_FOLDERS; f++)
		place(ex, export_folders[f], id, str_c(name));
}

static void
flushed(struct spool *s, void *arg)
{
	struct export *ex = arg;

	(void)s;
	ex->waiting = false;
	co_wake_all(&ex->changed);
}

static void
end_in_log(struct export *ex, const struct known **batch, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct spool_state end = { .mid = batch[i]->mid, .kind = SPOOL_FINISHED };

		spool_update(ex->spool, &end, 1, NULL, NULL);
	}
	ex->waiting = true;
	spool_flush(ex->spool, flushed, ex);
	while (ex->waiting && co_wait(&ex->changed, DEADLINE_NEVER) == 0)
		;
}

static void
give_batch(struct export *ex, const struct known **batch, size_t n)
{
	postfix_queue_enter();
	export_sync(ex);
	postfix_queue_leave();
	end_in_log(ex, batch, n);
	postfix_queue_enter();
	for (size_t i = 0; i < n; i++)
		place_all(ex, str_c(batch[i]->queue_id));
	export_sync(ex);
	postfix_queue_leave();
	for (size_t i = 0; i < n; i++) {
		ex->given++;
		ex->held += batch[i]->hold;
	}
}

static void
give_all(struct export *ex)
{
	const struct known *batch[AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < ex->all.n; i++) {
		if (export_make(ex, ex->all.items[i]))
			batch[n++] = ex->all.items[i];
		if (n == AT_ONCE || (n > 0 && i == ex->all.n - 1)) {
			give_batch(ex, batch, n);
			n = 0;
		}
	}
	if (n > 0)
		give_batch(ex, batch, n);
}

/* What an earlier run has made, and whose message has ended in our log. Logs of others
 * are written over, or have no message. */
static void
finish_earlier(struct export *ex)
{
	postfix_queue_enter();
	for (size_t f = DEFERRED; f < EXPORT_FOLDERS; f++) {
		struct postfix_files files = { { NULL, 0, 0 } };
		char folder[64];

		snprintf(folder, sizeof(folder), "exported/%s", export_folders[f]);
		postfix_queue_list(ex->queue, folder, ex->arena, &files);
		for (size_t i = 0; i < files.paths.n; i++) {
			struct str id =
				str_from(files.paths.items[i], strlen(folder) + 1);

			if (map_get(ex->ours, id)) {
				unlinkat(ex->dir, files.paths.items[i].data, 0);
				continue;
			}
			place_all(ex, id);
			ex->given++;
		}
		vec_free(&files.paths);
	}
	postfix_queue_leave();
}

/* ---- all of it ---- */

static void
open_directory(struct export *ex)
{
	struct stat st;

	postfix_queue_enter();
	ex->dir = open(ex->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ex->dir < 0 || fstatat(ex->dir, "deferred", &st, 0) < 0)
		log_fatal("%s/deferred: %s: \"postfix check\" of Postfix makes it",
			ex->queue, strerror(errno));
	ex->owner = st.st_uid;
	ex->group = st.st_gid;
	for (size_t i = 0; i < EXPORT_FOLDERS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "exported/%s/", export_folders[i]);
		make_folders(ex, path);
	}
	make_folders(ex, "exported/maildrop/");
	postfix_queue_leave();
}

static void
remove_folders(struct export *ex)
{
	char path[64];

	postfix_queue_enter();
	for (size_t i = 0; i < EXPORT_FOLDERS; i++) {
		snprintf(path, sizeof(path), "exported/%s", export_folders[i]);
		unlinkat(ex->dir, path, AT_REMOVEDIR);
	}
	unlinkat(ex->dir, "exported/maildrop", AT_REMOVEDIR);
	unlinkat(ex->dir, "exported", AT_REMOVEDIR);
	postfix_queue_leave();
}

static void
export_all(void *arg)
{
	struct export *ex = arg;
	struct why why = { 0 };

	if (queue_client_link(postern.conf))
		log_fatal("the mail system is running; stop it first");
	ex->spool = queue_client_open_log(postern.conf);
	if (!ex->spool)
		log_fatal("%s is not there: there is no queue",
			queue_client_log(postern.conf));
	ex->reader = spool_reader_open(queue_client_log(postern.conf), &why);
	if (!ex->reader)
		log_fatal("%s", why.text);
	open_directory(ex);
	spool_each(ex->spool, note, ex);
	finish_earlier(ex);
	give_all(ex);
	export_maildrop(ex);
	remove_folders(ex);
	spool_reader_close(ex->reader);
	spool_close(ex->spool);
}

/* What Postfix will look at; to us these say nothing. */
static struct str
theirs(const struct conf *c, const char *name)
{
	return conf_value(c, name);
}

static void
read_postfix(struct export *ex, const char *configuration)
{
	struct conf_issues issues;
	struct conf *c;
	long depth = 1;

	conf_issues_init(&issues);
	c = conf_open(configuration, STR_NONE, NULL, &issues);
	if (!c)
		conf_issues_die(&issues);
	ex->hashed = conf_list(theirs(c, "hash_queue_names"), ex->arena);
	for (size_t i = 0; i < ex->hashed.n; i++)
		ex->hashed.items[i] = arena_str(ex->arena, ex->hashed.items[i]);
	if (str_to_long(theirs(c, "hash_queue_depth"), &depth) == 0 && depth >= 0)
		ex->depth = (unsigned)depth;
	ex->long_names = str_case_is(theirs(c, "enable_long_queue_ids"), "yes");
	if (conf_time(theirs(c, "delay_warning_time"), 'h', &ex->delay_warning) < 0)
		ex->delay_warning = 0;
	conf_free(c);
	conf_issues_free(&issues);
}

int
queue_export(const char *configuration)
{
	struct export ex = {
		.arena = arena_new(), .ours = map_new(), .dir = -1, .last = -1
	};

	ex.queue = arena_cstr(ex.arena, postfix_queue_directory(configuration, ex.arena));
	if (postfix_queue_is_running(ex.queue))
		log_fatal("the mail system of %s is running; stop it first", ex.queue);
	read_postfix(&ex, configuration);
	queue_client_run(export_all, &ex);
	printf("%lu messages given to %s (%lu of them on hold), %lu local ones not "
	       "picked "
	       "up yet; %lu could not be read\n",
		ex.given, ex.queue, ex.held, ex.local, ex.bad);
	fd_close(&ex.last);
	fd_close(&ex.dir);
	vec_free(&ex.all);
	map_free(ex.ours);
	arena_free(ex.arena);
	return ex.bad > 0;
}
