/* arc_field.c -- the three fields of a set, one at a time. See arc.h. */
#include "arc.h"
#include "tags.h"

static const char *const names[] = {
	[ARC_RESULTS] = "ARC-Authentication-Results",
	[ARC_SIGNATURE] = "ARC-Message-Signature",
	[ARC_SEAL] = "ARC-Seal",
};

enum arc_kind
arc_kind_of(struct str name)
{
	unsigned i = 0;

	while (i < ARC_KINDS && !str_case_is(name, names[i]))
		i++;
	return (enum arc_kind)i;
}

static struct str
body_of(struct str text)
{
	ssize_t colon = str_chr(text, ':');

	return str_from(text, colon < 0 ? text.len : (size_t)colon + 1);
}

/* instance = [CFWS] %s"i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS], section 4.2.1; no leading
 * zero, which the grammar leaves open. */
static unsigned
number_of(struct str value)
{
	uint64_t n = 0;

	if (value.len > 2 || str_starts(value, STR("0")) || str_to_u64(value, &n) < 0 ||
		n > ARC_SETS_MOST)
		return 0;
	return (unsigned)n;
}

/* arc-info = instance [CFWS] ";" authres-payload, section 4.1.1: no list of tags. */
unsigned
arc_instance(enum arc_kind kind, struct str text)
{
	struct str body = body_of(text), first, name, value;
	struct tags tags;

	if (kind != ARC_RESULTS)
		return tags_read(body, &tags) < 0 ? 0 : number_of(tags_get(&tags, "i"));
	if (str_chr(body, ';') < 0 || !str_split(&body, ';', &first) ||
		!str_assignment(first, &name, &value) || !str_is(name, "i"))
		return 0;
	return number_of(value);
}

/* ---- signatures ---- */

static bool
read_algorithm(struct str value, enum dkim_algorithm *out)
{
	*out = str_is(value, "ed25519-sha256") ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
	return str_is(value, "rsa-sha256") || str_is(value, "ed25519-sha256");
}

static bool
read_cv(struct str value, enum arc_result *out)
{
	for (unsigned i = ARC_NONE; i <= ARC_FAIL; i++)
		if (str_is(value, arc_result_name((enum arc_result)i))) {
			*out = (enum arc_result)i;
			return true;
		}
	return false;
}

/* A tag with seconds since 1970, which need not be there. */
static bool
read_time(const struct tags *tags, const char *name, uint64_t *out)
{
	struct str value = tags_get(tags, name);

	return !value.data || (value.len <= 12 && str_to_u64(value, out) == 0);
}

static bool
names_field(struct str list, const char *name)
{
	struct str item;

	while (str_split(&list, ':', &item))
		if (str_case_is(str_trim(item), name))
			return true;
	return false;
}

/* What DKIM wants (RFC 6376 section 3.5), but for v=, which there is none of. A body that
 * is covered in part only (l=) is one that anybody may have changed (section 8.2). */
static const char *
read_message_tags(const struct tags *tags, int64_t now, struct arc_signature *out)
{
	struct str forms = tags_get(tags, "c");
	uint64_t expires = INT64_MAX;

	out->header = out->body = DKIM_SIMPLE;
	if (forms.data && dkim_canon_read(forms, &out->header, &out->body) < 0)
		return "c= is unknown";
	out->fields = tags_get(tags, "h");
	out->hash = tags_get(tags, "bh");
	if (!names_field(out->fields, "From"))
		return "it does not sign From";
	if (names_field(out->fields, "ARC-Seal"))
		return "it signs ARC-Seal";
	if (out->hash.len == 0)
		return "bh= is missing";
	if (tags_raw(tags, "l").data)
		return "l= leaves the end of the body to anybody";
	if (!read_time(tags, "x", &expires))
		return "x= is no time";
	return expires < (uint64_t)now ? "it has expired" : NULL;
}

/* Section 4.1.3: h= makes it none. */
static const char *
read_seal_tags(const struct tags *tags, struct arc_signature *out)
{
	if (!read_cv(tags_get(tags, "cv"), &out->cv))
		return "cv= is unknown";
	return tags_raw(tags, "h").data ? "it has h=" : NULL;
}

const char *
arc_signature_read(
	enum arc_kind kind, struct str text, int64_t now, struct arc_signature *out)
{
	struct tags tags;
	uint64_t signed_at;

	*out = (struct arc_signature){ .text = text };
	if (tags_read(body_of(text), &tags) < 0)
		return "it is no list of tags";
	if (!read_algorithm(tags_get(&tags, "a"), &out->algorithm))
		return "a= is unknown, or not good enough";
	out->domain = tags_get(&tags, "d");
	out->selector = tags_get(&tags, "s");
	out->b = tags_raw(&tags, "b");
	if (!dkim_name_is_domain(out->domain))
		return "d= is no domain";
	if (!dkim_name_is_domain(out->selector))
		return "s= is no selector";
	if (str_trim(out->b).len == 0)
		return "b= is missing";
	if (!read_time(&tags, "t", &signed_at))
		return "t= is no time";
	return kind == ARC_SEAL ? read_seal_tags(&tags, out)
				: read_message_tags(&tags, now, out);
}

/* RFC 6376 section 3.7. */
void
arc_signature_canon(const struct arc_signature *s, enum dkim_canon how, struct buf *out)
{
	struct buf emptied CLEANUP(buf_free) = BUF_INIT;
	size_t at = (size_t)(s->b.data - s->text.data);

	buf_add(&emptied, str_sub(s->text, 0, at));
	buf_add(&emptied, str_from(s->text, at + s->b.len));
	dkim_canon_field(how, buf_str(&emptied), out);
	out->len -= 2;
}
