/* table.c -- parameters.def and patterns.def as struct param_info. */
#include "config.h"
#include "table.h"

#define MAIL_NAME         "Postern"
#define MAIL_VERSION      PACKAGE_VERSION
#define MAIL_RELEASE_DATE "20261123"
#ifdef HAVE_DB
#define DATABASE_TYPE "hash"
#define CACHE_TYPE    "btree"
#elif defined HAVE_LMDB
#define DATABASE_TYPE "lmdb"
#define CACHE_TYPE    "lmdb"
#else
#define DATABASE_TYPE "cdb"
#define CACHE_TYPE    "internal"
#endif

const char conf_default_directory[] = CONFIG_DIRECTORY;
const char conf_mail_version[] = MAIL_VERSION;
const char conf_mail_name[] = MAIL_NAME;

static const struct param_info params[] = {
#define PARAM(id, kind, ...)             PARAM_AS(id, #id, kind, __VA_ARGS__)
#define PARAM_AS(field, text, kind, ...) { .name = text, .type = PT_##kind, __VA_ARGS__ },
#include "parameters.def"
};

#define OFFSET_BOOL(field)    offsetof(struct params, field)
#define OFFSET_INT(field)     offsetof(struct params, field)
#define OFFSET_LONG(field)    offsetof(struct params, field)
#define OFFSET_TIME(field)    offsetof(struct params, field)
#define OFFSET_STRING(field)  offsetof(struct params, field)
#define OFFSET_RAW(field)     offsetof(struct params, field)
#define OFFSET_REMOVED(field) 0
static const unsigned short offsets[] = {
#define PARAM(id, kind, ...)             OFFSET_##kind(id),
#define PARAM_AS(field, text, kind, ...) OFFSET_##kind(field),
#include "parameters.def"
};
_Static_assert(sizeof(struct params) <= 65535, "offsets[] is too narrow");

static const struct param_info patterns[] = {
#define PATTERN(id, kind, ...) { .name = #id, .type = PT_##kind, __VA_ARGS__ },
#include "patterns.def"
};

const struct param_info *
conf_params(size_t *n)
{
	*n = COUNT(params);
	return params;
}

const struct param_info *
conf_patterns(size_t *n)
{
	*n = COUNT(patterns);
	return patterns;
}

int
table_find(struct str name)
{
	size_t from = 0, to = COUNT(params);

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = str_cmp(name, str_c(params[middle].name));

		if (order == 0)
			return (int)middle;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return -1;
}

size_t
table_offset(size_t i)
{
	return offsets[i];
}

void
conf_adopt(struct conf *c, const char *from, const char *to)
{
	static const size_t sizes[] = {
		[PT_BOOL] = sizeof(bool),
		[PT_INT] = sizeof(int),
		[PT_LONG] = sizeof(int64_t),
		[PT_TIME] = sizeof(msec_t),
		[PT_STRING] = sizeof(struct str),
		[PT_RAW] = sizeof(struct str),
		[PT_REMOVED] = 0,
	};
	char *fields = (char *)&c->p;

	for (size_t i = 0; i < COUNT(params); i++) {
		struct buf name CLEANUP(buf_free) = BUF_INIT;
		int other;

		if (!str_starts(str_c(params[i].name), str_c(from)))
			continue;
		buf_addz(&name, to);
		buf_addz(&name, params[i].name + strlen(from));
		other = table_find(buf_str(&name));
		if (other >= 0 && params[other].type == params[i].type)
			memcpy(fields + offsets[other], fields + offsets[i],
				sizes[params[i].type]);
	}
}

const struct param_info *
conf_param(struct str name)
{
	int i = table_find(name);

	return i < 0 ? NULL : &params[i];
}

/* The longest one: slow_destination_recipient_limit is not a recipient_limit of the
 * transport "slow_destination". */
const struct param_info *
pattern_of(struct str name, struct str *transport)
{
	const struct param_info *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct str suffix = str_c(patterns[i].name);

		if (suffix.len <= longest || name.len < suffix.len + 2 ||
			!str_ends(name, suffix) ||
			name.data[name.len - suffix.len - 1] != '_')
			continue;
		best = &patterns[i];
		longest = suffix.len;
		*transport = str_sub(name, 0, name.len - suffix.len - 1);
	}
	return best;
}
