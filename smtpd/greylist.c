/* greylist.c -- check_greylist: mail from a client that is not known yet has to come
 * again (RFC 6647). greylistd knows who was there, for all workers together. */
#include "explain.h"
#include "limits.h"
#include "messages.h"
#include "service.h"
#include "session.h"
#include <errno.h>
#include <sys/socket.h>

/* greylistd answers in microseconds, once it has started. When it does not, it is left
 * alone for a while. Without an answer the client is served. */
#define PATIENCE   ((msec_t)3000)
#define LEFT_ALONE ((msec_t)10000)

static struct str
client_network(struct session *s)
{
	bool v6 = s->peer.sa.ss_family == AF_INET6;

	return limits_network_name(s, (unsigned)(v6 ? s->p->greylist_ipv6_prefix_length
						    : s->p->greylist_ipv4_prefix_length));
}

/* How many seconds the client has to wait; 0: it may come in. */
SWITCHES static uint32_t
ask(struct session *s)
{
	static deadline_t left_alone_until;
	struct greylist_request question = { .network = client_network(s),
		.sender = s->asked_sender,
		.recipient = s->asked_recipient };
	struct greylist_reply said;

	if (event_now() < left_alone_until)
		return 0;
	if (greylist_call(service_peer("greylistd"), &question, &said, s->command,
		    deadline_in(PATIENCE)) == 0)
		return said.wait;
	if (errno != ECANCELED) {
		log_warn("greylistd: %m: for a while check_greylist has no effect");
		left_alone_until = deadline_in(LEFT_ALONE);
	}
	return 0;
}

enum decision
check_greylist(struct session *s, const struct check *c)
{
	uint32_t wait;

	(void)c;
	if (!s->asked_sender.data || !s->asked_recipient.data)
		return DUNNO;
	if (explain_on) /* who only asks was not here */
		return DUNNO;
	wait = ask(s);
	if (wait == 0)
		return DUNNO;
	return defer_if_permit(s, 450, "4.7.1",
		"<%.*s>: Recipient address rejected: Greylisted, come again in %u "
		"seconds",
		STR_ARG(s->asked_recipient), wait);
}
