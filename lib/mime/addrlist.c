/* addrlist.c -- see addrlist.h. */
#include "addrlist.h"

/* Text that may be an address, and the part of the body that it came from. */
struct candidate {
	struct buf text;
	size_t from, to;
};

struct parser {
	struct str in;
	size_t at;
	struct candidate plain; /* what would be the address, if no <> comes */
	struct candidate angle; /* what stands in <> */
	bool in_angle, had_angle;
	size_t words; /* where those of this mailbox begin in the list */
};

void
addr_list_free(struct addr_list *l)
{
	vec_free(&l->list);
}

/* Skips a comment; they nest. `at` is behind its first parenthesis. */
static void
skip_comment(struct parser *p)
{
	int depth = 1;

	while (p->at < p->in.len && depth > 0) {
		char c = p->in.data[p->at++];

		if (c == '\\' && p->at < p->in.len)
			p->at++;
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	}
}

/* The character just read belongs to the candidate. */
static void
take(struct parser *p, struct candidate *to, char c)
{
	if (to->text.len == 0)
		to->from = p->at - 1;
	buf_addc(&to->text, c);
	to->to = p->at;
}

/* Copies a quoted string with its quotes. */
static void
take_quoted(struct parser *p, struct candidate *to)
{
	take(p, to, '"');
	while (p->at < p->in.len) {
		char c = p->in.data[p->at++];

		if (c == '\n' || c == '\r')
			continue;
		take(p, to, c);
		if (c == '\\' && p->at < p->in.len)
			take(p, to, p->in.data[p->at++]);
		else if (c == '"')
			return;
	}
	take(p, to, '"'); /* it was not closed */
}

/* Copies a domain literal (RFC 5322 section 3.4.1), which may have colons; what is not
 * closed is none. */
static bool
take_literal(struct parser *p, struct candidate *to)
{
	ssize_t end = str_chr(str_from(p->in, p->at), ']');
	struct str inside = str_sub(p->in, p->at, end < 0 ? 0 : (size_t)end);

	if (end < 0 || str_chr(inside, ',') >= 0 || str_chr(inside, '<') >= 0 ||
		str_chr(inside, '[') >= 0)
		return false;
	for (size_t i = 0; i < inside.len + 2; i++) {
		p->at += i > 0;
		take(p, to, p->in.data[p->at - 1]);
	}
	return true;
}

/* What was taken is an address, so far. */
static void
give(struct candidate *c, struct arena *a, struct addr_list *out)
{
	struct str address = buf_str(&c->text);

	/* A source route: everything up to the colon (RFC 5322 section 4.4). */
	if (str_starts(address, STR("@")) && str_chr(address, ':') > 0)
		address = str_from(address, (size_t)str_chr(address, ':') + 1);
	if (address.len > 0)
		*vec_push(&out->list) = (struct addr_item){ arena_str(a, address),
			c->from, c->to - c->from };
	buf_clear(&c->text);
}

/* The words before this were not addresses: a display name, or a group's. */
static void
forget_words(struct parser *p, struct addr_list *out)
{
	out->list.n = p->words;
	buf_clear(&p->plain.text);
}

static void
end_mailbox(struct parser *p, struct arena *a, struct addr_list *out)
{
	give(p->had_angle ? &p->angle : &p->plain, a, out);
	buf_clear(&p->plain.text);
	buf_clear(&p->angle.text);
	p->in_angle = p->had_angle = false;
	p->words = out->list.n;
}

/* Blanks around dots and @ are nothing; others end a word. Each word is an address by
 * itself, as for sendmail, unless <> follows. */
static void
take_blank(struct parser *p, struct arena *a, struct addr_list *out)
{
	struct str word = buf_str(&p->plain.text);
	size_t next = p->at;

	while (next < p->in.len && ascii_is_space(p->in.data[next]))
		next++;
	if (p->in_angle || p->had_angle || next == p->in.len || word.len == 0 ||
		strchr("@.", word.data[word.len - 1]) ||
		(p->in.data[next] && strchr("@.", p->in.data[next])))
		return;
	give(&p->plain, a, out);
}

/* <@one,@two:user@domain> */
static bool
in_route(const struct parser *p)
{
	return p->in_angle && str_starts(buf_str(&p->angle.text), STR("@"));
}

void
addr_list_parse(struct str body, struct arena *a, struct addr_list *out)
{
	struct parser p = { .in = body, .words = out->list.n };

	while (p.at < body.len) {
		char c = body.data[p.at++];
		struct candidate *to = p.in_angle ? &p.angle : &p.plain;

		if (c == '(')
			skip_comment(&p);
		else if (c == '"')
			take_quoted(&p, to);
		else if (c == '[' && take_literal(&p, to))
			continue;
		else if (c == '\\' && p.at < body.len)
			take(&p, to, body.data[p.at++]);
		else if (ascii_is_space(c))
			take_blank(&p, a, out);
		else if (c == '<' && !p.in_angle && !p.had_angle) {
			forget_words(&p, out);
			p.in_angle = p.had_angle = true;
		} else if (c == '>')
			p.in_angle = false;
		else if ((c == ',' && !in_route(&p)) || (c == ';' && !p.in_angle))
			end_mailbox(&p, a, out);
		else if (c == ':' && !p.in_angle) /* a group's name ends */
			forget_words(&p, out);
		else if (!(p.had_angle && !p.in_angle))
			take(&p, to, c);
	}
	end_mailbox(&p, a, out);
	buf_free(&p.plain.text);
	buf_free(&p.angle.text);
}
