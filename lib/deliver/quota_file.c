/* quota_file.c -- limits as people write them, and the text of a file maildirsize. It
 * belongs to the user: nothing in it is believed that does not add up. */
#include "quota.h"

int
quota_parse(struct str text, struct quota *out)
{
	struct quota q = { 0 };
	struct str rest = str_trim(text), part;
	bool more = rest.len > 0;

	if (str_to_u64(rest, &out->bytes) == 0) {
		out->count = 0;
		return 0;
	}
	if (!more)
		return -1;
	while (more) {
		ssize_t comma = str_chr(rest, ',');
		uint64_t *limit;

		more = comma >= 0;
		part = more ? str_sub(rest, 0, (size_t)comma) : rest;
		rest = more ? str_from(rest, (size_t)comma + 1) : STR_NONE;
		part = str_trim(part);
		if (str_ends(part, STR("S")))
			limit = &q.bytes;
		else if (str_ends(part, STR("C")))
			limit = &q.count;
		else
			return -1;
		if (str_to_u64(str_sub(part, 0, part.len - 1), limit) < 0)
			return -1;
	}
	*out = q;
	return 0;
}

/* A number that may have a minus in front. */
static int
signed_number(struct str text, int64_t *out)
{
	bool negative = str_starts(text, STR("-"));
	uint64_t n;

	if (str_to_u64(str_from(text, negative), &n) < 0 || n > INT64_MAX)
		return -1;
	*out = negative ? -(int64_t)n : (int64_t)n;
	return 0;
}

/* "bytes count", padded with blanks by some. */
static int
add_line(struct str line, int64_t *bytes, int64_t *count)
{
	struct str first, second, none;
	int64_t b, c;

	if (!str_token(&line, " \t", &first) || !str_token(&line, " \t", &second) ||
		str_token(&line, " \t", &none))
		return -1;
	if (signed_number(first, &b) < 0 || signed_number(second, &c) < 0)
		return -1;
	if (__builtin_add_overflow(*bytes, b, bytes) ||
		__builtin_add_overflow(*count, c, count))
		return -1;
	return 0;
}

bool
quota_file_parse(struct str text, const struct quota *limits, struct quota_usage *out)
{
	struct quota_usage u = { 0 };
	int64_t bytes = 0, count = 0;
	struct quota said;
	struct str line;

	if (text.len >= QUOTA_FILE_MOST || !str_ends(text, STR("\n")))
		return false;
	if (!str_split(&text, '\n', &line) || quota_parse(line, &said) < 0 ||
		said.bytes != limits->bytes || said.count != limits->count)
		return false;
	for (; text.len > 0 && str_split(&text, '\n', &line); u.lines++)
		if (add_line(line, &bytes, &count) < 0)
			return false;
	if (u.lines == 0 || bytes < 0 || count < 0)
		return false;
	u.bytes = (uint64_t)bytes;
	u.count = (uint64_t)count;
	*out = u;
	return true;
}

bool
quota_is_kept(const struct quota *limits, const struct quota_usage *u)
{
	return (limits->bytes == 0 || u->bytes <= limits->bytes) &&
	       (limits->count == 0 || u->count <= limits->count);
}

bool
quota_fits(const struct quota *limits, const struct quota_usage *u, octets_t size)
{
	struct quota_usage after = { .count = u->count + 1 };

	return !__builtin_add_overflow(u->bytes, size, &after.bytes) &&
	       quota_is_kept(limits, &after);
}
