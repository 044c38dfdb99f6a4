/* postauth_options.c -- options that subcommands share. See postauth.h. */
#include "log.h"
#include "postauth.h"
#include "spf.h"

bool
postauth_take_asking(int opt, const char *value, struct postauth_asking *out)
{
	switch (opt) {
	case 'c':
		out->directory = value;
		return true;
	case POSTAUTH_DNS:
		out->server = value;
		return true;
	case POSTAUTH_TIME:
		if (conf_time(str_c(value), 's', &out->patience) < 0)
			log_fatal("%s is no time", value);
		return true;
	default:
		return false;
	}
}

bool
postauth_take_client(int opt, const char *value, struct spf_question *out)
{
	switch (opt) {
	case POSTAUTH_CLIENT:
		if (net_addr_parse(str_c(value), 0, &out->client) < 0)
			log_fatal("%s is no address", value);
		return true;
	case POSTAUTH_HELO:
		out->helo = str_c(value);
		return true;
	case POSTAUTH_SENDER:
		out->sender = postauth_sender(value);
		return true;
	default:
		return false;
	}
}

bool
postauth_has_client(const struct spf_question *q)
{
	return q->client.sa.ss_family != AF_UNSPEC;
}
