/* forward_file.c -- where a user himself wants his mail: the first file of forward_path
 * that exists. Only he can read it, so his child does; what is odd about it makes it
 * ignored, with a warning, and mail goes to the mailbox. */
#include "local.h"
#include "explain.h"
#include "log.h"
#include "writer.h"
#include <errno.h>
#include <sys/stat.h>

/* One of forward_path, with its names replaced. */
struct candidate {
	bool takes_extension; /* its name speaks of it: it is used up */
};

static struct strs
forward_paths(struct recipient *r, const struct context *c, const struct user *u,
	struct candidate **about)
{
	const struct params *p = &r->d->conf->p;
	struct arena *a = r->d->arena;
	struct strs items = conf_list(p->forward_path, a), out = { 0 };

	out.items = arena_alloc(a, (items.n + 1) * sizeof(*out.items));
	*about = arena_alloc(a, (items.n + 1) * sizeof(**about));
	for (size_t i = 0; i < items.n; i++) {
		bool speaks = str_find(items.items[i], STR("extension")) >= 0;
		struct str path;

		if (speaks && c->extension.len == 0)
			continue;
		if (local_expand("forward_path", items.items[i], c, u,
			    p->forward_expansion_filter, a, &path) < 0 ||
			!str_starts(path, STR("/")))
			continue;
		(*about)[out.n].takes_extension = speaks;
		out.items[out.n++] = path;
	}
	return out;
}

/* A home that is not there is not a reason to keep mail waiting, one that does not answer
 * is. */
static bool
home_must_wait(const struct params *p, uint32_t error)
{
	return error != 0 &&
	       (p->require_home_directory || (error != ENOENT && error != ENOTDIR &&
						     error != EACCES && error != EINVAL));
}

static bool
is_trusted(const struct list_file_reply *said, const struct user *u, struct str path)
{
	/* In a directory that is everybody's, whose file it is means nothing. */
	bool shared = said->directory_mode & S_IWOTH && !(said->directory_mode & S_ISVTX);

	if (!said->regular)
		log_warn("file " STR_FMT " is not a regular file", STR_ARG(path));
	else if (said->error)
		log_warn("cannot open file " STR_FMT ": %s", STR_ARG(path),
			strerror((int)said->error));
	else if (said->uid != 0 && said->uid != u->uid)
		log_warn("file " STR_FMT " has bad owner uid %u", STR_ARG(path),
			(unsigned)said->uid);
	else if (said->mode & S_IWOTH)
		log_warn("file " STR_FMT " is world writable", STR_ARG(path));
	else if (shared)
		log_warn(
			"directory of file " STR_FMT " is world writable", STR_ARG(path));
	else
		return true;
	return false;
}

static void
explain_paths(const struct strs *paths)
{
	const char *result = explain_may(EXPLAIN_AS_USER)
				     ? "is read as its owner"
				     : "is not read without --forward";

	for (size_t i = 0; i < paths->n; i++)
		explain_step(
			"file", STR("forward_path"), paths->items[i], result, STR_NONE);
}

enum verdict
forward_file_deliver(struct recipient *r, const struct context *c, const struct user *u)
{
	const struct params *p = &r->d->conf->p;
	struct candidate *about;
	struct list_file_request ask = { .home = u->home };
	struct list_file_reply said;
	struct context inner = *c;
	struct items items = { 0 };
	struct str path;
	struct why why;
	size_t step;
	bool none;

	ask.paths = forward_paths(r, c, u, &about);
	if (ask.paths.n == 0 && !p->require_home_directory)
		return PERMFAIL;
	if (explain_on)
		explain_paths(&ask.paths);
	if (!explain_may(EXPLAIN_AS_USER))
		return PERMFAIL;
	if (writer_list_read(u->uid, u->gid, &ask, r->d->arena, &said, &why) != ACCEPT) {
		recipient_ended(r, c->address, TEMPFAIL, why.code, "%s", why.text);
		return TEMPFAIL;
	}
	if (home_must_wait(p, said.home_error)) {
		recipient_ended(r, c->address, TEMPFAIL, "4.3.0",
			"cannot access home directory " STR_FMT ": %s", STR_ARG(u->home),
			strerror((int)said.home_error));
		return TEMPFAIL;
	}
	if (said.found == 0)
		return PERMFAIL;
	path = ask.paths.items[said.found - 1];
	if (said.error == EIO || said.error == ESTALE || said.error == ETIMEDOUT) {
		recipient_ended(r, c->address, TEMPFAIL, "4.3.0",
			"error reading forwarding file: %s", strerror((int)said.error));
		return TEMPFAIL;
	}
	if (!is_trusted(&said, u, path) ||
		been_here(r, "forward " STR_FMT, STR_ARG(path)))
		return PERMFAIL;
	if (r->expansion == NOT_EXPANDED)
		r->expansion = EXPANDED;
	context_reached(r, &inner);
	inner.source = FROM_FORWARD;
	inner.as = u;
	inner.expanding = c->local;
	inner.forwarder = inner.sent_by = c->user;
	inner.unmatched = about[said.found - 1].takes_extension ? STR_NONE : c->extension;
	inner.depth++;
	step = explain_open("forward", STR("forward_path"), path);
	items_parse_file(said.content, r->d->arena, &items);
	none = items.list.n == 0;
	items_deliver(r, &inner, &items);
	explain_close(step, "is followed", STR_NONE);
	items_free(&items);
	return none ? PERMFAIL : ACCEPT;
}
