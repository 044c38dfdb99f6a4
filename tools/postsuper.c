/* postsuper -- deletes, holds, releases, requeues and expires messages (postsuper(1)). */
#include "command.h"
#include "event.h"
#include "log.h"
#include "postsuper.h"
#include "progress.h"
#include "queue_client.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ids of one question to qmgr. */
#define AT_ONCE 2000

enum { Q_MAILDROP = 1, Q_INCOMING = 2, Q_ACTIVE = 4, Q_DEFERRED = 8, Q_HOLD = 16 };
static const struct {
	const char *name;
	unsigned bit;
} queues[] = {
	{ "maildrop", Q_MAILDROP },
	{ "incoming", Q_INCOMING },
	{ "active", Q_ACTIVE },
	{ "deferred", Q_DEFERRED },
	{ "hold", Q_HOLD },
	/* Postfix's others hold no messages of ours. */
	{ "bounce", 0 },
	{ "defer", 0 },
	{ "trace", 0 },
	{ "flush", 0 },
	{ "corrupt", 0 },
	{ "saved", 0 },
};

/* What is done, in the order in which its sum is told. */
static struct tally {
	enum queue_action action;
	const char *done, *summary;
	bool asked;
	unsigned long count;
} tallies[] = {
	{ QUEUE_REROUTE, "rerouted", "Rerouted", false, 0 },
	{ QUEUE_REQUEUE, "requeued", "Requeued", false, 0 },
	{ QUEUE_DELETE, "removed", "Deleted", false, 0 },
	{ QUEUE_EXPIRE, "expired", "Force-expired", false, 0 },
	{ QUEUE_HOLD, "placed on hold", "Placed on hold", false, 0 },
	{ QUEUE_RELEASE, "released from hold", "Released from hold", false, 0 },
};

/* Long options; the first has its order. */
enum { TO_TRANSPORT = 1, QUERY, SUSPEND, RESUME, REASON };
enum { ANYWHERE = Q_INCOMING | Q_ACTIVE | Q_DEFERRED | Q_HOLD };
static struct order {
	char option;
	enum queue_action action;
	unsigned queues; /* unless others are named */
	bool asked, all;
	VEC(struct str) ids;
} orders[] = {
	{ .option = TO_TRANSPORT, QUEUE_REROUTE, ANYWHERE },
	{ .option = 'r', QUEUE_REQUEUE, ANYWHERE },
	{ .option = 'd', QUEUE_DELETE, Q_MAILDROP | ANYWHERE },
	{ .option = 'e', QUEUE_EXPIRE, ANYWHERE },
	{ .option = 'f', QUEUE_EXPIRE, ANYWHERE }, /* and release it */
	{ .option = 'h', QUEUE_HOLD, Q_INCOMING | Q_ACTIVE | Q_DEFERRED },
	{ .option = 'H', QUEUE_RELEASE, Q_HOLD },
};

static const struct conf *conf;
static struct arena *arena;
static struct progress progress;
static unsigned named;    /* queues of the command line; 0: none */
static const char *query; /* "all" are those that match it; NULL: all */
static struct str route;  /* --to-transport: transport:nexthop */

static const struct command_help help = {
	"postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] "
	"[-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] "
	"[-H queue_id (un-hold)] [-p (purge temporary files)] "
	"[-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)]"
	"[-v (verbose)] [queue...] | postsuper [-c config_dir] --query query "
	"[-d] [-e] [-f] [-h] [-H] [-r] [--to-transport transport[:nexthop]] [queue...] | "
	"postsuper [-c config_dir] [--suspend destination] [--resume destination] "
	"[--reason text]",
	"changes messages of the queue; a queue_id of - reads ids from standard input,\n"
	"ALL means all messages\n"
	"  -d id    delete\n"
	"  -e id    return to the sender at the next failure\n"
	"  -f id    the same, and release what is on hold\n"
	"  -h id    put on hold\n"
	"  -H id    release\n"
	"  -r id    make a new message of it, its addresses rewritten anew\n"
	"  -p -s -S no work is needed for these\n"
	"  -c dir   the directory of main.cf\n"
	"  -v       accepted\n"
	"  queue    only in these: maildrop, incoming, active, deferred, hold\n"
	"  --query 'word ...'\n"
	"           the options have no id, but are for all messages that match:\n"
	"           from=a@b.c to=@b.c destination=b.c queue=hold,deferred age>2h\n"
	"           size<10k reason~\"timed out\"; != !~ say no, * is anything\n"
	"  --to-transport transport[:nexthop]\n"
	"           with --query: they go there, whatever the tables say\n"
	"  --suspend [transport:]nexthop\n"
	"           mail for this destination waits ...\n"
	"  --resume [transport:]nexthop\n"
	"           ... until it is resumed; it is tried at once\n"
	"  --reason text\n"
	"           with --suspend: what mailq and the log say of it\n",
};

/* ---- what is asked for ---- */

static void
add_id(struct order *o, struct str id)
{
	if (queue_client_is_id(id))
		*vec_push(&o->ids) = arena_str(arena, id);
	else
		log_warn("invalid mail queue id: " STR_FMT, STR_ARG(id));
}

/* -: one id on each line of standard input. */
static void
add_ids_from_stdin(struct order *o)
{
	char line[1000];

	while (fgets(line, sizeof(line), stdin))
		add_id(o, str_trim(str_c(line)));
}

static void
add_order(char option, const char *what)
{
	for (size_t i = 0; i < COUNT(orders); i++) {
		if (orders[i].option != option)
			continue;
		orders[i].asked = true;
		if (strcmp(what, "ALL") == 0)
			orders[i].all = true;
		else if (strcmp(what, "-") == 0)
			add_ids_from_stdin(&orders[i]);
		else
			add_id(&orders[i], str_c(what));
	}
}

static unsigned
queue_bit(const char *name)
{
	for (size_t i = 0; i < COUNT(queues); i++)
		if (strcmp(queues[i].name, name) == 0)
			return queues[i].bit;
	log_fatal("invalid directory name: %s", name);
}

static unsigned
bit_of(struct str queue)
{
	for (size_t i = 0; i < COUNT(queues); i++)
		if (str_is(queue, queues[i].name))
			return queues[i].bit;
	return 0;
}

/* What is on hold cannot be put there, even when the command line names that queue. */
static unsigned
queues_of(const struct order *o)
{
	unsigned bits = named ? named : o->queues;

	return o->action == QUEUE_HOLD ? bits & ~(unsigned)Q_HOLD : bits;
}

static struct strs
names_of(unsigned bits)
{
	struct strs list = { .items = arena_alloc(
				     arena, COUNT(queues) * sizeof(struct str)) };

	for (size_t i = 0; i < COUNT(queues); i++)
		if (bits & queues[i].bit & ~(unsigned)Q_MAILDROP)
			list.items[list.n++] = str_c(queues[i].name);
	return list;
}

static struct tally *
tally_of(enum queue_action action)
{
	for (size_t i = 0; i < COUNT(tallies); i++)
		if (tallies[i].action == action)
			return &tallies[i];
	ensure(!"an action without a tally");
	return NULL;
}

/* One by one they are told only when they were named one by one. */
static void
changed(const struct order *o, enum queue_action action, struct str id)
{
	struct tally *t = tally_of(action);

	if (!o->all)
		log_line(POSTSUPER_CHANGED, id, str_c(t->done));
	t->count++;
}

/* ---- maildrop: files that pickup has not seen yet ---- */

static bool
order_names(const struct order *o, struct str id)
{
	for (size_t i = 0; i < o->ids.n; i++)
		if (str_eq(o->ids.items[i], id))
			return true;
	return o->all;
}

static void
delete_in_maildrop(struct order *o)
{
	struct str path = arena_printf(
		arena, STR_FMT "/maildrop", STR_ARG(conf->p.queue_directory));
	DIR *dir = opendir(path.data);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		struct str id = str_c(e->d_name);

		if (queue_client_is_id(id) && order_names(o, id) &&
			unlinkat(dirfd(dir), e->d_name, 0) == 0)
			changed(o, o->action, id);
	}
	closedir(dir);
}

/* ---- through qmgr ---- */

/* mids: of these messages in turn, where they are known. */
static void
ask_qmgr(struct ipc_link *link, struct order *o, struct strs ids, struct queue_mid *mids)
{
	struct queue_change_request ask = { .action = (uint8_t)o->action,
		.queue_ids = ids,
		.queues = names_of(queues_of(o)),
		.mids = mids,
		.n_mids = mids ? ids.n : 0,
		.route = route };
	struct queue_change_reply said;
	struct arena *a CLEANUP(arena_free_at) = arena_new();

	if (ids.n == 0 || ask.queues.n == 0)
		return;
	queue_client_change(link, &ask, a, &said);
	for (size_t i = 0; i < said.changed.n; i++)
		changed(o, o->action, said.changed.items[i]);
	/* -f: expire, and let go what is on hold. */
	if (o->option == 'f' && (queues_of(o) & Q_HOLD)) {
		ask.action = QUEUE_RELEASE;
		ask.queues = names_of(Q_HOLD);
		queue_client_change(link, &ask, a, &said);
		for (size_t i = 0; i < said.changed.n; i++)
			changed(o, QUEUE_RELEASE, said.changed.items[i]);
	}
}

/* Of what qmgr listed, those that are meant. */
static void
ask_for_page(struct ipc_link *link, struct order *o, const struct queue_list_reply *page,
	struct arena *a)
{
	struct queue_mid *mids = arena_alloc(a, page->n_entries * sizeof(*mids));
	struct str *ids = arena_alloc(a, page->n_entries * sizeof(*ids));
	size_t n = 0;

	for (size_t i = 0; i < page->n_entries; i++) {
		const struct queue_entry *e = &page->entries[i];
		bool meant = (bit_of(e->queue) & queues_of(o)) &&
			     (!query || query_means_entry(link, e));

		progress_step(&progress, meant);
		if (!meant)
			continue;
		ids[n] = e->queue_id;
		mids[n++].mid = e->mid;
	}
	ask_qmgr(link, o, (struct strs){ ids, n }, mids);
}

/* ALL, or what matches: page by page, so that neither side has to hold a million ids. */
static void
ask_for_all(struct ipc_link *link, struct order *o)
{
	struct queue_list_request ask = { .most = AT_ONCE };

	for (;;) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();
		struct queue_list_reply said;

		queue_client_list(link, &ask, a, &said);
		if (said.n_entries == 0)
			return;
		ask.after = said.entries[said.n_entries - 1].mid;
		ask_for_page(link, o, &said, a);
	}
}

static void
order_by_qmgr(struct ipc_link *link, struct order *o)
{
	if (o->all) {
		ask_for_all(link, o);
		return;
	}
	for (size_t at = 0; at < o->ids.n; at += AT_ONCE)
		ask_qmgr(link, o,
			(struct strs){ o->ids.items + at, MIN(o->ids.n - at, AT_ONCE) },
			NULL);
}

/* ---- on the log itself ---- */

struct offline {
	struct order *order;
	VEC(struct spool_state) states;
	struct co_queue written;
	bool done;
	int error;
};

static unsigned
bit_of_entry(const struct spool_entry *e)
{
	if (e->hold)
		return Q_HOLD;
	return e->wake_us || e->n_states ? Q_DEFERRED : Q_INCOMING;
}

static const char *
queue_of_entry(const struct spool_entry *e)
{
	for (size_t i = 0; i < COUNT(queues); i++)
		if (queues[i].bit == bit_of_entry(e))
			return queues[i].name;
	return "";
}

static bool
consider(const struct spool_entry *e, void *arg)
{
	static const enum spool_state_kind kinds[] = {
		[QUEUE_DELETE] = SPOOL_FINISHED,
		[QUEUE_HOLD] = SPOOL_HOLD,
		[QUEUE_RELEASE] = SPOOL_RELEASE,
		[QUEUE_REQUEUE] = SPOOL_REQUEUE,
		[QUEUE_EXPIRE] = SPOOL_EXPIRE,
		[QUEUE_REROUTE] = SPOOL_REROUTE,
	};
	struct offline *off = arg;
	struct order *o = off->order;
	uint64_t now = (uint64_t)time_wall_us();

	if (!(bit_of_entry(e) & queues_of(o)) || !order_names(o, str_c(e->queue_id)) ||
		(query && !query_means_stored(e, str_c(queue_of_entry(e)))))
		return true;
	if (o->action != QUEUE_EXPIRE || !e->expire) {
		*vec_push(&off->states) = (struct spool_state){ .mid = e->mid,
			.kind = (uint8_t)kinds[o->action],
			.when_us = now,
			.reason = route };
		changed(o, o->action, str_c(e->queue_id));
	}
	if (e->hold && (o->option == 'r' || o->option == 'f'))
		*vec_push(&off->states) = (struct spool_state){
			.mid = e->mid, .kind = SPOOL_RELEASE, .when_us = now
		};
	if (e->hold && o->option == 'f')
		changed(o, QUEUE_RELEASE, str_c(e->queue_id));
	return true;
}

static void
states_written(void *arg, int error)
{
	struct offline *off = arg;

	off->done = true;
	off->error = error;
	co_wake_all(&off->written);
}

static void
order_on_log(struct spool *spool, struct order *o)
{
	struct offline off = { .order = o };

	spool_each(spool, consider, &off);
	if (off.states.n) {
		spool_update(spool, off.states.items, off.states.n, states_written, &off);
		while (!off.done)
			if (co_wait(&off.written, DEADLINE_NEVER) < 0)
				break;
		if (off.error)
			log_fatal("cannot write to the log: %s", strerror(off.error));
	}
	vec_free(&off.states);
}

/* ---- everything ---- */

static void
run(void *arg)
{
	struct ipc_link *link = queue_client_link(conf);
	struct spool *spool = NULL;

	(void)arg;
	if (suspend_is_wanted()) {
		suspend_apply(conf, link, arena);
		return;
	}
	for (size_t i = 0; i < COUNT(orders); i++)
		if (orders[i].asked && !query && orders[i].action == QUEUE_DELETE &&
			(queues_of(&orders[i]) & Q_MAILDROP))
			delete_in_maildrop(&orders[i]);
	if (!link)
		spool = queue_client_open_log(conf);
	if (query)
		log_line(POSTSUPER_QUERY, str_c(query));
	progress_begin(&progress, query != NULL);
	for (size_t i = 0; i < COUNT(orders); i++) {
		if (orders[i].asked && link)
			order_by_qmgr(link, &orders[i]);
		else if (orders[i].asked && spool)
			order_on_log(spool, &orders[i]);
	}
	progress_end(&progress);
	if (spool)
		spool_close(spool);
	if (link)
		ipc_link_close(link);
}

static void
summarize(void)
{
	for (size_t i = 0; i < COUNT(orders); i++) {
		if (orders[i].asked)
			tally_of(orders[i].action)->asked = true;
		if (orders[i].asked && orders[i].option == 'f')
			tally_of(QUEUE_RELEASE)->asked = true;
	}
	for (size_t i = 0; i < COUNT(tallies); i++)
		if (tallies[i].asked)
			log_line(POSTSUPER_SUMMARY, str_c(tallies[i].summary),
				log_num((int64_t)tallies[i].count),
				tallies[i].count == 1 ? STR_NONE : STR("s"));
}

static const struct option long_options[] = {
	{ "query", required_argument, NULL, QUERY },
	{ "to-transport", required_argument, NULL, TO_TRANSPORT },
	{ "suspend", required_argument, NULL, SUSPEND },
	{ "resume", required_argument, NULL, RESUME },
	{ "reason", required_argument, NULL, REASON },
	{ 0 },
};

/* "smtp", "smtp:[relay.example]:587": as in transport(5), and printable. */
static void
set_route(const char *text)
{
	struct str rest = str_c(text), transport = STR_NONE;
	bool valid = rest.len < 1000;

	for (size_t i = 0; i < rest.len; i++)
		valid &= ascii_is_print(text[i]) && text[i] != ' ';
	if (!str_split(&rest, ':', &transport)) {
		transport = rest;
		rest = STR_NONE;
	}
	if (!valid || transport.len == 0 || str_chr(transport, '/') >= 0)
		log_fatal("not a transport[:nexthop]: \"%.100s\"", text);
	route = arena_printf(
		arena, STR_FMT ":" STR_FMT, STR_ARG(transport), STR_ARG(rest));
}

/* With --query no option has an id. */
static bool
has_query(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (str_starts(str_c(argv[i]), STR("--query")))
			return true;
	return false;
}

/* Gives the directory of main.cf. */
static const char *
read_options(int argc, char **argv)
{
	const char *directory = NULL;
	bool by_query = has_query(argc, argv), ordered = false;
	int opt;

	while ((opt = getopt_long(argc, argv,
			by_query ? "c:defhHprsSv" : "c:d:e:f:h:H:pr:sSv", long_options,
			NULL)) > 0) {
		if (opt == '?' || (opt == QUERY && query) ||
			(opt == TO_TRANSPORT && (!by_query || route.len)) ||
			(opt == QUERY && !by_query))
			command_usage(&help);
		if (opt == 'c')
			directory = optarg;
		else if (opt == QUERY)
			query = optarg;
		else if (opt == SUSPEND || opt == RESUME)
			suspend_add(opt == RESUME, optarg, arena);
		else if (opt == REASON)
			suspend_set_reason(optarg);
		else if (!strchr("psSv", opt)) {
			if (opt == TO_TRANSPORT)
				set_route(optarg);
			add_order((char)opt, by_query ? "ALL" : optarg);
			ordered = true;
		}
	}
	if ((by_query && (!query || !ordered)) ||
		(suspend_is_wanted() && (ordered || optind < argc)))
		command_usage(&help);
	return directory;
}

int
main(int argc, char **argv)
{
	log_open("postsuper", LOG_TO_STDERR, -1, -1);
	command_help(argc, argv, &help);
	arena = arena_new();
	conf = command_conf(read_options(argc, argv));
	for (; optind < argc; optind++)
		named |= queue_bit(argv[optind]) |
			 1u << 31; /* named, though it may be empty */
	if (!queue_client_may(conf))
		log_fatal("use of this command is reserved for the superuser");
	command_open_log(conf, "postsuper");
	if (query)
		query_open(conf, str_c(query), arena);
	queue_client_run(run, NULL);
	summarize();
	log_flush();
	return 0;
}
