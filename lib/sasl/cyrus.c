/* cyrus.c -- see cyrus.h. */
#include "cyrus.h"
#include "sasl_impl.h"
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

static sasl_conn_t *connection;
static void (*tell)(const char *text, bool bad);
static struct buf decoded, encoded; /* the response in hand, the challenge */

static int
on_log(void *context, int level, const char *text)
{
	(void)context;
	if (level == SASL_LOG_ERR || level == SASL_LOG_WARN || level == SASL_LOG_FAIL)
		tell(text, level == SASL_LOG_FAIL);
	return SASL_OK;
}

/* The library asks for a function by its number, and calls it by its right type. */
typedef int any_function(void);
static const sasl_callback_t callbacks[] = {
	{ SASL_CB_LOG, (any_function *)(uintptr_t)on_log, NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

bool
cyrus_start(const struct cyrus_config *config, void (*log)(const char *text, bool bad),
	struct why *why)
{
	/* No layer of encryption of its own: TLS is that. */
	sasl_security_properties_t properties = { .max_ssf = 0, .maxbufsize = 0 };
	int result;

	tell = log;
	result = sasl_set_path(
		SASL_PATH_TYPE_CONFIG, (char *)(uintptr_t)config->directories);
	if (result == SASL_OK)
		result = sasl_server_init(callbacks, config->application);
	if (result == SASL_OK)
		result = sasl_server_new(config->service, config->host, config->realm,
			NULL, NULL, callbacks, 0, &connection);
	if (result == SASL_OK)
		result = sasl_setprop(connection, SASL_SEC_PROPS, &properties);
	if (result == SASL_OK)
		return true;
	why_set(why, "4.3.5", "SASL library: %s", sasl_errstring(result, NULL, NULL));
	return false;
}

/* What a plug-in says of itself, in our words: it has a flag for each danger that is not
 * there. */
static unsigned
properties_of(unsigned flags)
{
	static const struct {
		unsigned flag, with, without;
	} meanings[] = {
		{ SASL_SEC_NOPLAINTEXT, 0, SASL_PLAINTEXT },
		{ SASL_SEC_NOACTIVE, 0, SASL_ACTIVE },
		{ SASL_SEC_NODICTIONARY, 0, SASL_DICTIONARY },
		{ SASL_SEC_NOANONYMOUS, 0, SASL_ANONYMOUS },
		{ SASL_SEC_MUTUAL_AUTH, SASL_MUTUAL, 0 },
		{ SASL_SEC_FORWARD_SECRECY, SASL_FORWARD, 0 },
	};
	unsigned properties = 0;

	for (size_t i = 0; i < COUNT(meanings); i++)
		properties |=
			flags & meanings[i].flag ? meanings[i].with : meanings[i].without;
	return properties;
}

struct search {
	struct str name;
	unsigned properties;
};

static void
on_plug_in(server_sasl_mechanism_t *m, sasl_info_callback_stage_t stage, void *arg)
{
	struct search *wanted = arg;

	if (stage == SASL_INFO_LIST_MECH && str_case_is(wanted->name, m->plug->mech_name))
		wanted->properties = properties_of(m->plug->security_flags);
}

void
cyrus_mechanisms(void (*each)(const struct sasl_mechanism *m))
{
	const char *list;
	struct str rest, name;

	if (sasl_listmech(connection, NULL, "", " ", "", &list, NULL, NULL) != SASL_OK)
		return;
	rest = str_c(list);
	while (str_token(&rest, " ", &name)) {
		struct search wanted = { .name = name };
		struct sasl_mechanism m = { .name = name };

		(void)sasl_server_plugin_info(NULL, on_plug_in, &wanted);
		m.properties = wanted.properties;
		each(&m);
	}
}

/* Nobody was judged when the library had a trouble of its own, or whoever it asked. */
static bool
is_trouble(int result)
{
	return result == SASL_FAIL || result == SASL_TRYAGAIN || result == SASL_UNAVAIL ||
	       result == SASL_NOMEM;
}

static void
conclude(int result, const char *out, unsigned len, struct sasl_answer *answer)
{
	const void *name = NULL;

	*answer = (struct sasl_answer){ .status = SASL_REFUSED };
	buf_clear(&encoded);
	if (result == SASL_CONTINUE) {
		base64_encode(str_of(out, len), &encoded);
		sasl_answer_set(answer, SASL_MORE, buf_str(&encoded));
		return;
	}
	if (result == SASL_OK)
		result = sasl_getprop(connection, SASL_USERNAME, &name);
	if (result == SASL_OK && name) {
		answer->status = SASL_DONE;
		answer->username = str_c(name);
		return;
	}
	answer->status = is_trouble(result) ? SASL_TEMPFAIL : SASL_REFUSED;
	answer->text = str_c(sasl_errstring(result, NULL, NULL));
	if (sasl_getprop(connection, SASL_USERNAME, &name) == SASL_OK && name)
		answer->username = str_c(name);
}

static bool
decode(struct str response, struct sasl_answer *answer)
{
	buf_wipe(&decoded);
	if (base64_decode(response, &decoded) == 0)
		return true;
	sasl_answer_set(answer, SASL_REFUSED, STR("bad base64"));
	return false;
}

void
cyrus_begin(struct str mechanism, struct str response, struct sasl_answer *answer)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	const char *out = NULL;
	unsigned len = 0;
	int result;

	if (response.data && !decode(response, answer))
		return;
	buf_add(&name, mechanism);
	/* A response of no octets is one, too. */
	result = sasl_server_start(connection, buf_cstr(&name),
		!response.data ? NULL
		: decoded.len  ? decoded.data
			       : "",
		(unsigned)decoded.len, &out, &len);
	conclude(result, out, len, answer);
}

void
cyrus_continue(struct str response, struct sasl_answer *answer)
{
	const char *out = NULL;
	unsigned len = 0;
	int result;

	if (!decode(response, answer))
		return;
	result = sasl_server_step(connection, decoded.len ? decoded.data : "",
		(unsigned)decoded.len, &out, &len);
	conclude(result, out, len, answer);
}
