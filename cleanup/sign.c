/* sign.c -- DKIM (RFC 6376): the last step of a message of ours. The header and the
 * hashes are made here, the signatures by dkimsign, which has the keys.
 *
 * What is signed is what smtp will send. So that it need not change the message on the
 * way (8-bit parts for a server without 8BITMIME, lines over smtp_line_length_limit),
 * both is done here, before (RFC 6376 section 5.3). */
#include "message.h"
#include "addrlist.h"
#include "dkim_sign.h"
#include "event.h"
#include "idna.h"
#include "log.h"
#include "service.h"

#define PATIENCE        ((msec_t)30000)
#define LARGE           ((size_t)64 * 1024) /* more is hashed in a helper thread */
#define FOLD_LEAST      ((size_t)12)        /* as smtp */

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

/* A signature that cannot be had. */
static void
fail(struct message *m, const char *what)
{
	log_warn("%s: DKIM: %s%s", m->queue_id, what,
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
		fail(m, why.text);
		break;
	case DICT_FOUND:
		if (dkim_signers_read(value, arena_str(m->arena, buf_str(&domain)), out, &n))
			break;
		fail(m, arena_printf(m->arena,
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
	struct message *m;
	struct buf *text;
	struct dkim_content *content; /* NULL: it cannot be hashed */
};

/* Lines end in CRLF on the wire; a CR before our LF is part of the line. Nobody else
 * looks at the message while a helper thread does this. */
static void
prepare_and_hash(void *arg)
{
	struct reading *r = arg;
	struct str rest, line;

	make_7bit(r->m, r->text);
	fold(r->m, r->text);
	r->content = dkim_content_new(
		settings.body == DKIM_SIMPLE, settings.body == DKIM_RELAXED);
	if (!r->content)
		return;
	rest = buf_str(r->text);
	while (str_split(&rest, '\n', &line)) {
		dkim_content_add(r->content, line);
		dkim_content_add(r->content, STR("\r\n"));
	}
	if (dkim_content_end(r->content) == 0)
		return;
	dkim_content_free(r->content);
	r->content = NULL;
}

/* Appends one field. The key says which algorithm it is for, so there are two beginnings
 * and two hashes. */
SWITCHES static int
add_signature(struct message *m, const struct dkim_signer *signer,
	const struct dkim_content *content, struct buf *out, struct why *why)
{
	unsigned char hashes[DKIM_ED25519_SHA256 + 1][DKIM_HASH];
	struct buf fields[DKIM_ED25519_SHA256 + 1] = { BUF_INIT, BUF_INIT };
	struct dkim_plan plan = { .domain = signer->domain,
		.selector = signer->selector,
		.header = settings.header,
		.body = settings.body,
		.fields = settings.fields,
		.oversigned = settings.oversigned,
		.at = time_wall_us() / 1000000,
		.valid_for = m->conf->p.dkim_sign_expire_time / 1000 };
	struct dkim_sign_request ask = { .key = signer->key,
		.rsa_hash = str_of(hashes[DKIM_RSA_SHA256], DKIM_HASH),
		.ed25519_hash = str_of(hashes[DKIM_ED25519_SHA256], DKIM_HASH) };
	struct dkim_sign_reply said = { .error = STR_NONE };
	struct buf *field;
	int result = 0;

	for (int i = DKIM_RSA_SHA256; i <= DKIM_ED25519_SHA256 && result == 0; i++) {
		plan.algorithm = (enum dkim_algorithm)i;
		result = dkim_sign_begin(&plan, content, &fields[i], hashes[i], why);
	}
	if (result == 0 && dkim_sign_call(service_peer("dkimsign"), &ask, &said, m->arena,
				   deadline_in(PATIENCE)) < 0) {
		why_errno(why, "4.3.0", "dkimsign");
		result = -1;
	} else if (result == 0 && (said.signature.len == 0 ||
					  said.signature.len > DKIM_SIGNATURE_MOST)) {
		why_set(why, "4.3.0", STR_FMT, STR_ARG(said.error));
		result = -1;
	}
	if (result == 0) {
		field = &fields[said.is_ed25519 ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256];
		dkim_sign_end(said.signature, field);
		buf_add(out, buf_str(field));
		log_info("%s: DKIM-Signature field added (s=" STR_FMT ", d=" STR_FMT ")",
			m->queue_id, STR_ARG(signer->selector), STR_ARG(signer->domain));
	}
	buf_free(&fields[DKIM_RSA_SHA256]);
	buf_free(&fields[DKIM_ED25519_SHA256]);
	return result;
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
			fail(m, why.text);
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
	if (text.len > LARGE)
		event_offload(prepare_and_hash, &reading);
	else
		prepare_and_hash(&reading);
	if (reading.content)
		add_signatures(m, signers, n, reading.content, buf_str(&text));
	else
		fail(m, "OpenSSL does not hash");
	dkim_content_free(reading.content);
	/* Once is enough for who goes through here again (postsuper -r). */
	m->envelope.flags &= ~(uint32_t)ENVELOPE_SIGN;
}
