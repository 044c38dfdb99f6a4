/* postconf_print.c -- lines of output, folded or not, and complaints behind them. */
#include "postconf.h"
#include <stdio.h>
#include <stdlib.h>

enum { INDENT = 4 };

void
line_break(struct line *l)
{
	fprintf(l->to, "\n%*s", INDENT, "");
	l->column = INDENT;
	l->fresh = true;
}

void
line_add_word(struct line *l, struct str word)
{
	if (l->most > 0 && !l->fresh && l->column + 1 + word.len > l->most)
		line_break(l);
	if (!l->fresh) {
		putc(' ', l->to);
		l->column++;
	}
	fwrite(word.data, 1, word.len, l->to);
	l->column += word.len;
	l->fresh = false;
}

void
line_add(struct line *l, struct str text)
{
	for (struct str word; str_token(&text, " \t\r\n\f\v", &word);)
		line_add_word(l, word);
}

void
line_end(struct line *l)
{
	putc('\n', l->to);
	l->column = 0;
}

/* Behind the output, whatever the two are connected to. */
static void complain(const char *label, const char *fmt, va_list ap) PRINTF(2, 0);

static void
complain(const char *label, const char *fmt, va_list ap)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	buf_vprintf(&text, fmt, ap);
	fflush(stdout);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			text.data[i] = '?';
	fprintf(stderr, "postconf: %s: " STR_FMT "\n", label, STR_ARG(buf_str(&text)));
}

void
postconf_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain("warning", fmt, ap);
	va_end(ap);
}

void
postconf_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain("fatal", fmt, ap);
	va_end(ap);
	exit(1);
}
