/* limits.c -- see limits.h. */
#include "limits.h"
#include "conf.h"

/* ---- entries ---- */

static bool
read_number(struct str value, uint32_t *out)
{
	uint64_t n;

	if (str_to_u64(value, &n) < 0 || n == 0 || n > LIMIT_MOST)
		return false;
	*out = (uint32_t)n;
	return true;
}

bool
limits_read_time(struct str value, msec_t *out)
{
	return conf_time_fine(value, 's', out) == 0 && *out > 0 &&
	       *out <= LIMIT_DELAY_MOST;
}

static bool
read_group(struct str value, struct str *out)
{
	*out = value;
	return value.len > 0 && value.len <= GROUP_LENGTH;
}

static bool
read_word(struct str word, struct limits *out)
{
	struct str name, value;

	if (str_is(word, "adapt"))
		return true;
	if (!str_assignment(word, &name, &value))
		return false;
	if (str_is(name, "messages_per_second"))
		return read_number(value, &out->per_second);
	if (str_is(name, "messages_per_minute"))
		return read_number(value, &out->per_minute);
	if (str_is(name, "connections"))
		return read_number(value, &out->connections);
	if (str_is(name, "messages_per_connection"))
		return read_number(value, &out->per_connection);
	if (str_is(name, "delay"))
		return limits_read_time(value, &out->delay);
	return str_is(name, "group") && read_group(value, &out->group);
}

enum verdict
limits_parse(struct str text, struct limits *out, bool *any, struct why *why)
{
	struct str rest = text, word;
	bool well = true;

	memset(out, 0, sizeof(*out));
	*any = false;
	if (str_is(str_trim(text), "none"))
		return ACCEPT;
	while (well && str_token(&rest, " \t\r\n,", &word)) {
		well = read_word(word, out);
		*any = true;
	}
	if (well && *any)
		return ACCEPT;
	return why_set(why, "5.3.5", "\"%.*s\" is no limit",
		(int)MIN(well ? text.len : word.len, (size_t)100),
		well ? text.data : word.data);
}

void
limits_show(const struct limits *l, struct buf *out)
{
	size_t before = out->len;

	if (l->per_second)
		buf_printf(out, " %u/s", l->per_second);
	if (l->per_minute)
		buf_printf(out, " %u/min", l->per_minute);
	if (l->connections)
		buf_printf(out, " connections=%u", l->connections);
	if (l->per_connection)
		buf_printf(out, " messages_per_connection=%u", l->per_connection);
	if (l->delay)
		buf_printf(out, " delay=%g", (double)l->delay / 1e3);
	if (out->len > before) {
		memmove(out->data + before, out->data + before + 1,
			out->len - before - 1);
		out->len--;
	}
}

/* ---- counting ---- */

static msec_t
slot_length(const struct rate *r)
{
	return r->span / (RATE_SLOTS - 1);
}

/* Slots that are too old count no more. */
static void
forget_old(struct rate *r, deadline_t now)
{
	int64_t slot = now / slot_length(r);

	if (slot - r->newest >= RATE_SLOTS) {
		memset(r->slots, 0, sizeof(r->slots));
		r->sum = 0;
		r->newest = slot;
	}
	while (r->newest < slot) {
		uint32_t *oldest = &r->slots[++r->newest % RATE_SLOTS];

		r->sum -= *oldest;
		*oldest = 0;
	}
}

deadline_t
rate_opens(struct rate *r, uint32_t most, deadline_t now)
{
	uint32_t sum;
	int64_t slot;

	forget_old(r, now);
	sum = r->sum;
	if (most == 0 || sum < most)
		return now;
	/* The slots behind the first that have too many are gone by then. */
	for (slot = r->newest - RATE_SLOTS + 1; sum >= most; slot++)
		sum -= slot < 0 ? 0 : r->slots[slot % RATE_SLOTS];
	return (slot + RATE_SLOTS - 1) * slot_length(r);
}

void
rate_count(struct rate *r, deadline_t now)
{
	forget_old(r, now);
	r->slots[r->newest % RATE_SLOTS]++;
	r->sum++;
}
