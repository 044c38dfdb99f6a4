/* typed.c -- see typed.h. */
#include "typed.h"
#include <inttypes.h>

static int64_t
bound(const char *text)
{
	long n;

	ensure(str_to_long(str_c(text), &n) == 0);
	return n;
}

static const char *
read_truth(struct str name, struct str value, union typed *out, struct arena *a)
{
	out->truth = str_case_is(value, "yes");
	if (out->truth || str_case_is(value, "no"))
		return NULL;
	return arena_printf(a, "bad boolean configuration: " STR_FMT " = " STR_FMT,
		STR_ARG(name), STR_ARG(value))
		.data;
}

static const char *
read_number(const struct param_info *info, struct str name, struct str value,
	union typed *out, struct arena *a)
{
	struct str digits =
		value.len > 1 && value.data[0] == '+' ? str_from(value, 1) : value;
	long n;

	if (str_to_long(digits, &n) < 0 ||
		(info->type == PT_INT && (n > INT32_MAX || n < INT32_MIN)))
		return arena_printf(a,
			"bad numerical configuration: " STR_FMT " = " STR_FMT,
			STR_ARG(name), STR_ARG(value))
			.data;
	out->number = n;
	if (info->least && n < bound(info->least))
		return arena_printf(a, "invalid " STR_FMT " parameter value %ld < %s",
			STR_ARG(name), n, info->least)
			.data;
	if (info->most && n > bound(info->most))
		return arena_printf(a, "invalid " STR_FMT " parameter value %ld > %s",
			STR_ARG(name), n, info->most)
			.data;
	return NULL;
}

static const char *
read_time(const struct param_info *info, struct str name, struct str value, char unit,
	union typed *out, struct arena *a)
{
	bool fine = str_ends(str_c(info->name), STR("_rate_delay"));
	int64_t seconds;

	if ((fine ? conf_time_fine : conf_time)(value, unit, &out->span) < 0)
		return arena_printf(a,
			"parameter " STR_FMT ": bad time value or unit: " STR_FMT,
			STR_ARG(name), STR_ARG(value))
			.data;
	seconds = out->span / 1000;
	if (info->least && seconds < bound(info->least))
		return arena_printf(a, "invalid " STR_FMT ": %" PRId64 " (min %s)",
			STR_ARG(name), seconds, info->least)
			.data;
	if (info->most && seconds > bound(info->most))
		return arena_printf(a, "invalid " STR_FMT ": %" PRId64 " (max %s)",
			STR_ARG(name), seconds, info->most)
			.data;
	return NULL;
}

static bool
has_word(struct str words, struct str word)
{
	struct str one;

	while (str_token(&words, " ", &one))
		if (str_case_eq(one, word))
			return true;
	return false;
}

static const char *
read_text(const struct param_info *info, struct str name, struct str value,
	union typed *out, struct arena *a)
{
	struct str rest = value, word;

	out->text = value;
	if (info->least && value.len == 0)
		return arena_printf(
			a, "bad string length 0 < 1: " STR_FMT " =", STR_ARG(name))
			.data;
	while (info->words && str_token(&rest, ", \t\r\n", &word))
		if (!has_word(str_c(info->words), word))
			return arena_printf(a,
				"unknown " STR_FMT " value \"" STR_FMT "\" in \"" STR_FMT
				"\"",
				STR_ARG(name), STR_ARG(word), STR_ARG(value))
				.data;
	return NULL;
}

const char *
typed_value(const struct param_info *info, struct str name, struct str value, char unit,
	union typed *out, struct arena *scratch)
{
	switch (info->type) {
	case PT_BOOL:
		return read_truth(name, value, out, scratch);
	case PT_INT:
	case PT_LONG:
		return read_number(info, name, value, out, scratch);
	case PT_TIME:
		return read_time(info, name, value, unit, out, scratch);
	case PT_STRING:
	case PT_RAW:
		return read_text(info, name, value, out, scratch);
	case PT_REMOVED:
		break;
	}
	return NULL;
}

static const char *
bounds(const struct param_info *info, struct arena *a)
{
	if (info->least && info->most)
		return arena_printf(a, " from %s to %s", info->least, info->most).data;
	if (info->least)
		return arena_printf(a, ", %s or more", info->least).data;
	return info->most ? arena_printf(a, ", %s or less", info->most).data : "";
}

const char *
typed_remedy(const struct param_info *info, struct arena *a)
{
	switch (info->type) {
	case PT_BOOL:
		return "write yes or no";
	case PT_INT:
	case PT_LONG:
		return arena_printf(
			a, "write a whole number without a unit%s", bounds(info, a))
			.data;
	case PT_TIME:
		return arena_printf(a,
			"write a whole number and one of s, m, h, d, w (seconds%s)",
			bounds(info, a))
			.data;
	default:
		if (info->words)
			return arena_printf(a, "the words are: %s", info->words).data;
		return "give it a value, or remove the line to get the default";
	}
}

char
typed_unit(struct str preset)
{
	for (size_t i = 0; i < preset.len; i++)
		if (ascii_is_alnum(preset.data[i]) && !ascii_is_digit(preset.data[i]))
			return preset.data[i];
	return 's';
}
