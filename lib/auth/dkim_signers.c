/* dkim_signers.c -- a value of dkim_sign_maps. See dkim_sign.h. */
#include "dkim_sign.h"

bool
dkim_signers_read(struct str value, struct str domain,
	struct dkim_signer out[DKIM_SIGNERS_MOST], size_t *n)
{
	const struct str prefix = STR_INIT("domain=");
	struct str rest = value, word, selector;

	*n = 0;
	while (str_token(&rest, " \t,", &word)) {
		if (str_starts(word, prefix)) {
			domain = str_from(word, prefix.len);
			continue;
		}
		if (*n == DKIM_SIGNERS_MOST || str_chr(word, ':') < 0)
			return false;
		(void)str_split(&word, ':', &selector);
		if (!dkim_name_is_domain(selector) || word.len == 0)
			return false;
		out[(*n)++] = (struct dkim_signer){ .selector = selector, .key = word };
	}
	for (size_t i = 0; i < *n; i++)
		out[i].domain = domain;
	return *n > 0 && dkim_name_is_domain(domain);
}
