/* why.c -- one reason for the log line, the SMTP reply and the bounce (RFC 3463 codes).
 */
#include "base.h"
#include <errno.h>
#include <stdio.h>

/* A class that is not one of the three is a doubt, and doubts are temporary. */
static enum verdict
verdict_of(const char *code)
{
	switch (code[0]) {
	case '2':
		return ACCEPT;
	case '5':
		return PERMFAIL;
	default:
		return TEMPFAIL;
	}
}

enum verdict
why_set(struct why *why, const char *code, const char *fmt, ...)
{
	va_list ap;

	ensure(strlen(code) < sizeof(why->code));
	memmove(why->code, code, strlen(code) + 1);
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	/* It becomes one line of a protocol. */
	for (char *c = why->text; *c; c++)
		if (*c == '\r' || *c == '\n')
			*c = ' ';
	return verdict_of(why->code);
}

bool
why_code_take(struct str *text, char code[12])
{
	struct str rest = *text, word;

	if (!str_token(&rest, " \t", &word) || !why_code_is_valid(word) ||
		word.data[0] == '2')
		return false;
	snprintf(code, 12, STR_FMT, STR_ARG(word));
	*text = str_trim(rest);
	return true;
}

enum verdict
why_errno(struct why *why, const char *code, const char *what)
{
	int cause = errno;

	ensure(code[0] == '4');
	why_set(why, code, "%s: %s", what, strerror(cause));
	errno = cause;
	return TEMPFAIL;
}

bool
why_code_is_valid(struct str code)
{
	struct str class, subject, detail = code;
	uint64_t n;

	return str_split(&detail, '.', &class) && str_split(&detail, '.', &subject) &&
	       class.len == 1 && strchr("245", class.data[0]) && subject.len <= 3 &&
	       detail.len <= 3 && str_to_u64(subject, &n) == 0 &&
	       str_to_u64(detail, &n) == 0;
}
