/* postauth_reports.c -- postauth reports: aggregate reports of DMARC that came by mail.
 */
#include "command.h"
#include "dmarc_report.h"
#include "log.h"
#include "postauth.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const struct command_help help = {
	"postauth reports [--json] file ... | --send [--dns host:port] [-c config_dir]",
	"shows aggregate reports of DMARC, which others send about mail in the name of a "
	"domain:\n"
	"XML, .gz, .zip, or the mail they came with; - is the standard input\n"
	"  --json   one object for each report, one on a line\n"
	"  --send   sends what others want to know of mail in their names that came "
	"here, as\n"
	"           dmarc_report_store has it; to be run once a day\n"
	"  --dns    the server that is asked who wants it\n"
	"  -c dir   the directory of main.cf\n",
};

/* -1 and errno: EFBIG, too. */
static int
read_stream(int fd, struct buf *out)
{
	ssize_t got;

	do {
		buf_need(out, 65536);
		got = read(fd, out->data + out->len, 65536);
		out->len += got > 0 ? (size_t)got : 0;
		if (out->len > REPORT_PACKED_MOST) {
			errno = EFBIG;
			return -1;
		}
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0 ? -1 : 0;
}

static int
read_input(const char *path, struct buf *out)
{
	int fd CLEANUP(fd_close) = -1;

	if (strcmp(path, "-") == 0)
		return read_stream(STDIN_FILENO, out);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : read_stream(fd, out);
}

/* False: it cannot be read, which was said. */
static bool
show(const char *path, bool json)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	struct dmarc_report report;
	struct why why;
	bool good;

	if (read_input(path, &bytes) < 0) {
		log_error("%s: %m", path);
		return false;
	}
	good = dmarc_report_read(buf_str(&bytes), arena, &report, &why) == 0;
	if (!good)
		log_error("%s: %s", path, why.text);
	else if (json)
		postauth_print_report_json(&report);
	else
		postauth_print_report(&report);
	dmarc_report_free(&report);
	return good;
}

enum { JSON = 256, SEND, DNS };
static const struct option long_options[] = {
	{ "json", no_argument, NULL, JSON },
	{ "send", no_argument, NULL, SEND },
	{ "dns", required_argument, NULL, DNS },
	{ 0 },
};

int
postauth_reports(int argc, char **argv)
{
	const char *directory = NULL, *server = NULL;
	bool json = false, send = false, good = true;
	int opt;

	command_help(argc, argv, &help);
	while ((opt = getopt_long(argc, argv, "c:", long_options, NULL)) > 0) {
		switch (opt) {
		case JSON:
			json = true;
			break;
		case SEND:
			send = true;
			break;
		case DNS:
			server = optarg;
			break;
		case 'c':
			directory = optarg;
			break;
		default:
			command_usage(&help);
		}
	}
	if (send == (optind < argc) || (send && json))
		command_usage(&help);
	if (send)
		return postauth_send_reports(directory, server);
	for (int i = optind; i < argc; i++)
		good &= show(argv[i], json);
	return fflush(stdout) == 0 && good ? 0 : 1;
}
