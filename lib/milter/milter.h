/* milter.h -- mail filters of others, asked over sockets while mail comes in
 * (MILTER_README; the protocol is in packets.h). One struct milters is what one mail
 * session has: a connection to each milter of a list, kept from connect to goodbye. It
 * knows neither SMTP nor what a message is stored in: who uses it says what happens, what
 * a macro is worth, and does what the milter wants done.
 *
 * The envelope is told by one process and the content by another one: milters_lend() and
 * milters_borrow() hand the connections over between two commands. */
#ifndef MILTER_H
#define MILTER_H

#include "base.h"
#include "conf.h"
#include "messages.h"
#include "net.h"
#include "packets.h"

/* More in one list are refused: their descriptors go with one message. */
#define MILTERS_MOST 16

/* ---- what the configuration says ---- */

/* One item of smtpd_milters: "inet:host:port", or { unix:path, default_action=accept }.
 */
struct milter_service {
	const char *endpoint;
	struct str default_action;
	msec_t connect_timeout, command_timeout, content_timeout;
	uint32_t version;
};
struct milter_list {
	struct milter_service *items;
	size_t n;
};
/* Reads a list; -1 and *why: a bad item. Strings are the configuration's or in arena. */
int milter_list_read(struct str value, const struct conf *conf, struct arena *arena,
	struct milter_list *out, struct why *why) MUST_CHECK;

/* milter_*_macros and milter_macro_defaults. */
struct milter_macros {
	struct strs names[MILTER_MACRO_STAGES];
	struct strs default_names, default_values;
};
void milter_macros_read(
	const struct conf *conf, struct arena *arena, struct milter_macros *out);
struct str milter_macro_plain(struct str name); /* without { } around it */

/* ---- what a milter wants done ---- */
enum milter_wish {
	MILTER_CONTINUES,
	MILTER_REFUSES, /* text: "550 5.7.1 Command rejected" */
	MILTER_HOLDS,
	MILTER_DISCARDS,
	MILTER_SHUTS, /* the session ends */
};
struct milter_verdict {
	enum milter_wish wish;
	struct str text; /* lines separated by LF; lives as long as the session */
};
#define MILTER_NOTHING ((struct milter_verdict){ MILTER_CONTINUES, STR_NONE })

/* ---- one session ---- */
struct milter {
	struct milter_service service;
	struct conn *conn; /* NULL: none (any more) */
	enum {
		MILTER_READY,
		MILTER_IN_MESSAGE,
		MILTER_SATISFIED, /* with this message; it hears of the next */
		MILTER_DONE,      /* it hears nothing more; `last` is its answer to all */
	} state;
	struct milter_verdict last;
	struct milter_options options;
	uint32_t unheard_of; /* MILTER_NO_ flags of what its version does not know */
	struct buf in;       /* the packet in hand */
};
struct milters {
	/* Set by the user, with zeroes behind it. */
	struct arena *arena; /* the session's */
	const struct milter_macros *macros;
	/* What a macro is worth, STR_NONE: nothing. Name without braces. */
	struct str (*value)(void *arg, struct str name);
	void *arg;
	/* Filled in by milters_open() and milters_borrow(). */
	struct milter *items;
	size_t n;
};

/* Connects to each of the list and agrees with it on options; `connect` gives a
 * descriptor, or -1 and errno. Who cannot be reached is in state MILTER_DONE. */
SWITCHES void milters_open(struct milters *m, const struct milter_list *list,
	SWITCHES int (*connect)(const char *endpoint, deadline_t patience));
/* Each tells all milters of something until one objects. address: none for a client
 * without one; IPv6 as it is. */
SWITCHES struct milter_verdict milters_connect(
	struct milters *m, struct str name, struct str address, unsigned port);
SWITCHES struct milter_verdict milters_helo(struct milters *m, struct str name);
/* MILTER_MAIL, MILTER_RCPT: the address as given, and the parameters behind it. refused:
 * a recipient that was; whatever they say of it counts for nothing. */
SWITCHES struct milter_verdict milters_envelope(struct milters *m,
	enum milter_stage stage, const struct strs *words, bool refused);
SWITCHES struct milter_verdict milters_data(struct milters *m);
SWITCHES struct milter_verdict milters_unknown(struct milters *m, struct str command);
/* The message in hand ends, or is none: they hear of the next. */
SWITCHES void milters_abort(struct milters *m);
SWITCHES void milters_flush(struct milters *m); /* nothing waits to be sent */
/* Goodbye; frees what is not in the arena. m may be opened again. */
SWITCHES void milters_close(struct milters *m);
bool milters_are_idle(const struct milters *m); /* none of them has to hear anything */

/* ---- the content, told to one after the other ---- */
struct milter_message {
	const struct str *fields; /* each with its line ends (LF) */
	size_t n_fields;
	struct str body;
};
/* take() gets each change; false: it cannot be done, and the milter is at fault. What it
 * was given is good until it returns. None of the changes counts unless the answer is
 * MILTER_CONTINUES or MILTER_HOLDS. */
SWITCHES struct milter_verdict milter_tell_message(struct milters *m, struct milter *one,
	const struct milter_message *message,
	bool (*take)(void *arg, const struct milter_edit *edit), void *arg);

/* ---- handing over ---- */
/* Describes one; its descriptor goes along. Strings are its own. */
void milter_lend(const struct milter *one, struct milter_lent *out);
/* Takes over descriptors (-1: none). Strings as in `lent`. */
void milters_borrow(
	struct milters *m, const struct milter_lent *lent, size_t n, const int *fds);
/* Lets go of the connections without a word: their owner goes on with them. */
void milters_give_back(struct milters *m);
/* What became of one: 0, or it is not to be used any more. */
uint8_t milter_outcome(const struct milter *one);
/* Nobody knows where the conversation stands: it ends here. */
void milter_drop(struct milters *m, struct milter *one);

#endif
