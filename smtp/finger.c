/* posttls-finger -- asks a server what TLS it has, as smtp(8) would meet it, and sends no
 * mail (posttls-finger(1)). */
#include "finger.h"
#include "log.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES_MOST 100 /* servers behind one address that are told apart */

/* smtp's, which its main.c has. */
const struct own_addresses *smtp_own;
unsigned smtp_port, smtp_faults_wanted;
bool smtp_lmtp;

struct finger finger;

/* ---- one session ---- */

/* The name that the server gave itself in its reply to EHLO. */
static struct str
server_name(const struct session *s, struct arena *arena)
{
	struct str text = s->reply.n_lines > 0 ? reply_line(&s->reply, 0) : STR(""), word;

	return str_token(&text, " \t", &word) ? arena_str(arena, word) : STR("");
}

struct probed {
	bool connected, had_tls;
	struct str name; /* of the server */
};

SWITCHES static struct probed
probe(const struct host *host, const struct attempt *a)
{
	struct refusal r;
	struct session *s = session_open(host, a, &r);
	struct probed p = { .connected = s || !str_is(r.relay, "none") };

	if (!s) {
		log_info("Failed to establish session to " STR_FMT " via " STR_FMT
			 ": " STR_FMT,
			STR_ARG(finger.destination), STR_ARG(host->name),
			STR_ARG(r.text));
		return p;
	}
	p.had_tls = conn_tls_info(s->conn) != NULL;
	p.name = server_name(s, a->d->arena);
	if (finger.chain)
		finger_show_chain(s);
	session_quit(s, finger.conf);
	return p;
}

/* Several servers behind one address may each have a cache of TLS sessions of its own: so
 * again, until one is met that was met before. */
SWITCHES static void
probe_again(const struct host *host, const struct attempt *a, struct str name)
{
	struct str met[NAMES_MOST];
	int n = 0;

	finger.chain = false;
	finger.show = (finger.show & SHOW_SUMMARY) | SHOW_CACHE;
	for (int i = 0; i < finger.times && n < NAMES_MOST; i++) {
		struct probed p;

		met[n++] = name;
		log_info("Reconnecting after %lld seconds",
			(long long)(finger.again / 1000));
		if (co_sleep(deadline_in(finger.again)) < 0)
			return;
		p = probe(host, a);
		if (!p.had_tls)
			return;
		name = p.name;
		for (int k = 0; k < n; k++)
			if (str_case_eq(met[k], name)) {
				log_info("Found a previously used server.  Done "
					 "reconnecting.");
				return;
			}
	}
	log_info("Number of reconnects exceeded %d.  Done reconnecting.", finger.times);
}

/* ---- the hosts of a destination ---- */

/* All of one family come first, whatever their preference (-a). */
static void
put_first(struct hosts *hosts, int family)
{
	size_t n = 0;

	for (size_t i = 0; i < hosts->list.n; i++) {
		struct host it = hosts->list.items[i];

		if (it.addr.sa.ss_family != family)
			continue;
		memmove(&hosts->list.items[n + 1], &hosts->list.items[n],
			(i - n) * sizeof(it));
		hosts->list.items[n++] = it;
	}
}

SWITCHES static void
probe_hosts(const struct attempt *a)
{
	struct hosts hosts = { 0 };
	struct why why;

	if (hosts_find(&a->nexthop, finger.conf, a->d->arena, &hosts, &why) != ACCEPT)
		log_info("Destination address lookup failed: %s", why.text);
	if (finger.family != AF_UNSPEC)
		put_first(&hosts, finger.family);
	for (size_t i = 0; i < hosts.list.n; i++) {
		struct probed p = probe(&hosts.list.items[i], a);

		if (p.had_tls && finger.again > 0)
			probe_again(&hosts.list.items[i], a, p.name);
		if (p.connected)
			break;
	}
	hosts_free(&hosts);
}

SWITCHES static void
run(void *arg)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct delivery none = { .arena = arena, .conf = finger.conf, .rest_fd = -1 };
	struct attempt a = {
		.d = &none, .conf = finger.conf, .destination = finger.destination
	};
	struct why why;

	(void)arg;
	finger_alone();
	if (nexthop_parse(finger.conf, finger.destination, smtp_port, &a.nexthop, &why) ==
			ACCEPT &&
		tls_policy_find(finger.destination, finger.conf, arena, &a.tls, &why) ==
			ACCEPT) {
		a.nexthop.default_port = false; /* we may well ask ourselves */
		probe_hosts(&a);
	} else {
		log_info("%s", why.text);
	}
	event_stop();
}

/* All that is said is the command's output, as of Postfix's. */
static void
print_line(enum log_level level, struct str line, void *arg)
{
	(void)level, (void)arg;
	printf("posttls-finger: " STR_FMT "\n", STR_ARG(line));
	if (fflush(stdout) != 0)
		exit(1);
}

int
main(int argc, char **argv)
{
	log_capture(print_line, NULL);
	finger_options(argc, argv);
	event_init();
	starttls_prepare(finger.conf);
	quirks_prepare(finger.conf);
	session_watch = &finger_watch;
	co_spawn(run, NULL, CO_STACK_LARGE);
	event_run();
	return 0;
}
