/* sign.c -- DKIM (RFC 6376): the last step of a message of ours. The header and the
 * hashes are made here, the signatures by dkimsign, which has the keys.
 *
 * What is signed is what smtp will send. So that it need not change the message on the
 * way (8-bit parts for a server without 8BITMIME, lines over smtp_line_length_limit),
 * both is done here, before (RFC 6376 section 5.3). */
#include "sign.h"
#include "addrlist.h"
#include "event.h"
#include "idna.h"
#include "log.h"
#include "service.h"

#define PATIENCE   ((msec_t)30000)
#define LARGE      ((size_t)64 * 1024) /* more is hashed in a helper thread */
#define FOLD_LEAST ((size_t)12)        /* as smtp */

static struct {
	struct maps *maps;
	struct strs fields, oversigned;
	enum dkim_canon header, body;
	bool passes; /* dkim_sign_failure_action = pass */
} settings;

static void
check_names(const char *parameter, struct strs *names)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++)
		if (dkim_name_is_field(names->items[i]))
			names->items[n++] = names->items[i];
		else
			log_warn("%s: no field can be named \"" STR_FMT "\"", parameter,
				STR_ARG(names->items[i]));
	names->n = n;
}

void
sign_open(const struct conf *c, struct arena *a)
{
	settings.maps = maps_open("dkim_sign_maps", c->p.dkim_sign_maps, DICT_FOLD, c);
	settings.fields = conf_list(c->p.dkim_sign_fields, a);
	settings.oversigned = conf_list(c->p.dkim_sign_oversigned_fields, a);
	check_names("dkim_sign_fields", &settings.fields);
	check_names("dkim_sign_oversigned_fields", &settings.oversigned);
	if (dkim_canon_read(c->p.dkim_sign_canonicalization, &settings.header,
		    &settings.body) < 0)
		log_fatal("dkim_sign_canonicalization: \"" STR_FMT
			  "\": wanted are simple or relaxed, for header/body",
			STR_ARG(c->p.dkim_sign_canonicalization));
	settings.passes = str_is(c->p.dkim_sign_failure_action, "pass");
}

/* smtpd says whose client it was; what came through sendmail, and our own notices, are
 * ours, but for what a filter hands back (sendmail -G). */
bool
message_may_be_signed(const struct message *m)
{
	const uint32_t local = ENVELOPE_LOCAL | ENVELOPE_REWRITE;
	uint32_t flags = m->envelope.flags;

	return !maps_empty(settings.maps) && !(flags & ENVELOPE_FORWARDED) &&
	       ((flags & ENVELOPE_SIGN) || (flags & local) == local);
}

void
sign_fail(struct message *m, const char *scheme, const char *what)
{
	log_warn("%s: %s: %s%s", m->queue_id, scheme, what,
		settings.passes ? "; it goes without this signature" : "");
	if (!settings.passes)
		message_fail(m, TEMPFAIL, 451, "4.7.0", "cannot sign the message now");
}

/* ---- who signs ---- */

struct author {
	struct str address;
	size_t fields; /* From fields that there are */
};

static void
see_author(struct author *author, const struct field *f, struct arena *arena)
{
	struct addr_list list = { 0 };

	if (!field_is(f, "From"))
		return;
	author->fields++;
	addr_list_parse(f->body, arena, &list);
	if (list.list.n > 0)
		author->address = list.list.items[0].address;
	addr_list_free(&list);
}

/* The author's address: that of the only From field, the first one if it has several. */
static struct str
author_of(struct message *m)
{
	struct fields reader = { .limit = (size_t)m->conf->p.header_size_limit };
	struct str rest = buf_str(&m->content);
	struct author author = { .address = STR_NONE };
	enum fields_event event;
	struct field f;

	while ((event = fields_next(&reader, &rest, &f)) == FIELDS_FIELD)
		see_author(&author, &f, m->arena);
	if (event == FIELDS_MORE && fields_finish(&reader, &f) == FIELDS_FIELD)
		see_author(&author, &f, m->arena);
	fields_free(&reader);
	return author.fields == 1 ? author.address : STR_NONE;
}

/* How many there are; when the table fails, so does the message. */
SWITCHES static size_t
find_signers(struct message *m, struct dkim_signer *out)
{
	struct buf domain CLEANUP(buf_free) = BUF_INIT;
	struct str author = author_of(m), value, extension;
	ssize_t at = str_rchr(author, '@');
	size_t n = 0;
	struct why why;

	if (at < 0 || idna_to_ascii(str_from(author, (size_t)at + 1), &domain) < 0)
		return 0;
	switch (maps_find_address(settings.maps, author, m->conf->p.recipient_delimiter,
		FIND_FULL | FIND_BARE_DOMAIN, false, m->arena, &value, &extension,
		&why)) {
	case DICT_NOTFOUND:
		break;
	case DICT_ERROR:
		sign_fail(m, "DKIM", why.text);
		break;
	case DICT_FOUND:
		if (dkim_signers_read(
			    value, arena_str(m->arena, buf_str(&domain)), out, &n))
			break;
		sign_fail(m, "DKIM",
			arena_printf(m->arena,
				"dkim_sign_maps: \"" STR_FMT
				"\": wanted is selector:key [selector:key ...] "
				"[domain=name]",
				STR_ARG(value))
				.data);
		n = 0;
		break;
	}
	return n;
}

/* ---- what smtp will send ---- */

static bool
has_8bit(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= 0x80)
			return true;
	return false;
}

/* As smtp does it for a server without 8BITMIME. */
static void
make_7bit(struct message *m, struct buf *text)
{
	const struct params *p = &m->conf->p;
	struct buf converted = BUF_INIT;
	struct downgrade d;

	if (p->disable_mime_output_conversion || !has_8bit(buf_str(text)))
		return;
	downgrade_begin(
		&d, (size_t)p->mime_nesting_limit, (size_t)p->mime_boundary_length_limit);
	downgrade_add(&d, buf_str(text), &converted);
	downgrade_end(&d, &converted);
	if (d.problem) { /* smtp would not send it to such a server either */
		buf_free(&converted);
	} else {
		buf_free(text);
		*text = converted;
		if (!has_8bit(buf_str(text)))
			m->envelope.flags &= ~(uint32_t)ENVELOPE_8BIT;
	}
	downgrade_free(&d);
}

/* As smtp does it: a line end and a blank. */
static void
fold_line(struct str line, size_t limit, struct buf *out)
{
	buf_add(out, str_sub(line, 0, limit));
	for (size_t at = limit; at < line.len; at += limit - 1) {
		buf_addz(out, "\n ");
		buf_add(out, str_sub(line, at, limit - 1));
	}
	buf_addc(out, '\n');
}

static void
fold(struct message *m, struct buf *text)
{
	size_t limit = (size_t)m->conf->p.smtp_line_length_limit;
	struct str rest = buf_str(text), line;
	struct buf folded = BUF_INIT;

	if (limit == 0)
		return;
	limit = MAX(limit, FOLD_LEAST);
	buf_need(&folded, text->len);
	while (str_split(&rest, '\n', &line))
		fold_line(line, limit, &folded);
	buf_free(text);
	*text = folded;
}

/* ---- signatures ---- */

struct reading {
	struct message *m; /* NULL: it is read as it is */
	struct buf *text;
	struct dkim_content *content; /* NULL: it cannot be hashed */
};

/* Lines end in CRLF on the wire; a CR before our LF is part of the line. */
static struct dkim_content *
hash_lines(struct str rest)
{
	struct dkim_content *content = dkim_content_new(
		settings.body == DKIM_SIMPLE, settings.body == DKIM_RELAXED);
	struct str line;

	if (!content)
		return NULL;
	while (str_split(&rest, '\n', &line)) {
		dkim_content_add(content, line);
		dkim_content_add(content, STR("\r\n"));
	}
	if (dkim_content_end(content) == 0)
		return content;
	dkim_content_free(content);
	return NULL;
}

/* Nobody else looks at the message while a helper thread does this. */
static void
prepare_and_hash(void *arg)
{
	struct reading *r = arg;

	if (r->m) {
		make_7bit(r->m, r->text);
		fold(r->m, r->text);
	}
	r->content = hash_lines(buf_str(r->text));
}

SWITCHES static void
read_all(struct reading *r)
{
	if (r->text->len > LARGE)
		event_offload(prepare_and_hash, r);
	else
		prepare_and_hash(r);
}

struct dkim_content *
sign_hash(struct buf *text)
{
	struct reading r = { .text = text };

	read_all(&r);
	return r.content;
}

struct dkim_plan
sign_plan(const struct dkim_signer *signer)
{
	return (struct dkim_plan){ .domain = signer->domain,
		.selector = signer->selector,
		.header = settings.header,
		.body = settings.body,
		.fields = settings.fields,
		.oversigned = settings.oversigned,
		.at = time_wall_us() / 1000000 };
}

int
sign_field(struct message *m, struct str key, struct unsigned_field *f, struct buf *out,
	struct why *why)
{
	struct dkim_sign_request ask = { .key = key,
		.rsa_hash = str_of(f->hashes[DKIM_RSA_SHA256], DKIM_HASH),
		.ed25519_hash = str_of(f->hashes[DKIM_ED25519_SHA256], DKIM_HASH) };
	struct dkim_sign_reply said = { .error = STR_NONE };
	struct buf *field;

	if (dkim_sign_call(service_peer("dkimsign"), &ask, &said, m->arena,
		    deadline_in(PATIENCE)) < 0) {
		why_errno(why, "4.3.0", "dkimsign");
		return -1;
	}
	if (said.signature.len == 0 || said.signature.len > DKIM_SIGNATURE_MOST) {
		why_set(why, "4.3.0", STR_FMT, STR_ARG(said.error));
		return -1;
	}
	field = &f->texts[said.is_ed25519 ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256];
	dkim_sign_end(said.signature, field);
	buf_add(out, buf_str(field));
	return 0;
}

void
unsigned_field_free(struct unsigned_field *f)
{
	for (unsigned i = 0; i < DKIM_ALGORITHMS; i++)
		buf_free(&f->texts[i]);
}

int
sign_message_field(struct message *m, struct dkim_plan *plan, struct str key,
	const struct dkim_content *content, struct buf *out, struct why *why)
{
	struct unsigned_field f CLEANUP(unsigned_field_free) = { .texts = { BUF_INIT } };

	for (unsigned i = 0; i < DKIM_ALGORITHMS; i++) {
		plan->algorithm = (enum dkim_algorithm)i;
		if (dkim_sign_begin(plan, content, &f.texts[i], f.hashes[i], why) < 0)
			return -1;
	}
	return sign_field(m, key, &f, out, why);
}

/* Appends one field. */
SWITCHES static int
add_signature(struct message *m, const struct dkim_signer *signer,
	const struct dkim_content *content, struct buf *out, struct why *why)
{
	struct dkim_plan plan = sign_plan(signer);

	plan.valid_for = m->conf->p.dkim_sign_expire_time / 1000;
	if (sign_message_field(m, &plan, signer->key, content, out, why) < 0)
		return -1;
	log_info("%s: DKIM-Signature field added (s=" STR_FMT ", d=" STR_FMT ")",
		m->queue_id, STR_ARG(signer->selector), STR_ARG(signer->domain));
	return 0;
}

/* All of them, and the message behind them. */
SWITCHES static void
add_signatures(struct message *m, const struct dkim_signer *signers, size_t n,
	const struct dkim_content *content, struct str text)
{
	struct buf fresh = BUF_INIT;
	struct why why;

	for (size_t i = 0; i < n && m->verdict == ACCEPT; i++)
		if (add_signature(m, &signers[i], content, &fresh, &why) < 0)
			sign_fail(m, "DKIM", why.text);
	buf_add(&fresh, text);
	content_replace(m, &fresh);
}

void
sign_message(struct message *m)
{
	struct dkim_signer signers[DKIM_SIGNERS_MOST];
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	struct reading reading = { .m = m, .text = &text };
	size_t n;

	if (!message_may_be_signed(m) || m->discarded || service_explains())
		return;
	n = find_signers(m, signers);
	if (n == 0)
		return;
	buf_add(&text, buf_str(&m->content));
	read_all(&reading);
	if (reading.content)
		add_signatures(m, signers, n, reading.content, buf_str(&text));
	else
		sign_fail(m, "DKIM", "OpenSSL does not hash");
	dkim_content_free(reading.content);
	/* Once is enough for who goes through here again (postsuper -r). */
	m->envelope.flags &= ~(uint32_t)ENVELOPE_SIGN;
}
