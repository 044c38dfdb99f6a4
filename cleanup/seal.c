/* seal.c -- ARC (RFC 8617): the very last step of a message that others wrote and that
 * goes on to others. What we saw when it came is in our Authentication-Results field, so
 * a message without one is nobody's but our own users', and is not sealed.
 *
 * A stranger's message is sealed when it comes, if a recipient's row says so: aliases and
 * .forward change nothing that is signed. What a list server of ours hands in again is
 * sealed by the row of its sender. */
#include "sign.h"
#include "arc.h"
#include "idna.h"
#include "log.h"
#include "results.h"
#include "service.h"

static struct maps *sealers;

void
seal_open(const struct conf *c)
{
	sealers = maps_open("arc_sign_maps", c->p.arc_sign_maps, DICT_FOLD, c);
	if (!maps_empty(sealers) && !verify_tells_chains())
		log_warn("arc_sign_maps: nothing is sealed without arc_mode = tag");
}

/* Is it worth something that a field of ours is in it? People may write one. */
bool
message_is_handed_in(const struct message *m)
{
	const uint32_t local = ENVELOPE_LOCAL | ENVELOPE_REWRITE;
	uint32_t flags = m->envelope.flags;

	return !maps_empty(sealers) && !(flags & ENVELOPE_FORWARDED) &&
	       (m->envelope.sasl_username.len > 0 || (flags & local) == local);
}

/* ---- who seals ---- */

/* False: the table has nothing for this address. When it fails nobody seals. */
SWITCHES static bool
find_sealer(struct message *m, struct str address)
{
	struct dkim_signer found[DKIM_SIGNERS_MOST];
	struct buf domain CLEANUP(buf_free) = BUF_INIT;
	struct str value, extension;
	ssize_t at = str_rchr(address, '@');
	size_t n;
	struct why why;

	if (at < 0 || idna_to_ascii(str_from(address, (size_t)at + 1), &domain) < 0)
		return false;
	switch (maps_find_address(sealers, address, m->conf->p.recipient_delimiter,
		FIND_FULL | FIND_BARE_DOMAIN, false, m->arena, &value, &extension,
		&why)) {
	case DICT_NOTFOUND:
		return false;
	case DICT_ERROR:
		sign_fail(m, "ARC", why.text);
		return true;
	case DICT_FOUND:
		break;
	}
	if (!dkim_signers_read(value, arena_str(m->arena, buf_str(&domain)), found, &n)) {
		sign_fail(m, "ARC",
			arena_printf(m->arena,
				"arc_sign_maps: \"" STR_FMT
				"\": wanted is selector:key [domain=name]",
				STR_ARG(value))
				.data);
		return true;
	}
	m->sealer = arena_alloc(m->arena, sizeof(found[0]));
	*m->sealer = found[0];
	return true;
}

/* Before addresses become others. */
void
seal_begin(struct message *m)
{
	uint32_t flags = m->envelope.flags;

	m->from_stranger = message_is_verified(m);
	if (maps_empty(sealers) || !verify_tells_chains() || service_explains())
		return;
	for (size_t i = 0; m->from_stranger && i < m->rcpts.n; i++)
		if (find_sealer(m, rcpt_original(&m->rcpts.items[i])))
			return;
	if (!m->from_stranger && !message_is_handed_in(m) &&
		(flags & (ENVELOPE_FORWARDED | ENVELOPE_SIGN)))
		(void)find_sealer(m, m->envelope.sender);
}

/* ---- the chain that it came with ---- */

struct chain {
	struct arc_sets sets; /* views into the content that was hashed */
	struct str results;   /* the body of our Authentication-Results; none */
	unsigned replaced; /* the set that is ours, and newer than which there is none */
};

static bool
is_by_us(const struct message *m, struct str body)
{
	struct buf who CLEANUP(buf_free) = BUF_INIT;

	results_who(body, &who);
	return str_case_eq(buf_str(&who), m->conf->p.auth_service_id);
}

static void
see_field(struct message *m, struct chain *chain, struct str text)
{
	struct str body = text, name;

	if (!str_split(&body, ':', &name))
		return;
	name = str_trim(name);
	arc_sets_take(&chain->sets, name, text);
	if (!chain->results.data && str_case_is(name, "Authentication-Results") &&
		is_by_us(m, body))
		chain->results = body;
}

/* Sealed by us, then changed here: our set is made anew. One that came back to us from
 * elsewhere is another matter. */
static void
take_off_ours(struct message *m, struct chain *chain)
{
	struct arc_sets *sets = &chain->sets;
	struct str body, instance;

	if (m->from_stranger || sets->n == 0 || sets->problem)
		return;
	body = sets->fields[sets->n][ARC_RESULTS];
	(void)str_split(&body, ';', &instance);
	if (is_by_us(m, body))
		chain->replaced = sets->n--;
}

/* What broke before stays broken, whoever seals it. */
static bool
may_go_on(struct message *m, const struct chain *chain)
{
	const struct arc_sets *sets = &chain->sets;
	bool well = sets->n == 0 ||
		    (!sets->problem && sets->n < ARC_SETS_MOST &&
			    str_is(results_of(chain->results, "arc", m->arena), "pass"));

	if (!well)
		log_info("%s: not sealed: its chain is broken", m->queue_id);
	return well;
}

/* ---- the set ---- */

/* The message, but for a set of that number. */
static void
copy_without(struct str rest, unsigned instance, struct buf *out)
{
	while (instance > 0 && rest.len > 0 && rest.data[0] != '\n') {
		enum arc_kind kind;
		struct str field;
		size_t n = 0;

		do {
			ssize_t end = str_chr(str_from(rest, n), '\n');

			n = end < 0 ? rest.len : n + (size_t)end + 1;
		} while (n < rest.len && ascii_is_blank(rest.data[n]));
		field = str_sub(rest, 0, n);
		rest = str_from(rest, n);
		kind = arc_kind_of(
			str_trim(str_sub(field, 0, (size_t)MAX(str_chr(field, ':'), 0))));
		if (kind == ARC_KINDS || arc_instance(kind, field) != instance)
			buf_add(out, field);
	}
	buf_add(out, rest);
}

SWITCHES static int
add_seal(struct message *m, const struct arc_sets *sets, struct buf *out, struct why *why)
{
	struct unsigned_field f CLEANUP(unsigned_field_free) = { .texts = { BUF_INIT } };
	struct arc_seal_plan plan = { .domain = m->sealer->domain,
		.selector = m->sealer->selector,
		.cv = sets->n == 1 ? ARC_NONE : ARC_PASS,
		.at = time_wall_us() / 1000000 };

	for (unsigned i = 0; i < DKIM_ALGORITHMS; i++) {
		plan.algorithm = (enum dkim_algorithm)i;
		if (arc_seal_begin(&plan, sets, &f.texts[i], f.hashes[i]) < 0) {
			why_set(why, "4.3.0", "OpenSSL has no SHA-256");
			return -1;
		}
	}
	return sign_field(m, m->sealer->key, &f, out, why);
}

/* The seal in front, behind it what it was made over. */
SWITCHES static int
add_set(struct message *m, struct chain *chain, const struct dkim_content *content,
	struct buf *out, struct why *why)
{
	struct buf results CLEANUP(buf_free) = BUF_INIT,
			   signature CLEANUP(buf_free) = BUF_INIT,
			   lines CLEANUP(buf_free) = BUF_INIT;
	struct arc_sets *sets = &chain->sets;
	struct dkim_plan plan = sign_plan(m->sealer);

	for (size_t i = 0; i < chain->results.len; i++)
		if (chain->results.data[i] != '\r')
			buf_addc(&lines, chain->results.data[i]);
	plan.instance = ++sets->n;
	arc_results_write(plan.instance, buf_str(&lines), &results);
	if (sign_message_field(m, &plan, m->sealer->key, content, &signature, why) < 0)
		return -1;
	sets->fields[sets->n][ARC_RESULTS] = buf_str(&results);
	sets->fields[sets->n][ARC_SIGNATURE] = buf_str(&signature);
	if (add_seal(m, sets, out, why) < 0)
		return -1;
	buf_add(out, buf_str(&signature));
	buf_add(out, buf_str(&results));
	log_info("%s: ARC set added (i=%u, s=" STR_FMT ", d=" STR_FMT ")", m->queue_id,
		sets->n, STR_ARG(m->sealer->selector), STR_ARG(m->sealer->domain));
	return 0;
}

SWITCHES static void
seal_content(struct message *m, const struct dkim_content *content)
{
	struct chain *chain = arena_alloc(m->arena, sizeof(*chain));
	struct strs fields = dkim_content_fields(content);
	struct buf fresh = BUF_INIT;
	struct why why;

	for (size_t i = 0; i < fields.n; i++)
		see_field(m, chain, fields.items[i]);
	arc_sets_end(&chain->sets);
	take_off_ours(m, chain);
	if (!chain->results.data || !may_go_on(m, chain))
		return;
	if (add_set(m, chain, content, &fresh, &why) < 0) {
		buf_free(&fresh);
		sign_fail(m, "ARC", why.text);
		return;
	}
	copy_without(buf_str(&m->content), chain->replaced, &fresh);
	content_replace(m, &fresh);
}

void
seal_message(struct message *m)
{
	struct dkim_content *content;

	if (!m->sealer || m->discarded)
		return;
	content = sign_hash(&m->content);
	if (content)
		seal_content(m, content);
	else
		sign_fail(m, "ARC", "OpenSSL does not hash");
	dkim_content_free(content);
}
