/* https.c -- see https.h; the one place that knows libcurl. */
#include "https.h"
#include <curl/curl.h>

#define CONNECT_TIME 10000L /* ms */

int
https_prepare(struct why *why)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return 0;
	why_set(why, "4.3.0", "libcurl cannot be used");
	return -1;
}

struct reading {
	struct buf *body;
	size_t left;
};

/* Fewer bytes than it is given end the transfer. */
static size_t
take(char *data, size_t size, size_t n, void *arg)
{
	struct reading *r = arg;

	if (size * n > r->left)
		return 0;
	r->left -= size * n;
	buf_add(r->body, str_of(data, size * n));
	return size * n;
}

/* What is asked for, and where: nothing of the environment, no proxy, no other protocol,
 * no redirection. */
static bool
set_target(CURL *curl, const char *url, struct curl_slist *addresses, msec_t time_limit)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_RESOLVE, addresses) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
		       (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "Postern") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIME) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)time_limit) == CURLE_OK;
}

/* libcurl's own defaults would be trusted beside ours. */
static bool
set_trust(CURL *curl, const struct https_question *q, const char *directory)
{
	struct curl_blob pem = { .data = (void *)(uintptr_t)q->authorities.data,
		.len = q->authorities.len,
		.flags = CURL_BLOB_COPY };

	return curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION,
		       (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAPATH, directory) == CURLE_OK &&
	       (pem.len == 0 ||
		       curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &pem) == CURLE_OK);
}

static bool
set_reader(CURL *curl, struct reading *r, char *error)
{
	return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, r) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
}

static bool
is_plain_text(const char *type)
{
	struct str rest = str_c(type), word;

	return str_token(&rest, "; \t", &word) && str_case_is(word, "text/plain");
}

/* The transfer came to its end: is it what was asked for? */
static int
judge(CURL *curl, struct why *why)
{
	const char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (status == 200 && is_plain_text(type))
		return 0;
	if (status != 200)
		why_set(why, "4.4.0", "the answer is HTTP status %ld", status);
	else
		why_set(why, "4.4.0", "the answer is not text/plain");
	return -1;
}

static int
perform(CURL *curl, const char *error, struct why *why)
{
	CURLcode code = curl_easy_perform(curl);

	if (code == CURLE_OK)
		return judge(curl, why);
	if (code == CURLE_WRITE_ERROR)
		why_set(why, "4.4.0", "the answer is too long");
	else
		why_set(why, "4.4.0", "%s", error[0] ? error : curl_easy_strerror(code));
	return -1;
}

int
https_get(const struct https_question *q, struct buf *body, struct why *why)
{
	struct buf url CLEANUP(buf_free) = BUF_INIT, at CLEANUP(buf_free) = BUF_INIT;
	struct buf directory CLEANUP(buf_free) = BUF_INIT;
	struct reading reading = { .body = body, .left = q->most };
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *addresses;
	CURL *curl = curl_easy_init();
	int result = -1;

	buf_printf(&url, "https://" STR_FMT ":%u" STR_FMT, STR_ARG(q->host), q->port,
		STR_ARG(q->path));
	buf_printf(&at, STR_FMT ":%u:" STR_FMT, STR_ARG(q->host), q->port,
		STR_ARG(q->addresses));
	buf_add(&directory, q->authorities_dir);
	addresses = curl_slist_append(NULL, buf_cstr(&at));
	if (curl && addresses &&
		set_target(curl, buf_cstr(&url), addresses, q->time_limit) &&
		set_trust(curl, q, directory.len > 0 ? buf_cstr(&directory) : NULL) &&
		set_reader(curl, &reading, error))
		result = perform(curl, error, why);
	else
		why_set(why, "4.3.0", "libcurl does not do what it should");
	curl_easy_cleanup(curl);
	curl_slist_free_all(addresses);
	return result;
}
