/* sendmail_smtp.c -- sendmail -bs: SMTP on standard input and output for local programs.
 * No TLS, no AUTH: who may run this may submit. Mail goes the way of all local mail, so
 * there is nothing here that says whether a recipient exists. */
#include "address.h"
#include "esmtp.h"
#include "sendmail_smtp.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fputs("\r\n", stdout);
	fflush(stdout);
}

bool
hear(char **line, size_t *room, struct str *out)
{
	ssize_t got = getline(line, room, stdin);

	if (got < 0)
		return false;
	while (got > 0 && ((*line)[got - 1] == '\n' || (*line)[got - 1] == '\r'))
		got--;
	*out = str_of(*line, (size_t)got);
	return true;
}

void
forget(struct dialogue *d)
{
	content_abort(d);
	d->in_mail = d->broken = false;
	d->rcpts.n = 0;
}

/* ---- EHLO, HELO ---- */

static void
hello(struct dialogue *d, struct str args, bool extended)
{
	forget(d);
	d->helo = arena_str(d->s->arena, args);
	d->extended = extended;
}

static void
verb_helo(struct dialogue *d, struct str args)
{
	if (args.len == 0) {
		say("501 Syntax: HELO hostname");
		return;
	}
	hello(d, args, false);
	say("250 " STR_FMT, STR_ARG(d->p->myhostname));
}

static void
verb_ehlo(struct dialogue *d, struct str args)
{
	if (args.len == 0) {
		say("501 Syntax: EHLO hostname");
		return;
	}
	hello(d, args, true);
	say("250-" STR_FMT, STR_ARG(d->p->myhostname));
	say("250-PIPELINING");
	if (d->p->message_size_limit > 0)
		say("250-SIZE %lld", (long long)d->p->message_size_limit);
	if (!d->p->disable_vrfy_command)
		say("250-VRFY");
	say("250-ETRN");
	say("250-ENHANCEDSTATUSCODES");
	say("250-8BITMIME");
	say("250-DSN");
	if (d->p->smtputf8_enable)
		say("250-SMTPUTF8");
	say("250 CHUNKING");
}

/* ---- MAIL, RCPT ---- */

/* The address behind "FROM:" or "TO:"; *args is left at the parameters. False: it said
 * what is wrong. */
static bool
take_path(struct dialogue *d, struct str *args, const char *syntax, unsigned how,
	struct str *out)
{
	struct str keyword = str_c(syntax), path;
	struct address address;
	struct why why;

	keyword = str_sub(keyword, 0, (size_t)str_chr(keyword, ':') + 1);
	if (!str_case_starts(*args, keyword)) {
		say("501 5.5.4 Syntax: %s %s<address>",
			how & ADDRESS_SENDER ? "MAIL" : "RCPT", syntax);
		return false;
	}
	*args = str_trim(str_from(*args, keyword.len));
	path = address_path_token(args);
	if (address_parse(path, how | ADDRESS_LOOSE | ADDRESS_UTF8, &address, &why) !=
			ACCEPT ||
		(!(how & ADDRESS_SENDER) &&
			address.local.len + address.domain.len == 0)) {
		say("501 %s", how & ADDRESS_SENDER
				      ? "5.1.7 Bad sender address syntax"
				      : "5.1.3 Bad recipient address syntax");
		return false;
	}
	*out = arena_str(d->s->arena, address_internal(&address, d->s->arena));
	return true;
}

static unsigned
extensions(const struct dialogue *d)
{
	return d->p->smtputf8_enable ? ESMTP_ALL : ESMTP_ALL & ~ESMTP_SMTPUTF8;
}

static void
verb_mail(struct dialogue *d, struct str args)
{
	struct mail_parameters given = { .size = 0 };
	int64_t limit = d->p->message_size_limit;
	struct str from;
	struct why why;
	int code = 501;

	if (d->in_mail)
		say("503 5.5.1 Error: nested MAIL command");
	else if (!take_path(d, &args, "FROM:", ADDRESS_SENDER, &from))
		return;
	else if (mail_parameters_parse(
			 args, extensions(d), d->s->arena, &given, &code, &why) != ACCEPT)
		say("%d %s %s", code, why.code, why.text);
	else if (limit > 0 && given.size > (octets_t)limit)
		say("552 5.3.4 Message size exceeds fixed limit");
	else {
		d->drop = (struct drop){ .sender = from,
			.envid = given.envid,
			.ret = given.ret,
			.flags = ENVELOPE_REWRITE |
				 (given.eight_bit ? ENVELOPE_8BIT : 0) |
				 (given.smtputf8 ? ENVELOPE_SMTPUTF8 : 0) };
		d->in_mail = true;
		say("250 2.1.0 Ok");
	}
}

static void
verb_rcpt(struct dialogue *d, struct str args)
{
	struct rcpt_parameters given = { .notify = 0 };
	struct str to;
	struct why why;
	int code = 501;

	if (d->open || d->broken)
		say("503 5.5.1 Error: RCPT after BDAT");
	else if (!d->in_mail)
		say("503 5.5.1 Error: need MAIL command");
	else if (d->rcpts.n >= (size_t)d->p->smtpd_recipient_limit)
		say("452 4.5.3 Error: too many recipients");
	else if (!take_path(d, &args, "TO:", 0, &to))
		return;
	else if (rcpt_parameters_parse(
			 args, extensions(d), d->s->arena, &given, &code, &why) != ACCEPT)
		say("%d %s %s", code, why.code, why.text);
	else {
		*vec_push(&d->rcpts) = (struct rcpt){
			.address = to, .orcpt = given.orcpt, .notify = given.notify
		};
		say("250 2.1.5 Ok");
	}
}

/* ---- the others ---- */

static void
verb_rset(struct dialogue *d, struct str args)
{
	if (args.len > 0) {
		say("501 5.5.4 Syntax: RSET");
		return;
	}
	forget(d);
	say("250 2.0.0 Ok");
}

static void
verb_noop(struct dialogue *d, struct str args)
{
	(void)d;
	(void)args;
	say("250 2.0.0 Ok");
}

static void
verb_vrfy(struct dialogue *d, struct str args)
{
	if (d->p->disable_vrfy_command)
		say("502 5.5.1 VRFY command is disabled");
	else if (args.len == 0)
		say("501 5.5.4 Syntax: VRFY address%s",
			d->p->smtputf8_enable ? " [SMTPUTF8]" : "");
	else
		say("252 2.0.0 " STR_FMT, STR_ARG(args));
}

/* RFC 1985. As smtpd does it, but that postqueue may ask where we may not. */
static void
verb_etrn(struct dialogue *d, struct str args)
{
	struct str site, more;

	if (d->in_mail)
		say("503 Error: MAIL transaction in progress");
	else if (!str_token(&args, " \t", &site) || str_token(&args, " \t", &more))
		say("500 Syntax: ETRN domain");
	else {
		if (site.data[0] == '@' || site.data[0] == '#')
			site = str_from(site, 1);
		if (!address_domain_is_valid(site, ADDRESS_LOOSE) &&
			!address_literal_is_valid(site))
			say("501 Error: invalid parameter syntax");
		else if (!sendmail_flush_site(d->s, arena_cstr(d->s->arena, site)))
			say("458 Unable to queue messages");
		else
			say("250 Queuing started");
	}
}

static void
verb_absent(struct dialogue *d, struct str args)
{
	(void)d;
	(void)args;
	say("502 5.5.1 Error: command not implemented");
}

static void
verb_quit(struct dialogue *d, struct str args)
{
	(void)args;
	say("221 2.0.0 Bye");
	d->ended = true;
}

static const struct {
	const char *name;
	void (*run)(struct dialogue *d, struct str args);
} verbs[] = {
	{ "EHLO", verb_ehlo },
	{ "HELO", verb_helo },
	{ "MAIL", verb_mail },
	{ "RCPT", verb_rcpt },
	{ "DATA", verb_data },
	{ "BDAT", verb_bdat },
	{ "RSET", verb_rset },
	{ "NOOP", verb_noop },
	{ "VRFY", verb_vrfy },
	{ "ETRN", verb_etrn },
	{ "QUIT", verb_quit },
	{ "STARTTLS", verb_absent },
};

static void
one_command(struct dialogue *d, struct str line)
{
	struct str verb = STR_NONE, args = line;

	str_token(&args, " \t", &verb);
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (str_case_is(verb, verbs[i].name)) {
			verbs[i].run(d, str_trim(args));
			return;
		}
	say("500 5.5.2 Error: command not recognized");
}

int
sendmail_smtp(struct sendmail *s)
{
	struct dialogue d = { .s = s, .p = &s->conf->p };
	struct str line;
	char *text = NULL;
	size_t room = 0;

	say("220 " STR_FMT " ESMTP " STR_FMT, STR_ARG(s->conf->p.myhostname),
		STR_ARG(s->conf->p.mail_name));
	while (!d.ended && hear(&text, &room, &line))
		one_command(&d, line);
	forget(&d);
	free(text);
	vec_free(&d.rcpts);
	return 0;
}
