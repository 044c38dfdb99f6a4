/* sqlite.c -- the module of sqlite: tables: a database in a file, opened for reading. */
#include "module.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { DBPATH };
static const struct table_setting settings[] = { { "dbpath", NULL }, { NULL, NULL } };

/* How long a look-up waits while somebody writes. */
enum { BUSY_MS = 5000 };

static void *
connect_to(const char *const *values, const char *host, char *error, size_t room)
{
	sqlite3 *db = NULL;

	(void)host;
	if (sqlite3_open_v2(values[DBPATH], &db, SQLITE_OPEN_READONLY, NULL) ==
		SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		return db;
	}
	snprintf(error, room, "open %s: %s", values[DBPATH],
		db ? sqlite3_errmsg(db) : "out of memory");
	sqlite3_close(db);
	return NULL;
}

static void
close_link(void *link)
{
	sqlite3_close(link);
}

static size_t
quote(void *link, char *out, const char *text, size_t len)
{
	size_t n = 0;

	(void)link;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0')
			return (size_t)-1;
		if (text[i] == '\'')
			out[n++] = '\'';
		out[n++] = text[i];
	}
	return n;
}

/* False: no more rows are wanted. */
static bool
take_row(sqlite3_stmt *row, table_value *value, void *arg)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const char *text = (const char *)sqlite3_column_text(row, i);

		if (text && !value(arg, text, (size_t)sqlite3_column_bytes(row, i)))
			return false;
	}
	return true;
}

static int
ask(void *link, const char *base, const char *question, table_value *value, void *arg,
	char *error, size_t room, bool *lost)
{
	sqlite3_stmt *statement = NULL;
	int got = sqlite3_prepare_v2(link, question, -1, &statement, NULL);

	(void)base;
	if (got == SQLITE_OK)
		while ((got = sqlite3_step(statement)) == SQLITE_ROW)
			if (!take_row(statement, value, arg))
				break;
	if (got != SQLITE_ROW && got != SQLITE_DONE && got != SQLITE_OK) {
		snprintf(error, room, "%s", sqlite3_errmsg(link));
		/* The file may have been replaced: the next look-up opens what is there.
		 */
		*lost = got != SQLITE_BUSY && got != SQLITE_ERROR;
	}
	sqlite3_finalize(statement);
	return error[0] ? -1 : 0;
}

const struct table_module postern_table_module = {
	.version = TABLE_MODULE_VERSION,
	.settings = settings,
	.connect = connect_to,
	.close = close_link,
	.quote = quote,
	.ask = ask,
};
