/* sendmail_options.c -- sendmail's command line, as forty years of programs write it:
 * option letters run together with their values, old ones that mean nothing are
 * swallowed. */
#include "addrlist.h"
#include "sendmail.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: sendmail [-t] [-i] [-f sender] [-F name] [-N dsn] [-R full|hdrs] [-V "
	"envid]\n"
	"                [-C config] [recipient ...] < message\n"
	"       sendmail -bs          SMTP on standard input and output\n"
	"       sendmail -bp | mailq  list the queue\n"
	"       sendmail -bi | newaliases\n"
	"       sendmail -q | -qIid | -qRsite\n";

static void
mode_option(struct sendmail *s, const char *arg)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = {
		{ 'm', MODE_DELIVER },
		{ 's', MODE_SMTP },
		{ 'p', MODE_QUEUE },
		{ 'i', MODE_ALIASES },
		{ 'd', MODE_DAEMON },
		{ 'l', MODE_DAEMON },
		{ 'h', MODE_NOTHING },
		{ 'H', MODE_NOTHING },
	};

	for (size_t i = 0; i < COUNT(modes); i++)
		if (arg[0] == modes[i].letter && arg[1] == '\0') {
			s->mode = modes[i].mode;
			return;
		}
	log_fatal("unsupported: -b%s", arg);
}

static void
queue_option(struct sendmail *s, const char *arg)
{
	s->queue_item = arg[0] ? arg + 1 : NULL;
	if (arg[0] == '\0')
		s->mode = MODE_FLUSH;
	else if (arg[0] == 'I' && arg[1])
		s->mode = MODE_FLUSH_ID;
	else if ((arg[0] == 'R' || arg[0] == 'S') && arg[1])
		s->mode = arg[0] == 'R' ? MODE_FLUSH_SITE : MODE_NOTHING;
	else if (ascii_is_digit(arg[0]))
		s->mode = s->mode == MODE_DAEMON ? MODE_DAEMON : MODE_NOTHING;
	else
		log_fatal("-q%c is not implemented", arg[0]);
	if (arg[0] == 'S')
		log_fatal("-qS is not implemented: ask by recipient site, -qR");
}

/* never, or a list of failure, success, delay (RFC 3461 section 4.1). */
static void
notify_option(struct sendmail *s, const char *arg)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = { { "never", NOTIFY_NEVER }, { "success", NOTIFY_SUCCESS },
		{ "failure", NOTIFY_FAILURE }, { "delay", NOTIFY_DELAY } };
	struct str rest = str_c(arg), word;

	s->notify = 0;
	while (str_token(&rest, ", ", &word)) {
		size_t i = 0;

		while (i < COUNT(words) && !str_case_is(word, words[i].word))
			i++;
		if (i == COUNT(words))
			log_fatal("bad -N option value -- try: never, or a list of "
				  "failure, "
				  "success, delay");
		s->notify |= words[i].bit;
	}
	if (s->notify == 0 || ((s->notify & NOTIFY_NEVER) && s->notify != NOTIFY_NEVER))
		log_fatal("bad -N option value: never goes alone");
}

static void
return_option(struct sendmail *s, const char *arg)
{
	if (strcasecmp(arg, "full") == 0)
		s->ret = RET_FULL;
	else if (strcasecmp(arg, "hdrs") == 0)
		s->ret = RET_HDRS;
	else
		log_fatal("bad -R option value -- try full or hdrs");
}

/* -o is sendmail's own little language; four letters of it still mean something. */
static void
old_option(struct sendmail *s, const char *arg)
{
	if (arg[0] == 'i')
		s->dots_are_text = true;
	else if (arg[0] == 'A' && arg[1])
		s->alias_database = arg + 1;
}

static void
long_option(struct sendmail *s, const char *arg)
{
	if (strcasecmp(arg, "smtputf8=yes") == 0)
		s->utf8 = true;
}

/* -C names a directory, or main.cf in it. */
static void
config_option(struct sendmail *s, const char *arg)
{
	struct str path = str_c(arg);
	ssize_t slash = str_rchr(path, '/');
	struct stat st;

	s->directory = arg;
	if (stat(arg, &st) == 0 && S_ISREG(st.st_mode) && slash > 0)
		s->directory = arena_cstr(s->arena, str_sub(path, 0, (size_t)slash));
}

/* As in a header: "a@b.c", "<a@b.c>", "A Name <a@b.c>"; nothing, or <>, is the null
 * sender.
 */
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
one_option(struct sendmail *s, int option)
{
	switch (option) {
	case 'b':
		mode_option(s, optarg);
		break;
	case 'q':
		queue_option(s, optarg ? optarg : "");
		break;
	case 'f':
	case 'r':
		s->sender = sender_of(s, optarg);
		s->sender_given = true;
		break;
	case 'F':
		s->full_name = str_c(optarg);
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
	case 'N':
		notify_option(s, optarg);
		break;
	case 'R':
		return_option(s, optarg);
		break;
	case 'V':
		s->envid = str_c(optarg);
		break;
	case 'B':
		s->body_8bit = strcasecmp(optarg, "8BITMIME") == 0;
		break;
	case 'o':
		old_option(s, optarg);
		break;
	case 'O':
		long_option(s, optarg);
		break;
	case 'C':
		config_option(s, optarg);
		break;
	case '?':
		log_fatal("invalid option; sendmail --help lists them");
	default:
		break; /* accepted, without meaning here */
	}
}

void
sendmail_options(struct sendmail *s, int argc, char **argv)
{
	int option;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		exit(0);
	}
	opterr = 0;
	while ((option = getopt(argc, argv,
			"A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvxM:")) > 0)
		one_option(s, option);
	for (int i = optind; i < argc; i++)
		*vec_push(&s->rcpts) = str_c(argv[i]);
}
