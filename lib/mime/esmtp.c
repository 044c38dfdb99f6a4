/* esmtp.c -- see esmtp.h. */
#include "esmtp.h"
#include "address.h"
#include "messages.h"

#define ENVID_MOST 100 /* RFC 3461 section 4.4, as sent */
#define ORCPT_MOST 500 /* RFC 3461 section 4.2, as sent */

/* One parameter taken apart, and where its reader puts what is wrong. */
struct parameter {
	struct str name, value; /* value.data is NULL without a = */
	struct arena *arena;
	int *code;
	struct why *why;
};

static enum verdict
syntax_error(const struct parameter *p, const char *text)
{
	return why_set(p->why, "5.5.4", "%s", text);
}

static enum verdict
unsupported(const struct parameter *p)
{
	*p->code = 555; /* RFC 5321 section 4.1.1.11 */
	return why_set(p->why, "5.5.4", "Unsupported option: %.*s%s%.*s",
		STR_ARG(p->name), p->value.data ? "=" : "", STR_ARG(p->value));
}

/* The keyword was taken out of the answer to EHLO, or belongs to an extension that is
 * off. */
static enum verdict
withheld(const struct parameter *p, unsigned extension)
{
	return extension == ESMTP_DSN
		       ? why_set(p->why, "5.7.1", "DSN support is disabled")
		       : unsupported(p);
}

/* RFC 1870 section 3: size-value = 1*20DIGIT */
static enum verdict
read_size(const struct parameter *p, struct mail_parameters *out)
{
	uint64_t size;

	for (size_t i = 0; i < p->value.len; i++)
		if (!ascii_is_digit(p->value.data[i]))
			return syntax_error(p, "Bad message size syntax");
	if (p->value.len == 0)
		return syntax_error(p, "Bad message size syntax");
	if (str_to_u64(p->value, &size) < 0 || size > INT64_MAX)
		size = INT64_MAX; /* more than any limit, or any disk */
	out->size = size;
	return ACCEPT;
}

static enum verdict
read_body(const struct parameter *p, struct mail_parameters *out)
{
	if (str_case_is(p->value, "8BITMIME"))
		out->eight_bit = true;
	else if (!str_case_is(p->value, "7BIT"))
		return unsupported(p);
	return ACCEPT;
}

static enum verdict
read_ret(const struct parameter *p, struct mail_parameters *out)
{
	if (out->ret == RET_NONE && str_case_is(p->value, "FULL"))
		out->ret = RET_FULL;
	else if (out->ret == RET_NONE && str_case_is(p->value, "HDRS"))
		out->ret = RET_HDRS;
	else
		return syntax_error(p, "Bad RET parameter syntax");
	return ACCEPT;
}

/* Decodes xtext whose content must be printable: it goes into headers and log lines. */
static bool
read_xtext(struct str value, size_t most, struct arena *arena, struct str *out)
{
	struct buf decoded CLEANUP(buf_free) = BUF_INIT;

	if (value.len == 0 || value.len > most || xtext_decode(value, &decoded) < 0)
		return false;
	for (size_t i = 0; i < decoded.len; i++)
		if (!ascii_is_print(decoded.data[i]))
			return false;
	*out = arena_str(arena, buf_str(&decoded));
	return true;
}

static enum verdict
read_envid(const struct parameter *p, struct mail_parameters *out)
{
	if (out->envid.data || !read_xtext(p->value, ENVID_MOST, p->arena, &out->envid))
		return syntax_error(p, "Bad ENVID parameter syntax");
	return ACCEPT;
}

static enum verdict
read_smtputf8(const struct parameter *p, struct mail_parameters *out)
{
	(void)p;
	out->smtputf8 = true;
	return ACCEPT;
}

/* RFC 8689 section 4.1 */
static enum verdict
read_requiretls(const struct parameter *p, struct mail_parameters *out)
{
	(void)p;
	out->requiretls = true;
	return ACCEPT;
}

/* RFC 4954 section 5. Nothing is decided by it, so nothing is wrong with it. */
static enum verdict
read_auth(const struct parameter *p, struct mail_parameters *out)
{
	char *text = arena_alloc(p->arena, p->value.len + 1);

	for (size_t i = 0; i < p->value.len; i++)
		text[i] = ascii_is_print(p->value.data[i]) ? p->value.data[i] : '?';
	out->auth = p->value.len == 0 || str_is(p->value, "<>")
			    ? STR_NONE
			    : str_of(text, p->value.len);
	return ACCEPT;
}

static enum verdict
read_xverp(const struct parameter *p, struct mail_parameters *out)
{
	out->xverp = true;
	out->verp = p->value.data ? arena_str(p->arena, p->value) : STR_NONE;
	return ACCEPT;
}

/* notify-esmtp-value = "NEVER" / 1#notify-list-element */
static enum verdict
read_notify(const struct parameter *p, struct rcpt_parameters *out)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = {
		{ "NEVER", NOTIFY_NEVER },
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};
	struct str rest = p->value, word;
	uint8_t bits = 0;

	while (str_split(&rest, ',', &word)) {
		size_t i = 0;

		while (i < COUNT(words) && !str_case_is(word, words[i].word))
			i++;
		if (i == COUNT(words))
			return syntax_error(p, "Error: Bad NOTIFY parameter syntax");
		bits |= words[i].bit;
	}
	if (!bits || out->notify || (bits & NOTIFY_NEVER && bits != NOTIFY_NEVER) ||
		p->value.data[p->value.len - 1] == ',')
		return syntax_error(p, "Error: Bad NOTIFY parameter syntax");
	out->notify = bits;
	return ACCEPT;
}

static bool
is_atom(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
	return s.len > 0;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return true;
	return false;
}

/* orcpt = addr-type ";" xtext; with SMTPUTF8 also utf-8;address as it is or with \x{...}
 * (RFC 6533 section 3), which is kept as sent. */
static enum verdict
read_orcpt(const struct parameter *p, struct rcpt_parameters *out)
{
	struct str address = p->value, type, decoded;

	if (out->orcpt.data || p->value.len > ORCPT_MOST || str_chr(p->value, ';') < 0 ||
		!str_split(&address, ';', &type) || !is_atom(type))
		return syntax_error(p, "Error: Bad ORCPT parameter syntax");
	if (str_case_is(type, "utf-8") && address.len && !has_control(address) &&
		address_utf8_is_valid(address))
		decoded = address;
	else if (!read_xtext(address, ORCPT_MOST, p->arena, &decoded))
		return syntax_error(p, "Error: Bad ORCPT parameter syntax");
	out->orcpt = arena_printf(p->arena, "%.*s;%.*s", STR_ARG(type), STR_ARG(decoded));
	return ACCEPT;
}

enum { VALUE, FLAG, EITHER };
static const struct {
	const char *name;
	unsigned extension;
	int takes; /* a FLAG has no = */
	enum verdict (*read)(const struct parameter *p, struct mail_parameters *out);
} mail_words[] = {
	{ "SIZE", ESMTP_SIZE, VALUE, read_size },
	{ "BODY", ESMTP_8BITMIME, VALUE, read_body },
	{ "SMTPUTF8", ESMTP_SMTPUTF8, FLAG, read_smtputf8 },
	{ "AUTH", 0, VALUE, read_auth },
	{ "RET", ESMTP_DSN, VALUE, read_ret },
	{ "ENVID", ESMTP_DSN, VALUE, read_envid },
	{ "REQUIRETLS", ESMTP_REQUIRETLS, FLAG, read_requiretls },
	{ "XVERP", ESMTP_XVERP, EITHER, read_xverp },
};
static const struct {
	const char *name;
	unsigned extension;
	bool is_flag;
	enum verdict (*read)(const struct parameter *p, struct rcpt_parameters *out);
} rcpt_words[] = {
	{ "NOTIFY", ESMTP_DSN, false, read_notify },
	{ "ORCPT", ESMTP_DSN, false, read_orcpt },
};

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
static bool
next_parameter(struct str *rest, struct parameter *p)
{
	struct str word;
	ssize_t equals;

	if (!str_token(rest, " \t", &word))
		return false;
	equals = str_chr(word, '=');
	p->name = equals < 0 ? word : str_sub(word, 0, (size_t)equals);
	p->value = equals < 0 ? STR_NONE : str_from(word, (size_t)equals + 1);
	return true;
}

enum verdict
mail_parameters_parse(struct str text, unsigned extensions, struct arena *arena,
	struct mail_parameters *out, int *code, struct why *why)
{
	struct parameter p = { .arena = arena, .code = code, .why = why };

	*code = 501;
	while (next_parameter(&text, &p)) {
		enum verdict verdict;
		size_t i = 0;

		while (i < COUNT(mail_words) && !str_case_is(p.name, mail_words[i].name))
			i++;
		if (i == COUNT(mail_words) ||
			mail_words[i].takes == (p.value.data ? FLAG : VALUE))
			return unsupported(&p);
		if (mail_words[i].extension && !(extensions & mail_words[i].extension))
			return withheld(&p, mail_words[i].extension);
		verdict = mail_words[i].read(&p, out);
		if (verdict != ACCEPT)
			return verdict;
	}
	return ACCEPT;
}

enum verdict
rcpt_parameters_parse(struct str text, unsigned extensions, struct arena *arena,
	struct rcpt_parameters *out, int *code, struct why *why)
{
	struct parameter p = { .arena = arena, .code = code, .why = why };

	*code = 501;
	while (next_parameter(&text, &p)) {
		enum verdict verdict;
		size_t i = 0;

		while (i < COUNT(rcpt_words) && !str_case_is(p.name, rcpt_words[i].name))
			i++;
		if (i == COUNT(rcpt_words) ||
			(p.value.data == NULL) != rcpt_words[i].is_flag)
			return unsupported(&p);
		if (!(extensions & rcpt_words[i].extension))
			return withheld(&p, rcpt_words[i].extension);
		verdict = rcpt_words[i].read(&p, out);
		if (verdict != ACCEPT)
			return verdict;
	}
	return ACCEPT;
}

bool
verp_delimiters_are_valid(struct str delimiters, struct str filter)
{
	return delimiters.len == 2 && str_chr(filter, delimiters.data[0]) >= 0 &&
	       str_chr(filter, delimiters.data[1]) >= 0;
}

bool
bdat_parse(struct str text, octets_t *count, bool *last)
{
	struct str word;
	uint64_t n;

	if (!str_token(&text, " \t", &word) || str_to_u64(word, &n) < 0 || n > INT64_MAX)
		return false;
	*count = n;
	*last = str_token(&text, " \t", &word);
	return !*last || (str_case_is(word, "LAST") && !str_token(&text, " \t", &word));
}
