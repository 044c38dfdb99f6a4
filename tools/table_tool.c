/* table_tool.c -- the command line of postmap and postalias. */
#include "table_tool.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
take_option(struct request *rq, int option)
{
	switch (option) {
	case 'N':
		rq->nul = true;
		break;
	case 'U': /* keys and patterns are UTF-8 wherever main.cf says so */
		break;
	case 'b':
		rq->body = true;
		break;
	case 'c':
		rq->directory = optarg;
		break;
	case 'd':
		rq->remove = optarg;
		break;
	case 'f':
		rq->keep_case = true;
		break;
	case 'F':
		rq->files = true;
		break;
	case 'h':
		rq->header = true;
		break;
	case 'i':
		rq->incremental = true;
		break;
	case 'j':
		rq->json = true;
		break;
	case 'm':
		rq->mime = true;
		break;
	case 'n':
		rq->no_nul = true;
		break;
	case 'o':
		rq->keep_root = true;
		break;
	case 'p':
		rq->default_mode = true;
		break;
	case 'q':
		rq->query = optarg;
		break;
	case 'r':
		rq->replace = true;
		break;
	case 's':
		rq->list = true;
		break;
	case 'u':
		rq->no_utf8 = true;
		break;
	case 'v':
		rq->verbose++;
		break;
	case 'w':
		rq->no_warning = true;
		break;
	default:
		command_usage(&rq->tool->help);
	}
}

/* One of -s, -q and -d, and once: what the second one would mean nobody can say. */
static void
parse_options(struct request *rq, int argc, char **argv)
{
	int asked = 0, option;

	while ((option = getopt(argc, argv, rq->tool->options)) != -1) {
		asked += option == 's' || option == 'q' || option == 'd';
		if (asked > 1)
			log_fatal("specify only one of -s -q or -d");
		take_option(rq, option);
	}
	if ((rq->body || rq->header || rq->mime) &&
		(!rq->query || strcmp(rq->query, "-") != 0))
		log_fatal("specify -b -h or -m only with \"-q -\"");
	if (optind == argc)
		command_usage(&rq->tool->help);
}

struct str
table_spec(const struct request *rq, const char *argument, struct arena *a)
{
	struct str type = rq->conf->p.default_database_type;

	if (strchr(argument, ':'))
		return arena_str(a, str_c(argument));
	return arena_printf(a, STR_FMT ":%s", STR_ARG(type), argument);
}

static int
run(const struct request *rq, struct strs tables)
{
	if (rq->body || rq->header || rq->mime)
		return table_message(rq, tables);
	if (rq->query)
		return table_query(rq, tables);
	if (rq->remove)
		return table_delete(rq, tables);
	if (rq->list) {
		table_list(rq, tables);
		return 0;
	}
	for (size_t i = 0; i < tables.n; i++) {
		if (rq->incremental)
			table_update(rq, tables.items[i]);
		else
			table_build(rq, tables.items[i]);
		if (rq->incremental)
			break; /* standard input has been read */
	}
	return 0;
}

int
table_tool_main(const struct table_tool *tool, int argc, char **argv)
{
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct request rq = { .tool = tool };
	struct strs tables = { 0 };
	struct conf *c;
	int status;

	log_open(tool->name, LOG_TO_STDERR, -1, 0);
	command_help(argc, argv, &tool->help);
	argv[0] = (char *)(uintptr_t)tool->name; /* for getopt()'s messages */
	parse_options(&rq, argc, argv);
	c = command_conf(rq.directory);
	rq.conf = c;
	tables.items = arena_alloc(a, (size_t)argc * sizeof *tables.items);
	for (int i = optind; i < argc; i++)
		tables.items[tables.n++] = table_spec(&rq, argv[i], a);
	if (rq.no_utf8)
		c->p.smtputf8_enable = false;
	status = run(&rq, tables);
	if (fflush(stdout) != 0)
		log_fatal("write output: %m");
	return status;
}
