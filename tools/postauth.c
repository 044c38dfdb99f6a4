/* postauth -- sender authentication for people (postauth(1)). */
#include "config.h"
#include "command.h"
#include "log.h"
#include "postauth.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

/* Ends with a row without a name. */
static const struct subcommand subcommands[] = {
	{ "spf", postauth_spf, "may that client send for that sender?" },
	{ "verify", postauth_verify,
		"who has signed a message, and may its client send it?" },
	{ "keygen", postauth_keygen, "a key for DKIM, and the record to publish" },
	{ "dns", postauth_dns, "the records to publish for a domain" },
	{ "check", postauth_check, "what a domain publishes, and what is wrong with it" },
	{ "sign", postauth_sign, "a message, signed with DKIM" },
#ifdef HAVE_EXPAT
	{ "reports", postauth_reports, "what others report of mail in our name" },
#endif
	{ 0 },
};

static const char usage_line[] = "usage: postauth subcommand [options] [arguments]";

NORETURN static void
usage(void)
{
	fprintf(stderr, "%s\nsubcommands:", usage_line);
	for (const struct subcommand *s = subcommands; s->name; s++)
		fprintf(stderr, " %s", s->name);
	fprintf(stderr, "\n");
	exit(1);
}

NORETURN static void
show_help(void)
{
	printf("%s\nchecks where mail comes from,\n"
	       "and makes what others check our mail by\n",
		usage_line);
	for (const struct subcommand *s = subcommands; s->name; s++)
		printf("  %-8s  %s\n", s->name, s->help);
	printf("postauth subcommand --help tells more about one\n");
	exit(fflush(stdout) == 0 ? 0 : 1);
}

void
postauth_read_message(struct buf *message)
{
	ssize_t got;

	do {
		buf_need(message, 65536);
		got = read(STDIN_FILENO, message->data + message->len, 65536);
		message->len += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		log_fatal("standard input: %m");
}

struct str
postauth_sender(const char *text)
{
	struct str sender = str_c(text);

	if (str_starts(sender, STR("<")) && str_ends(sender, STR(">")))
		sender = str_sub(sender, 1, sender.len - 2);
	return sender;
}

int
main(int argc, char **argv)
{
	log_open("postauth", LOG_TO_STDERR, -1, -1);
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		show_help();
	for (const struct subcommand *s = subcommands; argc > 1 && s->name; s++)
		if (strcmp(s->name, argv[1]) == 0)
			return s->run(argc - 1, argv + 1);
	usage();
}
