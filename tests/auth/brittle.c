/* brittle.c -- stands before libopendkim and libspf2 in a mailauth for tests: what a
 * stranger says makes them crash or stand still, as their known holes do. "Once" is only
 * where they serve many at a time: alone, they survive it. */
#include "base.h"
#include "service.h"
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <opendkim/dkim.h>
#include <spf2/spf.h>
#include <stdlib.h>

DKIM_STAT __real_dkim_body(DKIM *dkim, unsigned char *bytes, size_t n);
DKIM_STAT __wrap_dkim_body(DKIM *dkim, unsigned char *bytes, size_t n);
SPF_errcode_t __real_SPF_request_query_mailfrom(
	SPF_request_t *request, SPF_response_t **out);
SPF_errcode_t __wrap_SPF_request_query_mailfrom(
	SPF_request_t *request, SPF_response_t **out);

static void
suffer(struct str words)
{
	static volatile bool ends;
	bool is_alone = strcmp(service_name(), "mailauth-suspect") == 0;

	if (str_find(words, STR("library-once")) >= 0 && is_alone)
		return;
	if (str_find(words, STR("library-once")) >= 0 ||
		str_find(words, STR("library-crash")) >= 0)
		abort();
	if (str_find(words, STR("library-hang")) >= 0)
		while (!ends)
			;
}

DKIM_STAT
__wrap_dkim_body(DKIM *dkim, unsigned char *bytes, size_t n)
{
	suffer(str_of(bytes, n));
	return __real_dkim_body(dkim, bytes, n);
}

SPF_errcode_t
__wrap_SPF_request_query_mailfrom(SPF_request_t *request, SPF_response_t **out)
{
	suffer(str_c(request->env_from));
	return __real_SPF_request_query_mailfrom(request, out);
}
