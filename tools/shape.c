/* shape.c -- see shape.h. The columns, and which row comes first, are those of Postfix's
 * qshape, which other people's scripts read. */
#include "shape.h"
#include <math.h>
#include <stdlib.h>

/* Names have at least so many columns. */
#define NAME_LEAST 18

struct row {
	struct str name; /* the map's; a domain above begins with a dot */
	unsigned children;
	uint64_t counts[]; /* all of them, then each bucket */
};
struct shape {
	struct shape_options o;
	struct map *rows;
	struct arena *arena;
};

static struct row *
row_of(struct shape *s, struct str name)
{
	struct row *r = map_get(s->rows, name);

	if (r)
		return r;
	r = arena_alloc(s->arena, sizeof(*r) + (s->o.buckets + 1) * sizeof(r->counts[0]));
	r->name = arena_str(s->arena, name);
	map_set(s->rows, name, r);
	return r;
}

struct shape *
shape_new(const struct shape_options *o)
{
	struct shape *s = mem_alloc(sizeof(*s));

	s->o = *o;
	s->rows = map_new();
	s->arena = arena_new();
	(void)row_of(s, STR("TOTAL"));
	return s;
}

void
shape_free(struct shape *s)
{
	map_free(s->rows);
	arena_free(s->arena);
	mem_free(s);
}

/* ---- counting ---- */

static unsigned
bucket_of(const struct shape_options *o, int64_t age)
{
	double ticks = (double)age / (60 * o->tick), bucket;

	if (ticks < 1)
		return 1;
	bucket = o->linear ? floor(ticks) + 1 : floor(log2(ticks)) + 2;
	return bucket < o->buckets ? (unsigned)bucket : o->buckets;
}

/* The part behind the last @ in lower case, with single dots, none of them outside. */
static void
domain_of(struct str address, struct buf *out)
{
	ssize_t at = str_rchr(address, '@');
	struct str domain = str_from(address, (size_t)(at + 1));

	buf_clear(out);
	for (size_t i = 0; i < domain.len; i++) {
		buf_addc(out, ascii_lower(domain.data[i]));
		if (domain.data[i] == '.' && i + 1 < domain.len &&
			domain.data[i + 1] == '.')
			i++;
	}
	if (out->len > 1 && out->data[0] == '.')
		buf_drop(out, 1);
	if (out->len > 1 && out->data[out->len - 1] == '.')
		out->len--;
}

/* "mail.example.org" and ".mail.example.org": ".example.org". False for top levels. */
static bool
domain_above(struct str *domain)
{
	size_t skip = str_starts(*domain, STR(".")) ? 1 : 0;
	ssize_t dot = str_chr(str_from(*domain, skip), '.');

	if (dot <= 0)
		return false;
	*domain = str_from(*domain, skip + (size_t)dot);
	return str_chr(str_from(*domain, 1), '.') >= 0;
}

void
shape_add(struct shape *s, int64_t age, struct str address)
{
	unsigned bucket = bucket_of(&s->o, age);
	struct row *total = row_of(s, STR("TOTAL"));
	struct buf name CLEANUP(buf_free) = BUF_INIT;
	struct str domain;
	bool child_is_new = false;

	total->counts[0]++;
	total->counts[bucket]++;
	if (address.len)
		domain_of(address, &name);
	domain = address.len ? buf_str(&name) : STR("MAILER-DAEMON");
	do {
		struct row *r = row_of(s, domain);

		r->counts[0]++;
		r->counts[bucket]++;
		r->children += child_is_new;
		child_is_new = r->counts[0] == 1;
	} while (s->o.parents && domain_above(&domain));
}

/* ---- printing ---- */

struct table {
	FILE *out;
	unsigned n; /* columns of numbers */
	int *widths;
	int name; /* its width */
};

static int
decimals(uint64_t n)
{
	return snprintf(NULL, 0, "%llu", (unsigned long long)n);
}

/* The end of each bucket's age: "5", "10" ... and "1280+" for the last. */
static void
put_heading(const struct shape_options *o, unsigned column, double *minutes, char *text,
	size_t room)
{
	bool last = column == o->buckets;

	if (column == 0) {
		snprintf(text, room, "T");
		return;
	}
	if (!last)
		*minutes += *minutes > 0 && !o->linear ? *minutes : o->tick;
	snprintf(text, room, "%.15g%s", *minutes, last ? "+" : "");
}

static void
lay_out(const struct shape *s, struct table *t)
{
	const struct row *total = map_get(s->rows, STR("TOTAL"));
	double minutes = 0;
	char text[64];

	t->name = (int)s->o.width;
	for (unsigned i = 0; i < t->n; i++) {
		int width = decimals(total->counts[i]);

		put_heading(&s->o, i, &minutes, text, sizeof(text));
		width = MAX(width, (int)strlen(text));
		t->widths[i] = width > 2 ? width + 1 : 3;
		t->name -= t->widths[i];
	}
	t->name = MAX(t->name, NAME_LEAST);
}

/* Right-justified; of what is too long the end, behind a + or, for a domain above, .+ */
static void
print_name(const struct table *t, struct str name)
{
	size_t room = (size_t)t->name;
	const char *mark = str_starts(name, STR(".")) ? ".+" : "+";

	if (name.len <= room) {
		fprintf(t->out, "%*s" STR_FMT, (int)(room - name.len), "", STR_ARG(name));
		return;
	}
	room -= strlen(mark);
	fprintf(t->out, "%s" STR_FMT, mark, STR_ARG(str_from(name, name.len - room)));
}

static void
print_row(const struct table *t, const struct row *r)
{
	print_name(t, r->name);
	for (unsigned i = 0; i < t->n; i++)
		fprintf(t->out, "%*llu", t->widths[i], (unsigned long long)r->counts[i]);
	fputc('\n', t->out);
}

static void
print_headings(const struct shape_options *o, const struct table *t)
{
	double minutes = 0;
	char text[64];

	print_name(t, STR(""));
	for (unsigned i = 0; i < t->n; i++) {
		put_heading(o, i, &minutes, text, sizeof(text));
		fprintf(t->out, "%*s", t->widths[i], text);
	}
	fputc('\n', t->out);
}

static int
by_count(const void *a, const void *b)
{
	const struct row *left = *(struct row *const *)a,
			 *right = *(struct row *const *)b;

	if (left->counts[0] != right->counts[0])
		return left->counts[0] > right->counts[0] ? -1 : 1;
	if (left->name.len != right->name.len)
		return left->name.len < right->name.len ? -1 : 1;
	return str_cmp(left->name, right->name);
}

void
shape_print(const struct shape *s, FILE *out)
{
	struct table t = { .out = out, .n = s->o.buckets + 1 };
	size_t n = 0, at = 0, shown = 0;
	struct row **rows = mem_alloc(map_count(s->rows) * sizeof(struct row *));
	struct str name;
	void *value;

	t.widths = mem_alloc(t.n * sizeof(int));
	lay_out(s, &t);
	while (map_next(s->rows, &at, &name, &value))
		rows[n++] = value;
	qsort(rows, n, sizeof(struct row *), by_count);
	print_headings(&s->o, &t);
	for (size_t i = 0; i < n && (s->o.top == 0 || shown < s->o.top); i++) {
		if (str_starts(rows[i]->name, STR(".")) &&
			rows[i]->children < s->o.min_children)
			continue;
		print_row(&t, rows[i]);
		shown++;
	}
	mem_free(rows);
	mem_free(t.widths);
}
