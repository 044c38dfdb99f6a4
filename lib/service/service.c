/* service.c -- the life of a worker: configuration, what needs root, the jail, work, end.
 * See service.h. */
#include "config.h"
#include "service_impl.h"
#include "sandbox_internal.h"
#include "log.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* How long a worker that was told to stop may take to leave by itself. */
#define STOP_PATIENCE ((msec_t)800)

/* How often a worker that waits for its callers to be quiet looks. */
#define QUIET_CHECK ((msec_t)20)
/* In which callers close the links of a process that leaves; most do at once. */
#define LEAVE_PATIENCE ((msec_t)1000)

struct worker worker;

/* ---- what sessions ask for ---- */

const struct conf *
service_conf(void)
{
	return worker.conf;
}

/* -o of the line counts more. */
const struct conf *
service_conf_under_stress(void)
{
	struct strs *given = &worker.options.overrides, overrides;

	if (worker.conf_under_stress)
		return worker.conf_under_stress;
	overrides.n = given->n + 1;
	overrides.items = arena_alloc(worker.arena, overrides.n * sizeof(struct str));
	overrides.items[0] = STR("stress=yes");
	if (given->n > 0)
		memcpy(&overrides.items[1], given->items, given->n * sizeof(struct str));
	worker.conf_under_stress = conf_must_load(
		conf_directory(NULL), str_c(worker.options.name), &overrides);
	return worker.conf_under_stress;
}

bool
service_under_stress(void)
{
	return worker.spawn.stress;
}

const char *
service_name(void)
{
	return worker.options.name;
}

struct strs
service_args(void)
{
	return worker.options.args;
}

uint32_t
service_worker(void)
{
	return worker.spawn.worker;
}

uint32_t
service_limit(void)
{
	return worker.spawn.limit;
}

bool
service_explains(void)
{
	return worker.spawn.explain >= 0;
}

const struct spawn *
service_spawn(void)
{
	return &worker.spawn;
}

/* Counts upwards like process ids do, in steps that keep workers apart. */
uint32_t
service_next_session(void)
{
	static uint32_t count;

	if (!worker.conf->p.log_session_id)
		return 0;
	return ++count * 1024 + worker.spawn.worker % 1024;
}

bool
service_client(const struct net_addr *client)
{
	uint64_t network = suspect_network(client);

	*co_works_for = network;
	for (size_t i = 0; worker.suspects && i < SUSPECTS_REFUSED; i++)
		if (worker.suspects->refused[i] == network)
			return false;
	return true;
}

bool
service_draining(void)
{
	return worker.draining || worker.stopping;
}

bool
service_stopping(void)
{
	return worker.stopping;
}

void
service_busy(int change)
{
	worker.busy += change;
	control_load_changed();
	if (change < 0)
		worker_settle();
}

void
service_full(bool full)
{
	control_tell(full ? CONTROL_FULL : CONTROL_ROOM, 0);
}

void
service_keep_only(int own)
{
	int kept[] = { MIN(own, worker.spawn.log), MAX(own, worker.spawn.log) };

	for (unsigned i = 0, from = 3; i <= COUNT(kept); i++) {
		unsigned to = i < COUNT(kept) ? (unsigned)kept[i] : ~0U;

		if (i < COUNT(kept) && kept[i] < 3)
			continue;
		if (to > from)
			close_range(from, to - (to != ~0U), 0);
		from = to + 1;
	}
}

/* ---- the end ---- */

void
service_leave(void)
{
	if (worker.leaving)
		return;
	worker.leaving = true;
	event_stop();
}

static void
out_of_patience(void *arg)
{
	(void)arg;
	service_leave();
}

static bool
nothing_in_hand(void)
{
	return worker.sessions == 0 && worker.busy <= 0;
}

/* Callers keep their links for as long as they live. They are told to ask our successor,
 * and close theirs after the last answer. Who has not, since it is stopped or keeps links
 * of its own making, cannot write any more once all of them are quiet; what came in that
 * moment is still answered. */
static void
finish_links(void *arg)
{
	static struct timer again;
	static deadline_t patience;
	void (*const *done)(void) = arg;
	bool quiet;

	if (patience == 0)
		patience = deadline_in(LEAVE_PATIENCE);
	quiet = nothing_in_hand() && deadline_passed(patience);
	for (size_t i = 0; i < worker.links.n; i++) {
		/* Again for those that were only about to say who they are. */
		ipc_link_leave(worker.links.items[i]);
		quiet = quiet && ipc_link_idle(worker.links.items[i]);
	}
	for (size_t i = 0; quiet && i < worker.links.n; i++)
		ipc_link_finish(worker.links.items[i]);
	if (worker.links.n > 0)
		timer_set(
			&again, deadline_in(quiet ? 0 : QUIET_CHECK), finish_links, arg);
	else
		(*done)();
}

void
service_dismiss(void (*done)(void))
{
	static void (*then)(void);

	if (then)
		return;
	then = done;
	finish_links(&then);
}

/* Those with a drain of their own say themselves when they are done. */
void
worker_settle(void)
{
	if (!service_draining() || worker.service->drain || !nothing_in_hand())
		return;
	if (worker.stopping || worker.links.n == 0) {
		service_leave();
	} else {
		service_dismiss(worker_settle);
	}
}

void
worker_drain(void)
{
	static struct timer patience;

	if (worker.stopping && patience.place == 0)
		timer_set(&patience, deadline_in(STOP_PATIENCE), out_of_patience, NULL);
	if (!worker.draining) {
		worker.draining = true;
		accept_stop();
		control_tell(CONTROL_DRAINING, (uint32_t)control_in_hand());
		if (worker.service->drain)
			worker.service->drain();
	}
	worker_settle();
}

void
service_retire(const char *why)
{
	if (!worker.draining)
		log_info("%s: a fresh process takes over: %s", worker.service->name, why);
	worker_drain();
}

/* ---- the beginning ---- */

bool
service_on_trial(void)
{
	return worker.trial;
}

/* Without the page a crash is nobody's. */
static void
share_page(void)
{
	if (worker.trial || worker.spawn.suspects < 0)
		return;
	worker.suspects = suspect_page_map(worker.spawn.suspects);
	if (worker.suspects)
		co_works_for = &worker.suspects->running;
	else
		log_warn("the page shared with master: %m");
	fd_close(&worker.spawn.suspects);
}

void
worker_log_open(const struct conf *c)
{
	struct buf tag CLEANUP(buf_free) = BUF_INIT;
	int facility = c ? log_facility(c->p.syslog_facility) : -1;
	int fd = worker.spawn.log;

	if (worker.trial || service_explains()) {
		log_open("", LOG_TO_STDERR, -1, -1);
		return;
	}
	if (c)
		log_addresses_internal =
			str_case_is(c->p.info_log_address_format, "internal");
	buf_add(&tag, c ? c->p.syslog_name : STR("postfix"));
	buf_printf(&tag, "/%s", worker.service->name);
	log_open(buf_cstr(&tag), fd >= 0 ? LOG_TO_FD : LOG_TO_SYSLOG, fd,
		facility >= 0 ? facility : LOG_MAIL);
}

static void
read_configuration(int argc, char **argv)
{
	const char *spawn = getenv(SPAWN_ENV);
	struct why why;

	worker.arena = arena_new();
	worker.trial = spawn && strcmp(spawn, SPAWN_TRIAL) == 0;
	if (!worker.trial && (!spawn || spawn_parse(str_c(spawn), &worker.spawn) < 0))
		log_fatal("this program is started by master(8)");
	log_fatal_pause = !worker.trial && !service_explains();
	unsetenv(SPAWN_ENV);
	worker_log_open(NULL);
	if (options_parse(argc, argv, worker.arena, &worker.options, &why) < 0)
		log_fatal("%s", why.text);
	if (!worker.trial && !service_explains() &&
		accepted_take(&worker.spawn.accepted) < 0)
		log_info("no configuration from master: main.cf is read");
	worker.conf = conf_must_load(conf_directory(NULL), str_c(worker.options.name),
		&worker.options.overrides);
	worker_log_open(worker.conf);
}

/* Those parameters whose items may be files, read again at a reload. */
static void
allow_lists(const struct conf *c)
{
	static const char *const lists[] = { "mydestination", "mynetworks",
		"relay_domains", "virtual_alias_domains", "virtual_mailbox_domains" };

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct strs items = conf_list(conf_text(c, str_c(lists[i])), arena);

		for (size_t j = 0; j < items.n; j++) {
			ssize_t slash = str_rchr(items.items[j], '/');

			if (slash > 0 && items.items[j].data[0] == '/')
				service_allow_read(arena_cstr(arena,
					str_sub(items.items[j], 0, (size_t)slash)));
		}
	}
}

/* Directories that a table look-up may need to open again; those of passwords only for
 * the one who looks them up for all. */
static void
allow_tables(const struct conf *c)
{
	bool passwords = strcmp(worker.service->name, "proxymap") == 0;

	static const char types[][10] = { "hash:", "btree:", "lmdb:", "cdb:", "texthash:",
		"pcre:", "regexp:", "cidr:", "dbm:", "sdbm:" };
	size_t n;
	const struct param_info *params = conf_params(&n);

	for (size_t i = 0; i < n; i++) {
		struct arena *arena CLEANUP(arena_free_at) = arena_new();
		struct strs items = conf_list(conf_value(c, params[i].name), arena);

		if (params[i].passwords && !passwords)
			continue;
		for (size_t j = 0; j < items.n; j++)
			for (size_t t = 0; t < COUNT(types); t++) {
				ssize_t slash = str_rchr(items.items[j], '/');
				struct str type = str_c(types[t]);

				if (str_starts(items.items[j], type) && slash > 0)
					service_allow_read(arena_cstr(arena,
						str_sub(items.items[j], type.len,
							(size_t)slash - type.len)));
			}
	}
}

static void
enter_jail(void)
{
	const struct service *s = worker.service;
	struct why why;
	uid_t uid;
	gid_t gid;

	if (s->reload)
		conf_enter_jail();
	if (s->sandbox & SANDBOX_TABLES) {
		allow_tables(worker.conf);
		allow_lists(worker.conf);
	}
	if (users_find(s, worker.conf, &uid, &gid, &why) < 0)
		log_fatal("%s", why.text);
	if (sandbox_enter(s->name, s->sandbox, uid, gid, worker.conf, &why) < 0)
		log_fatal(
			"sandbox: %s; sandbox = no in main.cf would start without a jail",
			why.text);
}

static void
on_refused_call(struct io *io)
{
	seccomp_say_refused(worker.service->name);
	io->readable = false;
}

static void
watch_refusals(void)
{
	static struct io refusals;

	if (seccomp_refusals() < 0)
		return;
	if (io_open(&refusals, seccomp_refusals()) < 0)
		log_warn("watching the jail: %m");
	refusals.on_event = on_refused_call;
}

static void
begin_work(void *arg)
{
	(void)arg;
	watch_refusals();
	peers_start(worker.spawn.broker);
	captured_start();
	if (service_explains()) {
		explained_start();
	} else {
		if (worker.service->start)
			worker.service->start();
		accept_start();
	}
	log_fatal_pause = false;
	control_start();
}

/* Master decides about our end; a signal from elsewhere is taken the same way. */
static void
on_terminate(int signo, void *arg)
{
	(void)signo, (void)arg;
	worker.stopping = true;
	worker_drain();
}

static void
work(void)
{
	captured_listen();
	enter_jail();
	event_on_signal(SIGTERM, on_terminate, NULL);
	co_spawn(begin_work, NULL, CO_STACK_LARGE);
	event_run();
}

int
service_main(const struct service *s, int argc, char **argv)
{
	struct buf queue CLEANUP(buf_free) = BUF_INIT;

	worker.service = s;
	worker.spawn.log = worker.spawn.explain = -1;
	log_open(s->name, LOG_TO_SYSLOG | LOG_TO_STDERR, -1, LOG_MAIL);
	read_configuration(argc, argv);
	mem_keep_pages();
	share_page();
	umask(077);
	tzset();
	buf_add(&queue, worker.conf->p.queue_directory);
	if (chdir(buf_cstr(&queue)) < 0)
		log_fatal("chdir %s: %m", buf_cstr(&queue));
	signal(SIGPIPE, SIG_IGN);
	event_init();
	event_turn_hook = log_flush;
	worker.trusted = users_mail_owner(worker.conf);
	tables_start();
	if (s->before_jail)
		s->before_jail();
	if (!worker.trial)
		work();
	log_flush();
	/* Not exit(): there is nothing to tidy up, and the leak check of sanitized builds
	 * cannot do its work in the jail. */
	_exit(0);
}
