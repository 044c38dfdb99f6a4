/* pgsql.c -- the module of pgsql: tables, with PostgreSQL's libpq. */
#include "module.h"
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { USER, PASSWORD, DBNAME, ENCODING };
static const struct table_setting settings[] = {
	[USER] = { "user", "" },
	[PASSWORD] = { "password", "" },
	[DBNAME] = { "dbname", "" },
	[ENCODING] = { "encoding", "UTF8" },
	{ NULL, NULL },
};

#define CONNECT_PATIENCE "10" /* seconds */
enum { ANSWER_PATIENCE_MS = 30000 };

static PGconn *
connect_by(const char *const *values, const char *host, const char *port, const char *uri)
{
	const char *names[] = { "dbname", "host", "port", "user", "password",
		"client_encoding", "connect_timeout", NULL };
	const char *what[] = { uri ? uri : values[DBNAME], host, port, values[USER],
		values[PASSWORD], values[ENCODING], CONNECT_PATIENCE, NULL };

	return PQconnectdbParams(names, what, uri != NULL);
}

/* "unix:/directory", "inet:host:port", "host:port", "host", "postgresql://..." */
static void *
connect_to(const char *const *values, const char *host, char *error, size_t room)
{
	char name[256];
	const char *colon;
	PGconn *db;

	if (strstr(host, "://")) {
		db = connect_by(values, "", "", host);
	} else if (strncmp(host, "unix:", 5) == 0) {
		db = connect_by(values, host + 5, "", NULL);
	} else {
		if (strncmp(host, "inet:", 5) == 0)
			host += 5;
		colon = strrchr(host, ':');
		snprintf(name, sizeof name, "%.*s",
			colon ? (int)(colon - host) : (int)strlen(host), host);
		db = connect_by(values, name, colon ? colon + 1 : "", NULL);
	}
	if (PQstatus(db) == CONNECTION_OK)
		return db;
	snprintf(error, room, "%s", db ? PQerrorMessage(db) : "out of memory");
	PQfinish(db);
	return NULL;
}

static void
close_link(void *link)
{
	PQfinish(link);
}

static size_t
quote(void *link, char *out, const char *text, size_t len)
{
	int bad = 0;
	size_t n = PQescapeStringConn(link, out, text, len, &bad);

	return bad ? (size_t)-1 : n;
}

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The library's own waiting has no end. */
static bool
wait_for_answer(PGconn *db, long until)
{
	struct pollfd p = { .fd = PQsocket(db), .events = POLLIN };

	while (PQisBusy(db)) {
		long left = until - now_ms();

		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR) ||
			!PQconsumeInput(db))
			return false;
	}
	return true;
}

static bool
take_rows(PGresult *rows, table_value *value, void *arg)
{
	for (int i = 0; i < PQntuples(rows); i++)
		for (int j = 0; j < PQnfields(rows); j++)
			if (!PQgetisnull(rows, i, j) &&
				!value(arg, PQgetvalue(rows, i, j),
					(size_t)PQgetlength(rows, i, j)))
				return false;
	return true;
}

static int
ask(void *link, const char *base, const char *question, table_value *value, void *arg,
	char *error, size_t room, bool *lost)
{
	long until = now_ms() + ANSWER_PATIENCE_MS;
	bool wanted = true, well = PQsendQuery(link, question) != 0;
	PGresult *rows;

	(void)base;
	*lost = !well;
	while (well) {
		*lost = !wait_for_answer(link, until);
		if (*lost)
			break;
		rows = PQgetResult(link);
		if (!rows)
			return error[0] ? -1 : 0;
		if (PQresultStatus(rows) == PGRES_TUPLES_OK)
			wanted = wanted && take_rows(rows, value, arg);
		else
			snprintf(error, room, "%s", PQresultErrorMessage(rows));
		PQclear(rows);
		if (PQstatus(link) == CONNECTION_BAD)
			*lost = true, well = false;
	}
	if (!error[0])
		snprintf(error, room, "%s", PQerrorMessage(link));
	if (!error[0])
		snprintf(error, room, "no answer in time");
	return -1;
}

const struct table_module postern_table_module = {
	.version = TABLE_MODULE_VERSION,
	.settings = settings,
	.connect = connect_to,
	.close = close_link,
	.quote = quote,
	.ask = ask,
};
