/* sendmail_smtp.c -- sendmail -bs: SMTP on standard input and output for local programs.
 * No TLS, no AUTH: who may run this may submit. Mail goes the way of all local mail, so
 * there is nothing here that says whether a recipient exists. */
#include "address.h"
#include "esmtp.h"
#include "log.h"
#include "sendmail.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

struct dialogue {
	struct sendmail *s;
	const struct params *p;
	struct str helo;
	bool extended; /* EHLO */
	bool in_mail, ended;
	struct drop drop;
	VEC(struct rcpt) rcpts;
};

static void PRINTF(1, 2) say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fputs("\r\n", stdout);
	fflush(stdout);
}

/* One line without its end. False at the end of input. */
static bool
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

static void
forget(struct dialogue *d)
{
	d->in_mail = false;
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
	say("250-ENHANCEDSTATUSCODES");
	say("250-8BITMIME");
	say(d->p->smtputf8_enable ? "250-DSN" : "250 DSN");
	if (d->p->smtputf8_enable)
		say("250 SMTPUTF8");
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

	if (!d->in_mail)
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

/* ---- DATA ---- */

/* The hop from our caller (RFC 5321 section 4.4); the next one is pickup's. */
static void
add_received(const struct dialogue *d, struct buf *out)
{
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %e %b %Y %H:%M:%S %z (%Z)", &tm);
	buf_printf(out,
		"Received: from " STR_FMT " (localhost [127.0.0.1])\n\tby " STR_FMT
		" (" STR_FMT ") with %s",
		STR_ARG(d->helo.len ? d->helo : STR("localhost")),
		STR_ARG(d->p->myhostname), STR_ARG(d->p->mail_name),
		d->drop.flags & ENVELOPE_SMTPUTF8 ? "UTF8SMTP"
		: d->extended                     ? "ESMTP"
						  : "SMTP");
	if (d->rcpts.n == 1)
		buf_printf(
			out, "\n\tfor <" STR_FMT ">", STR_ARG(d->rcpts.items[0].address));
	buf_printf(out, "; %s\n", date);
}

/* Lines up to the dot go to postdrop. False: input ended before it. */
static bool
pass_content(struct drop_child *c)
{
	char *line = NULL;
	size_t room = 0;
	struct str text;
	bool whole = false;

	while (!whole && hear(&line, &room, &text)) {
		whole = str_is(text, ".");
		if (whole)
			break;
		if (str_starts(text, STR(".")))
			text = str_from(text, 1);
		line[(size_t)(text.data - line) + text.len] = '\n';
		(void)!drop_write_chunk(c->fd, str_of(text.data, text.len + 1));
	}
	free(line);
	return whole;
}

static void
verb_data(struct dialogue *d, struct str args)
{
	struct buf received CLEANUP(buf_free) = BUF_INIT;
	struct drop_child child;
	int status;

	if (args.len > 0 || d->rcpts.n == 0) {
		say(args.len > 0     ? "501 5.5.4 Syntax: DATA"
			: d->in_mail ? "554 5.5.1 Error: no valid recipients"
				     : "503 5.5.1 Error: need RCPT command");
		return;
	}
	say("354 End data with <CR><LF>.<CR><LF>");
	d->drop.rcpts = d->rcpts.items;
	d->drop.n_rcpts = d->rcpts.n;
	add_received(d, &received);
	drop_child_start(&child, d->s);
	drop_child_envelope(&child, &d->drop);
	(void)!drop_write_chunk(child.fd, buf_str(&received));
	forget(d);
	if (!pass_content(&child)) {
		drop_child_abort(&child);
		d->ended = true;
		return;
	}
	status = drop_child_end(&child);
	if (status == 0)
		say("250 2.0.0 Ok: queued");
	else if (status == EX_UNAVAILABLE)
		say("552 5.3.4 Error: message file too big");
	else
		say("451 4.3.0 Error: queue file write error");
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
	{ "RSET", verb_rset },
	{ "NOOP", verb_noop },
	{ "VRFY", verb_vrfy },
	{ "QUIT", verb_quit },
	{ "STARTTLS", verb_absent },
	{ "ETRN", verb_absent },
	{ "BDAT", verb_absent },
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
	free(text);
	vec_free(&d.rcpts);
	return 0;
}
