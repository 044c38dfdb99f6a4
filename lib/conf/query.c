/* query.c -- parameters by name, for those who cannot know the name when they are
 * compiled: tables, restriction classes, transports, postconf. */
#include "values.h"
#include "table.h"
#include "typed.h"

struct str
conf_value(const struct conf *c, const char *name)
{
	struct entry *e = values_find(c->values, str_c(name));
	struct str value;
	struct why why;

	if (!e || e->broken || values_eval(c->values, e, &value, &why) < 0)
		return STR_NONE;
	return value;
}

struct str
conf_text(const struct conf *c, struct str name)
{
	struct entry *e = values_find(c->values, name);

	return e ? values_text(c->values, e) : STR_NONE;
}

const struct conf_setting *
conf_next_setting(const struct conf *c, size_t *at)
{
	return *at < c->values->order.n ? &c->values->order.items[(*at)++].entry->said
					: NULL;
}

const struct conf_setting *
conf_setting(const struct conf *c, struct str name)
{
	struct entry *e = values_find(c->values, name);

	return e && e->said.text.data ? &e->said : NULL;
}

void
conf_names(struct str text, void (*fn)(struct str name, void *arg), void *arg)
{
	expand_names(text, fn, arg);
}

int
conf_expand(const struct conf *c, struct str text, struct arena *a, struct str *out,
	struct why *why)
{
	struct expander x = {
		.get = c->values->expander.get, .arg = c->values, .why = why
	};
	struct buf to CLEANUP(buf_free) = BUF_INIT;

	if (expand_text(&x, text, &to) < 0)
		return -1;
	*out = arena_str(a, buf_str(&to));
	return 0;
}

struct foreign {
	struct str (*get)(struct str name, void *arg);
	void *arg;
};

static int
get_foreign(struct expander *x, struct str name, struct str *value)
{
	struct foreign *f = x->arg;

	*value = f->get(name, f->arg);
	return 0;
}

int
conf_expand_with(struct str text, struct str (*get)(struct str name, void *arg),
	void *arg, struct arena *a, struct str *out, struct why *why)
{
	struct foreign f = { get, arg };
	struct expander x = { .get = get_foreign, .arg = &f, .why = why };
	struct buf to CLEANUP(buf_free) = BUF_INIT;

	if (expand_text(&x, text, &to) < 0)
		return -1;
	*out = arena_str(a, buf_str(&to));
	return 0;
}
