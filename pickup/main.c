/* pickup -- brings in local mail from maildrop/ (pickup(8)). */
#include "drop.h"
#include "esmtp.h"
#include "log.h"
#include "pickup.h"
#include "service.h"
#include "submit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file that postdrop has not finished for this long never will be. */
#define UNFINISHED_MOST (24 * 3600)

static int maildrop = -1;    /* the directory */
static bool scanning, again; /* one scan at a time; a trigger during it means one more */

/* One file on its way in. */
struct drop_file {
	const char *name;
	int fd;
	struct stat st;
	struct drop drop;
	struct arena *arena;
	char queue_id[32];
};

void
add_received(uid_t uid, const char *queue_id, struct buf *out)
{
	const struct conf *c = service_conf();

	buf_printf(out, "Received: by %.*s (%.*s, from userid %u)\n\tid %s; %s\n",
		STR_ARG(c->p.myhostname), STR_ARG(c->p.mail_name), (unsigned)uid,
		queue_id, time_mail_date(time(NULL)));
}

static void
make_envelope(const struct drop_file *f, const struct conf *c, struct envelope *e)
{
	*e = (struct envelope){
		.queue_id = str_c(f->queue_id),
		.arrival_us = (uint64_t)f->st.st_mtim.tv_sec * 1000000 +
			      (uint64_t)f->st.st_mtim.tv_nsec / 1000,
		.sender = f->drop.sender,
		.envid = f->drop.envid,
		.ret = f->drop.ret,
		.flags = (f->drop.flags & DROP_FLAGS) | ENVELOPE_LOCAL | ENVELOPE_MILTERS,
		.rcpts = f->drop.rcpts,
		.n_rcpts = f->drop.n_rcpts,
	};
	if (verp_delimiters_are_valid(f->drop.verp, c->p.verp_delimiter_filter)) {
		e->attributes.items = arena_alloc(f->arena, sizeof(struct str));
		e->attributes.items[0] = arena_printf(
			f->arena, ATTRIBUTE_VERP STR_FMT, STR_ARG(f->drop.verp));
		e->attributes.n = 1;
	}
}

/* The content goes to cleanup as it is read. -1: the file is not whole. */
static int
send_content(struct submission *s, struct drop_reader *r, deadline_t patience)
{
	struct str chunk;
	int got;

	while ((got = drop_read_chunk(r, &chunk)) > 0)
		(void)submission_write(s, chunk, patience); /* the answer tells */
	return got;
}

/* What could not be taken for good goes back to its sender. */
static enum verdict
give_back(struct drop_file *f, const struct envelope *e, const struct submit_reply *why)
{
	struct buf envelope CLEANUP(buf_free) = BUF_INIT;
	struct notice_request n = { .kind = NOTICE_FAILURE };
	struct notice_reply said;

	envelope_put(&envelope, e);
	n.envelope = buf_str(&envelope);
	n.rcpts = arena_alloc(f->arena, f->drop.n_rcpts * sizeof(*n.rcpts));
	n.n_rcpts = f->drop.n_rcpts;
	for (size_t i = 0; i < n.n_rcpts; i++)
		n.rcpts[i] = (struct notice_rcpt){
			.address = f->drop.rcpts[i].address,
			.action = STR("failed"),
			.code = why->code,
			.text = why->text,
		};
	if (notice_call(service_peer("bounce"), &n, &said, f->arena,
		    deadline_in(SUBMIT_PATIENCE)) < 0)
		return TEMPFAIL;
	return (enum verdict)said.verdict;
}

/* True: the message is in safe hands, and the file can go. */
static bool
bring_in(struct drop_file *f, struct drop_reader *r)
{
	const struct conf *c = service_conf();
	struct buf envelope CLEANUP(buf_free) = BUF_INIT,
			    received CLEANUP(buf_free) = BUF_INIT;
	struct submit_request ask = { .origin = STR("local") };
	deadline_t patience = deadline_in(SUBMIT_PATIENCE);
	struct submit_reply said;
	struct submission *s;
	struct envelope e;

	service_queue_id(f->queue_id);
	make_envelope(f, c, &e);
	submission_overrides(c, f->arena, &e);
	envelope_put(&envelope, &e);
	add_received(f->st.st_uid, f->queue_id, &received);
	ask.envelope = buf_str(&envelope);
	ask.received = buf_str(&received);
	ask.full_name = f->drop.full_name;
	log_line(PICKUP_MESSAGE, e.queue_id, log_num(f->st.st_uid), e.sender, STR_NONE);
	s = submission_new(&ask);
	if (send_content(s, r, patience) < 0) {
		log_warn("maildrop/%s: not a whole message: removed", f->name);
		submission_abort(s);
		return true;
	}
	switch (submission_end(s, f->arena, &said, patience)) {
	case ACCEPT:
		return true;
	case PERMFAIL:
		return give_back(f, &e, &said) == ACCEPT;
	case TEMPFAIL:
		break;
	}
	log_warn("maildrop/%s: %.*s: will try again", f->name, STR_ARG(said.text));
	return false;
}

static bool
bad_envelope(const struct drop *d)
{
	bool bad = d->n_rcpts == 0 || str_chr(d->sender, '\n') >= 0;

	for (size_t i = 0; i < d->n_rcpts; i++)
		bad |= str_chr(d->rcpts[i].address, '\n') >= 0;
	return bad;
}

/* A plain file with one name that its owner has finished (postdrop sets the owner's
 * execute bit last). */
static bool
is_finished(struct drop_file *f)
{
	if (fstat(f->fd, &f->st) < 0 || !S_ISREG(f->st.st_mode) || f->st.st_nlink != 1)
		return false;
	if (f->st.st_mode & S_IXUSR)
		return true;
	if (f->st.st_mtime + UNFINISHED_MOST < time(NULL))
		unlinkat(maildrop, f->name, 0);
	return false;
}

/* Left by a Postfix that had this queue directory before us: a record of the time comes
 * first. */
static bool
is_of_postfix(const struct drop_file *f)
{
	char first = 0;

	return pread(f->fd, &first, 1, 0) == 1 && first == 'T';
}

static void
take_file(const char *name)
{
	struct drop_file f = { .name = name };
	struct drop_reader r = { .fd = -1 };
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = openat(maildrop, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		if (errno != ENOENT && errno != ELOOP)
			log_warn("maildrop/%s: %s", name, strerror(errno));
		return;
	}
	f.fd = fd;
	if (!is_finished(&f))
		return;
	if (is_of_postfix(&f)) {
		log_warn(
			"maildrop/%s: it is Postfix's: `postern import --queue` takes it",
			name);
		return;
	}
	f.arena = arena_new();
	if (drop_read_envelope(&r, fd, &bytes) < 0 ||
		drop_get(buf_str(&bytes), &f.drop, f.arena) < 0 ||
		bad_envelope(&f.drop)) {
		log_warn("maildrop/%s: from uid %u: not a message: removed", name,
			(unsigned)f.st.st_uid);
		unlinkat(maildrop, name, 0);
	} else if (bring_in(&f, &r)) {
		unlinkat(maildrop, name, 0);
	}
	drop_reader_close(&r);
	arena_free(f.arena);
}

static void
scan(void *arg)
{
	(void)arg;
	co_name("maildrop scan");
	service_busy(+1);
	while (again) {
		DIR *dir;
		struct dirent *e;
		int fd = dup(maildrop);

		again = false;
		dir = fd < 0 ? NULL : fdopendir(fd);
		if (!dir) {
			log_warn("maildrop: %s", strerror(errno));
			break;
		}
		rewinddir(dir);
		while ((e = readdir(dir)) && !service_draining())
			if (e->d_name[0] != '.')
				take_file(e->d_name);
		closedir(dir);
	}
	scanning = false;
	service_busy(-1);
}

static void
pickup_wake(void)
{
	again = true;
	if (scanning)
		return;
	scanning = true;
	co_spawn(scan, NULL, CO_STACK_LARGE);
}

static void
pickup_before_jail(void)
{
	const struct conf *c = service_conf();
	char path[4096];

	snprintf(path, sizeof(path), "%.*s/maildrop", STR_ARG(c->p.queue_directory));
	maildrop = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (maildrop < 0)
		log_fatal("open directory %s: %s: `postern check` makes it", path,
			strerror(errno));
}

static const struct ipc_handler handlers[] = {
	{ .type = requeue_TYPE, .run = requeue_run },
	{ 0 },
};

static const struct service pickup = {
	.name = "pickup",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_MAILDROP,
	.peers = (const char *const[]){ "cleanup", "cleanup-suspect", "bounce", NULL },
	.before_jail = pickup_before_jail,
	.start = pickup_wake,
	.handlers = handlers,
	.wakeup = pickup_wake,
};

int
main(int argc, char **argv)
{
	return service_main(&pickup, argc, argv);
}
