/* sendmail_smtp.c -- sendmail -bs: SMTP on standard input and output for local programs.
 * No TLS, no AUTH: who may run this may submit. Mail goes the way of all local mail. */
#include "address.h"
#include "log.h"
#include "sendmail.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dialogue {
	struct sendmail *s;
	bool greeted, in_mail, ended;
	struct drop drop;
	VEC(struct rcpt) rcpts;
};

static void
say(const char *text)
{
	printf("%s\r\n", text);
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

/* The path behind "FROM:" or "TO:"; parameters are accepted unread. */
static bool
path_of(struct dialogue *d, struct str args, const char *keyword, unsigned how,
	struct str *out)
{
	struct address address;
	struct why why;

	if (!str_case_starts(args, str_c(keyword)))
		return false;
	args = str_trim(str_from(args, strlen(keyword)));
	if (address_parse(address_path_token(&args), how, &address, &why) != ACCEPT)
		return false;
	*out = arena_str(d->s->arena, address_internal(&address, d->s->arena));
	return true;
}

static void
verb_hello(struct dialogue *d, struct str args, bool extended)
{
	if (args.len == 0) {
		say("501 Syntax: HELO hostname");
		return;
	}
	forget(d);
	d->greeted = true;
	printf(extended ? "250-%.*s\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
			  "250 ENHANCEDSTATUSCODES\r\n"
			: "250 %.*s\r\n",
		STR_ARG(d->s->conf->p.myhostname));
	fflush(stdout);
}

static void
verb_mail(struct dialogue *d, struct str args)
{
	struct str from;

	if (d->in_mail)
		say("503 5.5.1 Error: nested MAIL command");
	else if (!path_of(d, args, "FROM:", ADDRESS_LOOSE | ADDRESS_SENDER, &from))
		say("501 5.5.4 Syntax: MAIL FROM:<address>");
	else {
		d->drop = (struct drop){ .sender = from };
		if (str_find(args, STR("8BITMIME")) >= 0)
			d->drop.flags |= ENVELOPE_8BIT;
		d->in_mail = true;
		say("250 2.1.0 Ok");
	}
}

static void
verb_rcpt(struct dialogue *d, struct str args)
{
	struct str to;

	if (!d->in_mail)
		say("503 5.5.1 Error: need MAIL command");
	else if (!path_of(d, args, "TO:", ADDRESS_LOOSE, &to) || to.len == 0)
		say("501 5.5.4 Syntax: RCPT TO:<address>");
	else if (d->rcpts.n >= (size_t)d->s->conf->p.smtpd_recipient_limit)
		say("452 4.5.3 Error: too many recipients");
	else {
		vec_push(&d->rcpts)->address = to;
		say("250 2.1.5 Ok");
	}
}

/* Lines up to the dot go to postdrop. False: input ended before it. */
static bool
pass_content(struct drop_child *c)
{
	char *line = NULL;
	size_t room = 0;
	struct str text;
	bool whole = false;

	while (hear(&line, &room, &text)) {
		if (str_is(text, ".")) {
			whole = true;
			break;
		}
		if (str_starts(text, STR(".")))
			text = str_from(text, 1);
		line[(size_t)(text.data - line) + text.len] = '\n';
		(void)!drop_write_chunk(c->fd, str_of(text.data, text.len + 1));
	}
	free(line);
	return whole;
}

static void
verb_data(struct dialogue *d)
{
	struct drop_child child;

	if (d->rcpts.n == 0) {
		say(d->in_mail ? "554 5.5.1 Error: no valid recipients"
			       : "503 5.5.1 Error: need RCPT command");
		return;
	}
	say("354 End data with <CR><LF>.<CR><LF>");
	d->drop.rcpts = d->rcpts.items;
	d->drop.n_rcpts = d->rcpts.n;
	drop_child_start(&child, d->s);
	drop_child_envelope(&child, &d->drop);
	if (!pass_content(&child)) {
		drop_child_abort(&child);
		d->ended = true;
	} else if (drop_child_end(&child) == 0) {
		say("250 2.0.0 Ok: queued");
	} else {
		say("451 4.3.0 Error: queue file write error");
	}
	forget(d);
}

static void
verb_quit(struct dialogue *d)
{
	say("221 2.0.0 Bye");
	d->ended = true;
}

static void
one_command(struct dialogue *d, struct str line)
{
	struct str verb = STR_NONE, args = line;

	str_token(&args, " \t", &verb);
	args = str_trim(args);
	if (str_case_is(verb, "EHLO") || str_case_is(verb, "HELO"))
		verb_hello(d, args, str_case_is(verb, "EHLO"));
	else if (str_case_is(verb, "MAIL"))
		verb_mail(d, args);
	else if (str_case_is(verb, "RCPT"))
		verb_rcpt(d, args);
	else if (str_case_is(verb, "DATA"))
		verb_data(d);
	else if (str_case_is(verb, "RSET") || str_case_is(verb, "NOOP")) {
		if (str_case_is(verb, "RSET"))
			forget(d);
		say("250 2.0.0 Ok");
	} else if (str_case_is(verb, "VRFY"))
		say("252 2.0.0 send some mail, i'll try my best");
	else if (str_case_is(verb, "QUIT"))
		verb_quit(d);
	else
		say("500 5.5.2 Error: command not recognized");
}

int
sendmail_smtp(struct sendmail *s)
{
	struct dialogue d = { .s = s };
	struct str line;
	char *text = NULL;
	size_t room = 0;

	printf("220 %.*s ESMTP %.*s\r\n", STR_ARG(s->conf->p.myhostname),
		STR_ARG(s->conf->p.mail_name));
	fflush(stdout);
	while (!d.ended && hear(&text, &room, &line))
		one_command(&d, line);
	free(text);
	vec_free(&d.rcpts);
	return 0;
}
