/* pass.c -- a client that may go on: its connection goes to an smtpd (a line of type pass
 * in master.cf), together with the addresses where a proxy has told them. */
#include "log.h"
#include "messages.h"
#include "service.h"
#include "session.h"
#include <errno.h>
#include <unistd.h>

/* As long as smtpd may take to get to it: while it has all the clients it may have, the
 * connection waits. */
#define SMTPD_WAIT ((msec_t)100000)

static size_t waiting;

static int
send_connection(struct session *s, int link)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct passed told = { .client = STR("") };

	if (s->conn->ends)
		told = (struct passed){ .client = str_c(s->address),
			.client_port = (uint16_t)net_addr_port(&s->peer),
			.server = str_c(s->server_address),
			.server_port = (uint16_t)net_addr_port(&s->server) };
	passed_put(&bytes, &told);
	return net_send_fd(link, buf_str(&bytes), s->conn->io.fd);
}

/* smtpd hangs up when it has the client. */
SWITCHES static bool
hand_over(struct session *s, const char *service)
{
	deadline_t patience = deadline_in(SMTPD_WAIT);
	int link = service_connect_peer(service, patience);
	struct io io = { 0 };
	bool taken;

	if (link < 0)
		return false;
	if (send_connection(s, link) < 0 || io_open(&io, link) < 0) {
		close(link);
		return false;
	}
	/* Then it has waited longer than any client does. */
	io.readable = false;
	taken = io_wait_read(&io, patience) == 0;
	io_close(&io);
	if (!taken && errno != ECANCELED)
		log_warn("smtpd has not taken %.*s in time", STR_ARG(s->client));
	return true;
}

void
pass_to_smtpd(struct session *s)
{
	const char *service = arena_cstr(s->arena, s->p->smtpd_service_name);

	sessions_leave(s);
	if (waiting >= (size_t)s->p->postscreen_post_queue_limit) {
		log_line(POSTSCREEN_REFUSED, s->client, STR("all server ports busy"));
		(void)session_reply(s, "421 4.3.2 All server ports are busy");
		return;
	}
	waiting++;
	if (!hand_over(s, service)) {
		if (errno != ECANCELED) /* by our own end */
			log_warn("cannot connect to service private/%s: %m", service);
		(void)session_reply(s, "421 4.3.2 No system resources");
	}
	waiting--;
}
