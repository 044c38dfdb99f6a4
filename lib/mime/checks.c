/* checks.c -- see checks.h. */
#include "checks.h"
#include "log.h"

#define SHOWN 200 /* characters of a line in warnings */

bool
check_tables_want_body(const struct check_tables *t)
{
	return !maps_empty(t->body.maps);
}

bool
check_tables_want_parts(const struct check_tables *t)
{
	return !maps_empty(t->mime.maps) || !maps_empty(t->nested.maps) ||
	       check_tables_want_body(t);
}

void
checks_free(struct checks *c)
{
	buf_free(&c->line);
}

static struct str
shown(struct str line)
{
	return str_sub(line, 0, MIN(line.len, SHOWN));
}

/* ---- the actions ---- */

static void
act_warn(struct checks *c, struct check *k)
{
	c->calls->tell(c->arg, k, "warning", k->text);
}

static void
act_info(struct checks *c, struct check *k)
{
	c->calls->tell(c->arg, k, "info", k->text);
}

static void
act_ignore(struct checks *c, struct check *k)
{
	(void)c;
	k->drop = true;
}

static void
act_strip(struct checks *c, struct check *k)
{
	c->calls->tell(c->arg, k, "strip", k->text);
	k->drop = true;
}

/* A line of text of the table's. False: it cannot stand there. */
static bool
is_usable(const struct checks *c, const struct check *k, const char *action)
{
	struct str name;

	if (k->text.len == 0) {
		log_warn("%s action without text in %s map", action, k->set->parameter);
		return false;
	}
	if (k->set == &c->tables->body || field_start(k->text, &name))
		return true;
	log_warn("bad %s header text \"%.*s\" in %s map -- need \"headername: "
		 "headervalue\"",
		action, STR_ARG(k->text), k->set->parameter);
	return false;
}

static void
act_prepend(struct checks *c, struct check *k)
{
	if (!is_usable(c, k, "PREPEND"))
		return;
	c->calls->tell(c->arg, k, "prepend", k->text);
	k->before = k->text;
}

static void
act_replace(struct checks *c, struct check *k)
{
	if (!is_usable(c, k, "REPLACE"))
		return;
	c->calls->tell(c->arg, k, "replace", k->text);
	k->instead = k->text;
}

static void
act_nothing(struct checks *c, struct check *k)
{
	(void)c, (void)k;
}

static const struct {
	const char *name;
	void (*act)(struct checks *c, struct check *k);
} actions[] = {
	{ "DUNNO", act_nothing },
	{ "IGNORE", act_ignore },
	{ "INFO", act_info },
	{ "OK", act_nothing },
	{ "PREPEND", act_prepend },
	{ "REPLACE", act_replace },
	{ "STRIP", act_strip },
	{ "WARN", act_warn },
};

static bool
act(struct checks *c, struct check *k, struct str word)
{
	for (const struct check_action *a = c->calls->actions; a && a->name; a++)
		if (str_case_is(word, a->name)) {
			a->act(c->arg, k);
			return true;
		}
	for (size_t i = 0; i < COUNT(actions); i++)
		if (str_case_is(word, actions[i].name)) {
			actions[i].act(c, k);
			return true;
		}
	return false;
}

/* ---- a line ---- */

/* Looks the line up and does what is found. */
SWITCHES static void
check_line(struct checks *c, struct check *k)
{
	struct str value, word;
	struct why why;
	enum dict_result got;

	if (c->off || k->line.len == 0 || maps_empty(k->set->maps))
		return;
	got = maps_find(k->set->maps, k->line, c->arena, &value, &why);
	if (got == DICT_NOTFOUND)
		return;
	if (got == DICT_ERROR) {
		log_warn("%s", why.text);
		c->calls->failed(c->arg, k);
		return;
	}
	k->text = value;
	(void)str_token(&k->text, " \t", &word);
	k->text = str_trim(k->text);
	if (!act(c, k, word))
		log_warn("%s command in %s map: %.*s",
			c->calls->actions ? "unknown" : "unsupported", k->set->parameter,
			STR_ARG(shown(value)));
}

/* ---- header fields ---- */

static bool
is_mime_field(const struct field *f)
{
	static const char *const names[] = { "Content-Description", "Content-Disposition",
		"Content-ID", "Content-Transfer-Encoding", "Content-Type",
		"MIME-Version" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (field_is(f, names[i]))
			return true;
	return false;
}

static const struct check_set *
set_for(const struct check_tables *t, enum part_header where, const struct field *f)
{
	if (where == HEADER_PART || is_mime_field(f))
		return &t->mime;
	return where == HEADER_NESTED ? &t->nested : &t->header;
}

static void
replace_field(struct checks *c, struct field *f, struct str line)
{
	f->text = arena_printf(c->arena, "%.*s\n", STR_ARG(line));
	(void)field_start(line, &f->name);
	f->body = str_from(f->text, (size_t)str_chr(f->text, ':') + 1);
}

bool
checks_field(struct checks *c, enum part_header where, struct field *f)
{
	struct check k = { .set = set_for(c->tables, where, f),
		.object = "header",
		.line = str_sub(f->text, 0, f->text.len - 1) };

	check_line(c, &k);
	if (k.before.data) {
		c->calls->add(c->arg, k.before);
		c->calls->add(c->arg, STR("\n"));
	}
	if (k.instead.data)
		replace_field(c, f, k.instead);
	return !k.drop;
}

/* ---- the body ---- */

/* A line, or a piece of a long one, that is whole. */
SWITCHES static void
body_line(struct checks *c)
{
	struct str all = buf_str(&c->line);
	bool ends = all.data[all.len - 1] == '\n';
	struct check k = { .set = &c->tables->body,
		.object = "body",
		.line = str_sub(all, 0, all.len - ends) };

	c->seen += all.len;
	check_line(c, &k);
	if (k.before.data) {
		c->calls->add(c->arg, k.before);
		c->calls->add(c->arg, STR("\n"));
	}
	if (k.instead.data) {
		c->calls->add(c->arg, k.instead);
		c->calls->add(c->arg, ends ? STR("\n") : STR(""));
	} else if (!k.drop) {
		c->calls->add(c->arg, all);
	}
	buf_clear(&c->line);
}

static bool
is_looked_at(const struct checks *c)
{
	return !c->off && check_tables_want_body(c->tables) && c->seen < c->body_limit;
}

void
checks_body(struct checks *c, struct str bytes)
{
	while (bytes.len > 0 && (c->line.len > 0 || is_looked_at(c))) {
		const char *lf = memchr(bytes.data, '\n', bytes.len);
		size_t len = lf ? (size_t)(lf - bytes.data) + 1 : bytes.len;

		len = MIN(len, c->line_limit - c->line.len);
		buf_add(&c->line, str_sub(bytes, 0, len));
		bytes = str_from(bytes, len);
		if (c->line.data[c->line.len - 1] == '\n' || c->line.len == c->line_limit)
			body_line(c);
	}
	c->calls->add(c->arg, bytes);
}

void
checks_body_end(struct checks *c)
{
	if (c->line.len > 0)
		body_line(c);
}

void
checks_part_begins(struct checks *c)
{
	c->seen = 0;
}
