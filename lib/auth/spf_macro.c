/* spf_macro.c -- what macros expand to (RFC 7208 section 7).
 *
 * Nothing grows with what is published: of a name only the end counts (section 7.3), of
 * an explanation only the beginning. */
#include "spf_impl.h"
#include <netinet/in.h>

#define TAIL_MOST \
	4096 /* octets of a name in the making; of more only the end is kept \
	      */

static bool
is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] > 0x7f)
			return false;
	return true;
}

bool
spf_name_is_valid(struct str name)
{
	struct str label;

	if (str_ends(name, STR(".")))
		name.len--;
	if (name.len == 0 || name.len > SPF_NAME_MOST || !is_ascii(name) ||
		name.data[name.len - 1] == '.')
		return false;
	while (str_split(&name, '.', &label))
		if (label.len == 0 || label.len > 63)
			return false;
	return true;
}

/* "2.0.0.1.0.D.B.8...": the digits are capitals in the test suite, and small in the RFC's
 * example; to the DNS they are the same. */
static struct str
dotted_v6(const struct spf_evaluation *e)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&e->client.sa;
	struct buf out CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < 16; i++)
		buf_printf(&out, "%s%X.%X", i ? "." : "", v6->sin6_addr.s6_addr[i] >> 4,
			v6->sin6_addr.s6_addr[i] & 15u);
	return arena_str(e->arena, buf_str(&out));
}

void
spf_macros_begin(struct spf_evaluation *e)
{
	char text[NET_ADDR_TEXT];

	e->sender = arena_printf(
		e->arena, STR_FMT "@" STR_FMT, STR_ARG(e->local), STR_ARG(e->domain));
	e->address = arena_str(e->arena, str_c(net_addr_text(&e->client, text)));
	e->dotted = e->v6 ? dotted_v6(e) : e->address;
	e->time = arena_printf(e->arena, "%lld", (long long)(time_wall_us() / 1000000));
}

/* Section 7.2. */
static struct str
letter_value(struct spf_evaluation *e, const struct spf_frame *f, char letter)
{
	switch (letter) {
	case 's':
		return e->sender;
	case 'l':
		return e->local;
	case 'o':
		return e->domain;
	case 'd':
		return f->domain;
	case 'i':
		return e->dotted;
	case 'p':
		return spf_ptr_name(e, f->domain);
	case 'v':
		return e->v6 ? STR("ip6") : STR("in-addr");
	case 'h':
		return e->helo;
	case 'c':
		return e->address;
	case 'r':
		return e->q->receiver.len ? e->q->receiver : STR("unknown");
	default: /* t */
		return e->time;
	}
}

/* Escapes what is not `unreserved` in RFC 3986 section 2.3. */
static void
add_part(struct buf *out, struct str part, bool url_escaped)
{
	for (size_t i = 0; i < part.len; i++)
		if (!url_escaped || ascii_is_alnum(part.data[i]) ||
			(part.data[i] && strchr("-._~", part.data[i])))
			buf_addc(out, part.data[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)part.data[i]);
}

/* Section 7.3: split at the delimiters, turned round, the right-hand parts kept, and
 * joined with dots. */
static void
add_macro(struct buf *out, const struct spf_macro *m, struct str value)
{
	struct str delimiters = m->delimiters.len ? m->delimiters : STR(".");
	size_t n = 1, skip, at = 0;
	struct str *parts;

	for (size_t i = 0; i < value.len; i++)
		n += str_chr(delimiters, value.data[i]) >= 0;
	parts = mem_alloc(n * sizeof(*parts));
	for (size_t i = 0, from = 0; i <= value.len; i++)
		if (i == value.len || str_chr(delimiters, value.data[i]) >= 0) {
			parts[m->reversed ? n - 1 - at : at] =
				str_sub(value, from, i - from);
			from = i + 1;
			at++;
		}
	skip = m->parts && m->parts < n ? n - m->parts : 0;
	for (size_t i = skip; i < n; i++) {
		if (i > skip)
			buf_addc(out, '.');
		add_part(out, parts[i], m->url_escaped);
	}
	mem_free(parts);
}

static void
add_piece(struct spf_evaluation *e, const struct spf_frame *f, const struct spf_macro *m,
	struct buf *out)
{
	struct str value = m->letter ? letter_value(e, f, m->letter) : m->literal;

	e->expanded += value.len;
	if (m->letter)
		add_macro(out, m, value);
	else
		buf_add(out, value);
}

/* Section 7.3: labels go on the left until 253 octets are left. */
static struct str
shorten(struct str name)
{
	while (name.len > SPF_NAME_MOST) {
		ssize_t dot = str_chr(name, '.');

		if (dot < 0)
			break;
		name = str_from(name, (size_t)dot + 1);
	}
	return name;
}

bool
spf_target(struct spf_evaluation *e, const struct spf_frame *f, struct str domain_spec,
	struct str *out)
{
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct str rest = domain_spec, whole;
	struct spf_macro macro;

	if (domain_spec.len == 0) {
		*out = f->domain;
		return true;
	}
	while (spf_macro_next(&rest, false, &macro) > 0) {
		if (e->expanded > SPF_EXPANDED_MOST)
			return false;
		add_piece(e, f, &macro, &name);
		if (name.len > TAIL_MOST)
			buf_drop(&name, name.len - TAIL_MOST / 2);
	}
	whole = buf_str(&name);
	if (str_ends(whole, STR(".")))
		whole.len--;
	*out = arena_str(e->arena, shorten(whole));
	return spf_name_is_valid(*out);
}

/* explain-string = *( macro-string / SP ). It is the answer of a stranger, and partly
 * what the client said: only what prints goes on. */
struct str
spf_explain(struct spf_evaluation *e, const struct spf_frame *f, struct str text)
{
	struct buf out CLEANUP(buf_free) = BUF_INIT;
	struct spf_macro macro;
	int got;

	while ((got = spf_macro_next(&text, true, &macro)) > 0)
		if (out.len < SPF_TEXT_MOST && e->expanded < SPF_EXPANDED_MOST)
			add_piece(e, f, &macro, &out);
	if (got < 0)
		return STR_NONE;
	out.len = MIN(out.len, SPF_TEXT_MOST);
	for (size_t i = 0; i < out.len; i++)
		if (!ascii_is_print(out.data[i]))
			out.data[i] = '?';
	return arena_str(e->arena, buf_str(&out));
}
