/* play.c -- see play.h. Stands in for lib/service, beside alone.c there. */
#include "play.h"
#include "event.h"
#include "log.h"
#include "service.h"
#include "session.h"
#include "test.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct conf *conf;
static struct buf logged, heard;

/* ---- what lib/service does elsewhere ---- */

const char *
service_name(void)
{
	return "smtp";
}

/* ---- the stage ---- */

static void
keep_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	buf_add(&logged, line);
	buf_addc(&logged, '\n');
}

void
play_conf(const char *text)
{
	struct conf_issues issues;
	char path[512];
	FILE *file;

	event_init();
	snprintf(path, sizeof(path), "%s/main.cf", test_dir());
	file = fopen(path, "w");
	ensure(file && fputs("compatibility_level = 3.6\nmyhostname = mx.example\n"
			     "smtpd_banner = mx.example ESMTP\nmynetworks = 192.0.2.1\n"
			     "postscreen_cache_map =\n",
			       file) >= 0);
	ensure(fputs(text, file) >= 0 && fclose(file) == 0);
	conf_issues_init(&issues);
	conf = conf_load(test_dir(), STR("smtp"), &(struct strs){ NULL, 0 }, &issues);
	conf_issues_free(&issues);
	ensure(conf);
	cache_configure(conf);
	postscreen_site = site_open(conf, conf);
	log_capture(keep_line, NULL);
}

struct str
play_logged(void)
{
	return buf_str(&logged);
}

static void
dialogue(void *arg)
{
	struct session s = { .conn = arg,
		.site = postscreen_site,
		.p = postscreen_site->p,
		.arena = arena_new(),
		.command = arena_new(),
		.where = "CONNECT",
		.protocol = STR("SMTP"),
		.refusal = STR("450 4.3.2 Service currently unavailable"),
		.client = STR("[192.0.2.7]:4711"),
		.address = "192.0.2.7",
		.known = cache_client(STR("192.0.2.7")),
		.todo = postscreen_site->enabled & TESTS_DEEP };

	deep_tests(&s);
	session_conclude(&s);
	cache_leave(s.known);
	if (s.mail)
		arena_free(s.mail);
	arena_free(s.command);
	arena_free(s.arena);
	conn_close(s.conn);
	event_stop();
}

static bool
is_reply(struct str line)
{
	bool ok = line.len >= 5 && ascii_is_digit(line.data[0]) &&
		  ascii_is_digit(line.data[1]) && ascii_is_digit(line.data[2]) &&
		  (line.data[3] == ' ' || line.data[3] == '-') &&
		  line.data[line.len - 1] == '\r';

	for (size_t i = 0; ok && i + 1 < line.len; i++)
		ok = (unsigned char)line.data[i] >= ' ' && line.data[i] != 0x7f;
	return ok;
}

bool
play_feed(struct str bytes, struct str *said)
{
	struct str rest, line;
	char piece[4096];
	int ends[2];
	ssize_t n;

	buf_clear(&logged);
	buf_clear(&heard);
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	n = send(ends[1], bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)n; /* longer ones are cut */
	shutdown(ends[1], SHUT_WR);
	co_spawn(dialogue, conn_open(ends[0]), CO_STACK_LARGE);
	event_run();
	while ((n = recv(ends[1], piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		buf_add(&heard, str_of(piece, (size_t)n));
	close(ends[1]);
	*said = rest = buf_str(&heard);
	while (rest.len) {
		if (str_chr(rest, '\n') < 0 || !str_split(&rest, '\n', &line) ||
			!is_reply(line))
			return false;
	}
	return true;
}
