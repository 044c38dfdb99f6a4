/* sasl_login.c -- see sasl_login.h: the choice, the exchange, and the simple mechanisms.
 */
#include "sasl_login_impl.h"
#include "sasl_impl.h"
#include <string.h>
#include <sys/random.h>

#define NONCE_BYTES 18 /* 24 characters of base64 */

bool
sasl_bad_protocol(struct why *why)
{
	why_set(why, "4.7.0", "bad protocol / cancel");
	return false;
}

bool
sasl_bad_server(struct why *why)
{
	why_set(why, "4.7.0", "server failed mutual authentication step");
	return false;
}

bool
sasl_failure(struct why *why)
{
	why_set(why, "4.7.0", "generic failure");
	return false;
}

/* ---- mechanisms ---- */

/* RFC 4616. We act for nobody but ourselves: no authorization identity. */
static bool
plain_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	if (challenge)
		return sasl_failure(why);
	buf_addc(out, '\0');
	buf_add(out, buf_str(&l->user));
	buf_addc(out, '\0');
	buf_add(out, buf_str(&l->password));
	return true;
}

/* draft-murchison-sasl-login: what the challenges say does not matter. */
static bool
login_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	(void)challenge;
	if (l->steps > 1)
		return sasl_failure(why);
	buf_add(out, buf_str(l->steps == 0 ? &l->user : &l->password));
	return true;
}

/* RFC 2195 section 2. */
static bool
cram_md5_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	unsigned char proof[DIGEST_MOST];

	if (l->steps > 0)
		return sasl_failure(why);
	if (digest_hmac(DIGEST_MD5, buf_str(&l->password), *challenge, proof) < 0)
		return sasl_failure(why);
	buf_add(out, buf_str(&l->user));
	buf_addc(out, ' ');
	for (size_t i = 0; i < digest_size(DIGEST_MD5); i++)
		buf_printf(out, "%02x", proof[i]);
	return true;
}

/* Google's documentation, "OAuth 2.0 Mechanism". A challenge says in JSON what was wrong,
 * and wants a response of no octets before the server fails. */
static bool
xoauth2_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	if (l->steps > 1)
		return sasl_failure(why);
	if (challenge && l->steps > 0)
		return true;
	buf_printf(out, "user=" STR_FMT "\001auth=Bearer " STR_FMT "\001\001",
		STR_ARG(buf_str(&l->user)), STR_ARG(buf_str(&l->password)));
	return true;
}

/* RFC 7628 section 3.1; 3.2.3: the response to an error is one control character. */
static bool
oauthbearer_step(struct sasl_login *l, const struct str *challenge, struct buf *out,
	struct why *why)
{
	if (l->steps > 1)
		return sasl_failure(why);
	if (challenge && l->steps > 0) {
		buf_addc(out, '\001');
		return true;
	}
	buf_addz(out, "n,a=");
	sasl_add_name(out, buf_str(&l->user));
	buf_printf(out,
		",\001host=" STR_FMT "\001port=%u\001auth=Bearer " STR_FMT "\001\001",
		STR_ARG(buf_str(&l->host)), l->port, STR_ARG(buf_str(&l->password)));
	return true;
}

/* Best first. Their properties are those that Cyrus SASL gives them. */
static const struct sasl_login_mechanism all[] = {
	{ .m = { STR_INIT("SCRAM-SHA-256"), SASL_DICTIONARY | SASL_MUTUAL },
		.slow = true,
		.digest = DIGEST_SHA256,
		.step = sasl_scram_step },
	{ .m = { STR_INIT("SCRAM-SHA-1"), SASL_DICTIONARY | SASL_MUTUAL },
		.slow = true,
		.digest = DIGEST_SHA1,
		.step = sasl_scram_step },
	{ .m = { STR_INIT("OAUTHBEARER"), SASL_PLAINTEXT | SASL_ACTIVE },
		.token = true,
		.step = oauthbearer_step },
	{ .m = { STR_INIT("XOAUTH2"), SASL_PLAINTEXT | SASL_ACTIVE },
		.token = true,
		.step = xoauth2_step },
	{ .m = { STR_INIT("CRAM-MD5"), SASL_ACTIVE | SASL_DICTIONARY },
		.server_first = true,
		.step = cram_md5_step },
	{ .m = { STR_INIT("PLAIN"), SASL_PLAINTEXT | SASL_ACTIVE | SASL_DICTIONARY },
		.step = plain_step },
	{ .m = { STR_INIT("LOGIN"), SASL_PLAINTEXT | SASL_ACTIVE | SASL_DICTIONARY },
		.server_first = true,
		.step = login_step },
};

const struct sasl_login_mechanism *
sasl_login_mechanism(size_t i)
{
	return i < COUNT(all) ? &all[i] : NULL;
}

const struct sasl_login_mechanism *
sasl_login_choose(
	const struct strs *offered, const struct sasl_options *options, bool tokens)
{
	for (size_t i = 0; i < COUNT(all); i++) {
		if ((all[i].token && !tokens) ||
			!sasl_mechanism_is_good(&all[i].m, options))
			continue;
		for (size_t k = 0; k < offered->n; k++)
			if (str_case_eq(offered->items[k], all[i].m.name))
				return &all[i];
	}
	return NULL;
}

void
sasl_add_name(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == ',' || name.data[i] == '=')
			buf_addz(out, name.data[i] == ',' ? "=2C" : "=3D");
		else
			buf_addc(out, name.data[i]);
}

/* ---- an exchange ---- */

static bool
nonce_make(struct buf *out)
{
	char bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	base64_encode(str_of(bytes, sizeof(bytes)), out);
	return true;
}

/* What a mechanism takes for the end of a name or a password is in none. */
static bool
is_usable(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0' || text.data[i] == '\001')
			return false;
	return text.len <= SASL_CHALLENGE_MOST;
}

struct sasl_login *
sasl_login_begin(const struct sasl_login_mechanism *m,
	const struct sasl_login_secret *secret, struct buf *out, bool *has_initial,
	struct why *why)
{
	struct sasl_login *l = mem_alloc(sizeof(*l));

	*l = (struct sasl_login){ .m = m, .port = secret->port };
	buf_add(&l->user, secret->user);
	buf_add(&l->password, secret->password);
	buf_add(&l->host, secret->host);
	buf_add(&l->nonce, secret->nonce);
	*has_initial = !m->server_first;
	if (!is_usable(secret->user) || !is_usable(secret->password))
		why_set(why, "4.7.0", "invalid parameter supplied");
	else if (l->nonce.len == 0 && !nonce_make(&l->nonce))
		sasl_failure(why);
	else if (m->server_first)
		return l;
	else if (m->step(l, NULL, out, why)) {
		l->steps++;
		return l;
	}
	sasl_login_end(l);
	return NULL;
}

bool
sasl_login_step(
	struct sasl_login *l, struct str challenge, struct buf *out, struct why *why)
{
	if (challenge.len > SASL_CHALLENGE_MOST)
		return sasl_bad_protocol(why);
	if (!l->m->step(l, &challenge, out, why))
		return false;
	l->steps++;
	return true;
}

bool
sasl_login_finish(struct sasl_login *l, struct why *why)
{
	if ((l->m->m.properties & SASL_MUTUAL) && !l->server_proved)
		return sasl_bad_server(why);
	return true;
}

void
sasl_login_end(struct sasl_login *l)
{
	if (!l)
		return;
	buf_wipe(&l->user);
	buf_wipe(&l->password);
	buf_wipe(&l->host);
	buf_wipe(&l->nonce);
	buf_wipe(&l->said);
	explicit_bzero(l, sizeof(*l));
	mem_free(l);
}
