/* dovecot_line.c -- see dovecot_line.h. */
#include "dovecot_line.h"

#define ESCAPE '\001'

/* The escapes, and what they stand for. */
static const struct {
	char letter, meant;
} escapes[] = { { '0', 0 }, { '1', ESCAPE }, { 't', '\t' }, { 'r', '\r' }, { 'n', '\n' },
	{ 'l', '\n' } };

void
dovecot_add_escaped(struct buf *out, struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		size_t e = 0;

		while (e < COUNT(escapes) && escapes[e].meant != value.data[i])
			e++;
		if (e < COUNT(escapes))
			buf_addc(out, ESCAPE);
		buf_addc(out, e < COUNT(escapes) ? escapes[e].letter : value.data[i]);
	}
}

static char
unescaped(char letter)
{
	for (size_t e = 0; e < COUNT(escapes); e++)
		if (escapes[e].letter == letter)
			return escapes[e].meant;
	return letter;
}

/* It goes into log lines, replies and headers. */
static struct str
read_text(struct str value, struct arena *arena)
{
	char *text = arena_alloc(arena, value.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (c == ESCAPE && i + 1 < value.len)
			c = unescaped(value.data[++i]);
		text[n++] = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
	}
	return str_of(text, n);
}

static bool
take_number(struct str *rest, uint32_t *out)
{
	struct str word;
	uint64_t n;

	if (!str_split(rest, '\t', &word) || str_to_u64(word, &n) < 0 || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* VERSION, and of what is compatible with what: a major and a minor number. */
static bool
read_version(struct str rest, struct arena *arena, struct dovecot_line *out)
{
	uint32_t minor;

	(void)arena;
	return take_number(&rest, &out->major) && take_number(&rest, &minor);
}

/* RFC 4422 section 3.1: sasl-mech = 1*20mech-char; some have longer names. */
static bool
is_mechanism(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '-' &&
			name.data[i] != '_')
			return false;
	return name.len > 0 && name.len <= DOVECOT_MECH_LENGTH;
}

/* A name and properties, of which later versions may have more. */
static bool
read_mech(struct str rest, struct arena *arena, struct dovecot_line *out)
{
	static const struct {
		const char *word;
		unsigned property;
	} known[] = {
		{ "plaintext", SASL_PLAINTEXT },
		{ "active", SASL_ACTIVE },
		{ "dictionary", SASL_DICTIONARY },
		{ "anonymous", SASL_ANONYMOUS },
		{ "mutual-auth", SASL_MUTUAL },
		{ "forward-secrecy", SASL_FORWARD },
		{ "private", SASL_NOT_OFFERED },
		/* Wants to know about the TLS connection what this version of the
		 * protocol has no words for. */
		{ "channel-binding", SASL_NOT_OFFERED },
	};
	struct str word;

	(void)arena;
	if (!str_split(&rest, '\t', &out->mechanism.name) ||
		!is_mechanism(out->mechanism.name))
		return false;
	while (str_split(&rest, '\t', &word))
		for (size_t i = 0; i < COUNT(known); i++)
			if (str_is(word, known[i].word))
				out->mechanism.properties |= known[i].property;
	return true;
}

static bool
read_cont(struct str rest, struct arena *arena, struct dovecot_line *out)
{
	(void)arena;
	if (!take_number(&rest, &out->id))
		return false;
	out->challenge = STR("");
	(void)str_split(&rest, '\t', &out->challenge);
	return sasl_is_base64(out->challenge);
}

/* Of what is said about an outcome most is for mail readers. */
static bool
read_outcome(struct str rest, struct arena *arena, struct dovecot_line *out)
{
	struct str word;

	if (!take_number(&rest, &out->id))
		return false;
	while (str_split(&rest, '\t', &word)) {
		if (str_starts(word, STR("user=")))
			out->user = read_text(str_from(word, 5), arena);
		else if (str_starts(word, STR("reason=")))
			out->reason = read_text(str_from(word, 7), arena);
		else if (str_is(word, "temp") || str_is(word, "code=temp_fail"))
			out->temporary = true;
	}
	return true;
}

static const struct {
	const char *name;
	enum dovecot_word word;
	bool (*read)(struct str rest, struct arena *arena, struct dovecot_line *out);
} words[] = {
	{ "VERSION", DOVECOT_VERSION, read_version },
	{ "MECH", DOVECOT_MECH, read_mech },
	{ "DONE", DOVECOT_DONE, NULL },
	{ "OK", DOVECOT_OK, read_outcome },
	{ "FAIL", DOVECOT_FAIL, read_outcome },
	{ "CONT", DOVECOT_CONT, read_cont },
};

bool
dovecot_line_read(struct str line, struct arena *arena, struct dovecot_line *out)
{
	struct str word;

	*out = (struct dovecot_line){ .word = DOVECOT_OTHER };
	if (!str_split(&line, '\t', &word))
		return false;
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_is(word, words[i].name)) {
			out->word = words[i].word;
			return !words[i].read || words[i].read(line, arena, out);
		}
	return true;
}
