/* dkimsign -- has the private keys of DKIM, and signs hashes with them; has the secrets
 * of SRS, and rewrites addresses with them. */
#include "changes.h"
#include "event.h"
#include "keys.h"
#include "messages.h"
#include "rewrite.h"
#include "service.h"

struct use {
	const struct sign_key *key;
	struct str hash;
	struct buf signature;
	int result;
};

static void
use_key(void *arg)
{
	struct use *use = arg;

	use->result = sign_key_use(use->key, use->hash, &use->signature);
}

static void
sign(struct ipc_request *rq)
{
	struct dkim_sign_request ask;
	struct dkim_sign_reply say = { .error = STR_NONE };
	struct use use = { .signature = BUF_INIT };
	struct why why;

	service_busy(+1);
	why_set(&why, "4.3.0", "malformed request");
	if (dkim_sign_request_get(rq->payload, &ask, rq->arena) == 0)
		use.key = keys_find(ask.key, &why);
	if (use.key) {
		say.is_ed25519 = sign_key_kind(use.key) == SIGN_ED25519;
		use.hash = say.is_ed25519 ? ask.ed25519_hash : ask.rsa_hash;
		event_offload(use_key, &use);
		if (use.result < 0)
			why_set(&why, "4.3.0", "OpenSSL does not sign");
	}
	if (use.key && use.result == 0)
		say.signature = buf_str(&use.signature);
	else
		say.error = str_c(why.text);
	dkim_sign_answer(rq, &say);
	buf_free(&use.signature);
	service_busy(-1);
}

static const struct ipc_handler handlers[] = {
	{ .type = dkim_sign_TYPE, .run = sign, .stack = CO_STACK_SMALL },
	{ .type = srs_TYPE, .run = rewrite_answer, .stack = CO_STACK_LARGE },
	{ 0 },
};

static void
open_secrets(void)
{
	keys_open();
	rewrite_open();
}

static const struct service dkimsign = {
	.name = "dkimsign",
	.user = USER_SIGN,
	.before_jail = open_secrets,
	.start = changes_watch,
	.handlers = handlers,
};

int
main(int argc, char **argv)
{
	return service_main(&dkimsign, argc, argv);
}
