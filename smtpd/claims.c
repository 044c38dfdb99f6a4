/* claims.c -- see claims.h. */
#include "claims.h"
#include "address.h"

static const char unsure[] = "?"; /* where the empty value of [TEMPUNAVAIL] points to */

bool
claim_is_unsure(struct str value)
{
	return value.data == unsure;
}

/* attribute-value = xtext; [UNAVAILABLE] and [TEMPUNAVAIL] mean that it is not known. */
static bool
read_value(struct session *s, struct str word, struct str *out)
{
	struct buf value CLEANUP(buf_free) = BUF_INIT;

	if (str_case_is(word, "[UNAVAILABLE]") || str_case_is(word, "[TEMPUNAVAIL]")) {
		*out = word.data[1] == 'T' || word.data[1] == 't' ? str_of(unsure, 0)
								  : STR("");
		return true;
	}
	if (word.len == 0 || word.len > 255 || xtext_decode(word, &value) < 0)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_print(value.data[i]))
			return false;
	*out = arena_str(s->arena, buf_str(&value));
	return true;
}

bool
claims_read(struct session *s, const char *verb, struct str rest,
	const struct claim *known, size_t n, void *into)
{
	struct str word;

	if (rest.len == 0)
		return reply(s, 501, "5.5.4 Syntax: %s attribute=value...", verb);
	while (str_token(&rest, " \t", &word)) {
		ssize_t equals = str_chr(word, '=');
		struct str name = str_sub(word, 0, equals < 0 ? 0 : (size_t)equals);
		struct str *at = NULL;

		if (equals <= 0 || (size_t)equals + 1 == word.len)
			return reply(s, 501, "5.5.4 Error: attribute=value expected");
		for (size_t i = 0; i < n; i++)
			if (str_case_is(name, known[i].name))
				at = (struct str *)((char *)into + known[i].offset);
		if (!at)
			return reply(s, 501, "5.5.4 Bad %s attribute name: %.*s", verb,
				STR_ARG(name));
		if (!read_value(s, str_from(word, (size_t)equals + 1), at))
			return reply(s, 501, "5.5.4 Bad %s %.*s syntax: %.*s", verb,
				STR_ARG(name), STR_ARG(word));
	}
	return true;
}

bool
claim_is_hostname(struct str s)
{
	return s.len == 0 || address_domain_is_valid(s, ADDRESS_LOOSE);
}

bool
claim_is_port(struct str s)
{
	uint64_t port;

	return s.len == 0 || (str_to_u64(s, &port) == 0 && port <= 65535);
}
