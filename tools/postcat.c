/* postcat -- shows a message of the queue: envelope, headers, body (postcat(1)). */
#include "command.h"
#include "event.h"
#include "log.h"
#include "queue_client.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { SHOW_ENVELOPE = 1, SHOW_HEADER = 2, SHOW_BODY = 4 };

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
static unsigned show;
static bool envelope_labels; /* markers and record names are wanted */

static const struct command_help help = {
	"postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] "
	"[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] "
	"[file(s)...]",
	"shows messages of the queue\n"
	"  -q       the arguments are queue ids: there are no other files\n"
	"  -e       the envelope\n"
	"  -h       the header\n"
	"  -b       the body\n"
	"  -c dir   the directory of main.cf\n"
	"  -d -f -n -o -r -s offset -v are accepted\n",
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

/* ---- envelope records, with the names that Postfix gives them ---- */

static void
print_str(struct str s)
{
	fwrite(s.data ? s.data : "", 1, s.len, stdout);
}

static void
record(const char *name, struct str value)
{
	printf("%s: ", name);
	print_str(value);
	putchar('\n');
}

static void
attribute(const char *name, struct str value)
{
	if (value.len)
		printf("named_attribute: %s=" STR_FMT "\n", name, STR_ARG(value));
}

static void
time_record(const char *name, uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[64];

	if (ctime_r(&t, text))
		printf("%s: %s", name, text); /* ends in a newline */
}

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

/* Who sent it, once for log lines and once for table look-ups, as Postfix has it; here
 * the two are the same. */
static void
print_client(const struct envelope *e)
{
	bool ipv6 = str_chr(e->client_address, ':') >= 0;

	attribute("log_client_name", e->client_name);
	attribute("log_client_address", e->client_address);
	attribute("log_client_port", e->client_port);
	if (e->client_name.len)
		printf("named_attribute: log_message_origin=" STR_FMT "[" STR_FMT "]\n",
			STR_ARG(e->client_name), STR_ARG(e->client_address));
	attribute("log_helo_name", e->helo);
	attribute("log_protocol_name", e->protocol);
	attribute("client_name", e->client_name);
	attribute("client_address", e->client_address);
	attribute("client_port", e->client_port);
	attribute("helo_name", e->helo);
	attribute("protocol_name", e->protocol);
	if (e->client_address.len)
		attribute("client_address_type", ipv6 ? STR("10") : STR("2"));
	attribute("sasl_method", e->sasl_method);
	attribute("sasl_username", e->sasl_username);
	attribute("sasl_sender", e->sasl_sender);
	for (size_t i = 0; i < e->attributes.n; i++)
		record("named_attribute", e->attributes.items[i]);
}

static void
print_rcpt(const struct rcpt *r, bool done)
{
	struct str original = r->original.len ? r->original : r->address;

	if (r->notify)
		printf("named_attribute: notify_flags=%u\n", r->notify);
	if (r->orcpt.len)
		attribute("dsn_orig_rcpt", r->orcpt);
	else
		printf("named_attribute: dsn_orig_rcpt=rfc822;" STR_FMT "\n",
			STR_ARG(original));
	record("original_recipient", original);
	record(done ? "done_recipient" : "recipient", r->address);
}

static void
print_envelope(
	struct spool_reader *r, const struct found *f, const struct spool_content *c)
{
	struct envelope e;
	const bool *done;

	if (envelope_get(c->envelope, &e, arena) < 0)
		log_fatal(STR_FMT ": the envelope is damaged", STR_ARG(f->id));
	done = done_rcpts(r, f, e.n_rcpts);
	/* size, where content begins, recipients, flags, size of content, more flags */
	printf("message_size: %15llu %15u %15zu %15u %15llu %15u\n",
		(unsigned long long)c->size, f->where.offset, e.n_rcpts, 0u,
		(unsigned long long)c->size, e.flags);
	time_record("message_arrival_time", e.arrival_us);
	time_record("create_time", c->arrival_us);
	attribute("log_ident", c->queue_id);
	attribute("rewrite_context",
		e.flags & ENVELOPE_REWRITE ? STR("local") : STR("remote"));
	attribute("dsn_envelope_id", e.envid);
	if (e.ret)
		printf("named_attribute: dsn_ret_flags=%u\n", e.ret);
	record("sender", e.sender);
	print_client(&e);
	for (size_t i = 0; i < e.n_rcpts; i++)
		print_rcpt(&e.rcpts[i], done[i]);
}

/* ---- content ---- */

/* Prints the parts that are wanted; the empty line belongs to the body. */
struct text {
	bool in_body, line_is_empty;
};

/* Where in these bytes the body begins, or their length. */
static size_t
header_end(struct text *t, struct str bytes)
{
	for (size_t i = 0; i < bytes.len && !t->in_body; i++) {
		bool newline = bytes.data[i] == '\n';

		if (newline && t->line_is_empty) {
			t->in_body = true;
			return i;
		}
		t->line_is_empty = newline;
	}
	return t->in_body ? 0 : bytes.len;
}

static void
print_text(struct text *t, struct str bytes)
{
	size_t split = header_end(t, bytes);

	if (show & SHOW_HEADER)
		print_str(str_sub(bytes, 0, split));
	if (show & SHOW_BODY)
		print_str(str_from(bytes, split));
}

static void
print_content(const struct spool_content *c)
{
	struct text t = { .line_is_empty = true };
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t got;

	print_text(&t, c->content);
	while (c->body_fd >= 0 &&
		(got = pread(c->body_fd, piece, sizeof(piece), at)) > 0) {
		print_text(&t, str_of(piece, (size_t)got));
		at += got;
	}
}

static void
print_message(const struct found *f)
{
	struct why why = { 0 };
	struct spool_reader *r = spool_reader_open(queue_client_log(conf), &why);
	struct spool_content c = { .body_fd = -1 };
	struct str name;

	if (!r)
		log_fatal("cannot read the queue: %s", why.text);
	if (spool_read(r, f->mid, f->where, false, arena, &c) < 0)
		log_fatal("open queue file " STR_FMT ": %s", STR_ARG(f->id),
			strerror(errno));
	name = arena_printf(arena, "%s/" STR_FMT, f->queue, STR_ARG(f->id));
	if (envelope_labels)
		printf("*** ENVELOPE RECORDS %s ***\n", name.data);
	if (show & SHOW_ENVELOPE)
		print_envelope(r, f, &c);
	if (envelope_labels)
		printf("*** MESSAGE CONTENTS %s ***\n", name.data);
	print_content(&c);
	if (envelope_labels)
		printf("*** HEADER EXTRACTED %s ***\n*** MESSAGE FILE END %s ***\n",
			name.data, name.data);
	fd_close(&c.body_fd);
	spool_reader_close(r);
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
		print_message(&f);
		vec_free(&f.states);
	}
}

int
main(int argc, char **argv)
{
	const char *directory = NULL;
	bool queue = false;
	int opt;

	log_open("postcat", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	while ((opt = getopt(argc, argv, "bc:defhnoqrs:v")) > 0) {
		switch (opt) {
		case 'b':
			show |= SHOW_BODY;
			break;
		case 'c':
			directory = optarg;
			break;
		case 'e':
			show |= SHOW_ENVELOPE;
			break;
		case 'h':
			show |= SHOW_HEADER;
			break;
		case 'q':
			queue = true;
			break;
		case '?':
			command_usage(&help);
		default: /* -d -f -n -o -r -s -v: about records, which we have none of */
			break;
		}
	}
	if (show == 0)
		show = SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY;
	envelope_labels = show & SHOW_ENVELOPE;
	conf = command_conf(directory);
	arena = arena_new();
	/* There is no file that holds a message and nothing else. */
	for (int i = optind; !queue && i < argc; i++)
		if (access(argv[i], F_OK) < 0)
			log_fatal("open %s: %m", argv[i]);
	if (!queue && optind < argc)
		log_fatal("open %s: messages are in the log: use postcat -q queue_id",
			argv[optind]);
	queue_client_run(run, argv + optind);
	return 0;
}
