/* permits.c -- the one table of who may reach whom, by program: services of master.cf are
 * found by name, but what stands behind the name decides. Deliberately small: a captured
 * smtpd can submit mail, which it could before, and ask the helpers of its session. */
#include "broker.h"

#define AGENTS "smtp", "lmtp", "local", "virtual", "pipe", "error", "discard"
#define MOST   16

static const struct {
	const char *program;
	const char *peers[MOST];
} table[] = {
	{ "smtpd", { "cleanup", "dns", "anvil", "tlsmgr", "proxymap", "verify", "flush",
			   "bounce", "sasl", "greylistd", "mailauth" } },
	{ "postscreen",
		{ "smtpd", "dns", "tlsmgr", "proxymap" } }, /* smtpd: of type pass */
	{ "pickup", { "cleanup", "bounce" } },
	{ "cleanup", { "spool", "dns", "proxymap", "mailauth", "dkimsign" } },
	{ "mailauth", { "dns" } },
	{ "stsd", { "dns" } },
	/* Its transports only to have them started: agents answer over their own link. */
	{ "qmgr", { "spool", "bounce", "pickup", "dns", "proxymap", "flush", "verify",
			  AGENTS } },
	{ "bounce", { "cleanup" } },
	{ "verify", { "cleanup", "proxymap" } },
	{ "flush", { "qmgr" } },
	{ "showq", { "qmgr" } },
	{ "smtp", { "qmgr", "dns", "tlsmgr", "proxymap", "bounce", "stsd" } },
	{ "lmtp", { "qmgr", "dns", "tlsmgr", "proxymap", "bounce" } },
	{ "local", { "qmgr", "cleanup", "proxymap" } },
	{ "virtual", { "qmgr", "proxymap" } },
	{ "pipe", { "qmgr", "proxymap" } },
	{ "error", { "qmgr" } },
	{ "discard", { "qmgr" } },
};

enum endpoints_allowed
permits_endpoints(const char *program)
{
	if (strcmp(program, "lmtp") == 0) /* next hops: RFC 2033 over unix sockets */
		return ENDPOINTS_ANY;
	if (strcmp(program, "qmgr") == 0)
		return ENDPOINTS_EVENTS;
	return strcmp(program, "smtpd") == 0 || strcmp(program, "cleanup") == 0
		       ? ENDPOINTS_NAMED
		       : ENDPOINTS_NONE;
}

bool
permits(const char *program, struct str peer_program)
{
	for (size_t i = 0; i < COUNT(table); i++) {
		if (strcmp(table[i].program, program) != 0)
			continue;
		for (size_t j = 0; j < MOST && table[i].peers[j]; j++)
			if (str_is(peer_program, table[i].peers[j]))
				return true;
	}
	return false;
}
