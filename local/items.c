/* items.c -- the syntax of aliases(5), .forward files and :include: lists:
 *
 *	items   = [ item ] *( ("," / LF) [ item ] )
 *	item    = command / file / include / address
 *	command = "|" text            file = "/" text            include = ":include:"
 *text
 *
 * An item may be in quotes, and must be when it holds a comma or, as a command, a quote
 * of its own: "|program \"an argument\"". Everything else is read as an address list
 * (RFC 5322 section 3.4). A backslash in front of a user name is taken off: "\user" is
 * how people say that his mail shall go no further. */
#include "local.h"
#include "addrlist.h"

#define INCLUDE STR(":include:")

/* The end of the item at the start of s: a comma or line end outside quotes, comments and
 * angle brackets. */
static size_t
item_length(struct str s)
{
	bool quoted = false, special;
	int comments = 0, angles = 0;
	size_t i = 0;

	while (i < s.len && ascii_is_space(s.data[i]) && s.data[i] != '\n')
		i++;
	/* In an unquoted command or file name brackets mean nothing. */
	special = i < s.len && (s.data[i] == '|' || s.data[i] == '/');
	for (; i < s.len; i++) {
		char c = s.data[i];

		if (c == '\\' && i + 1 < s.len)
			i++;
		else if (c == '"' && comments == 0)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (c == '\n' || (c == ',' && comments == 0 && angles == 0))
			return i;
		else if (special)
			continue;
		else if (c == '(')
			comments++;
		else if (c == ')' && comments > 0)
			comments--;
		else if (c == '<' && comments == 0)
			angles = 1;
		else if (c == '>' && comments == 0)
			angles = 0;
	}
	return i;
}

/* The content of an item that is one quoted string as a whole. */
static bool
take_quotes(struct str item, struct arena *a, struct str *out)
{
	char *text = arena_alloc(a, item.len + 1);
	size_t n = 0;

	if (item.len < 2 || item.data[0] != '"')
		return false;
	for (size_t i = 1; i < item.len; i++) {
		if (item.data[i] == '"') {
			*out = str_of(text, n);
			return i == item.len - 1;
		}
		if (item.data[i] == '\\' && i + 1 < item.len)
			i++;
		text[n++] = item.data[i];
	}
	return false;
}

static void
add(struct items *out, enum item_kind kind, struct str text)
{
	*vec_push(&out->list) = (struct item){ .kind = kind, .text = text };
}

static void
add_addresses(struct str text, struct arena *a, struct items *out)
{
	struct addr_list addresses = { 0 };

	if (str_starts(text, STR("\\")))
		text = str_from(text, 1);
	addr_list_parse(text, a, &addresses);
	for (size_t i = 0; i < addresses.list.n; i++)
		add(out, ITEM_ADDRESS, addresses.list.items[i].address);
	addr_list_free(&addresses);
}

static void
add_item(struct str item, struct arena *a, struct items *out)
{
	struct str text = item;
	bool quoted = take_quotes(item, a, &text);

	text = str_trim(text);
	if (str_starts(text, STR("|")))
		add(out, ITEM_COMMAND, str_from(text, 1));
	else if (str_starts(text, STR("/")))
		add(out, ITEM_FILE, text);
	else if (str_case_starts(text, INCLUDE))
		add(out, ITEM_INCLUDE,
			quoted ? str_from(text, INCLUDE.len)
			       : str_trim(str_from(text, INCLUDE.len)));
	else
		add_addresses(item, a, out);
}

void
items_parse(struct str text, struct arena *a, struct items *out)
{
	while (text.len > 0) {
		size_t len = item_length(text);
		struct str item = str_trim(str_sub(text, 0, len));

		if (item.len > 0)
			add_item(item, a, out);
		text = str_from(text, len + 1);
	}
}

/* One line, those that go on with it included. */
static void
parse_line(struct buf *line, struct arena *a, struct items *out)
{
	items_parse(arena_str(a, buf_str(line)), a, out);
	if (out->list.n > 0)
		out->list.items[out->list.n - 1].ends_line = true;
	buf_clear(line);
}

void
items_parse_file(struct str text, struct arena *a, struct items *out)
{
	struct buf logical CLEANUP(buf_free) = BUF_INIT;

	while (text.len > 0) {
		ssize_t lf = str_chr(text, '\n');
		struct str line = lf < 0 ? text : str_sub(text, 0, (size_t)lf);
		bool goes_on = line.len > 0 && ascii_is_blank(line.data[0]);

		text = str_from(text, line.len + 1);
		if (str_starts(line, STR("#")))
			continue;
		if (!goes_on)
			parse_line(&logical, a, out);
		buf_add(&logical, line);
	}
	parse_line(&logical, a, out);
}

void
items_free(struct items *l)
{
	vec_free(&l->list);
}
