/* error -- refuses every delivery (error(8)); as the service `retry` it defers them. */
#include "agent.h"

#define SLOTS 1000

/* Takes an enhanced status code (RFC 3463) off the start of *text; "" when there is none.
 */
static const char *
error_code(struct str *text, char code[16])
{
	struct str rest = *text, word;

	code[0] = '\0';
	if (!str_token(&rest, " \t", &word) || word.len < 5 || word.len > 11 ||
		(word.data[0] != '4' && word.data[0] != '5') || word.data[1] != '.')
		return code;
	for (size_t i = 1, dots = 0; i < word.len; i++) {
		dots += word.data[i] == '.';
		if ((word.data[i] != '.' && !ascii_is_digit(word.data[i])) || dots > 2)
			return code;
	}
	memcpy(code, word.data, word.len);
	code[word.len] = '\0';
	*text = str_trim(rest);
	return code;
}

static void
error_deliver(struct delivery *d)
{
	bool retry = strcmp(service_name(), "retry") == 0;
	struct str text = d->ask.nexthop;
	char code[16];

	error_code(&text, code);
	if (code[0] == '\0')
		memcpy(code, "5.0.0", 6);
	code[0] = retry ? '4' : '5';
	delivery_all(d, retry ? TEMPFAIL : PERMFAIL, code, STR("none"), text);
}

static void
error_start(void)
{
	agent_run(error_deliver, SLOTS);
}

static const struct service error_service = {
	.name = "error",
	.user = USER_MAIL_OWNER,
	.peers = (const char *const[]){ "qmgr", NULL },
	.start = error_start,
	.drain = agent_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&error_service, argc, argv);
}
