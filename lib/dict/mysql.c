/* mysql.c -- the module of mysql: tables, with MariaDB's client library. */
#include "module.h"
#include <mysql.h>
#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	USER,
	PASSWORD,
	DBNAME,
	CHARSET,
	OPTION_FILE,
	OPTION_GROUP,
	TLS_CERT,
	TLS_KEY,
	TLS_CAFILE,
	TLS_CAPATH,
	TLS_CIPHERS,
	TLS_VERIFY,
	REQUIRE_RESULT,
};
static const struct table_setting settings[] = {
	[USER] = { "user", "" },
	[PASSWORD] = { "password", "" },
	[DBNAME] = { "dbname", "" },
	[CHARSET] = { "charset", "utf8mb4" },
	[OPTION_FILE] = { "option_file", "" },
	[OPTION_GROUP] = { "option_group", "client" },
	[TLS_CERT] = { "tls_cert_file", "" },
	[TLS_KEY] = { "tls_key_file", "" },
	[TLS_CAFILE] = { "tls_CAfile", "" },
	[TLS_CAPATH] = { "tls_CApath", "" },
	[TLS_CIPHERS] = { "tls_ciphers", "" },
	[TLS_VERIFY] = { "tls_verify_cert", "no" },
	[REQUIRE_RESULT] = { "require_result_set", "yes" },
	{ NULL, NULL },
};

/* Seconds. */
enum { CONNECT_PATIENCE = 10, ANSWER_PATIENCE = 30 };

struct link {
	MYSQL *db;
	bool require_result;
};

static void
start(void)
{
	mysql_library_init(0, NULL, NULL);
}

static const char *
or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void
set_options(MYSQL *db, const char *const *values)
{
	unsigned connect_patience = CONNECT_PATIENCE, patience = ANSWER_PATIENCE;
	my_bool verify = strcasecmp(values[TLS_VERIFY], "yes") == 0;

	mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &connect_patience);
	mysql_optionsv(db, MYSQL_OPT_READ_TIMEOUT, &patience);
	mysql_optionsv(db, MYSQL_OPT_WRITE_TIMEOUT, &patience);
	mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, values[CHARSET]);
	if (values[OPTION_FILE][0]) {
		mysql_optionsv(db, MYSQL_READ_DEFAULT_FILE, values[OPTION_FILE]);
		mysql_optionsv(db, MYSQL_READ_DEFAULT_GROUP, values[OPTION_GROUP]);
	}
	if (values[TLS_KEY][0] || values[TLS_CERT][0] || values[TLS_CAFILE][0] ||
		values[TLS_CAPATH][0] || values[TLS_CIPHERS][0])
		mysql_ssl_set(db, or_null(values[TLS_KEY]), or_null(values[TLS_CERT]),
			or_null(values[TLS_CAFILE]), or_null(values[TLS_CAPATH]),
			or_null(values[TLS_CIPHERS]));
	mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

/* "unix:/path", "inet:host:port", "host:port", "host". */
static bool
log_in(MYSQL *db, const char *const *values, const char *host)
{
	char name[256];
	const char *socket = NULL, *colon;
	unsigned port = 0;

	if (strncmp(host, "inet:", 5) == 0)
		host += 5;
	if (strncmp(host, "unix:", 5) == 0)
		socket = host + 5;
	colon = strrchr(host, ':');
	snprintf(name, sizeof name, "%.*s",
		colon && !socket ? (int)(colon - host) : (int)strlen(host), host);
	if (colon && !socket)
		port = (unsigned)strtoul(colon + 1, NULL, 10);
	return mysql_real_connect(db, socket ? NULL : name, or_null(values[USER]),
		       or_null(values[PASSWORD]), or_null(values[DBNAME]), port, socket,
		       CLIENT_MULTI_RESULTS) != NULL;
}

static void *
connect_to(const char *const *values, const char *host, char *error, size_t room)
{
	struct link *l = calloc(1, sizeof *l);
	MYSQL *db = l ? mysql_init(NULL) : NULL;

	if (!db) {
		snprintf(error, room, "out of memory");
		free(l);
		return NULL;
	}
	set_options(db, values);
	l->db = db;
	l->require_result = strcasecmp(values[REQUIRE_RESULT], "no") != 0;
	if (log_in(db, values, host))
		return l;
	snprintf(error, room, "%s", mysql_error(db));
	mysql_close(db);
	free(l);
	return NULL;
}

static void
close_link(void *link)
{
	struct link *l = link;

	mysql_close(l->db);
	free(l);
}

static size_t
quote(void *link, char *out, const char *text, size_t len)
{
	struct link *l = link;

	return mysql_real_escape_string(l->db, out, text, len);
}

/* False: no more rows are wanted. */
static bool
take_rows(MYSQL_RES *rows, table_value *value, void *arg)
{
	unsigned columns = mysql_num_fields(rows);
	MYSQL_ROW row;

	while ((row = mysql_fetch_row(rows))) {
		unsigned long *lengths = mysql_fetch_lengths(rows);

		for (unsigned i = 0; i < columns; i++)
			if (row[i] && !value(arg, row[i], lengths[i]))
				return false;
	}
	return true;
}

/* A procedure that was called has one result more than those it selected. */
static int
ask(void *link, const char *base, const char *question, table_value *value, void *arg,
	char *error, size_t room, bool *lost)
{
	struct link *l = link;
	bool any = false, wanted = true;
	int more = mysql_real_query(l->db, question, strlen(question));

	(void)base;
	for (; more == 0; more = mysql_next_result(l->db)) {
		MYSQL_RES *rows = mysql_store_result(l->db);

		if (!rows && mysql_errno(l->db))
			break;
		if (!rows)
			continue;
		any = true;
		wanted = wanted && take_rows(rows, value, arg);
		mysql_free_result(rows);
	}
	if (mysql_errno(l->db)) {
		unsigned code = mysql_errno(l->db);

		snprintf(error, room, "%s", mysql_error(l->db));
		*lost = code >= CR_MIN_ERROR && code <= CR_MAX_ERROR;
		return -1;
	}
	if (any || !l->require_result)
		return 0;
	snprintf(error, room, "the query gave no result set");
	return -1;
}

const struct table_module postern_table_module = {
	.version = TABLE_MODULE_VERSION,
	.settings = settings,
	.start = start,
	.connect = connect_to,
	.close = close_link,
	.quote = quote,
	.ask = ask,
};
