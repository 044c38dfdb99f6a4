/* expand_fuzz.c -- values of any kind: their expansion ends, and stays below its bounds.
 */
#include "expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "v" has the text itself as its value, so that names lead back to it. */
static int
get_value(struct expander *e, struct str name, struct str *value)
{
	const struct str *text = e->arg;

	*value = str_is(name, "v") ? *text : STR_NONE;
	return 0;
}

static void
count_name(struct str name, void *arg)
{
	*(size_t *)arg += name.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct str text = str_of(data, size);
	struct why why;
	struct expander e = { .get = get_value, .arg = &text, .why = &why };
	size_t names = 0;

	if (expand_text(&e, text, &out) == 0)
		ensure(out.len <= EXPAND_SIZE);
	ensure(e.nested == 0);
	expand_names(text, count_name, &names);
	ensure(names <= size);
	return 0;
}
