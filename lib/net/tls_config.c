/* tls_config.c -- Postfix's words for TLS: which protocols, which ciphers. */
#include "net_impl.h"

static const char *const protocol_names[TLS_PROTOCOLS] = { "SSLv3", "TLSv1", "TLSv1.1",
	"TLSv1.2", "TLSv1.3" };

/* The place of a protocol; names differ from ours in case only, or are the number on the
 * wire ("0304"). SSLv2 is gone from the world: -1 without fault. */
static bool
protocol_find(struct str name, int *place)
{
	static const char *const numbers[TLS_PROTOCOLS] = { "0300", "0301", "0302",
		"0303", "0304" };

	*place = -1;
	if (str_case_starts(name, STR("0x")))
		name = str_from(name, 2);
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		if (str_case_is(name, protocol_names[i]) || str_is(name, numbers[i]))
			*place = i;
	}
	return *place >= 0 || str_case_is(name, "SSLv2");
}

struct protocol_lists {
	bool named[TLS_PROTOCOLS], excluded[TLS_PROTOCOLS];
	bool any_named;
	int least, most;
};

/* One word: "TLSv1.2", "!TLSv1", ">=TLSv1.2", "<=TLSv1.3". */
static bool
take_word(struct protocol_lists *l, struct str word)
{
	bool exclude = str_starts(word, STR("!"));
	bool least = str_starts(word, STR(">=")), most = str_starts(word, STR("<="));
	struct str name = str_from(word, least || most ? 2 : exclude ? 1 : 0);
	int place;

	if ((least || most) && (name.len == 0 || str_is(name, "0")))
		return true; /* no bound */
	if (!protocol_find(name, &place))
		return false;
	if (least)
		l->least = MAX(place, 0);
	else if (most)
		l->most = place;
	else if (exclude && place >= 0)
		l->excluded[place] = true;
	else if (!exclude) {
		l->any_named = true;
		if (place >= 0)
			l->named[place] = true;
	}
	return true;
}

int
tls_protocols_parse(struct str text, struct tls_protocols *out, struct why *why)
{
	struct protocol_lists l = { .most = TLS_PROTOCOLS - 1 };
	struct str rest = text, word;
	bool any = false;

	while (str_token(&rest, " \t\r\n,:", &word)) {
		if (take_word(&l, word))
			continue;
		why_set(why, "4.3.5",
			"unknown TLS protocol \"" STR_FMT
			"\": use SSLv3, TLSv1, TLSv1.1, "
			"TLSv1.2 or TLSv1.3, with !, >= or <= in front",
			STR_ARG(word));
		return -1;
	}
	for (int i = 0; i < TLS_PROTOCOLS; i++) {
		out->allowed[i] = i >= l.least && i <= l.most && !l.excluded[i] &&
				  (!l.any_named || l.named[i]);
		any = any || out->allowed[i];
	}
	if (any)
		return 0;
	why_set(why, "4.3.5", "\"" STR_FMT "\" leaves no TLS protocol", STR_ARG(text));
	return -1;
}

/* What a grade means when the caller brings no tls_*_cipherlist: the defaults of
 * Postfix's parameters of that name. export and low have no meaning any more. */
static const struct {
	const char *grade, *list;
} grades[] = {
	{ "high", "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!"
		  "MD5:"
		  "@STRENGTH" },
	{ "medium",
		"aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:"
		"!aDSS:!MD5:+RC4:@STRENGTH" },
	{ "null", "eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL" },
};

static const char *
grade_list(struct str grade)
{
	if (grade.len == 0 || str_case_is(grade, "low") || str_case_is(grade, "export"))
		grade = STR("medium");
	for (size_t i = 0; i < COUNT(grades); i++) {
		if (str_case_is(grade, grades[i].grade))
			return grades[i].list;
	}
	return NULL;
}

int
tls_cipher_list(const struct tls_config *conf, struct buf *out, struct why *why)
{
	const char *list = grade_list(conf->ciphers);
	struct str rest = conf->exclude_ciphers, word;

	if (!list) {
		why_set(why, "4.3.5",
			"invalid TLS cipher grade \"" STR_FMT "\": use high or medium",
			STR_ARG(conf->ciphers));
		return -1;
	}
	if (conf->cipherlist.len > 0)
		buf_add(out, conf->cipherlist);
	else
		buf_addz(out, list);
	while (str_token(&rest, " \t\r\n,:", &word)) {
		buf_addz(out, ":!");
		buf_add(out, word);
	}
	return 0;
}
