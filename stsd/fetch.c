/* fetch.c -- see fetch.h. */
#include "fetch.h"
#include "event.h"
#include "https.h"
#include "log.h"
#include "messages.h"
#include "service.h"
#include <arpa/nameser.h>

#define DNS_TIME       ((msec_t)60000)
#define FETCH_TIME     ((msec_t)20000)
#define HTTPS_PORT     443
#define ADDRESSES_MOST 8 /* of each kind */
#define NAME_MOST      240
#define BUNDLE         "/etc/ssl/certs/ca-certificates.crt"
#define BUNDLE_MOST    ((size_t)16 << 20)

static struct buf authorities;

/* ---- whom to trust ---- */

static void
add_authorities(const char *path)
{
	if (read_file(path, BUNDLE_MOST, &authorities) < 0)
		log_warn("cannot read the trusted certificates in %s: %m", path);
	buf_addc(&authorities, '\n');
}

void
fetch_prepare(const struct conf *c)
{
	struct str file = c->p.smtp_tls_CAfile, directory = c->p.smtp_tls_CApath;

	buf_clear(&authorities);
	if (file.len > 0)
		add_authorities(arena_cstr(c->arena, file));
	if ((file.len == 0 && directory.len == 0) || c->p.tls_append_default_CA)
		add_authorities(BUNDLE);
}

/* ---- the record ---- */

bool
fetch_is_domain(struct str domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if (!ascii_is_alnum(domain.data[i]) && domain.data[i] != '-' &&
			domain.data[i] != '_' && domain.data[i] != '.')
			return false;
	return domain.len > 0 && domain.len <= NAME_MOST && domain.data[0] != '.';
}

SWITCHES static bool
ask(struct str name, uint16_t type, struct arena *arena, struct dns_reply *said)
{
	struct dns_request question = { .name = name, .type = type };

	return dns_call(service_peer("dns"), &question, said, arena,
		       deadline_in(DNS_TIME)) == 0 &&
	       said->status == DNS_OK;
}

/* Records of other kinds may stand at the same name; two of this kind are none. */
bool
fetch_record(struct str domain, struct arena *arena, struct str *id)
{
	struct str name = arena_printf(arena, "_mta-sts." STR_FMT, STR_ARG(domain));
	struct str record = STR_NONE;
	struct dns_reply said;
	unsigned n = 0;

	if (!ask(name, ns_t_txt, arena, &said))
		return false;
	for (size_t i = 0; i < said.n_records; i++)
		if (said.records[i].type == ns_t_txt &&
			str_starts(said.records[i].data, STR("v=STSv1;"))) {
			record = said.records[i].data;
			n++;
		}
	return n == 1 && mta_sts_id(record, id);
}

/* ---- the policy ---- */

static bool
uses(const struct conf *c, const char *protocol)
{
	struct str list = c->p.inet_protocols, word;

	while (str_token(&list, " \t\r\n,", &word))
		if (str_case_is(word, "all") || str_case_is(word, protocol))
			return true;
	return false;
}

static void
add_addresses(struct str host, uint16_t type, struct arena *arena, struct buf *out)
{
	struct dns_reply said;
	size_t n = 0;

	if (!ask(host, type, arena, &said))
		return;
	for (size_t i = 0; i < said.n_records && n < ADDRESSES_MOST; i++) {
		if (said.records[i].type != type)
			continue;
		buf_printf(out, type == ns_t_a ? "%s" STR_FMT : "%s[" STR_FMT "]",
			out->len > 0 ? "," : "", STR_ARG(said.records[i].data));
		n++;
	}
}

struct job {
	struct https_question question;
	struct buf body;
	struct why why;
	int result;
};

static void
run_job(void *arg)
{
	struct job *job = arg;

	job->result = https_get(&job->question, &job->body, &job->why);
}

SWITCHES static bool
get(struct https_question question, struct arena *arena, struct mta_sts *out,
	struct why *why)
{
	struct job job = { .question = question, .body = BUF_INIT };
	bool ok;

	event_offload(run_job, &job);
	*why = job.why;
	ok = job.result == 0 &&
	     mta_sts_parse(buf_str(&job.body), arena, out, why) == ACCEPT;
	buf_free(&job.body);
	return ok;
}

bool
fetch_policy(struct str domain, struct arena *arena, struct mta_sts *out, struct why *why)
{
	const struct conf *c = service_conf();
	struct str host = arena_printf(arena, "mta-sts." STR_FMT, STR_ARG(domain));
	struct buf addresses CLEANUP(buf_free) = BUF_INIT;

	if (uses(c, "ipv4"))
		add_addresses(host, ns_t_a, arena, &addresses);
	if (uses(c, "ipv6"))
		add_addresses(host, ns_t_aaaa, arena, &addresses);
	if (addresses.len == 0) {
		why_set(why, "4.4.3", STR_FMT " has no address", STR_ARG(host));
		return false;
	}
	return get((struct https_question){ .host = host,
			   .port = HTTPS_PORT,
			   .path = STR("/.well-known/mta-sts.txt"),
			   .addresses = buf_str(&addresses),
			   .authorities = arena_str(arena, buf_str(&authorities)),
			   .authorities_dir = c->p.smtp_tls_CApath,
			   .most = MTA_STS_TEXT_MOST,
			   .time_limit = FETCH_TIME },
		arena, out, why);
}
