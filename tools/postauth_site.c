/* postauth_site.c -- what main.cf and its files say of a domain of ours. */
#include "postauth.h"
#include "command.h"
#include "dict.h"
#include "idna.h"
#include "log.h"
#include "net.h"
#include "tls_sign.h"
#include <unistd.h>

#define KEY_MOST (64 * 1024) /* octets of its file */

struct str
postauth_domain(const char *text, struct arena *arena)
{
	struct str name = str_c(text);
	struct buf ascii CLEANUP(buf_free) = BUF_INIT;

	if (str_ends(name, STR(".")))
		name = str_sub(name, 0, name.len - 1);
	if (idna_to_ascii(name, &ascii) < 0 || !dkim_name_is_domain(buf_str(&ascii)))
		log_fatal("%s is no domain", text);
	return arena_lower(arena, buf_str(&ascii));
}

struct sign_key *
postauth_read_key(const char *path, struct why *why)
{
	struct buf text CLEANUP(buf_wipe) = BUF_INIT;
	struct sign_key *key;

	if (read_file(path, KEY_MOST, &text) < 0) {
		why_errno(why, "4.3.5", path);
		return NULL;
	}
	key = sign_key_read(buf_str(&text), why);
	if (!key) {
		struct why bare = *why;

		why_set(why, "4.3.5", "%s: %s", path, bare.text);
	}
	return key;
}

/* RFC 6376 section 3.6.1. */
void
postauth_key_record(const struct sign_key *key, struct buf *out)
{
	struct buf public CLEANUP(buf_free) = BUF_INIT;

	if (sign_key_public(key, &public) < 0)
		log_fatal("OpenSSL does not tell the public key");
	buf_printf(out,
		"v=DKIM1; k=%s; p=", sign_key_kind(key) == SIGN_RSA ? "rsa" : "ed25519");
	base64_encode(buf_str(&public), out);
}

/* ---- DKIM ---- */

static void
read_site_key(struct site *s, struct site_key *k)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;
	struct buf record CLEANUP(buf_free) = BUF_INIT;
	struct sign_key *key;
	struct why why;

	if (str_chr(k->signer.key, '/') >= 0) {
		k->problem = arena_printf(s->arena,
			STR_FMT ": a file in dkim_sign_key_directory is named without "
				"a directory",
			STR_ARG(k->signer.key));
		return;
	}
	buf_printf(&path, STR_FMT "/" STR_FMT,
		STR_ARG(s->conf->p.dkim_sign_key_directory), STR_ARG(k->signer.key));
	key = postauth_read_key(buf_cstr(&path), &why);
	if (!key) {
		k->problem = arena_str(s->arena, str_c(why.text));
		return;
	}
	postauth_key_record(key, &record);
	sign_key_free(key);
	k->record = arena_str(s->arena, buf_str(&record));
}

/* Who signs for authors of the domain, unless one of them has an entry of his own. */
static void
read_signers(struct site *s)
{
	struct maps *maps = maps_open(
		"dkim_sign_maps", s->conf->p.dkim_sign_maps, DICT_FOLD, s->conf);
	struct dkim_signer signers[DKIM_SIGNERS_MOST];
	struct str author, value, extension;
	struct why why;

	author = arena_printf(s->arena, "postmaster@" STR_FMT, STR_ARG(s->domain));
	switch (maps_find_address(maps, author, STR_NONE, FIND_FULL | FIND_BARE_DOMAIN,
		false, s->arena, &value, &extension, &why)) {
	case DICT_NOTFOUND:
		break;
	case DICT_ERROR:
		log_fatal("dkim_sign_maps: %s", why.text);
	case DICT_FOUND:
		if (!dkim_signers_read(value, s->domain, signers, &s->n_keys))
			log_fatal("dkim_sign_maps: \"" STR_FMT "\" names no signatures",
				STR_ARG(value));
		break;
	}
	for (size_t i = 0; i < s->n_keys; i++) {
		s->keys[i].signer = signers[i];
		read_site_key(s, &s->keys[i]);
	}
	maps_close(maps);
}

/* ---- TLS ---- */

static void
read_certificates(struct site *s, struct str files)
{
	struct strs paths = conf_list(files, s->arena);

	for (size_t i = 0; i < paths.n; i++) {
		struct buf hashes CLEANUP(buf_free) = BUF_INIT;
		struct why why;

		if (str_case_is(paths.items[i], "none"))
			continue;
		if (tls_certificate_keys(
			    arena_cstr(s->arena, paths.items[i]), &hashes, &why) < 0)
			log_warn("%s", why.text);
		buf_add(&s->tls_keys, buf_str(&hashes));
	}
}

void
postauth_site_read(struct site *s, const char *directory, struct str domain)
{
	const struct params *p;
	struct buf host CLEANUP(buf_free) = BUF_INIT;

	*s = (struct site){ .arena = arena_new(), .tls_keys = BUF_INIT };
	s->conf = command_conf(directory);
	s->domain = domain;
	p = &s->conf->p;
	if (idna_to_ascii(p->myhostname, &host) < 0)
		buf_add(&host, p->myhostname);
	s->host = arena_lower(s->arena, buf_str(&host));
	read_signers(s);
	if (p->smtpd_tls_chain_files.len > 0) {
		read_certificates(s, p->smtpd_tls_chain_files);
	} else {
		read_certificates(s, p->smtpd_tls_cert_file);
		read_certificates(s, p->smtpd_tls_eccert_file);
	}
}

bool
postauth_site_exists(const char *directory)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&path, "%s/main.cf", conf_directory(directory));
	return directory || access(buf_cstr(&path), R_OK) == 0;
}
