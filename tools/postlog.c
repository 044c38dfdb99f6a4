/* postlog.c -- postlog(1): a line, or each line of stdin, into the mail log, for scripts.
 */
#include "command.h"
#include "log.h"
#include "maillog.h"
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

struct options {
	const char *directory, *tag;
	enum log_level level;
};

static const struct command_help help = {
	"postlog [-i (include pid)] [-c config_dir] [-p priority] [-t tag] [-v] [text]",
	"writes text, or each line of standard input, to the mail log\n"
	"  -p priority  info, warn, error, fatal or panic\n"
	"  -t tag       instead of postfix/postlog\n"
	"  -c dir       the directory of main.cf\n"
	"  -i -v        accepted\n",
};

static enum log_level
level_of(const char *name)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "info", LOG_INFO_LEVEL },
		{ "warn", LOG_WARNING_LEVEL },
		{ "warning", LOG_WARNING_LEVEL },
		{ "error", LOG_ERROR_LEVEL },
		{ "fatal", LOG_FATAL_LEVEL },
		{ "panic", LOG_PANIC_LEVEL },
	};

	for (size_t i = 0; i < COUNT(levels); i++)
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].level;
	log_fatal("unknown priority: %s; one of info, warn, error, fatal, panic", name);
}

static struct options
read_options(int argc, char **argv)
{
	struct options o = { .tag = getenv("MAIL_LOGTAG") };
	int letter;

	while ((letter = getopt(argc, argv, "+c:ip:t:v")) > 0) {
		switch (letter) {
		case 'c':
			o.directory = optarg;
			break;
		case 'p':
			o.level = level_of(optarg);
			break;
		case 't':
			o.tag = optarg;
			break;
		case 'i': /* the number is always there */
		case 'v':
			break;
		default:
			command_usage(&help);
		}
	}
	return o;
}

/* With a terminal the user sees the line, too. */
static void
open_log(const struct options *o, const struct conf *c)
{
	struct buf tag CLEANUP(buf_free) = BUF_INIT;

	if (o->tag)
		buf_addz(&tag, o->tag);
	else
		buf_printf(&tag, STR_FMT "/postlog", STR_ARG(c->p.syslog_name));
	maillog_open(c, buf_cstr(&tag), isatty(STDERR_FILENO) ? LOG_TO_STDERR : 0);
}

static void
log_words(enum log_level level, int n, char **words)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i ? " " : "", words[i]);
	log_text(level, buf_str(&text));
}

static void
log_stdin(enum log_level level)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, stdin)) > 0)
		log_text(level, str_trim(str_of(line, (size_t)len)));
	free(line);
}

int
main(int argc, char **argv)
{
	struct options o;
	struct conf *c;

	log_open("postlog", LOG_TO_STDERR, -1, LOG_MAIL);
	command_help(argc, argv, &help);
	o = read_options(argc, argv);
	c = command_conf(o.directory);
	open_log(&o, c);
	if (optind < argc)
		log_words(o.level, argc - optind, argv + optind);
	else
		log_stdin(o.level);
	log_flush();
	return 0;
}
