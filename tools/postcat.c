/* postcat -- shows messages: envelope, header, body (postcat(1)). Those of our queue,
 * which are no files, as the files that postern export would make of them. */
#include "command.h"
#include "event.h"
#include "log.h"
#include "postcat.h"
#include "postfix_file.h"
#include "queue_client.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define READ_AT_ONCE ((size_t)64 * 1024)

/* A message that was found, and where. */
struct found {
	struct str id; /* what is looked for */
	bool is_there;
	uint64_t mid;
	struct spool_where where;
	const char *queue;
	VEC(struct spool_where) states;
};

static const struct conf *conf;
static struct arena *arena;
static struct view view;

static const struct command_help help = {
	"postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] "
	"[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] "
	"[file(s)...]",
	"shows messages of the queue, and files of Postfix's queue\n"
	"  -q       the arguments are queue ids\n"
	"  -e       the envelope\n"
	"  -h       the header\n"
	"  -b       the body\n"
	"  -c dir   the directory of main.cf\n"
	"  -d       the type of each record, as a number\n"
	"  -f       the name of the file in front of each\n"
	"  -o       where in the file it is\n"
	"  -r       records in the order of the file\n"
	"  -s n     from the record at this place on\n"
	"  -v       also what says nothing\n",
};

/* ---- finding it ---- */

static void
find_by_qmgr(struct ipc_link *link, struct found *f)
{
	struct queue_list_request ask = { .most = 1, .queue_ids = { &f->id, 1 } };
	struct queue_list_reply said;

	queue_client_list(link, &ask, arena, &said);
	if (said.n_entries == 0)
		return;
	f->is_there = true;
	f->mid = said.entries[0].mid;
	f->where = (struct spool_where){ said.entries[0].segment, said.entries[0].offset,
		said.entries[0].length };
	f->queue = arena_cstr(arena, said.entries[0].queue);
	for (size_t i = 0; i < said.entries[0].n_states; i++)
		*vec_push(&f->states) =
			(struct spool_where){ said.entries[0].states[i].segment,
				said.entries[0].states[i].offset,
				said.entries[0].states[i].length };
}

static bool
is_it(const struct spool_entry *e, void *arg)
{
	struct found *f = arg;

	if (!str_is(f->id, e->queue_id))
		return true;
	f->is_there = true;
	f->mid = e->mid;
	f->where = e->where;
	f->queue = e->hold ? "hold" : e->wake_us || e->n_states ? "deferred" : "incoming";
	for (size_t i = 0; i < e->n_states; i++)
		*vec_push(&f->states) = e->states[i];
	return false;
}

static void
find(struct ipc_link *link, struct found *f)
{
	struct why why = { 0 };

	if (link)
		find_by_qmgr(link, f);
	else if (access(queue_client_log(conf), F_OK) == 0 &&
		 spool_scan(queue_client_log(conf), is_it, f, &why) < 0)
		log_fatal("cannot read the queue: %s", why.text);
	if (!f->is_there)
		log_fatal("open queue file " STR_FMT ": %s", STR_ARG(f->id),
			strerror(ENOENT));
}

/* ---- as a file of Postfix's ---- */

static bool *
done_rcpts(struct spool_reader *r, const struct found *f, size_t n)
{
	bool *done = arena_alloc(arena, n + 1);
	struct spool_state *states;
	size_t n_states;

	for (size_t i = 0; i < f->states.n; i++) {
		if (spool_read_states(
			    r, f->mid, f->states.items[i], arena, &states, &n_states) < 0)
			continue;
		for (size_t j = 0; j < n_states; j++)
			if (states[j].kind == SPOOL_DONE ||
				states[j].kind == SPOOL_FAILED ||
				states[j].kind == SPOOL_NOTIFIED)
				for (size_t at = 0; at + 4 <= states[j].rcpts.len;
					at += 4)
					if (get_u32(states[j].rcpts.data + at) < n)
						done[get_u32(states[j].rcpts.data + at)] =
							true;
	}
	return done;
}

static int64_t
warn_time(const struct envelope *e)
{
	return conf->p.delay_warning_time > 0 && e->sender.len > 0
		       ? (int64_t)(e->arrival_us / 1000000) +
				 conf->p.delay_warning_time / 1000
		       : -1;
}

static void
put_content(struct buf *file, const struct spool_content *c)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got;

	postfix_put_text(file, &line, c->content);
	while (c->body_fd >= 0 &&
		(got = pread(c->body_fd, piece, sizeof(piece), at)) > 0) {
		postfix_put_text(file, &line, str_of(piece, (size_t)got));
		at += got;
	}
	postfix_put_end(file, &line);
}

/* A message of our log, as postern export would write it. */
static void
make_file(struct spool_reader *r, const struct found *f, const struct spool_content *c,
	struct buf *file)
{
	struct postfix_message m = { .delay_sent = false };
	char size[POSTFIX_SIZE_RECORD];
	size_t place;

	if (envelope_get(c->envelope, &m.envelope, arena) < 0)
		log_fatal(STR_FMT ": the envelope is damaged", STR_ARG(f->id));
	m.envelope.queue_id = c->queue_id;
	m.done = done_rcpts(r, f, m.envelope.n_rcpts);
	postfix_put_envelope(file, &m, false, warn_time(&m.envelope));
	place = file->len;
	put_content(file, c);
	postfix_put_size(size, place, file->len - place - 4, &m,
		postfix_has_8bit_header(c->content));
	memcpy(file->data, size, sizeof(size));
}

static void
show(const char *label, struct str file)
{
	view.label = label;
	if (view.skip > file.len)
		log_fatal("%s: it has %zu bytes only", label, file.len);
	if (!view_records(&view, file)) {
		fflush(stdout);
		log_fatal("record read error");
	}
}

static void
show_message(const struct found *f)
{
	struct why why = { 0 };
	struct spool_reader *r = spool_reader_open(queue_client_log(conf), &why);
	struct spool_content c = { .body_fd = -1 };
	struct buf file CLEANUP(buf_free) = BUF_INIT;

	if (!r)
		log_fatal("cannot read the queue: %s", why.text);
	if (spool_read(r, f->mid, f->where, false, arena, &c) < 0)
		log_fatal("open queue file " STR_FMT ": %s", STR_ARG(f->id),
			strerror(errno));
	make_file(r, f, &c, &file);
	show(arena_printf(arena, "%s/" STR_FMT, f->queue, STR_ARG(f->id)).data,
		buf_str(&file));
	fd_close(&c.body_fd);
	spool_reader_close(r);
}

/* ---- files: Postfix's own ---- */

static void
show_descriptor(const char *label, int fd)
{
	struct buf file CLEANUP(buf_free) = BUF_INIT;
	ssize_t got;

	do {
		buf_need(&file, READ_AT_ONCE);
		got = read(fd, file.data + file.len, READ_AT_ONCE);
		if (got < 0)
			log_fatal("read %s: %m", label);
		file.len += (size_t)got;
	} while (got > 0);
	show(label, buf_str(&file));
}

static void
show_files(char **names)
{
	if (!*names)
		show_descriptor("stdin", STDIN_FILENO);
	for (; *names; names++) {
		int fd CLEANUP(fd_close) = open(*names, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			log_fatal("open %s: %m", *names);
		show_descriptor(*names, fd);
	}
}

static void
run(void *arg)
{
	char **ids = arg;
	struct ipc_link *link = queue_client_link(conf);

	for (; *ids; ids++) {
		struct found f = { .id = str_c(*ids) };

		if (!queue_client_is_id(f.id))
			log_fatal("bad mail queue ID: %s", *ids);
		find(link, &f);
		show_message(&f);
		vec_free(&f.states);
	}
}

static void
take(int option, const char *value)
{
	uint64_t skip;

	switch (option) {
	case 'b':
		view.show |= SHOW_BODY;
		break;
	case 'd':
		view.types = true;
		break;
	case 'e':
		view.show |= SHOW_ENVELOPE;
		break;
	case 'f':
		view.names = true;
		break;
	case 'h':
		view.show |= SHOW_HEADER;
		break;
	case 'n': /* not documented by Postfix, which knows it all the same */
		break;
	case 'o':
		view.offsets = true;
		break;
	case 'r':
		view.file_order = true;
		break;
	case 's':
		if (str_to_u64(str_c(value), &skip) < 0 || skip > SIZE_MAX / 2)
			log_fatal("bad offset: %s", value);
		view.skip = (size_t)skip;
		break;
	case 'v':
		view.all = true;
		break;
	default:
		command_usage(&help);
	}
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	bool queue = false;
	int option;

	log_open("postcat", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	while ((option = getopt(argc, argv, "bc:defhnoqrs:v")) > 0) {
		if (option == 'c')
			directory = optarg;
		else if (option == 'q')
			queue = true;
		else
			take(option, optarg);
	}
	if (view.show == 0)
		view.show = SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;
	conf = command_conf(directory);
	arena = arena_new();
	if (queue)
		queue_client_run(run, argv + optind);
	else
		show_files(argv + optind);
	if (fflush(stdout) != 0)
		log_fatal("write error: %m");
	return 0;
}
