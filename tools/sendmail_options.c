/* sendmail_options.c -- sendmail's command line, as forty years of programs write it:
 * option letters run together with their values, old ones that mean nothing are
 * swallowed, and what Postfix only warns about is only warned about. */
#include "addrlist.h"
#include "esmtp.h"
#include "sendmail.h"
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Addresses may begin with a hyphen: nothing behind the first word that is none of ours
 * is an option. */
#define LETTERS "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx"
/* VERP, written in a way that getopt() does not know. */
#define VERP (-2)
/* RFC 3461 section 4.4. */
#define ENVID_MOST 100

const char sendmail_usage[] =
	"usage: sendmail [-tiGv] [-f sender] [-F name] [-N dsn] [-R full|hdrs] [-V "
	"envid]\n"
	"                [-XV[xy]] [-B 7BIT|8BITMIME] [-C config] [recipient ...] < "
	"message\n"
	"       sendmail -bv recipient ...\n"
	"       sendmail -bs          SMTP on standard input and output\n"
	"       sendmail -bp | mailq  list the queue\n"
	"       sendmail -bi | newaliases\n"
	"       sendmail -q | -qIid | -qRsite\n";

/* ---- one option after the other ---- */

struct reader {
	int argc;
	char **argv;
	const struct conf *conf; /* NULL: only looking for -C */
	struct str verp;         /* the delimiters, when next_option() gave VERP */
};

static void
verp_is_old(const struct reader *r, const char *given)
{
	if (r->conf)
		log_warn("option %s is deprecated with Postfix 2.3; specify -X%s instead",
			given, given + 1);
}

/* -XV has no value of its own, and -V was VERP before it was an envelope id: with two
 * characters behind it it still is. */
static bool
verp_at(const struct reader *r, int at, struct str *delimiters)
{
	const char *arg = at < r->argc ? r->argv[at] : "";
	const char *next = at + 1 < r->argc ? r->argv[at + 1] : "";
	bool old = strncmp(arg, "-V", 2) == 0;

	*delimiters = r->conf ? r->conf->p.default_verp_delimiters : STR("");
	if (strcmp(arg, "-XV") == 0)
		return true;
	if (!old || (strlen(arg) != 4 && (arg[2] != '\0' || strlen(next) != 2)))
		return false;
	verp_is_old(r, arg);
	if (arg[2])
		*delimiters = str_c(arg + 2);
	return true;
}

static int
next_option(struct reader *r)
{
	int at = optind > 0 ? optind : 1;

	if (!verp_at(r, at, &r->verp))
		return getopt(r->argc, r->argv, LETTERS);
	optind = at + 1;
	return VERP;
}

/* ---- what they mean ---- */

struct context {
	struct sendmail *s;
	struct buf *wrong; /* the first mistake */
	bool failed;
};

static void PRINTF(2, 3) mistake(struct context *c, const char *fmt, ...)
{
	char text[200];
	va_list args;

	if (c->failed)
		return;
	c->failed = true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_addz(c->wrong, text);
}

static void
mode_option(struct context *c, const char *arg)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = {
		{ 's', MODE_SMTP },
		{ 'p', MODE_QUEUE },
		{ 'i', MODE_ALIASES },
		{ 'd', MODE_DAEMON },
		{ 'l', MODE_DAEMON },
		{ 'h', MODE_NOTHING },
		{ 'H', MODE_NOTHING },
	};

	if (arg[0] == 'm') /* what is done anyway */
		return;
	if (arg[0] == 'v') {
		c->s->verify = true;
		return;
	}
	for (size_t i = 0; i < COUNT(modes); i++)
		if (arg[0] == modes[i].letter) {
			c->s->mode = modes[i].mode;
			return;
		}
	mistake(c, "unsupported: -b%.1s", arg);
}

static void
queue_option(struct context *c, const char *arg)
{
	struct sendmail *s = c->s;
	const char **named = arg[0] == 'I' ? &s->flush_id : &s->flush_site;

	if (arg[0] == '\0') {
		if (s->mode == MODE_DAEMON)
			log_warn("ignoring -q option in daemon mode");
		else
			s->mode = MODE_FLUSH;
	} else if (ascii_is_digit(arg[0])) {
		if (s->mode == MODE_DELIVER)
			s->mode = MODE_NOTHING;
	} else if (arg[0] != 'I' && arg[0] != 'R') {
		mistake(c, "-q%.1s is not implemented", arg);
	} else if (arg[1] == '\0') {
		mistake(c, "specify: -q%s", arg[0] == 'I' ? "Iqueueid" : "Rsitename");
	} else {
		*named = arg + 1;
	}
}

/* never, or a list of failure, success, delay (RFC 3461 section 4.1). */
static uint8_t
notify_bits(const char *arg)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = { { "never", NOTIFY_NEVER }, { "success", NOTIFY_SUCCESS },
		{ "failure", NOTIFY_FAILURE }, { "delay", NOTIFY_DELAY } };
	struct str rest = str_c(arg), word;
	uint8_t bits = 0;

	while (str_token(&rest, ", \t\r\n", &word)) {
		size_t i = 0;

		while (i < COUNT(words) && !str_case_is(word, words[i].word))
			i++;
		if (i == COUNT(words)) {
			log_warn("unknown DSN NOTIFY command value \"" STR_FMT
				 "\" in \"%s\"",
				STR_ARG(word), arg);
			return 0;
		}
		bits |= words[i].bit;
	}
	return (bits & NOTIFY_NEVER) && bits != NOTIFY_NEVER ? 0 : bits;
}

static void
notify_option(struct sendmail *s, const char *arg)
{
	s->notify = notify_bits(arg);
	if (s->notify == 0)
		log_warn("bad -N option value -- ignored");
}

static void
return_option(struct sendmail *s, const char *arg)
{
	s->ret = strcasecmp(arg, "full") == 0   ? RET_FULL
		 : strcasecmp(arg, "hdrs") == 0 ? RET_HDRS
						: RET_NONE;
	if (s->ret == RET_NONE)
		log_warn("bad -R option value -- ignored");
}

static void
envid_option(struct sendmail *s, const char *arg)
{
	bool printable = arg[0] != '\0';

	for (const char *at = arg; *at; at++)
		printable &= *at >= ' ' && *at <= '~';
	s->envid = STR_NONE;
	if (strlen(arg) > ENVID_MOST)
		log_warn("too long -V option value -- ignored");
	else if (!printable)
		log_warn("bad syntax in -V option value -- ignored");
	else
		s->envid = str_c(arg);
}

static void
verp_option(struct context *c, struct str delimiters)
{
	struct str allowed = c->s->conf->p.verp_delimiter_filter;

	if (verp_delimiters_are_valid(delimiters, allowed))
		c->s->verp = delimiters;
	else
		mistake(c, "-V requires two characters from " STR_FMT, STR_ARG(allowed));
}

static void
body_option(struct context *c, const char *arg)
{
	c->s->body_8bit = strcmp(arg, "8BITMIME") == 0;
	if (!c->s->body_8bit && strcmp(arg, "7BIT") != 0)
		mistake(c, "-B option needs 8BITMIME or 7BIT");
}

/* -o is sendmail's own little language; of its letters two still mean something. */
static void
old_option(struct context *c, const char *arg)
{
	if (arg[0] == 'i')
		c->s->dots_are_text = true;
	else if (arg[0] == 'A' && arg[1])
		c->s->alias_database = arg + 1;
	else if (arg[0] == 'A')
		mistake(c, "-oA requires pathname");
}

static void
long_option(struct sendmail *s, const char *arg)
{
	if (strncasecmp(arg, "smtputf8=", 9) == 0)
		s->utf8 = strcasecmp(arg + 9, "yes") == 0;
	if (strncasecmp(arg, "requiretls=", 11) == 0)
		s->requiretls = strcasecmp(arg + 11, "yes") == 0;
}

/* As in a header: "a@b.c", "<a@b.c>", "A Name <a@b.c>"; nothing, or <>, is the null
 * sender. */
static struct str
sender_of(struct sendmail *s, const char *arg)
{
	struct addr_list found = { 0 };
	struct str sender = STR("");

	addr_list_parse(str_c(arg), s->arena, &found);
	if (found.list.n > 0)
		sender = found.list.items[0].address;
	if (found.list.n > 1)
		log_warn("-f option specified malformed sender: %s", arg);
	addr_list_free(&found);
	return sender;
}

static void
sender_option(struct sendmail *s, const char *arg)
{
	s->sender = sender_of(s, arg);
	s->sender_given = true;
}

static void
name_option(struct sendmail *s, const char *arg)
{
	s->full_name = str_c(arg);
	s->full_name_given = true;
}

static void
one_option(struct context *c, int option, const char *value)
{
	struct sendmail *s = c->s;

	switch (option) {
	case 'b':
		mode_option(c, value);
		break;
	case 'q':
		queue_option(c, value ? value : "");
		break;
	case 'f':
	case 'r':
		sender_option(s, value);
		break;
	case 'F':
		name_option(s, value);
		break;
	case 't':
		s->from_header = true;
		break;
	case 'i':
		s->dots_are_text = true;
		break;
	case 'I':
		s->mode = MODE_ALIASES;
		break;
	case 'G':
		s->gateway = true;
		break;
	case 'N':
		notify_option(s, value);
		break;
	case 'R':
		return_option(s, value);
		break;
	case 'V':
		envid_option(s, value);
		break;
	case 'X':
		if (value[0] == 'V')
			verp_option(c, str_c(value + 1));
		else
			mistake(c, "unsupported: -X%.1s", value);
		break;
	case 'B':
		body_option(c, value);
		break;
	case 'o':
		old_option(c, value);
		break;
	case 'O':
		long_option(s, value);
		break;
	case 'v':
		s->report = true;
		break;
	case 'n':
		mistake(c, "-n option not supported");
		break;
	case '?':
		mistake(c, "usage: sendmail [options]");
		break;
	default:
		break; /* accepted, without meaning here */
	}
}

/* What does not go together. */
static void
check_together(struct context *c)
{
	const struct sendmail *s = c->s;
	bool delivers = s->mode == MODE_DELIVER;
	const struct {
		bool wrong;
		const char *text;
	} rules[] = {
		{ s->from_header && !delivers, "-t can be used only in delivery mode" },
		{ s->flush_site && !delivers, "-qR can be used only in delivery mode" },
		{ s->flush_id && !delivers, "-qI can be used only in delivery mode" },
		{ s->verify && s->report, "-v option cannot be used with -bv" },
		{ s->verify && s->from_header, "-t option cannot be used with -bv" },
		{ s->verify && s->notify, "-N option cannot be used with -bv" },
		{ s->verify && s->ret, "-R option cannot be used with -bv" },
	};

	if (s->mode == MODE_NOTHING)
		return;
	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].wrong)
			mistake(c, "%s", rules[i].text);
}

int
sendmail_options(struct sendmail *s, int argc, char **argv, struct buf *wrong)
{
	struct context c = { .s = s, .wrong = wrong };
	struct reader r = { .argc = argc, .argv = argv, .conf = s->conf };
	int option;

	optind = 0;
	opterr = 0;
	while ((option = next_option(&r)) != -1)
		if (option == VERP)
			verp_option(&c, r.verp);
		else
			one_option(&c, option, optarg);
	for (int i = optind; i < argc; i++)
		*vec_push(&s->rcpts) = str_c(argv[i]);
	check_together(&c);
	return c.failed ? -1 : 0;
}

/* -C names a directory, or main.cf in it. */
static const char *
directory_of(const char *arg, struct arena *a)
{
	struct str path = str_c(arg);
	ssize_t slash = str_rchr(path, '/');
	struct stat st;

	if (stat(arg, &st) == 0 && S_ISREG(st.st_mode) && slash > 0)
		return arena_cstr(a, str_sub(path, 0, (size_t)slash));
	return arg;
}

const char *
sendmail_directory(int argc, char **argv, struct arena *a)
{
	struct reader r = { .argc = argc, .argv = argv };
	const char *directory = NULL;
	int option;

	optind = 0;
	opterr = 1;
	while ((option = next_option(&r)) != -1)
		if (option == 'C')
			directory = directory_of(optarg, a);
	return directory;
}
