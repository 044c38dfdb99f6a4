/* rewrite.c -- see rewrite.h. */
#include "rewrite.h"
#include "changes.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include "srs.h"
#include <sys/stat.h>

#define FILE_MOST ((size_t)64 * 1024)
#define DAY       ((msec_t)86400 * 1000)

static struct srs srs;
static struct buf secrets; /* the file, of which they are views */
static struct why problem; /* why there are none; text empty: there are */

/* OpenSSL reads files before its first hash: not in the jail. */
static int
warm_up(struct why *why)
{
	struct buf address CLEANUP(buf_free) = BUF_INIT;

	return srs_forward(&srs, STR("user@example"), 0, &address, why);
}

static void
read_secrets(const char *path)
{
	struct stat st;

	changes_add("srs_secret_file", path);
	if (stat(path, &st) < 0 || read_file(path, FILE_MOST, &secrets) < 0) {
		why_errno(&problem, "4.3.5", path);
		return;
	}
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		log_warn("%s: others than its owner may use these secrets", path);
	if (srs_secrets_read(buf_str(&secrets), &srs, &problem) == 0 &&
		warm_up(&problem) == 0)
		problem.text[0] = '\0';
}

void
rewrite_open(void)
{
	const struct params *p = &service_conf()->p;
	struct buf path CLEANUP(buf_free) = BUF_INIT;

	why_set(&problem, "4.3.5", "srs_domain is not set");
	srs.domain = p->srs_domain;
	srs.days = (unsigned)(p->srs_max_age / DAY);
	if (srs.domain.len == 0)
		return;
	buf_add(&path, p->srs_secret_file);
	read_secrets(buf_cstr(&path));
	if (problem.text[0])
		log_warn("srs_secret_file: %s: mail that would be forwarded is deferred",
			problem.text);
}

void
rewrite_answer(struct ipc_request *rq)
{
	struct srs_request ask;
	struct srs_reply say = { .error = STR_NONE };
	struct buf address CLEANUP(buf_free) = BUF_INIT;
	struct why why = problem;
	int64_t now = time_wall_us() / 1000000;
	int result;

	if (srs_request_get(rq->payload, &ask, rq->arena) < 0) {
		why_set(&why, "4.3.0", "malformed request");
	} else if (!why.text[0]) {
		result = ask.reverse
				 ? srs_reverse(&srs, ask.address, now, &address, &why)
				 : srs_forward(&srs, ask.address, now, &address, &why);
		say.refused = result < 0;
	}
	if (address.len > 0)
		say.address = buf_str(&address);
	else
		say.error = str_c(why.text);
	srs_answer(rq, &say);
}
