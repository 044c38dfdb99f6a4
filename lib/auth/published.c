/* published.c -- see published.h. Here: how findings are told and names asked for, and
 * where mail goes. */
#include "published_impl.h"
#include "net.h"
#include <stdarg.h>

const char *
published_level_name(enum published_level level)
{
	static const char *const names[] = {
		[PUBLISHED_GOOD] = "ok",
		[PUBLISHED_ABSENT] = "absent",
		[PUBLISHED_WARNING] = "warning",
		[PUBLISHED_ERROR] = "error",
	};

	return names[level];
}

void
published_tell(struct published *p, enum published_level level, const char *subject,
	const char *fmt, ...)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	p->q->tell(p->q->arg, level, subject, buf_str(&text));
}

struct str
published_name(struct published *p, const char *label, struct str domain)
{
	return arena_printf(p->arena, "%s." STR_FMT, label, STR_ARG(domain));
}

struct str
published_shown(struct published *p, struct str text)
{
	struct buf shown CLEANUP(buf_free) = BUF_INIT;

	c_escape(str_sub(text, 0, PUBLISHED_SHOWN_MOST), &shown);
	if (text.len > PUBLISHED_SHOWN_MOST)
		buf_addz(&shown, "...");
	return arena_str(p->arena, buf_str(&shown));
}

bool
published_ask(struct published *p, const char *subject, struct str name, uint16_t type,
	struct dns_reply *said)
{
	const struct auth_dns *dns = p->q->dns;

	if (dns->ask(dns->arg, name, type, p->arena, p->q->until, said) != DNS_TEMPFAIL)
		return true;
	published_tell(p, PUBLISHED_ERROR, subject, STR_FMT " cannot be looked up now",
		STR_ARG(published_shown(p, name)));
	return false;
}

int
published_has_address(
	struct published *p, const char *subject, struct str name, bool *is_alias)
{
	static const uint16_t types[] = { ns_t_a, ns_t_aaaa };
	struct dns_reply said;
	int found = 0;

	*is_alias = false;
	for (size_t i = 0; i < COUNT(types); i++) {
		if (!published_ask(p, subject, name, types[i], &said))
			return -1;
		for (size_t k = 0; k < said.n_records; k++) {
			found |= said.records[k].type == types[i];
			*is_alias |= said.records[k].type == ns_t_cname;
		}
	}
	return found;
}

int
published_text(struct published *p, const char *subject, struct str name,
	const char *version, struct str *text)
{
	struct dns_reply said;
	unsigned n = 0;

	if (!published_ask(p, subject, name, ns_t_txt, &said))
		return -1;
	for (size_t i = 0; i < said.n_records; i++) {
		struct str data = said.records[i].data;
		size_t len = strlen(version);

		if (said.records[i].type != ns_t_txt ||
			!str_case_starts(data, str_c(version)) ||
			(data.len > len && ascii_is_alnum(data.data[len])))
			continue;
		*text = data;
		n++;
	}
	if (n <= 1)
		return (int)n;
	published_tell(p, PUBLISHED_ERROR, subject,
		STR_FMT " has %u records %s, which count as none: publish one",
		STR_ARG(name), n, version);
	return -1;
}

/* ---- MX (RFC 5321 section 5.1) ---- */

SWITCHES static void
check_exchanger(struct published *p, const struct dns_rr *mx)
{
	struct str shown = published_shown(p, mx->data);
	struct net_addr address;
	bool is_alias;
	int found;

	if (net_addr_parse(mx->data, 0, &address) == 0) {
		published_tell(p, PUBLISHED_ERROR, "MX",
			STR_FMT " is an address: a name belongs there", STR_ARG(shown));
		return;
	}
	found = published_has_address(p, "MX", mx->data, &is_alias);
	if (found < 0)
		return;
	if (found == 0)
		published_tell(p, PUBLISHED_ERROR, "MX",
			STR_FMT " has no address: nobody can send mail there",
			STR_ARG(shown));
	else if (is_alias)
		published_tell(p, PUBLISHED_ERROR, "MX",
			STR_FMT " is an alias (CNAME): name the host itself (RFC 2181 "
				"section 10.3)",
			STR_ARG(shown));
	else
		published_tell(p, PUBLISHED_GOOD, "MX", "%u " STR_FMT, mx->preference,
			STR_ARG(shown));
	if (found > 0 && p->n_hosts < PUBLISHED_HOSTS_MOST)
		p->hosts[p->n_hosts++] = mx->data;
}

SWITCHES static void
check_without_mx(struct published *p)
{
	struct str domain = p->q->domain;
	bool is_alias;
	int found = published_has_address(p, "MX", domain, &is_alias);

	if (found > 0) {
		published_tell(p, PUBLISHED_WARNING, "MX",
			"there is no record: mail goes to the address of the name "
			"itself");
		p->hosts[p->n_hosts++] = domain;
	} else if (found == 0) {
		published_tell(p, PUBLISHED_ERROR, "MX",
			"there is neither a record nor an address: no mail can come");
	}
}

SWITCHES static void
check_mx(struct published *p)
{
	unsigned n = 0, nulls = 0;
	struct dns_reply said;

	if (!published_ask(p, "MX", p->q->domain, ns_t_mx, &said))
		return;
	for (size_t i = 0; i < said.n_records; i++)
		if (said.records[i].type == ns_t_mx) {
			n++;
			nulls += said.records[i].data.len == 0;
		}
	if (n == 0) {
		check_without_mx(p);
	} else if (n == 1 && nulls == 1) {
		published_tell(p, PUBLISHED_GOOD, "MX", "it takes no mail (RFC 7505)");
		return;
	}
	if (nulls > 0)
		published_tell(p, PUBLISHED_ERROR, "MX",
			"\".\" says that it takes no mail, beside records that say it "
			"does (RFC 7505 section 3)");
	for (size_t i = 0, seen = 0; i < said.n_records && seen < PUBLISHED_HOSTS_MOST;
		i++)
		if (said.records[i].type == ns_t_mx && said.records[i].data.len > 0) {
			check_exchanger(p, &said.records[i]);
			seen++;
		}
}

void
published_check(const struct published_question *q, struct arena *arena)
{
	struct published p = { .q = q, .arena = arena };

	check_mx(&p);
	published_spf(&p);
	published_dkim(&p);
	published_dmarc(&p);
	published_mta_sts(&p);
	published_tlsrpt(&p);
	published_tlsa(&p);
}
