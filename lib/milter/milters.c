/* milters.c -- all the milters of a session: each is told the same, in order, until one
 * objects. */
#include "milter_impl.h"
#include "log.h"

void
milters_open(struct milters *m, const struct milter_list *list,
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience))
{
	m->items = arena_alloc(m->arena, (list->n + 1) * sizeof(*m->items));
	m->n = list->n;
	for (size_t i = 0; i < m->n; i++) {
		m->items[i] = (struct milter){ .service = list->items[i] };
		milter_open(m, &m->items[i], connect);
	}
}

bool
milters_are_idle(const struct milters *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].state != MILTER_DONE ||
			m->items[i].last.wish != MILTER_CONTINUES)
			return false;
	return true;
}

/* The macros go even with what it does not want to hear. */
static struct milter_verdict
tell_one(struct milters *m, struct milter *one, enum milter_stage stage,
	struct str packet, bool refused)
{
	const struct milter_event *event = &milter_events[stage];

	if (one->state == MILTER_DONE)
		return one->last;
	if (stage == MILTER_MAIL)
		one->state = MILTER_IN_MESSAGE;
	if (one->state == MILTER_SATISFIED || event->unwanted & one->unheard_of ||
		(refused && !(one->options.protocol & MILTER_RCPT_REJ)))
		return MILTER_NOTHING;
	milter_put_macros(m, one, stage);
	if (one->options.protocol & event->unwanted)
		return MILTER_NOTHING;
	return milter_tell(m, one, stage, packet, one->service.command_timeout, NULL);
}

static struct milter_verdict
tell_all(struct milters *m, enum milter_stage stage, struct str packet, bool refused)
{
	for (size_t i = 0; i < m->n; i++) {
		struct milter_verdict v =
			tell_one(m, &m->items[i], stage, packet, refused);

		if (v.wish != MILTER_CONTINUES && !refused)
			return v;
	}
	return MILTER_NOTHING;
}

struct milter_verdict
milters_connect(struct milters *m, struct str name, struct str address, unsigned port)
{
	struct buf packet CLEANUP(buf_free) = BUF_INIT;
	size_t at = milter_packet_open(&packet, milter_events[MILTER_CONNECT].command);
	bool v6 = str_chr(address, ':') >= 0;
	char bytes[2];

	milter_put_string(&packet, name);
	if (!address.data) {
		buf_addc(&packet, 'U');
	} else {
		buf_addc(&packet, v6 ? '6' : '4');
		put_u16(bytes, (uint16_t)port);
		buf_add(&packet, str_of(bytes, sizeof(bytes)));
		milter_put_string(&packet, address);
	}
	milter_packet_close(&packet, at);
	return tell_all(m, MILTER_CONNECT, buf_str(&packet), false);
}

/* A packet of strings. */
static struct milter_verdict
tell_strings(struct milters *m, enum milter_stage stage, const struct strs *strings,
	bool refused)
{
	struct buf packet CLEANUP(buf_free) = BUF_INIT;
	size_t at = milter_packet_open(&packet, milter_events[stage].command);

	for (size_t i = 0; i < strings->n; i++)
		milter_put_string(&packet, strings->items[i]);
	milter_packet_close(&packet, at);
	return tell_all(m, stage, buf_str(&packet), refused);
}

struct milter_verdict
milters_helo(struct milters *m, struct str name)
{
	struct strs one = { &name, 1 };

	return tell_strings(m, MILTER_HELO, &one, false);
}

struct milter_verdict
milters_envelope(struct milters *m, enum milter_stage stage, const struct strs *words,
	bool refused)
{
	return tell_strings(m, stage, words, refused);
}

struct milter_verdict
milters_data(struct milters *m)
{
	struct strs none = { NULL, 0 };

	return tell_strings(m, MILTER_DATA, &none, false);
}

struct milter_verdict
milters_unknown(struct milters *m, struct str command)
{
	struct strs one = { &command, 1 };

	return tell_strings(m, MILTER_UNKNOWN, &one, false);
}

void
milters_flush(struct milters *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].conn) /* what it cannot take shows at the next event */
			(void)conn_flush(m->items[i].conn,
				deadline_in(m->items[i].service.command_timeout));
}

void
milters_abort(struct milters *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct milter *one = &m->items[i];

		if (one->state == MILTER_DONE)
			continue;
		milter_say(one, 'A');
		one->state = MILTER_READY;
	}
	milters_flush(m);
}

void
milters_close(struct milters *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct milter *one = &m->items[i];

		if (one->state != MILTER_DONE) {
			milter_say(one, 'Q');
			(void)conn_flush(
				one->conn, deadline_in(one->service.command_timeout));
		}
		milter_hang_up(one);
	}
	m->n = 0;
}

/* ---- handing over ---- */

void
milter_lend(const struct milter *one, struct milter_lent *out)
{
	*out = (struct milter_lent){
		.endpoint = str_c(one->service.endpoint),
		.default_action = one->service.default_action,
		.state = (uint8_t)one->state,
		.wish = (uint8_t)one->last.wish,
		.text = one->last.text,
		.version = one->options.version,
		.protocol = one->options.protocol,
		.content_timeout = (uint64_t)one->service.content_timeout,
		.connected = one->conn != NULL,
	};
	if (one->options.wants_macros[MILTER_EOH])
		out->header_macros = one->options.macros[MILTER_EOH];
	if (one->options.wants_macros[MILTER_EOM])
		out->end_macros = one->options.macros[MILTER_EOM];
}

static void
borrow(struct milters *m, struct milter *one, const struct milter_lent *lent, int fd)
{
	*one = (struct milter){
		.service = { .endpoint = arena_cstr(m->arena, lent->endpoint),
			.default_action = lent->default_action,
			.command_timeout = (msec_t)lent->content_timeout,
			.content_timeout = (msec_t)lent->content_timeout },
		.state = lent->state,
		.last = { lent->wish, lent->text },
		.options = { .version = lent->version, .protocol = lent->protocol },
	};
	one->options.macros[MILTER_EOH] = lent->header_macros;
	one->options.wants_macros[MILTER_EOH] = lent->header_macros.n > 0;
	one->options.macros[MILTER_EOM] = lent->end_macros;
	one->options.wants_macros[MILTER_EOM] = lent->end_macros.n > 0;
	if (!one->service.endpoint)
		one->service.endpoint = "?";
	one->conn = fd >= 0 ? conn_open(fd) : NULL;
	if (!one->conn && one->state != MILTER_DONE)
		milter_fails(one, false, "its connection was not handed over");
}

void
milters_borrow(
	struct milters *m, const struct milter_lent *lent, size_t n, const int *fds)
{
	m->items = arena_alloc(m->arena, (n + 1) * sizeof(*m->items));
	m->n = n;
	for (size_t i = 0; i < n; i++)
		borrow(m, &m->items[i], &lent[i], fds[i]);
}

void
milters_give_back(struct milters *m)
{
	for (size_t i = 0; i < m->n; i++)
		milter_hang_up(&m->items[i]);
}

uint8_t
milter_outcome(const struct milter *one)
{
	return one->state == MILTER_DONE;
}
