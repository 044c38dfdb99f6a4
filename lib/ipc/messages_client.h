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
#define anvil_REQUEST(FIELD, LIST) \
	FIELD(U8, event) \
	FIELD(BOOL, look)  /* it has not happened yet: count nothing */ \
	FIELD(STR, client) /* "smtp:192.0.2.1": service, and address or network */
#define anvil_REPLY(FIELD, LIST) \
	FIELD(U32, rate)  /* events of this kind in this time unit */ \
	FIELD(U32, count) /* its connections at this moment */
IPC_RPC(anvil, 50)
#define anvil_gone_NOTE(FIELD, LIST) FIELD(STR, client)
IPC_NOTE(anvil_gone, 51)

/* ---- smtpd -> anvil: somebody who may send, sends. Is it too much? ---- */
enum quota_about {
	QUOTA_LOGIN,
	QUOTA_DOMAIN, /* of a sender */
	QUOTA_ABOUTS,
};
enum quota_kind { QUOTA_MESSAGES, QUOTA_RECIPIENTS, QUOTA_BYTES, QUOTA_KINDS };
enum quota_period { QUOTA_HOUR, QUOTA_DAY, QUOTA_PERIODS };
enum quota_how {
	QUOTA_LOOK,   /* counts nothing */
	QUOTA_WITHIN, /* counts what keeps to the limits */
	QUOTA_ALWAYS, /* counts all */
	QUOTA_HOWS,
};
#define quota_REQUEST(FIELD, LIST) \
	FIELD(U8, about)   /* enum quota_about */ \
	FIELD(STR, name)   /* "joe", "example.org" */ \
	FIELD(U8, kind)    /* enum quota_kind */ \
	FIELD(U64, amount) /* of it */ \
	FIELD(U8, how)     /* enum quota_how */ \
	FIELD(U64, hour)   /* limits; 0: none */ \
	FIELD(U64, day)
#define quota_REPLY(FIELD, LIST) \
	FIELD(BOOL, over) /* beyond the limit */ \
	FIELD(U8, period) /* of this enum quota_period, */ \
	FIELD(U64, used)  /* in which it would be so much */
IPC_RPC(quota, 53)

/* ---- a command -> anvil: what was counted, or is to be forgotten ---- */
#define quota_span_FIELDS(FIELD, LIST) \
	FIELD(U64, began) /* seconds since 1970; 0: it is over */ \
	FIELD(U64, messages) \
	FIELD(U64, recipients) \
	FIELD(U64, bytes)
IPC_STRUCT(quota_span)
#define quota_account_FIELDS(FIELD, LIST) \
	FIELD(STR, name)        /* "login:joe", "domain:example.org" */ \
	LIST(quota_span, spans) /* by enum quota_period */
IPC_STRUCT(quota_account)
#define quota_list_REQUEST(FIELD, LIST) \
	FIELD(STRS, names) /* of these, or of all */ \
	FIELD(BOOL, lift)  /* and they begin anew: of these only */
#define quota_list_REPLY(FIELD, LIST) \
	LIST(quota_account, accounts) \
	FIELD(U64, left_out) /* there are so many more */
IPC_RPC(quota_list, 54)

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
