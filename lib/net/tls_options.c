/* tls_options.c -- OpenSSL's options by the names that Postfix has for them. */
#include "tls_impl.h"
#include "log.h"

struct option {
	const char *name;
	uint64_t bits;
};

static const struct option options[] = {
	{ "ALLOW_CLIENT_RENEGOTIATION", SSL_OP_ALLOW_CLIENT_RENEGOTIATION },
	{ "CRYPTOPRO_TLSEXT_BUG", SSL_OP_CRYPTOPRO_TLSEXT_BUG },
	{ "DISABLE_TLSEXT_CA_NAMES", SSL_OP_DISABLE_TLSEXT_CA_NAMES },
	{ "ENABLE_KTLS", SSL_OP_ENABLE_KTLS },
	{ "ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT },
	{ "IGNORE_UNEXPECTED_EOF", SSL_OP_IGNORE_UNEXPECTED_EOF },
	{ "LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT },
	{ "NO_ANTI_REPLAY", SSL_OP_NO_ANTI_REPLAY },
	{ "NO_COMPRESSION", SSL_OP_NO_COMPRESSION },
	{ "NO_ENCRYPT_THEN_MAC", SSL_OP_NO_ENCRYPT_THEN_MAC },
	{ "NO_EXTENDED_MASTER_SECRET", SSL_OP_NO_EXTENDED_MASTER_SECRET },
	{ "NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION },
	{ "NO_SESSION_RESUMPTION_ON_RENEGOTIATION",
		SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION },
	{ "NO_TICKET", SSL_OP_NO_TICKET },
	{ "PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA },
	{ "SAFARI_ECDHE_ECDSA_BUG", SSL_OP_SAFARI_ECDHE_ECDSA_BUG },
	{ "TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING },
};

/* Those of SSL_OP_ALL, and old names for what has no effect any more. */
static const struct option workarounds[] = {
	{ "CRYPTOPRO_TLSEXT_BUG", SSL_OP_CRYPTOPRO_TLSEXT_BUG },
	{ "DONT_INSERT_EMPTY_FRAGMENTS", SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS },
	{ "LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT },
	{ "MICROSOFT_BIG_SSLV3_BUFFER", 0 },
	{ "MICROSOFT_SESS_ID_BUG", 0 },
	{ "MSIE_SSLV2_RSA_PADDING", 0 },
	{ "NETSCAPE_CHALLENGE_BUG", 0 },
	{ "NETSCAPE_REUSE_CIPHER_CHANGE_BUG", 0 },
	{ "SSLEAY_080_CLIENT_DH_BUG", 0 },
	{ "SSLREF2_REUSE_CERT_TYPE_BUG", 0 },
	{ "TLS_BLOCK_PADDING_BUG", 0 },
	{ "TLS_D5_BUG", 0 },
	{ "TLS_ROLLBACK_BUG", SSL_OP_TLS_ROLLBACK_BUG },
	{ "TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING },
};

/* "0x10": any bits, with or without a name. */
static bool
number_of(struct str word, uint64_t *bits)
{
	static const char digits[] = "0123456789abcdef";

	if (!str_case_starts(word, STR("0x")) || word.len < 3 || word.len > 18)
		return false;
	*bits = 0;
	for (size_t i = 2; i < word.len; i++) {
		const char *digit = strchr(digits, ascii_lower(word.data[i]));

		if (!digit || !*digit)
			return false;
		*bits = *bits << 4 | (uint64_t)(digit - digits);
	}
	return true;
}

static uint64_t
parse(const char *parameter, const struct option *list, size_t n, struct str text)
{
	struct str rest = text, word;
	uint64_t bits = 0, found;

	while (str_token(&rest, " \t\r\n,:", &word)) {
		size_t i = 0;

		while (i < n && !str_case_is(word, list[i].name))
			i++;
		if (i < n)
			bits |= list[i].bits;
		else if (number_of(word, &found))
			bits |= found;
		else
			log_warn("unknown %s value \"" STR_FMT "\" in \"" STR_FMT "\"",
				parameter, STR_ARG(word), STR_ARG(text));
	}
	return bits;
}

uint64_t
tls_options_parse(struct str text)
{
	return parse("tls_ssl_options", options, COUNT(options), text);
}

uint64_t
tls_workarounds_parse(struct str text)
{
	return parse("tls_disable_workarounds", workarounds, COUNT(workarounds), text);
}
