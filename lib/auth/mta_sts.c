/* mta_sts.c -- see mta_sts.h. */
#include "mta_sts.h"

#define ID_MOST      32
#define MAX_AGE_MOST 31557600 /* a year: section 3.2 */
#define NAME_MOST    253

static const char *const words[] = {
	[MTA_STS_NONE] = "none",
	[MTA_STS_TESTING] = "testing",
	[MTA_STS_ENFORCE] = "enforce",
};

const char *
mta_sts_word(enum mta_sts_mode mode)
{
	ensure((size_t)mode < COUNT(words));
	return words[mode];
}

/* ---- the record ---- */

/* sts-id = 1*32(ALPHA / DIGIT) */
static bool
is_id(struct str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return id.len > 0 && id.len <= ID_MOST;
}

/* sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim] */
bool
mta_sts_id(struct str record, struct str *id)
{
	struct str field, found = STR_NONE;
	bool is_first = true;

	while (str_split(&record, ';', &field)) {
		field = str_trim(field);
		if (is_first && !str_is(field, "v=STSv1"))
			return false;
		is_first = false;
		if (str_starts(field, STR("id=")) && !found.data)
			found = str_from(field, 3);
	}
	if (!is_id(found))
		return false;
	*id = found;
	return true;
}

/* ---- the policy ---- */

/* [ "*." ] Domain; labels of letters, digits, hyphens, and of underscores, which some
 * hosts have. */
static bool
is_pattern(struct str text)
{
	struct str label;

	if (str_starts(text, STR("*.")))
		text = str_from(text, 2);
	if (text.len == 0 || text.len > NAME_MOST)
		return false;
	while (str_split(&text, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' &&
				label.data[i] != '_')
				return false;
	}
	return true;
}

/* What was read so far. Of fields that come twice the first counts, but for mx. */
struct reading {
	struct str version, mode, max_age;
	VEC(struct str) mx;
};

static enum verdict
bad(struct why *why, const char *what)
{
	return why_set(why, "5.7.5", "%s", what);
}

static enum verdict
read_line(struct reading *r, struct str line, struct arena *arena, struct why *why)
{
	ssize_t colon = str_chr(line, ':');
	struct str name, value, *once;

	if (str_trim(line).len == 0)
		return ACCEPT;
	if (colon <= 0)
		return bad(why, "a line of the policy has no name");
	name = str_trim(str_of(line.data, (size_t)colon));
	value = str_trim(str_from(line, (size_t)colon + 1));
	if (str_is(name, "mx")) {
		if (!is_pattern(value))
			return bad(why, "an mx of the policy is no host name");
		if (r->mx.n == MTA_STS_MX_MOST)
			return bad(why, "the policy has too many mx");
		*vec_push(&r->mx) = arena_lower(arena, value);
		return ACCEPT;
	}
	once = str_is(name, "version")   ? &r->version
	       : str_is(name, "mode")    ? &r->mode
	       : str_is(name, "max_age") ? &r->max_age
					 : NULL; /* of later versions: passed over */
	if (once && !once->data)
		*once = value;
	return ACCEPT;
}

static enum verdict
judge(const struct reading *r, struct arena *arena, struct mta_sts *out, struct why *why)
{
	uint64_t age;
	size_t mode;

	if (!str_is(r->version, "STSv1"))
		return bad(why, "the policy is not of version STSv1");
	for (mode = 0; mode < COUNT(words) && !str_is(r->mode, words[mode]);)
		mode++;
	if (mode == COUNT(words))
		return bad(why, "the policy has no mode");
	if (r->max_age.len > 10 || str_to_u64(r->max_age, &age) < 0)
		return bad(why, "the policy has no max_age");
	if (mode != MTA_STS_NONE && r->mx.n == 0)
		return bad(why, "the policy has no mx");
	*out = (struct mta_sts){ .mode = (enum mta_sts_mode)mode,
		.max_age = (uint32_t)MIN(age, (uint64_t)MAX_AGE_MOST),
		.mx = { .n = r->mx.n,
			.items = arena_alloc(
				arena, MAX(r->mx.n, 1) * sizeof(struct str)) } };
	for (size_t i = 0; i < r->mx.n; i++)
		out->mx.items[i] = r->mx.items[i];
	return ACCEPT;
}

/* Lines end in CRLF or LF, the last one also in nothing. */
enum verdict
mta_sts_parse(struct str text, struct arena *arena, struct mta_sts *out, struct why *why)
{
	struct reading r = { 0 };
	enum verdict v = ACCEPT;
	struct str line;

	if (text.len > MTA_STS_TEXT_MOST)
		return bad(why, "the policy is too long");
	while (v == ACCEPT && str_split(&text, '\n', &line))
		v = read_line(&r, line, arena, why);
	if (v == ACCEPT)
		v = judge(&r, arena, out, why);
	vec_free(&r.mx);
	return v;
}

/* ---- hosts ---- */

bool
mta_sts_matches(struct strs mx, struct str host)
{
	ssize_t dot = str_chr(host, '.');

	for (size_t i = 0; i < mx.n; i++) {
		struct str pattern = mx.items[i];

		if (str_case_eq(pattern, host))
			return true;
		if (dot > 0 && str_starts(pattern, STR("*.")) &&
			str_case_eq(str_from(pattern, 1), str_from(host, (size_t)dot)))
			return true;
	}
	return false;
}
