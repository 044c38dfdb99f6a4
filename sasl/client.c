/* client.c -- see client.h. Lines come in and go out; those about one login go to and
 * come from one child. */
#include "client.h"
#include "dovecot_line.h"
#include "event.h"
#include "judge.h"
#include "log.h"
#include "net.h"
#include "service.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Logins at a time: more are told to come again. */
#define JUDGES_MOST 200

struct client {
	struct cyrus_config config;
	struct arena *arena;
	struct conn *conn;
	struct map *judges; /* number of the request, as text -> struct judge */
	struct co_scope scope;
	struct client *next;
};

struct judge {
	struct client *client;
	struct str id; /* none: it lists mechanisms */
	struct conn *conn;
	char id_text[16];
	bool answered;
};

static struct client *clients;
static size_t judges;
static void (*when_finished)(void);

/* What does not fit into the socket's buffer is for somebody who does not read. */
static void
send_line(struct conn *to, struct str line)
{
	struct buf whole CLEANUP(buf_wipe) = BUF_INIT;

	buf_add(&whole, line);
	buf_addc(&whole, '\n');
	if (send(to->io.fd, whole.data, whole.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		(ssize_t)whole.len)
		shutdown(to->io.fd, SHUT_RDWR);
}

/* ---- children ---- */

static void
on_end(pid_t pid, int status, void *arg)
{
	(void)pid, (void)arg;
	judges--;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		log_warn("SASL: the library, or whom it asked, gave no answer in time");
	else if (WIFSIGNALED(status))
		log_warn("SASL: the library ended its process by signal %d",
			WTERMSIG(status));
}

static bool
is_verdict(struct str line)
{
	return str_starts(line, STR("OK\t")) || str_starts(line, STR("FAIL\t"));
}

static void
take_line(struct judge *j, struct str line)
{
	if (str_starts(line, STR("LOG\t")))
		log_warn("%.*s", STR_ARG(str_from(line, 4)));
	else if (j->id.len == 0 && str_starts(line, STR("MECH\t")))
		send_line(j->client->conn, line);
	else if (j->id.len && !j->answered &&
		 (is_verdict(line) || str_starts(line, STR("CONT\t")))) {
		j->answered = is_verdict(line);
		send_line(j->client->conn, line);
	}
}

/* What a child says, up to its end. */
static void
follow(struct judge *j)
{
	struct str line;

	while (!j->answered &&
		conn_read_line(j->conn, &line, DEADLINE_NEVER) == CONN_LINE)
		take_line(j, line);
}

static void
close_idle(struct client *c)
{
	if (when_finished && map_count(c->judges) == 0)
		shutdown(c->conn->io.fd, SHUT_RDWR);
}

static void
follow_login(void *arg)
{
	struct judge *j = arg;

	follow(j);
	if (!j->answered && !co_cancelled()) {
		struct buf line CLEANUP(buf_free) = BUF_INIT;

		buf_printf(&line, "FAIL\t" STR_FMT "\ttemp", STR_ARG(j->id));
		send_line(j->client->conn, buf_str(&line));
	}
	conn_close(j->conn);
	(void)map_set(j->client->judges, j->id, NULL);
	close_idle(j->client);
	mem_free(j);
}

/* NULL: there are too many, or it could not be begun. */
static struct judge *
judge_new(struct client *c, struct str line, struct str id)
{
	struct judge *j;
	pid_t pid;
	int fd = -1;

	if (judges < JUDGES_MOST && id.len < sizeof(j->id_text))
		fd = judge_begin(&c->config, line, &pid);
	if (fd < 0)
		return NULL;
	judges++;
	event_on_child(pid, on_end, NULL);
	j = mem_alloc(sizeof(*j));
	j->client = c;
	memcpy(j->id_text, id.data, id.len);
	j->id = str_of(j->id_text, id.len);
	j->conn = conn_open(fd);
	if (!j->conn) {
		mem_free(j);
		return NULL;
	}
	j->conn->line_limit = DOVECOT_LINE_MOST;
	return j;
}

/* ---- what smtpd says ---- */

static void
refuse(struct client *c, struct str id)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	log_warn("SASL: too many logins at a time, or no child can be made");
	buf_printf(&line, "FAIL\t" STR_FMT "\ttemp", STR_ARG(id));
	send_line(c->conn, buf_str(&line));
}

/* False: nobody who knows the protocol says that. */
static bool
take_request(struct client *c, struct str line)
{
	struct str rest = line, word = STR(""), id = STR("");
	struct judge *j;
	uint64_t number;

	(void)str_split(&rest, '\t', &word);
	if (str_is(word, "VERSION") || str_is(word, "CPID"))
		return true;
	if (!str_split(&rest, '\t', &id) || str_to_u64(id, &number) < 0 ||
		number > UINT32_MAX)
		return false;
	j = map_get(c->judges, id);
	if (str_is(word, "CONT") && j)
		send_line(j->conn, line);
	else if (str_is(word, "CANCEL") && j)
		shutdown(j->conn->io.fd, SHUT_RDWR);
	else if (str_is(word, "AUTH") && !j) {
		j = judge_new(c, line, id);
		if (!j) {
			refuse(c, id);
			return true;
		}
		map_set(c->judges, j->id, j);
		co_scope_spawn(&c->scope, follow_login, j, CO_STACK_SMALL);
	}
	return true;
}

static void
greet(struct client *c)
{
	struct judge *j = judge_new(c, STR(""), STR(""));

	send_line(c->conn, STR("VERSION\t1\t0"));
	if (!j)
		return;
	follow(j);
	conn_close(j->conn);
	mem_free(j);
	send_line(c->conn, STR("DONE"));
}

static void
forget(struct client *c)
{
	struct client **at = &clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	map_free(c->judges);
	conn_close(c->conn);
	arena_free(c->arena);
	mem_free(c);
	service_busy(-1);
	if (when_finished && !clients)
		when_finished();
}

/* The children run on a copy of this stack. */
static void
serve(void *arg)
{
	struct client *c = arg;
	struct str line;

	co_name("a client of sasl");
	greet(c);
	while (conn_read_line(c->conn, &line, DEADLINE_NEVER) == CONN_LINE &&
		take_request(c, line))
		conn_forget(c->conn);
	co_scope_end(&c->scope, true);
	forget(c);
}

static const char *
copy(struct arena *arena, const char *text)
{
	return text ? arena_str(arena, str_c(text)).data : NULL;
}

void
client_begin(int fd, const struct cyrus_config *config)
{
	struct client *c;
	struct conn *conn = conn_open(fd);

	if (!conn)
		return;
	c = mem_alloc(sizeof(*c));
	c->conn = conn;
	conn->line_limit = DOVECOT_LINE_MOST;
	c->arena = arena_new();
	c->judges = map_new();
	co_scope_init(&c->scope);
	c->config = (struct cyrus_config){
		.application = copy(c->arena, config->application),
		.directories = copy(c->arena, config->directories),
		.service = copy(c->arena, config->service),
		.host = copy(c->arena, config->host),
		.realm = copy(c->arena, config->realm),
	};
	c->next = clients;
	clients = c;
	service_busy(1);
	co_spawn(serve, c, CO_STACK_LARGE);
}

void
clients_finish(void (*done)(void))
{
	when_finished = done;
	if (!clients)
		done();
	for (struct client *c = clients; c; c = c->next)
		close_idle(c);
}
