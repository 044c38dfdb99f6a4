/* postern_import.c -- postern import and export: a Postfix's configuration
 * (config_copy.c) and queue (queue_import.c) come over, and go back. */
#include "postern.h"
#include "config_copy.h"
#include "log.h"
#include "postfix_queue.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POSTFIX_QUEUE "/var/spool/postfix"
#define POSTFIX_DATA  "/var/lib/postfix"

struct arguments {
	const char *directory; /* Postfix's, without / at the end */
	bool configuration, queue;
};

NORETURN static void
usage(const char *text)
{
	fprintf(stderr, "usage: postern %s\n", text);
	exit(1);
}

/* The directory is an argument, or stands behind `option`. */
static struct arguments
read_arguments(const char *option, const char *help)
{
	struct arguments a = { .configuration = true };
	struct str directory;

	for (int i = 1; i < postern.argc; i++) {
		char *word = postern.argv[i];

		if (strcmp(word, "--queue") == 0)
			a.queue = true;
		else if (strcmp(word, "--queue-only") == 0)
			a.queue = !(a.configuration = false);
		else if (option && strcmp(word, option) == 0 && i + 1 < postern.argc)
			a.directory = postern.argv[++i];
		else if (!option && word[0] != '-' && !a.directory)
			a.directory = word;
		else
			usage(help);
	}
	if (!a.directory || a.directory[0] != '/')
		usage(help);
	directory = str_c(a.directory);
	while (directory.len > 1 && directory.data[directory.len - 1] == '/')
		directory.len--;
	a.directory = arena_cstr(postern.conf->arena, directory);
	return a;
}

/* A directory of Postfix's, as its main.cf says or as it is by default. */
static struct str
place_of(const char *directory, const char *name, const char *preset)
{
	struct conf_issues issues;
	struct conf *c;

	conf_issues_init(&issues);
	c = conf_open(directory, STR_NONE, NULL, &issues);
	return c && conf_setting(c, str_c(name)) ? conf_value(c, name) : str_c(preset);
}

static bool
is_same_place(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Did our main.cf come from there, and may have been edited since? */
static bool
came_before(const char *directory)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT,
			first CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&path, "%s/main.cf", postern.directory);
	buf_printf(&first, "# From %s/main.cf.\n", directory);
	return read_file(buf_cstr(&path), (size_t)16 << 20, &text) == 0 &&
	       str_starts(buf_str(&text), buf_str(&first));
}

/* What will not be as it was with Postfix. */
static void
check_result(void)
{
	pid_t child;
	int status;

	fflush(stdout);
	log_flush();
	child = fork();
	if (child < 0)
		log_fatal("fork: %s", strerror(errno));
	if (child == 0) {
		execl("/proc/self/exe", "postern", "-c", postern.directory, "check", "-v",
			(char *)NULL);
		_exit(1);
	}
	if (waitpid(child, &status, 0) == child && status != 0)
		printf("correct what \"postern check\" names before you start\n");
}

static void
import_configuration(const char *directory)
{
	struct config_copy copy = { .from = directory,
		.to = postern.directory,
		.old_queue = place_of(directory, "queue_directory", POSTFIX_QUEUE),
		.new_queue = postern.conf->p.queue_directory,
		.old_data = place_of(directory, "data_directory", POSTFIX_DATA),
		.new_data = postern.conf->p.data_directory };

	if (is_same_place(directory, postern.directory)) {
		printf("%s is our own configuration\n", directory);
	} else if (came_before(directory)) {
		printf("%s/main.cf comes from %s already: the configuration stays as it "
		       "is\n",
			postern.directory, directory);
	} else {
		config_copy(&copy);
		postern_read_again();
	}
	check_result();
}

static void
export_configuration(const char *directory)
{
	struct config_copy copy = { .from = postern.directory,
		.to = directory,
		.to_postfix = true,
		.old_queue = postern.conf->p.queue_directory,
		.new_queue = place_of(directory, "queue_directory", POSTFIX_QUEUE),
		.old_data = postern.conf->p.data_directory,
		.new_data = place_of(directory, "data_directory", POSTFIX_DATA) };

	if (is_same_place(directory, postern.directory)) {
		printf("%s is our own configuration\n", directory);
		return;
	}
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		log_fatal("mkdir %s: %s", directory, strerror(errno));
	config_copy(&copy);
}

int
postern_import(void)
{
	struct arguments a =
		read_arguments(NULL, "import [--queue | --queue-only] /directory");

	if (a.configuration)
		import_configuration(a.directory);
	return a.queue ? queue_import(a.directory) : 0;
}

int
postern_export(void)
{
	struct arguments a = read_arguments(
		"--postfix", "export [--queue | --queue-only] --postfix /directory");

	if (a.configuration)
		export_configuration(a.directory);
	return a.queue ? queue_export(a.directory) : 0;
}
