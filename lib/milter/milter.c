/* milter.c -- one milter: connecting, agreeing on options, telling it something and
 * reading what it says. */
#include "milter_impl.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what takes the place of its answer ---- */

static struct milter_verdict
refusal(const char *text)
{
	return (struct milter_verdict){ MILTER_REFUSES, str_c(text) };
}

/* What milter_default_action says; for a mistake rather than an outage in other words. */
static struct milter_verdict
default_verdict(const struct milter *one, bool mistake)
{
	struct str action = one->service.default_action;

	if (str_case_is(action, "accept"))
		return MILTER_NOTHING;
	if (mistake)
		return refusal(
			"451 4.3.5 Server configuration problem - try again later");
	if (str_case_is(action, "reject"))
		return refusal("550 5.5.0 Service unavailable");
	if (str_case_is(action, "quarantine"))
		return (struct milter_verdict){ MILTER_HOLDS, STR_NONE };
	if (str_case_is(action, "shutdown"))
		return (struct milter_verdict){ MILTER_SHUTS, STR_NONE };
	return refusal("451 4.7.1 Service unavailable - try again later");
}

static void
hang_up(struct milter *one)
{
	conn_close(one->conn);
	one->conn = NULL;
	buf_free(&one->in);
}

/* It hears nothing more in this session, and this is its answer. */
static struct milter_verdict
done(struct milter *one, struct milter_verdict last)
{
	hang_up(one);
	one->state = MILTER_DONE;
	one->last = last;
	return last;
}

struct milter_verdict
milter_fails(struct milter *one, bool mistake, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("milter %s: %s", one->service.endpoint, text);
	return done(one, default_verdict(one, mistake));
}

/* ---- packets ---- */

static const char *
what_happened(const struct milter *one, enum conn_result got)
{
	switch (got) {
	case CONN_TIMEOUT:
		return strerror(ETIMEDOUT);
	case CONN_CANCELED:
		return strerror(ECANCELED);
	case CONN_CLOSED:
		return "it closed the connection";
	default:
		return strerror(one->conn->error);
	}
}

/* Reads until `one->in` has so many octets. */
static enum conn_result
gather(struct milter *one, size_t octets, deadline_t patience)
{
	while (one->in.len < octets) {
		struct str bytes;
		enum conn_result got = conn_peek(one->conn, &bytes, patience);

		if (got != CONN_OK)
			return got;
		bytes = str_sub(bytes, 0, octets - one->in.len);
		buf_add(&one->in, bytes);
		conn_consume(one->conn, bytes.len);
	}
	return CONN_OK;
}

/* The next packet: 0. Otherwise `failed` is what takes the place of an answer. */
static int
read_packet(struct milter *one, const char *event, msec_t timeout, char *command,
	struct str *data, struct milter_verdict *failed)
{
	deadline_t patience = deadline_in(timeout);
	enum conn_result got;
	uint32_t length;

	buf_clear(&one->in);
	got = gather(one, MILTER_HEADER - 1, patience);
	if (got != CONN_OK) {
		*failed =
			milter_fails(one, false, "can't read %s reply packet header: %s",
				event, what_happened(one, got));
		return -1;
	}
	length = get_u32(one->in.data);
	if (length == 0) {
		*failed = milter_fails(one, false, "bad packet length: 0");
		return -1;
	}
	if (length > MILTER_PACKET_MOST) {
		*failed = milter_fails(one, false, "unreasonable packet length: %u > %zu",
			length, MILTER_PACKET_MOST);
		return -1;
	}
	got = gather(one, (size_t)length + 4, patience);
	if (got != CONN_OK) {
		*failed = milter_fails(one, false, "can't read %s reply packet data: %s",
			event, what_happened(one, got));
		return -1;
	}
	*command = one->in.data[4];
	*data = str_from(buf_str(&one->in), MILTER_HEADER);
	return 0;
}

/* ---- what it wants ---- */

/* An answer to connect or HELO is about the session: it hears nothing more of it. */
static struct milter_verdict
decided(struct milter *one, enum milter_stage stage, struct milter_verdict verdict)
{
	return stage == MILTER_CONNECT || stage == MILTER_HELO ? done(one, verdict)
							       : verdict;
}

static struct milter_verdict
reply_code(
	struct milters *m, struct milter *one, enum milter_stage stage, struct str data)
{
	struct milter_verdict verdict = { .wish = MILTER_REFUSES };

	if (milter_reply_read(data, m->arena, &verdict.text) < 0)
		return milter_fails(one, true, "malformed reply: %.*s",
			STR_ARG(str_sub(data, 0, MIN(data.len, (size_t)100))));
	return decided(one, stage, verdict);
}

static struct milter_verdict
accepted(struct milter *one, enum milter_stage stage)
{
	if (stage == MILTER_CONNECT || stage == MILTER_HELO)
		return done(one, MILTER_NOTHING);
	if (one->state == MILTER_IN_MESSAGE)
		one->state = MILTER_SATISFIED;
	return MILTER_NOTHING;
}

static struct milter_verdict
discarded(struct milter *one, enum milter_stage stage)
{
	if (stage != MILTER_CONNECT && stage != MILTER_HELO)
		return (struct milter_verdict){ MILTER_DISCARDS, STR_NONE };
	log_warn("milter %s: DISCARD action is not allowed for connect or helo",
		one->service.endpoint);
	return MILTER_NOTHING;
}

/* An answer that is no change. */
static struct milter_verdict
judge(struct milters *m, struct milter *one, enum milter_stage stage, char command,
	struct str data)
{
	if (command == 'y')
		return reply_code(m, one, stage, data);
	if (strchr("acdrts4f", command) && data.len > 0)
		return milter_fails(one, false, "reply %s was followed by %zu data bytes",
			milter_answer_name(command), data.len);
	switch (command) {
	case 'c':
		return MILTER_NOTHING;
	case 'a':
		return accepted(one, stage);
	case 'd':
		return discarded(one, stage);
	case 'r':
		return decided(one, stage, refusal("550 5.7.1 Command rejected"));
	case 't':
	case 'f':
		return decided(one, stage,
			refusal("451 4.7.1 Service unavailable - try again later"));
	case '4':
		return done(one, (struct milter_verdict){ MILTER_SHUTS, STR_NONE });
	default:
		return milter_fails(one, false,
			"unexpected filter response %s after event %s",
			milter_answer_name(command), milter_events[stage].name);
	}
}

struct milter_verdict
milter_answer(struct milters *m, struct milter *one, enum milter_stage stage,
	msec_t timeout, struct milter_taker *taker)
{
	for (;;) {
		struct milter_verdict failed;
		struct milter_edit edit;
		struct str data;
		char command;

		if (read_packet(one, milter_events[stage].name, timeout, &command, &data,
			    &failed) < 0)
			return failed;
		if (command == 'p') /* it is at work: the time begins again */
			continue;
		if (command == 's' && data.len == 0 && taker && stage == MILTER_BODY &&
			one->options.protocol & MILTER_SKIP) {
			taker->skips = true;
			return MILTER_NOTHING;
		}
		if (!taker || stage != MILTER_EOM)
			return judge(m, one, stage, command, data);
		switch (milter_edit_read(command, data, &edit)) {
		case 0:
			return judge(m, one, stage, command, data);
		case 1:
			if (milter_take(taker, &edit))
				continue;
			if (taker->body == BODY_MIXED)
				return milter_fails(one, true,
					"body replacement requests can't currently be "
					"mixed with other requests");
			return milter_fails(one, true, "%s: cannot be done",
				milter_answer_name(command));
		default:
			return milter_fails(
				one, false, "malformed %s", milter_answer_name(command));
		}
	}
}

/* ---- telling it something ---- */

static struct strs
wanted_macros(const struct milters *m, const struct milter *one, enum milter_stage stage)
{
	/* Fields have the macros of the end of the header, text those of its own. */
	if (stage == MILTER_HEADER_FIELD)
		stage = MILTER_EOH;
	if (stage == MILTER_BODY)
		stage = MILTER_EOM;
	return one->options.wants_macros[stage] ? one->options.macros[stage]
						: m->macros->names[stage];
}

static struct str
macro_value(const struct milters *m, struct str name)
{
	const struct milter_macros *macros = m->macros;
	struct str plain = milter_macro_plain(name);
	struct str value = m->value(m->arg, plain);

	for (size_t i = 0; !value.data && i < macros->default_names.n; i++)
		if (str_eq(macros->default_names.items[i], plain))
			value = macros->default_values.items[i];
	return value;
}

void
milter_put_macros(
	const struct milters *m, const struct milter *one, enum milter_stage stage)
{
	struct strs names = wanted_macros(m, one, stage);
	struct buf packet CLEANUP(buf_free) = BUF_INIT;
	size_t at = milter_packet_open(&packet, 'D');

	buf_addc(&packet, milter_events[stage].command);
	for (size_t i = 0; i < names.n; i++) {
		struct str value = macro_value(m, names.items[i]);

		if (!value.data)
			continue;
		milter_put_string(&packet, names.items[i]);
		milter_put_string(&packet, value);
	}
	milter_packet_close(&packet, at);
	conn_write(one->conn, buf_str(&packet));
}

struct milter_verdict
milter_tell(struct milters *m, struct milter *one, enum milter_stage stage,
	struct str packet, msec_t timeout, struct milter_taker *taker)
{
	const struct milter_event *event = &milter_events[stage];
	enum conn_result got;

	if (conn_pending(one->conn).len > 0)
		return milter_fails(
			one, false, "it spoke out of turn before event %s", event->name);
	conn_write(one->conn, packet);
	if (!(one->options.protocol & event->no_answer))
		return milter_answer(m, one, stage, timeout, taker);
	got = conn_flush(one->conn, deadline_in(timeout));
	if (got == CONN_OK)
		return MILTER_NOTHING;
	return milter_fails(one, false, "can't write %s packet: %s", event->name,
		what_happened(one, got));
}

/* ---- the beginning ---- */

static struct milter_verdict
not_understood(struct milter *one)
{
	return done(one, default_verdict(one, false));
}

/* Its answer to the handshake, as far as it fits what it was offered. */
static void
take_options(struct milters *m, struct milter *one, struct str data)
{
	struct milter_options *o = &one->options;
	uint32_t actions = 0, protocol = 0;

	(void)milter_version_masks(one->service.version, &actions, &protocol);
	if (milter_options_read(data, m->arena, o) < 0) {
		milter_fails(one, false, "malformed packet in initial handshake");
		return;
	}
	if (o->version > one->service.version) {
		milter_fails(one, false,
			"protocol version %u conflict with MTA protocol version %u",
			o->version, one->service.version);
		return;
	}
	if (o->actions & ~actions) {
		milter_fails(one, false,
			"request mask 0x%x conflict with MTA request mask 0x%x",
			o->actions, actions);
		return;
	}
	if (milter_version_masks(o->version, &actions, &protocol)) {
		one->unheard_of = ~protocol & (MILTER_NO_UNKNOWN | MILTER_NO_DATA);
	} else {
		log_warn("milter %s: unexpected protocol version %u",
			one->service.endpoint, o->version);
	}
}

void
milter_open(struct milters *m, struct milter *one,
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience))
{
	msec_t timeout = one->service.connect_timeout;
	struct buf packet CLEANUP(buf_free) = BUF_INIT;
	int fd = connect(one->service.endpoint, deadline_in(timeout));
	uint32_t actions = 0, protocol = 0;
	struct milter_verdict failed;
	struct str data;
	char command;
	size_t at;

	one->conn = fd >= 0 ? conn_open(fd) : NULL;
	if (!one->conn) {
		log_warn("connect to Milter service %s: %s", one->service.endpoint,
			strerror(errno));
		done(one, default_verdict(one, false));
		return;
	}
	(void)milter_version_masks(one->service.version, &actions, &protocol);
	at = milter_packet_open(&packet, 'O');
	buf_need(&packet, 12);
	put_u32(packet.data + packet.len, one->service.version);
	put_u32(packet.data + packet.len + 4, actions);
	put_u32(packet.data + packet.len + 8, protocol);
	packet.len += 12;
	milter_packet_close(&packet, at);
	conn_write(one->conn, buf_str(&packet));
	if (read_packet(one, "SMFIC_OPTNEG", timeout, &command, &data, &failed) < 0) {
		log_warn("milter %s: read error in initial handshake",
			one->service.endpoint);
	} else if (command != 'O') {
		log_warn("milter %s: unexpected reply \"%c\" in initial handshake",
			one->service.endpoint, ascii_is_print(command) ? command : '?');
		not_understood(one);
	} else {
		take_options(m, one, data);
	}
}

void
milter_say(struct milter *one, char command)
{
	struct buf packet CLEANUP(buf_free) = BUF_INIT;

	milter_packet_close(&packet, milter_packet_open(&packet, command));
	conn_write(one->conn, buf_str(&packet));
}

void
milter_hang_up(struct milter *one)
{
	hang_up(one);
}

void
milter_drop(struct milters *m, struct milter *one)
{
	(void)m;
	done(one, default_verdict(one, false));
}
