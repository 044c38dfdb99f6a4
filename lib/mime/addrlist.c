/* addrlist.c -- see addrlist.h. */
#include "addrlist.h"

struct parser {
	struct str in;
	size_t at;
	struct buf plain; /* what would be the address, if no <> comes */
	struct buf angle; /* what stands in <> */
	bool in_angle, had_angle;
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

		if (c == '\\')
			p->at++;
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	}
}

/* Copies a quoted string with its quotes. */
static void
take_quoted(struct parser *p, struct buf *to)
{
	buf_addc(to, '"');
	while (p->at < p->in.len) {
		char c = p->in.data[p->at++];

		if (c == '\n' || c == '\r')
			continue;
		buf_addc(to, c);
		if (c == '\\' && p->at < p->in.len)
			buf_addc(to, p->in.data[p->at++]);
		else if (c == '"')
			return;
	}
	buf_addc(to, '"'); /* it was not closed */
}

/* The address of one mailbox is complete. */
static void
end_mailbox(struct parser *p, struct arena *a, struct addr_list *out)
{
	struct str address = str_trim(buf_str(p->had_angle ? &p->angle : &p->plain));

	/* A source route: everything up to the colon (RFC 5322 section 4.4). */
	if (str_starts(address, STR("@")) && str_chr(address, ':') > 0)
		address = str_from(address, (size_t)str_chr(address, ':') + 1);
	if (address.len > 0)
		*vec_push(&out->list) = arena_str(a, address);
	buf_clear(&p->plain);
	buf_clear(&p->angle);
	p->in_angle = p->had_angle = false;
}

/* Two words with only a blank between them are a display name that lost its address, or
 * two addresses: as sendmail does, the blank separates. */
static void
take_blank(struct parser *p, struct arena *a, struct addr_list *out)
{
	size_t next = p->at;

	while (next < p->in.len && ascii_is_space(p->in.data[next]))
		next++;
	if (p->in_angle || next == p->in.len)
		return;
	if (p->plain.len > 0) {
		char before = p->plain.data[p->plain.len - 1], after = p->in.data[next];
		struct str so_far = buf_str(&p->plain);

		if (str_chr(so_far, '@') >= 0 && before != '@' && before != '.' &&
			!strchr("@.<,;:(", after)) {
			end_mailbox(p, a, out);
			return;
		}
		if (before != '@' && before != '.' && after != '@' && after != '.')
			buf_addc(&p->plain, ' ');
	}
}

void
addr_list_parse(struct str body, struct arena *a, struct addr_list *out)
{
	struct parser p = { .in = body };

	while (p.at < body.len) {
		char c = body.data[p.at++];
		struct buf *to = p.in_angle ? &p.angle : &p.plain;

		if (c == '(')
			skip_comment(&p);
		else if (c == '"')
			take_quoted(&p, to);
		else if (c == '\\' && p.at < body.len)
			buf_addc(to, body.data[p.at++]);
		else if (ascii_is_space(c))
			take_blank(&p, a, out);
		else if (c == '<' && !p.in_angle)
			p.in_angle = p.had_angle = true;
		else if (c == '>')
			p.in_angle = false;
		else if (c == ',' || (c == ';' && !p.in_angle))
			end_mailbox(&p, a, out);
		else if (c == ':' && !p.in_angle) /* a group's name ends */
			buf_clear(&p.plain);
		else if (!(p.had_angle && !p.in_angle))
			buf_addc(to, c);
	}
	end_mailbox(&p, a, out);
	buf_free(&p.plain);
	buf_free(&p.angle);
}
