/* spf2.c -- the door to libspf2, the second engine for SPF. See spf.h. The library asks
 * the DNS by a layer of ours, in the coroutine of the question; its own resolver and its
 * cache are never used. */
#include "config.h"
#include "spf_impl.h"

#ifdef HAVE_SPF2
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <spf2/spf.h>

/* ---- the DNS ---- */

/* Names and texts are C strings there: a NUL in one becomes what its parser refuses. */
static char *
put_string(char *to, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		to[i] = text.data[i] ? text.data[i] : '\1';
	to[text.len] = '\0';
	return to;
}

static bool
put_text(SPF_dns_rr_t *rr, struct str text)
{
	if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, text.len + 1) != SPF_E_SUCCESS)
		return false;
	put_string(rr->rr[rr->num_rr]->txt, text);
	return true;
}

static bool
put_address(SPF_dns_rr_t *rr, struct str text)
{
	struct net_addr address;
	SPF_dns_rr_data_t *to;

	if (net_addr_parse(text, 0, &address) < 0 ||
		SPF_dns_rr_buf_realloc(rr, rr->num_rr, sizeof(*to)) != SPF_E_SUCCESS)
		return false;
	to = rr->rr[rr->num_rr];
	if (address.sa.ss_family == AF_INET6)
		to->aaaa = ((const struct sockaddr_in6 *)&address.sa)->sin6_addr;
	else
		to->a = ((const struct sockaddr_in *)&address.sa)->sin_addr;
	return true;
}

static bool
put_record(SPF_dns_rr_t *rr, const struct dns_rr *record)
{
	bool is_address = record->type == ns_t_a || record->type == ns_t_aaaa;

	return is_address ? put_address(rr, record->data) : put_text(rr, record->data);
}

static SPF_dns_stat_t
status_of(enum dns_status status)
{
	switch (status) {
	case DNS_OK:
		return NETDB_SUCCESS;
	case DNS_TEMPFAIL:
		return TRY_AGAIN;
	case DNS_NXDOMAIN:
		return HOST_NOT_FOUND;
	default:
		return NO_DATA;
	}
}

static SPF_dns_rr_t *
lookup(SPF_dns_server_t *server, const char *name, ns_type type, int should_cache)
{
	const struct spf_question *q = server->hook;
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str text = spf_name_text(str_c(name), arena);
	struct dns_reply said;
	enum dns_status status =
		q->dns->ask(q->dns->arg, text, (uint16_t)type, arena, q->until, &said);
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(server, name, type, 0, status_of(status));

	(void)should_cache;
	for (size_t i = 0; rr && status == DNS_OK && i < said.n_records; i++)
		if (said.records[i].type == type && put_record(rr, &said.records[i]))
			rr->num_rr++;
	return rr;
}

/* ---- the question ---- */

struct asking {
	SPF_dns_server_t dns;
	SPF_server_t *server;
	SPF_request_t *request;
	SPF_response_t *response;
};

static void
asking_end(struct asking *a)
{
	if (a->response)
		SPF_response_free(a->response);
	if (a->request)
		SPF_request_free(a->request);
	if (a->server)
		SPF_server_free(a->server);
}

static SPF_errcode_t
set_client(SPF_request_t *request, const struct net_addr *client)
{
	if (client->sa.ss_family == AF_INET6)
		return SPF_request_set_ipv6(
			request, ((const struct sockaddr_in6 *)&client->sa)->sin6_addr);
	return SPF_request_set_ipv4(
		request, ((const struct sockaddr_in *)&client->sa)->sin_addr);
}

static const char *
string_of(struct str text, struct arena *arena)
{
	return put_string(arena_alloc(arena, text.len + 1), text);
}

/* False: there is no memory for it. */
static bool
put_question(struct spf_evaluation *e, struct asking *a)
{
	struct str receiver = e->q->receiver.len ? e->q->receiver : STR("unknown");
	struct str sender = arena_printf(
		e->arena, STR_FMT "@" STR_FMT, STR_ARG(e->local), STR_ARG(e->domain));

	/* Without a name of the receiver it asks the DNS for ours. */
	return SPF_server_set_rec_dom(a->server, string_of(receiver, e->arena)) ==
		       SPF_E_SUCCESS &&
	       set_client(a->request, &e->client) == SPF_E_SUCCESS &&
	       SPF_request_set_helo_dom(a->request, string_of(e->helo, e->arena)) ==
		       SPF_E_SUCCESS &&
	       SPF_request_set_env_from(a->request, string_of(sender, e->arena)) == 0;
}

/* ---- the answer ---- */

static struct str
printable(const char *text, struct arena *arena)
{
	struct str s =
		arena_str(arena, str_sub(str_c(text ? text : ""), 0, SPF_TEXT_MOST));
	char *out = (char *)s.data;

	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_print(out[i]))
			out[i] = '?';
	return s;
}

/* INVALID is what it says where it gives up early; then only what it returned tells why
 * (RFC 7208 section 4.4 to 4.6). */
static enum spf_result
result_of(SPF_response_t *response, SPF_errcode_t error)
{
	switch (SPF_response_result(response)) {
	case SPF_RESULT_NEUTRAL:
		return SPF_NEUTRAL;
	case SPF_RESULT_PASS:
		return SPF_PASS;
	case SPF_RESULT_FAIL:
		return SPF_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return SPF_SOFTFAIL;
	case SPF_RESULT_NONE:
		return SPF_NONE;
	case SPF_RESULT_TEMPERROR:
		return SPF_TEMPERROR;
	default:
		break;
	}
	return error == SPF_E_DNS_ERROR || error == SPF_E_NO_MEMORY ? SPF_TEMPERROR
								    : SPF_PERMERROR;
}

static const char *
problem_of(SPF_response_t *response, SPF_errcode_t error)
{
	return SPF_response_messages(response) > 0
		       ? SPF_error_message(SPF_response_message(response, 0))
		       : SPF_strerror(error);
}

/* The words of a fail are left out: what it makes of them has "%" for blanks. */
static void
take_answer(const struct spf_evaluation *e, SPF_response_t *response, SPF_errcode_t error)
{
	struct spf_verdict *out = e->out;
	bool is_answered;

	out->result = result_of(response, error);
	is_answered = out->result != SPF_NONE && out->result != SPF_TEMPERROR &&
		      out->result != SPF_PERMERROR;
	out->problem =
		is_answered ? STR_NONE : printable(problem_of(response, error), e->arena);
}

void
spf2_check(const struct spf_question *q, struct arena *arena, struct spf_verdict *out)
{
	struct asking a CLEANUP(asking_end) = {
		.dns = { .lookup = lookup, .name = "dns", .hook = (void *)q },
	};
	struct spf_evaluation *e = spf_begin(q, arena, out);
	SPF_errcode_t error;

	if (!e)
		return;
	out->result = SPF_TEMPERROR;
	out->problem = STR("libspf2 does not answer");
	a.server = SPF_server_new_dns(&a.dns, 0);
	a.request = a.server ? SPF_request_new(a.server) : NULL;
	if (!a.request || !put_question(e, &a))
		return;
	error = SPF_request_query_mailfrom(a.request, &a.response);
	if (a.response)
		take_answer(e, a.response, error);
}

#else

void
spf2_check(const struct spf_question *q, struct arena *arena, struct spf_verdict *out)
{
	if (!spf_begin(q, arena, out))
		return;
	out->result = SPF_TEMPERROR;
	out->problem = STR("this build has no libspf2");
}
#endif
