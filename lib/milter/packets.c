/* packets.c -- see packets.h. */
#include "packets.h"

const struct milter_event milter_events[MILTER_STAGES] = {
	[MILTER_CONNECT] = { 'C', "SMFIC_CONNECT", MILTER_NO_CONNECT, MILTER_NR_CONNECT },
	[MILTER_HELO] = { 'H', "SMFIC_HELO", MILTER_NO_HELO, MILTER_NR_HELO },
	[MILTER_MAIL] = { 'M', "SMFIC_MAIL", MILTER_NO_MAIL, MILTER_NR_MAIL },
	[MILTER_RCPT] = { 'R', "SMFIC_RCPT", MILTER_NO_RCPT, MILTER_NR_RCPT },
	[MILTER_DATA] = { 'T', "SMFIC_DATA", MILTER_NO_DATA, MILTER_NR_DATA },
	[MILTER_EOM] = { 'E', "SMFIC_BODYEOB", 0, 0 },
	[MILTER_EOH] = { 'N', "SMFIC_EOH", MILTER_NO_EOH, MILTER_NR_EOH },
	[MILTER_UNKNOWN] = { 'U', "SMFIC_UNKNOWN", MILTER_NO_UNKNOWN, MILTER_NR_UNKNOWN },
	[MILTER_HEADER_FIELD] = { 'L', "SMFIC_HEADER", MILTER_NO_HEADER,
		MILTER_NR_HEADER },
	[MILTER_BODY] = { 'B', "SMFIC_BODY", MILTER_NO_BODY, MILTER_NR_BODY },
};

static const struct {
	uint32_t version, actions, protocol;
} versions[] = {
	{ 2, 0x3f, 0x7f },
	{ 3, 0x3f, 0x17f },
	{ 4, 0x3f, 0x37f },
	{ 6, 0x1ff, 0x1fffff },
};

bool
milter_version_masks(uint32_t version, uint32_t *actions, uint32_t *protocol)
{
	for (size_t i = 0; i < COUNT(versions); i++)
		if (versions[i].version == version) {
			*actions = versions[i].actions;
			*protocol = versions[i].protocol;
			return true;
		}
	return false;
}

/* ---- what is sent ---- */

size_t
milter_packet_open(struct buf *out, char command)
{
	size_t at = out->len;

	buf_need(out, MILTER_HEADER);
	out->len += MILTER_HEADER - 1; /* the length is known when it is closed */
	buf_addc(out, command);
	return at;
}

void
milter_packet_close(struct buf *out, size_t at)
{
	put_u32(out->data + at, (uint32_t)(out->len - at - 4));
}

void
milter_put_string(struct buf *out, struct str s)
{
	ssize_t nul = str_chr(s, 0);

	buf_add(out, nul < 0 ? s : str_sub(s, 0, (size_t)nul));
	buf_addc(out, 0);
}

/* ---- what comes back ---- */

static bool
take_u32(struct str *data, uint32_t *out)
{
	if (data->len < 4)
		return false;
	*out = get_u32(data->data);
	*data = str_from(*data, 4);
	return true;
}

static bool
take_string(struct str *data, struct str *out)
{
	ssize_t nul = str_chr(*data, 0);

	if (nul < 0)
		return false;
	*out = str_sub(*data, 0, (size_t)nul);
	*data = str_from(*data, (size_t)nul + 1);
	return true;
}

/* "i, {mail_addr} j": an empty list changes nothing. */
static struct strs
macro_names(struct str text, struct arena *arena)
{
	struct strs names = { NULL, 0 };
	struct str rest = text, name;

	while (str_token(&rest, " \t,", &name))
		names.n++;
	names.items = arena_alloc(arena, (names.n + 1) * sizeof(*names.items));
	names.n = 0;
	while (str_token(&text, " \t,", &name))
		names.items[names.n++] = arena_str(arena, name);
	return names;
}

int
milter_options_read(struct str data, struct arena *arena, struct milter_options *out)
{
	uint32_t stage;
	struct str list;

	*out = (struct milter_options){ .version = 0 };
	if (!take_u32(&data, &out->version) || !take_u32(&data, &out->actions) ||
		!take_u32(&data, &out->protocol))
		return -1;
	while (data.len > 0) {
		if (!take_u32(&data, &stage) || !take_string(&data, &list))
			return -1;
		if (stage > MILTER_EOH) /* of a newer version */
			continue;
		out->macros[stage] = macro_names(list, arena);
		out->wants_macros[stage] = out->macros[stage].n > 0;
	}
	return 0;
}

/* "%%" is "%", and a lone one nothing, as sendmail has it; CRLF, LF: the next line. */
static struct str
reply_text(struct str sent, struct arena *arena)
{
	char *out = arena_alloc(arena, sent.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < sent.len; i++) {
		char c = sent.data[i];

		if (c == '\r')
			continue;
		if (c == '%' && (++i == sent.len || (c = sent.data[i]) == '\r'))
			continue;
		out[n++] = c;
	}
	while (n > 0 && out[n - 1] == '\n')
		n--;
	return str_of(out, n);
}

int
milter_reply_read(struct str data, struct arena *arena, struct str *text)
{
	struct str sent;

	if (!take_string(&data, &sent) || data.len > 0 || sent.len < 4 ||
		(sent.data[0] != '4' && sent.data[0] != '5') ||
		!ascii_is_digit(sent.data[1]) || !ascii_is_digit(sent.data[2]) ||
		(sent.data[3] != ' ' && sent.data[3] != '-'))
		return -1;
	*text = reply_text(sent, arena);
	return 0;
}

static const struct {
	char command;
	const char *name;
	enum milter_edit_kind kind;
	uint8_t strings; /* that follow */
	bool index;      /* in front of them */
	bool is_edit;
} answers[] = {
	{ 'h', "SMFIR_ADDHEADER", EDIT_ADD_FIELD, 2, false, true },
	{ 'i', "SMFIR_INSHEADER", EDIT_INSERT_FIELD, 2, true, true },
	{ 'm', "SMFIR_CHGHEADER", EDIT_CHANGE_FIELD, 2, true, true },
	{ 'e', "SMFIR_CHGFROM", EDIT_SENDER, 1, false, true },
	{ '+', "SMFIR_ADDRCPT", EDIT_ADD_RCPT, 1, false, true },
	{ '2', "SMFIR_ADDRCPT_PAR", EDIT_ADD_RCPT, 1, false, true },
	{ '-', "SMFIR_DELRCPT", EDIT_DELETE_RCPT, 1, false, true },
	{ 'b', "SMFIR_REPLBODY", EDIT_BODY, 0, false, true },
	{ 'q', "SMFIR_QUARANTINE", EDIT_QUARANTINE, 1, false, true },
	{ 'a', "SMFIR_ACCEPT", 0, 0, false, false },
	{ 'c', "SMFIR_CONTINUE", 0, 0, false, false },
	{ 'd', "SMFIR_DISCARD", 0, 0, false, false },
	{ 'f', "SMFIR_CONN_FAIL", 0, 0, false, false },
	{ 'p', "SMFIR_PROGRESS", 0, 0, false, false },
	{ 'r', "SMFIR_REJECT", 0, 0, false, false },
	{ 's', "SMFIR_SKIP", 0, 0, false, false },
	{ 't', "SMFIR_TEMPFAIL", 0, 0, false, false },
	{ 'y', "SMFIR_REPLYCODE", 0, 0, false, false },
	{ '4', "SMFIR_SHUTDOWN", 0, 0, false, false },
};

const char *
milter_answer_name(char command)
{
	for (size_t i = 0; i < COUNT(answers); i++)
		if (answers[i].command == command)
			return answers[i].name;
	return "(unknown filter reply)";
}

int
milter_edit_read(char command, struct str data, struct milter_edit *out)
{
	size_t i = 0;

	while (i < COUNT(answers) && answers[i].command != command)
		i++;
	if (i == COUNT(answers) || !answers[i].is_edit)
		return 0;
	*out = (struct milter_edit){ .kind = answers[i].kind };
	if (answers[i].strings == 0) {
		out->value = data;
		return 1;
	}
	if (answers[i].index && !take_u32(&data, &out->index))
		return -1;
	if (!take_string(&data, &out->name))
		return -1;
	/* The parameters of addresses are a second string, which may be missing. */
	if (answers[i].strings == 2 || data.len > 0)
		if (!take_string(&data, &out->value))
			return -1;
	return data.len == 0 ? 1 : -1;
}
