/* messages_client.h -- clients of smtpd and postscreen: how often they come, whether they
 * may, who they are. */
#ifndef MESSAGES_CLIENT_H
#define MESSAGES_CLIENT_H

#include "ipc.h"

/* ---- smtpd -> anvil: a client did something. How often by now? ---- */
enum anvil_event {
	ANVIL_CONNECT, /* counts as connected until anvil_gone, or the link's end */
	ANVIL_MAIL,
	ANVIL_RCPT,
	ANVIL_NEWTLS,
	ANVIL_AUTH,
	ANVIL_EVENTS,
};
/* Whom it is counted for. Only clients have connections. */
enum anvil_about {
	ANVIL_CLIENT,
	ANVIL_LOGIN,  /* "login:joe" */
	ANVIL_DOMAIN, /* of a sender: "domain:example.org" */
	ANVIL_ABOUTS,
};
#define anvil_REQUEST(FIELD, LIST) \
	FIELD(U8, event) \
	FIELD(BOOL, look) /* it has not happened yet: count nothing */ \
	FIELD(STR, \
		client)  /* "smtp:192.0.2.1": service, and address or network; or who */ \
	FIELD(U8, about) /* enum anvil_about */
#define anvil_REPLY(FIELD, LIST) \
	FIELD(U32, rate)  /* events of this kind in this time unit */ \
	FIELD(U32, count) /* its connections at this moment */
IPC_RPC(anvil, 50)
#define anvil_gone_NOTE(FIELD, LIST) FIELD(STR, client)
IPC_NOTE(anvil_gone, 51)

/* ---- smtpd -> greylistd: a client is there with this mail. Does it have to come again?
 * ---- */
#define greylist_REQUEST(FIELD, LIST) \
	FIELD(STR, network) /* "192.0.2.0/24" */ \
	FIELD(STR, sender) \
	FIELD(STR, recipient)
#define greylist_REPLY(FIELD, LIST) FIELD(U32, wait) /* seconds; 0: it may come in */
IPC_RPC(greylist, 52)

/* ---- postscreen -> smtpd, beside the descriptor of a client: between whom its
 * connection is. With the PROXY protocol the socket does not tell. ---- */
#define passed_FIELDS(FIELD, LIST) \
	FIELD(STR, client) /* an address; none: the socket tells */ \
	FIELD(U16, client_port) \
	FIELD(STR, server) \
	FIELD(U16, server_port)
IPC_STRUCT(passed)

/* ---- smtpd -> sasl: a socket comes along over which logins are judged by Cyrus SASL, in
 * the words of Dovecot's protocol (lib/sasl/dovecot_line.h). ---- */
#define sasl_attach_REQUEST(FIELD, LIST) \
	FIELD(STR, application) /* smtpd_sasl_path: names the configuration */ \
	FIELD(STR, service) \
	FIELD(STR, realm) /* smtpd_sasl_local_domain, or none */
#define sasl_attach_REPLY(FIELD, LIST) FIELD(U32, error)
IPC_RPC(sasl_attach, 70)

#endif
