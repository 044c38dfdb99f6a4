/* quirks.c -- what is known of servers that are not as they should be: replies that are
 * read as something else, extensions that are not to be believed, firewalls that break
 * SMTP (smtp_pix_workarounds). */
#include "smtp.h"
#include "log.h"

static struct maps *reply_filter, *discard_maps, *pix_maps;

static void
table_open(struct maps **maps, const char *smtp, const char *lmtp, struct str value,
	const struct conf *c)
{
	maps_close(*maps);
	*maps = maps_open(smtp_lmtp ? lmtp : smtp, value, 0, c);
}

void
quirks_prepare(const struct conf *c)
{
	const struct params *p = &c->p;

	table_open(&reply_filter, "smtp_reply_filter", "lmtp_reply_filter",
		p->smtp_reply_filter, c);
	table_open(&discard_maps, "smtp_discard_ehlo_keyword_address_maps",
		"lmtp_discard_lhlo_keyword_address_maps",
		p->smtp_discard_ehlo_keyword_address_maps, c);
	table_open(&pix_maps, "smtp_pix_workaround_maps", "lmtp_pix_workaround_maps",
		p->smtp_pix_workaround_maps, c);
}

bool
quirks_filter_replies(void)
{
	return !maps_empty(reply_filter);
}

struct str
quirks_reply(struct session *s, struct str line, struct arena *arena)
{
	struct str value;
	struct why why;

	switch (maps_find(reply_filter, line, arena, &value, &why)) {
	case DICT_FOUND:
		log_info("%.*s: replacing server reply \"%.*s\" with \"%.*s\"",
			STR_ARG(s->namaddrport), STR_ARG(line), STR_ARG(value));
		return value;
	case DICT_ERROR:
		log_warn("%.*s: reply filter: %s", STR_ARG(s->namaddrport), why.text);
		/* fall through */
	case DICT_NOTFOUND:
		break;
	}
	return line;
}

/* The value for the server's address, or the parameter's. False: the table failed. */
SWITCHES static bool
for_address(struct session *s, struct maps *maps, struct str preset, struct str *out)
{
	char text[NET_ADDR_TEXT];
	struct why why;

	*out = preset;
	if (maps_empty(maps) || s->addr.len == 0)
		return true;
	if (maps_find(maps, str_c(net_addr_text(&s->addr, text)), s->arena, out, &why) !=
		DICT_ERROR)
		return true;
	log_warn("%s", why.text);
	return false;
}

bool
quirks_discarded(struct session *s, const struct conf *c, struct strs *out)
{
	struct str words;
	bool well = for_address(s, discard_maps, c->p.smtp_discard_ehlo_keywords, &words);

	*out = conf_list(words, s->arena);
	return well;
}

static bool
names(struct str list, const char *word)
{
	struct str item;

	while (str_token(&list, " \t\r\n,", &item))
		if (str_case_is(item, word))
			return true;
	return false;
}

/* A Cisco PIX hides what the server says of itself behind asterisks. */
static bool
is_pix(const struct session *s)
{
	struct str text = buf_str(&s->reply.text);

	for (size_t i = 0; i < text.len; i++)
		if (!strchr("20 *\t\n", text.data[i]))
			return false;
	return true;
}

void
quirks_greeting(struct session *s, const struct delivery *d)
{
	const struct params *p = &d->conf->p;
	struct str words;
	bool esmtp, dotcrlf;

	if (!is_pix(s))
		return;
	(void)for_address(s, pix_maps, p->smtp_pix_workarounds, &words);
	esmtp = names(words, "disable_esmtp");
	/* It costs time, and most mail gets through without: only for what has waited. */
	dotcrlf = names(words, "delay_dotcrlf") &&
		  time_wall_us() - (int64_t)d->envelope.arrival_us >=
			  p->smtp_pix_workaround_threshold_time * 1000;
	if (words.len > 0)
		log_info("%.*s: enabling PIX workarounds: %s%s%s for %.*s",
			STR_ARG(d->envelope.queue_id), esmtp ? "disable_esmtp" : "",
			esmtp && dotcrlf ? " " : "", dotcrlf ? "delay_dotcrlf" : "",
			STR_ARG(s->namaddrport));
	s->pix_no_esmtp = esmtp;
	s->pix_delay_dot = dotcrlf;
}
