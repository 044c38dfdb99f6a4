/* accepted.c -- main.cf and master.cf as they were when somebody read and accepted them:
 * one text, which others go by in place of the files. Files that main.cf includes are in
 * it setting by setting, and a name that is a file's first line as that line, so that
 * nothing of it is read a second time. Tables are not: they have changes of their own.
 *
 * The text is FORMAT and then fields, each with its length: master.cf, and for every
 * setting name, value, file and line. */
#include "values.h"

static const struct str format = STR_INIT("postern-accepted 1\n");

/* What stands for the files in this process; without bytes: nothing. */
static struct {
	struct str services, settings;
} accepted;

/* ---- writing ---- */

static void
write_field(struct buf *out, struct str field)
{
	buf_printf(out, "%zu:", field.len);
	buf_add(out, field);
}

/* Without a $ that would be expanded. */
static void
write_literal(struct buf *out, struct str value)
{
	struct buf literal CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '$')
			buf_addc(&literal, '$');
		buf_addc(&literal, value.data[i]);
	}
	write_field(out, buf_str(&literal));
}

void
conf_accepted_write(
	const struct conf *c, const struct master_conf *services, struct buf *out)
{
	buf_add(out, format);
	write_field(out, services->text);
	for (size_t i = 0; i < c->values->order.n; i++) {
		const struct entry *e = c->values->order.items[i].entry;
		struct buf line CLEANUP(buf_free) = BUF_INIT;

		write_field(out, e->said.name);
		if (e->from_file)
			write_literal(out, e->value);
		else
			write_field(out, e->said.text);
		write_field(out, e->said.file);
		buf_printf(&line, "%d", e->said.line);
		write_field(out, buf_str(&line));
	}
}

/* ---- reading ---- */

static bool
take_field(struct str *rest, struct str *field)
{
	struct str length;
	uint64_t n;

	if (str_chr(*rest, ':') < 0 || !str_split(rest, ':', &length) ||
		str_to_u64(length, &n) < 0 || n > rest->len)
		return false;
	*field = str_sub(*rest, 0, (size_t)n);
	*rest = str_from(*rest, (size_t)n);
	return true;
}

static bool
take_setting(struct str *rest, struct conf_setting *out)
{
	struct str line;
	uint64_t n;

	if (!take_field(rest, &out->name) || !take_field(rest, &out->text) ||
		!take_field(rest, &out->file) || !take_field(rest, &line) ||
		str_to_u64(line, &n) < 0 || n > INT32_MAX || out->name.len == 0)
		return false;
	out->line = (int)n;
	return true;
}

int
conf_accepted_use(struct str text)
{
	struct str services, rest;
	struct conf_setting setting;

	if (!str_starts(text, format))
		return -1;
	text = str_from(text, format.len);
	if (!take_field(&text, &services))
		return -1;
	for (rest = text; rest.len > 0;)
		if (!take_setting(&rest, &setting))
			return -1;
	accepted.services = services;
	accepted.settings = text;
	return 0;
}

void
conf_accepted_drop(void)
{
	accepted.services = accepted.settings = STR_NONE;
}

bool
accepted_settings(struct conf_values *v)
{
	struct str rest = accepted.settings, file = STR_NONE;
	struct conf_setting s;

	while (rest.len > 0 && take_setting(&rest, &s)) {
		if (!str_eq(s.file, file))
			file = arena_str(v->arena, s.file);
		values_set(v, s.name, s.text, file, s.line);
	}
	return accepted.settings.data != NULL;
}

bool
accepted_services(struct str *text)
{
	*text = accepted.services;
	return text->data != NULL;
}
