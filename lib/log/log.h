/* log.h -- the log: declared lines in Postfix's shapes (../shared/compat/log-lines.md),
 * free-text warnings and errors, and where they go.
 *
 * Lines gather in memory and leave once per turn of the loop (log_flush, called by the
 * service's turn end), at once when they are warnings or worse, and before a crash. */
#ifndef LOG_H
#define LOG_H

#include "base.h"

enum log_level {
	LOG_INFO_LEVEL,
	LOG_WARNING_LEVEL,
	LOG_ERROR_LEVEL,
	LOG_FATAL_LEVEL,
	LOG_PANIC_LEVEL,
};

/* Declared lines: lib/log/lines.def has LINE(ID, level, nargs, shape). In a shape {name}
 * stands for the next argument; [[ ... ]] around one or more is left out when the first
 * argument in it is STR_NONE (data == NULL). */
enum log_id {
#define LINE(id, level, nargs, shape) LOG_##id,
#include "lines.def"
#undef LINE
	LOG_IDS
};
enum {
#define LINE(id, level, nargs, shape) LOG_NARGS_##id = nargs,
#include "lines.def"
#undef LINE
};
/* log_line(SMTPD_TIMEOUT, qid, state, bytes, client): every argument is a struct str;
 * their number is checked when it compiles. Unprintable bytes are shown as ?, UTF-8 is
 * kept. */
#define log_line(id, ...) \
	do { \
		const struct str log_args_[] = { __VA_ARGS__ }; \
		_Static_assert(COUNT(log_args_) == LOG_NARGS_##id, "arguments of " #id); \
		log_line_args(LOG_##id, log_args_); \
	} while (0)
/* Addresses -- {from}, {to}, {orig_to} -- are shown with the quotes that they need in
 * mail; as they are kept, without, when this is set (info_log_address_format = internal).
 */
extern bool log_addresses_internal;
void log_line_args(enum log_id id, const struct str *args);
/* Short-lived texts for arguments: good until 16 more were made. */
struct str log_num(int64_t n);
struct str log_fmt(const char *fmt, ...) PRINTF(1, 2); /* at most 1,000 bytes */
/* A span of time as in delays=: at most `decimals` of them, two significant digits, no
 * zeros at the end: "0", "0.03", "1.2", "14". Good for as long as those. */
struct str log_delay(int64_t us, int decimals);

void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_error(const char *fmt, ...) PRINTF(1, 2);
/* A line that another program finished ("Nov  3 09:05:00 host tag[1]: text"). */
void log_relay(struct str line);
/* A line of any level, which is only that: nothing exits. For postlog. */
void log_text(enum log_level level, struct str s);
/* fatal: a mistake of the configuration or the machine; logs, flushes and exits 1. panic:
 * our own; aborts. A daemon that cannot start waits a second before it exits, as
 * Postfix's do, so that a crash loop stays slow: lib/service sets log_fatal_pause until
 * it serves. */
extern bool log_fatal_pause;
extern int log_fatal_exit; /* the status of log_fatal(); 1. sendmail: 75 (EX_TEMPFAIL) */
NORETURN void log_fatal(const char *fmt, ...) PRINTF(1, 2);
NORETURN void log_panic(const char *fmt, ...) PRINTF(1, 2);

/* Where to. Called once at start with the tag ("postfix/smtpd"); again after the tag or
 *the target changes (-o syslog_name). Descriptors are opened now, before the jail.
 *	LOG_TO_SYSLOG	/dev/log, facility mail (or `facility`)
 *	LOG_TO_FD	lines with time, host and tag appended to fd: maillog_file,
 *stdout; a datagram socket (postlogd's) gets one datagram for each line LOG_TO_STDERR
 *commands: "postqueue: warning: ..." on stderr (and syslog for fatal) Before the first
 *call everything goes to stderr. */
enum log_target { LOG_TO_SYSLOG = 1, LOG_TO_FD = 2, LOG_TO_STDERR = 4 };
void log_open(const char *tag, unsigned targets, int fd, int facility);
int log_facility(struct str name); /* "mail" -> LOG_MAIL; -1 unknown */
/* The number in brackets: one per session (design 9). 0: the process id. It belongs to
 * the running coroutine: lib/event saves and restores the variable at each switch, and a
 * new coroutine inherits its maker's. */
extern uint32_t log_session_number;
void log_session(uint32_t number);
uint32_t log_session_current(void);
/* Sends what gathered. A line that neither syslogd nor the file took is lost, but
 * counted, and the log says so when it works again. */
void log_flush(void);
/* Renders a line with its label ("warning: ") without sending it: tests and log_format
 * checks. Behind what out holds already. */
void log_render(enum log_id id, const struct str *args, struct buf *out);
/* Tests: gives each finished line (label, but no time, host and tag) to fn instead of
 * sending it; NULL ends that. And for `postern check`, which asks what it has heard. */
void log_capture(void (*fn)(enum log_level, struct str line, void *arg), void *arg);

#endif
