/* check_certificates.c -- when they expire, and who may read the keys. Whether a key fits
 * its certificate the daemons have found out by then. */
#include "check.h"
#include "net.h"
#include <sys/stat.h>
#include <time.h>

enum { DAY = 86400, SOON_DAYS = 14 };

static const struct {
	const char *parameter;
	bool certificate, key;
} files[] = {
	{ "smtpd_tls_chain_files", true, true },
	{ "smtpd_tls_cert_file", true, false },
	{ "smtpd_tls_key_file", false, true },
	{ "smtpd_tls_eccert_file", true, false },
	{ "smtpd_tls_eckey_file", false, true },
	{ "smtp_tls_chain_files", true, true },
	{ "smtp_tls_cert_file", true, false },
	{ "smtp_tls_key_file", false, true },
	{ "smtp_tls_eccert_file", true, false },
	{ "smtp_tls_eckey_file", false, true },
	{ "lmtp_tls_chain_files", true, true },
	{ "lmtp_tls_cert_file", true, false },
	{ "lmtp_tls_key_file", false, true },
	{ "lmtp_tls_eccert_file", true, false },
	{ "lmtp_tls_eckey_file", false, true },
};

static void
check_expiry(struct check *k, const char *parameter, const char *path)
{
	int64_t ends, now = time(NULL);
	struct tm tm;
	char text[40];
	time_t when;
	struct why why;

	if (tls_certificate_ends(path, &ends, &why) < 0) {
		check_parameter(k, true, parameter, "put a PEM file there", "%s: %s",
			parameter, why.text);
		return;
	}
	when = ends;
	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	if (ends <= now)
		check_parameter(k, true, parameter, "renew it",
			"the certificate in %s has expired: %s", path, text);
	else if (ends < now + (int64_t)SOON_DAYS * DAY)
		check_parameter(k, false, parameter, "renew it",
			"the certificate in %s expires within %d days: %s", path,
			SOON_DAYS, text);
}

static void
check_key(struct check *k, const char *parameter, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IROTH | S_IWGRP | S_IWOTH)))
		check_parameter(k, false, parameter, "chmod 600",
			"others than its owner can read or write the private key in %s",
			path);
}

/* Only what main.cf sets: other values follow from these. */
void
check_certificates(struct check *k)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();

	for (size_t i = 0; i < COUNT(files); i++) {
		const char *parameter = files[i].parameter;
		struct strs paths;

		if (!conf_setting(k->conf, str_c(parameter)))
			continue;
		paths = conf_list(conf_value(k->conf, parameter), a);
		for (size_t n = 0; n < paths.n; n++) {
			const char *path = arena_cstr(a, paths.items[n]);

			if (!path || path[0] != '/')
				continue;
			if (files[i].certificate)
				check_expiry(k, parameter, path);
			if (files[i].key)
				check_key(k, parameter, path);
		}
	}
}
