/* arc_sets.c -- the fields of a chain, by set (RFC 8617 section 4.2). See arc.h. */
#include "arc.h"

void
arc_sets_take(struct arc_sets *s, struct str name, struct str text)
{
	enum arc_kind kind = arc_kind_of(name);
	unsigned i;

	if (kind == ARC_KINDS)
		return;
	i = arc_instance(kind, text);
	s->n = MAX(s->n, MAX(i, 1U));
	if (i == 0)
		s->problem = "a field of the chain has no proper i=";
	else if (s->fields[i][kind].data)
		s->problem = "a field of the chain is there twice";
	else
		s->fields[i][kind] = text;
}

void
arc_sets_end(struct arc_sets *s)
{
	for (unsigned i = 1; i <= s->n && !s->problem; i++)
		for (unsigned kind = 0; kind < ARC_KINDS; kind++)
			if (!s->fields[i][kind].data)
				s->problem = "a set of the chain is not whole";
}

void
arc_sets_canon(
	const struct arc_sets *s, struct buf *out, size_t seal_at[ARC_SETS_MOST + 1])
{
	for (unsigned i = 1; i <= s->n; i++)
		for (unsigned kind = 0; kind < ARC_KINDS; kind++) {
			if (kind == ARC_SEAL)
				seal_at[i] = out->len;
			dkim_canon_field(DKIM_RELAXED, s->fields[i][kind], out);
		}
}
