/* queue_query.c -- see queue_query.h. */
#include "queue_query.h"

static const char *const queues[] = { "maildrop", "incoming", "active", "deferred",
	"hold" };
static const struct {
	const char *name;
	enum query_key key;
	const char *operators;
} keys[] = {
	{ "from", QUERY_FROM, "=~" },
	{ "queue", QUERY_QUEUE, "=" },
	{ "age", QUERY_AGE, "<>" },
	{ "size", QUERY_SIZE, "<>" },
	{ "to", QUERY_TO, "=~" },
	{ "destination", QUERY_DESTINATION, "=~" },
	{ "reason", QUERY_REASON, "=~" },
};
static const struct unit {
	char letter;
	uint64_t is;
} time_units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	{ 'w', 604800 }, { 0 } },
  size_units[] = { { 'k', 1 << 10 }, { 'm', 1 << 20 }, { 'g', 1 << 30 }, { 0 } };

/* ---- reading ---- */

static int
wrong(struct why *why, const char *what, struct str at)
{
	why_set(why, "5.5.4", "%s: \"%.*s\"", what, (int)MIN(at.len, (size_t)100),
		at.len ? at.data : "");
	return -1;
}

/* 15, 15m: with a unit or without. */
static bool
read_number(struct str text, const struct unit *units, uint64_t *out)
{
	char last = text.len ? ascii_lower(text.data[text.len - 1]) : '\0';
	uint64_t factor = 1;

	for (; units->letter; units++)
		if (units->letter == last)
			factor = units->is;
	if (factor > 1 || last == 's')
		text = str_sub(text, 0, text.len - 1);
	if (str_to_u64(text, out) < 0 || *out > INT64_MAX / factor)
		return false;
	*out *= factor;
	return true;
}

/* deferred,hold */
static bool
read_queues(struct str text, uint64_t *out)
{
	struct str name;

	while (str_token(&text, ",", &name)) {
		size_t i = 0;

		while (i < COUNT(queues) && !str_is(name, queues[i]))
			i++;
		if (i == COUNT(queues))
			return false;
		*out |= 1u << i;
	}
	return *out != 0;
}

/* @example.com and .example.com end in that; ~ finds it anywhere. */
static struct str
pattern_of(const struct query_word *w, char op, struct str value, struct arena *arena)
{
	bool anywhere = op == '~';
	bool ends = value.len > 0 &&
		    ((value.data[0] == '@' && w->key <= QUERY_TO) ||
			    (value.data[0] == '.' && w->key == QUERY_DESTINATION));

	return arena_printf(arena, "%s" STR_FMT "%s", anywhere || ends ? "*" : "",
		STR_ARG(value), anywhere ? "*" : "");
}

static int
read_value(struct query_word *w, char op, struct str value, struct str null_sender,
	struct arena *arena, struct why *why)
{
	w->above = op == '>';
	if (value.len == 0)
		return wrong(why, "a word of the query has no value", value);
	if (w->key == QUERY_AGE && !read_number(value, time_units, &w->number))
		return wrong(why, "not a time, as 90, 15m, 2h or 3d are", value);
	if (w->key == QUERY_SIZE && !read_number(value, size_units, &w->number))
		return wrong(why, "not a size, as 5000, 10k or 1m are", value);
	if (w->key == QUERY_QUEUE && !read_queues(value, &w->number))
		return wrong(why,
			"not among the queues maildrop, incoming, active, deferred and "
			"hold",
			value);
	if (w->key == QUERY_FROM && str_is(value, "<>"))
		w->pattern = arena_str(arena, null_sender);
	else
		w->pattern = pattern_of(w, op, value, arena);
	return 0;
}

/* The octets before the next blank or, in quotes, before the next quote. */
static bool
take_value(struct str *rest, struct str *value)
{
	bool quoted = rest->len > 0 && rest->data[0] == '"';
	size_t end = quoted;

	while (end < rest->len &&
		(quoted ? rest->data[end] != '"' : !ascii_is_space(rest->data[end])))
		end++;
	*value = str_sub(*rest, quoted, end - quoted);
	if (quoted && end == rest->len)
		return false;
	*rest = str_from(*rest, end + quoted);
	return rest->len == 0 || ascii_is_space(rest->data[0]);
}

/* "to!=": its key and op. */
static bool
take_key(struct str *rest, struct query_word *w, char *op)
{
	size_t len = 0;
	struct str name;

	while (len < rest->len && ascii_is_alnum(rest->data[len]))
		len++;
	name = str_sub(*rest, 0, len);
	w->negated = len < rest->len && rest->data[len] == '!';
	len += w->negated;
	if (len == rest->len)
		return false;
	*op = rest->data[len];
	for (size_t i = 0; i < COUNT(keys); i++)
		if (str_is(name, keys[i].name) && *op && strchr(keys[i].operators, *op)) {
			w->key = keys[i].key;
			*rest = str_from(*rest, len + 1);
			return !w->negated || (*op != '<' && *op != '>');
		}
	return false;
}

int
queue_query_parse(struct str text, struct str null_sender, struct arena *arena,
	struct queue_query *out, struct why *why)
{
	struct str rest = str_trim(text), value = STR_NONE;

	out->n = 0;
	if (rest.len == 0)
		return wrong(why, "an empty query; all messages are age>0", rest);
	if (rest.len > QUERY_LENGTH || str_chr(rest, '\0') >= 0)
		return wrong(why, "a query is at most 4096 octets of text", rest);
	for (; rest.len > 0; rest = str_trim(rest)) {
		struct query_word *w = &out->words[out->n];
		struct str here = rest;
		char op = '\0';

		if (out->n++ == QUERY_WORDS)
			return wrong(why, "more than 32 words in a query", here);
		*w = (struct query_word){ 0 };
		if (!take_key(&rest, w, &op))
			return wrong(why,
				"a query has words as from=, to=, destination=, "
				"queue=, reason~, age>, age<, size> and size<, not",
				here);
		if (!take_value(&rest, &value))
			return wrong(why, "a quote too few or too many", here);
		if (read_value(w, op, value, null_sender, arena, why) < 0)
			return -1;
	}
	return 0;
}

/* ---- matching ---- */

/* After a * that went wrong the last one takes an octet more: those before it took as
 * little as they could, which is as good as anything else. */
static bool
glob_matches(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = ++p;
			star_text = t;
		} else if (p < pattern.len &&
			   ascii_lower(pattern.data[p]) == ascii_lower(text.data[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

static bool
is_beyond(const struct query_word *w, uint64_t number)
{
	return w->above ? number > w->number : number < w->number;
}

static bool
is_in(const struct query_word *w, struct str queue)
{
	for (size_t i = 0; i < COUNT(queues); i++)
		if (str_is(queue, queues[i]))
			return (w->number >> i & 1) != 0;
	return false;
}

static bool
true_of_message(const struct query_word *w, const struct listing *l, int64_t now)
{
	switch (w->key) {
	case QUERY_FROM:
		return glob_matches(w->pattern, l->sender) != w->negated;
	case QUERY_QUEUE:
		return is_in(w, l->queue) != w->negated;
	case QUERY_AGE:
		return is_beyond(w, now > l->time ? (uint64_t)(now - l->time) : 0);
	case QUERY_SIZE:
		return is_beyond(w, l->size);
	default:
		return true;
	}
}

/* But for the !. */
static bool
true_of_rcpt(const struct query_word *w, const struct listing_rcpt *r)
{
	ssize_t at = str_rchr(r->address, '@');

	switch (w->key) {
	case QUERY_TO:
		return glob_matches(w->pattern, r->address);
	case QUERY_DESTINATION:
		return at >= 0 &&
		       glob_matches(w->pattern, str_from(r->address, (size_t)at + 1));
	default:
		return glob_matches(w->pattern, r->reason);
	}
}

static bool
recipients_match(const struct queue_query *q, const struct listing *l)
{
	bool one_is_meant = false, wanted = false;

	for (size_t i = 0; i < q->n; i++)
		wanted |= q->words[i].key >= QUERY_TO && !q->words[i].negated;
	for (size_t n = 0; n < l->n_rcpts; n++) {
		bool meant = true;

		for (size_t i = 0; i < q->n; i++) {
			const struct query_word *w = &q->words[i];
			bool is = w->key < QUERY_TO || true_of_rcpt(w, &l->rcpts[n]);

			if (w->key >= QUERY_TO && w->negated && is)
				return false;
			meant &= is || w->negated;
		}
		one_is_meant |= meant;
	}
	return one_is_meant || !wanted;
}

bool
queue_query_matches(const struct queue_query *q, const struct listing *l, int64_t now)
{
	for (size_t i = 0; i < q->n; i++)
		if (!true_of_message(&q->words[i], l, now))
			return false;
	return recipients_match(q, l);
}
