/* packets.h -- the packets of the milter protocol, versions 2 to 6 (sendmail's libmilter,
 * include/libmilter/mfdef.h): u32 length, a command, and data; integers are big endian,
 * strings end in NUL. Nothing here switches, blocks, or trusts what a milter sent. */
#ifndef PACKETS_H
#define PACKETS_H

#include "base.h"

#define MILTER_HEADER 5 /* octets: length and command */
/* Longest packet that a milter may send: libmilter cuts bodies into 64 KB. */
#define MILTER_PACKET_MOST ((size_t)1024 * 1024)
/* Longest piece of a body that it is sent. */
#define MILTER_CHUNK 65535

/* What it is told; the numbers are those of SETSYMLIST up to MILTER_EOH. */
enum milter_stage {
	MILTER_CONNECT,
	MILTER_HELO,
	MILTER_MAIL,
	MILTER_RCPT,
	MILTER_DATA,
	MILTER_EOM, /* end of message: only now it may change it */
	MILTER_EOH, /* end of header */
	MILTER_UNKNOWN,
	MILTER_HEADER_FIELD,
	MILTER_BODY,
	MILTER_STAGES
};
#define MILTER_MACRO_STAGES (MILTER_UNKNOWN + 1) /* those with macros of their own */

/* What it does not want to hear, or not to answer: protocol flags. */
enum {
	MILTER_NO_CONNECT = 0x1,
	MILTER_NO_HELO = 0x2,
	MILTER_NO_MAIL = 0x4,
	MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADER = 0x20,
	MILTER_NO_EOH = 0x40,
	MILTER_NR_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_SKIP = 0x400,     /* it may answer that it has seen enough of a body */
	MILTER_RCPT_REJ = 0x800, /* it hears of refused recipients, too */
	MILTER_NR_CONNECT = 0x1000,
	MILTER_NR_HELO = 0x2000,
	MILTER_NR_MAIL = 0x4000,
	MILTER_NR_RCPT = 0x8000,
	MILTER_NR_DATA = 0x10000,
	MILTER_NR_UNKNOWN = 0x20000,
	MILTER_NR_EOH = 0x40000,
	MILTER_NR_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000, /* fields keep the blank behind the colon */
};

/* One row for each stage. */
struct milter_event {
	char command;
	const char *name;             /* in the log: "SMFIC_MAIL" */
	uint32_t unwanted, no_answer; /* protocol flags; 0: none */
};
extern const struct milter_event milter_events[MILTER_STAGES];

/* What a version knows: the masks that it is offered. False: there is no such version. */
bool milter_version_masks(uint32_t version, uint32_t *actions, uint32_t *protocol);

/* ---- what is sent ---- */
size_t milter_packet_open(struct buf *out, char command);
void milter_packet_close(struct buf *out, size_t at);
/* Up to the first NUL, which ends it there. */
void milter_put_string(struct buf *out, struct str s);

/* ---- what comes back ---- */
struct milter_options {
	uint32_t version, actions, protocol;
	bool wants_macros[MILTER_MACRO_STAGES];
	struct strs macros[MILTER_MACRO_STAGES]; /* where it wants others than usual */
};
/* -1: malformed. Strings in arena. */
int milter_options_read(struct str data, struct arena *arena, struct milter_options *out)
	MUST_CHECK;

/* SMFIR_REPLYCODE: "550 5.7.1 text", lines separated by LF, %% as %. -1: it is none, or
 * neither 4xx nor 5xx. */
int milter_reply_read(struct str data, struct arena *arena, struct str *text) MUST_CHECK;

/* A change to the message. */
enum milter_edit_kind {
	EDIT_ADD_FIELD,
	EDIT_INSERT_FIELD,
	EDIT_CHANGE_FIELD, /* value empty: it is taken out */
	EDIT_SENDER,       /* name: address; value: parameters of MAIL */
	EDIT_ADD_RCPT,     /* the same of RCPT */
	EDIT_DELETE_RCPT,
	EDIT_BODY, /* value: the next piece of another body */
	EDIT_QUARANTINE,
};
struct milter_edit {
	enum milter_edit_kind kind;
	uint32_t index;
	struct str name, value; /* views into the packet */
};
/* 1; 0: the command is no change; -1: malformed. */
int milter_edit_read(char command, struct str data, struct milter_edit *out) MUST_CHECK;

/* "SMFIR_ADDHEADER", for the log; "(unknown filter reply)". */
const char *milter_answer_name(char command);

#endif
