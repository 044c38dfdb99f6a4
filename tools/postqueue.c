/* postqueue -- lists and flushes the queue for everybody who may (postqueue(1)).
 *
 * Set-gid postdrop: the group may connect below public/. It reads what showq says, and
 * writes a few bytes to qmgr. */
#include "command.h"
#include "destinations_print.h"
#include "log.h"
#include "queue_client.h"
#include "queue_list.h"
#include "setgid.h"
#include "user.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static const struct command_help help = {
	"postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
	"postqueue -s site | postqueue --spool | postqueue --destinations | "
	"postqueue [-j | -p] [--query query] [--count]",
	"lists the queue, and has mail tried now\n"
	"  -p       list the queue\n"
	"  -j       list it as JSON, a message on each line\n"
	"  -f       try all mail now\n"
	"  -i id    try this message now\n"
	"  -s site  try the mail for this site now\n"
	"  --spool  how much room the queue takes\n"
	"  --destinations\n"
	"           where mail goes now, how much at a time, and what holds it up\n"
	"  --query 'word ...'\n"
	"           with -p or -j: only messages of which all words are true:\n"
	"           from=a@b.c to=@b.c destination=b.c queue=hold,deferred age>2h\n"
	"           size<10k reason~\"timed out\"; != !~ say no, * is anything\n"
	"  --count  how many messages these are, nothing else\n"
	"  -c dir   the directory of main.cf\n"
	"  -v       accepted\n",
};

static void
list(const struct conf *c, enum queue_form form, const char *text)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct why why = { 0 };
	struct queue_query query;

	if (!user_is_in("authorized_mailq_users", c->p.authorized_mailq_users, c))
		log_fatal("User %s(%ld) is not allowed to view the mail queue",
			user_name(), (long)getuid());
	if (text && queue_query_parse(str_c(text), c->p.empty_address_recipient, arena,
			    &query, &why) < 0)
		log_fatal("%s", why.text);
	queue_list(c, form, text ? &query : NULL, stdout);
}

/* Says something to a service below public/ that takes it from everybody who may flush.
 */
static int
tell(const struct conf *c, struct str service, struct str what)
{
	int fd;

	if (!user_is_in("authorized_flush_users", c->p.authorized_flush_users, c))
		log_fatal("User %s(%ld) is not allowed to flush the mail queue",
			user_name(), (long)getuid());
	fd = command_connect(c, STR("public"), service);
	if (fd < 0 || write_all(fd, what) < 0)
		log_fatal("Cannot flush mail queue - mail system is down");
	return fd;
}

static void
tell_qmgr(const struct conf *c, struct str what)
{
	int fd = tell(c, c->p.queue_service_name, what);

	fd_close(&fd);
}

static void
flush_one(const struct conf *c, const char *id)
{
	char line[64];
	size_t len = strlen(id);

	if (len == 0 || len > 31)
		log_fatal("Cannot flush queue ID - invalid name: \"%.100s\"", id);
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alnum(id[i]))
			log_fatal("Cannot flush queue ID - invalid name: \"%.100s\"", id);
	snprintf(line, sizeof(line), "Q%s\n", id);
	tell_qmgr(c, str_c(line));
}

/* A host name, or an address in brackets. */
static bool
is_site(struct str site)
{
	if (site.len == 0 || site.len > 255 || str_find(site, STR("..")) >= 0)
		return false;
	for (size_t i = 0; i < site.len; i++)
		if (!ascii_is_alnum(site.data[i]) && (unsigned char)site.data[i] < 0x80 &&
			!strchr("-._[]:", site.data[i]))
			return false;
	return true;
}

static void
flush_site(const struct conf *c, const char *site)
{
	char line[300], letter = 'F';
	int fd CLEANUP(fd_close) = -1;

	if (!is_site(str_c(site)))
		log_fatal("Cannot flush mail queue - invalid destination: \"%.100s\"",
			site);
	snprintf(line, sizeof(line), "%s\n", site);
	fd = tell(c, c->p.flush_service_name, str_c(line));
	if (read(fd, &letter, 1) != 1 || letter == 'F')
		log_fatal("Cannot flush mail queue - mail system is down");
	if (letter == 'B')
		log_fatal("Invalid request: \"%s\"", site);
	if (letter == 'D')
		log_fatal("Flush service is not configured for destination \"%s\"", site);
}

/* ---- the room that it takes ---- */
static void
print_space(const struct spool_space_reply *said)
{
	unsigned long long percent =
		said->written ? said->moved * 100 / said->written : 0;

	printf("messages: %llu%s\n", (unsigned long long)said->messages,
		said->indexing ? " (the log is still being read)" : "");
	printf("live bytes: %llu\n", (unsigned long long)said->live);
	printf("on disk: %llu of at most %llu\n", (unsigned long long)said->disk,
		(unsigned long long)said->limit);
	printf("segments: %u, %u of them spare\n", said->segments, said->spares);
	printf("written since the start: %llu, %llu%% of it by the cleaner\n",
		(unsigned long long)said->written, percent);
	printf("new mail: %s\n", said->full ? "refused, no room" : "taken");
}

static void
ask_for_space(void *arg)
{
	const struct conf *c = arg;
	struct ipc_link *link = queue_client_link(c);
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct spool_space_reply said;

	if (!link)
		log_fatal("the mail system is down");
	queue_client_space(link, arena, &said);
	print_space(&said);
}

enum { SPACE = 256, DESTINATIONS, QUERY, COUNT_THEM };
static const struct option long_options[] = {
	{ "spool", no_argument, NULL, SPACE },
	{ "destinations", no_argument, NULL, DESTINATIONS },
	{ "query", required_argument, NULL, QUERY },
	{ "count", no_argument, NULL, COUNT_THEM },
	{ 0 },
};

struct options {
	const char *directory, *argument, *query;
	bool count;
	int mode;
};

static void
read_options(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "c:fi:jps:v", long_options, NULL)) > 0) {
		if (opt == 'c')
			o->directory = optarg;
		else if (opt == QUERY && !o->query)
			o->query = optarg;
		else if (opt == COUNT_THEM)
			o->count = true;
		else if (opt == '?' || opt == QUERY || (opt != 'v' && o->mode))
			command_usage(&help);
		else if (opt != 'v') {
			o->mode = opt;
			o->argument = optarg;
		}
	}
	if (!o->mode && (o->query || o->count))
		o->mode = 'p';
	if (!o->mode || optind < argc ||
		((o->query || o->count) && o->mode != 'p' && o->mode != 'j'))
		command_usage(&help);
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	const struct conf *c;

	setgid_scrub();
	log_open("postqueue", LOG_TO_STDERR, -1, -1);
	log_fatal_exit = EX_UNAVAILABLE;
	command_help(argc, argv, &help);
	read_options(argc, argv, &o);
	o.directory = conf_directory(o.directory);
	setgid_check_directory(o.directory);
	c = command_conf(o.directory);
	command_open_log(c, "postqueue");
	switch (o.mode) {
	case 'p':
		list(c, o.count ? QUEUE_COUNT : QUEUE_FOR_PEOPLE, o.query);
		break;
	case 'j':
		list(c, o.count ? QUEUE_COUNT : QUEUE_JSON, o.query);
		break;
	case 'f':
		tell_qmgr(c, STR("F"));
		break;
	case 'i':
		flush_one(c, o.argument);
		break;
	case SPACE:
		queue_client_run(ask_for_space, (void *)(uintptr_t)c);
		break;
	case DESTINATIONS:
		queue_client_run(destinations_print, (void *)(uintptr_t)c);
		break;
	case 's':
		flush_site(c, o.argument);
	}
	return 0;
}
