/* log.c -- log lines from all sides: declared ones, free text, the last words of fatal
 * and panic. Helper threads log too, hence the lock. */
#include "log_impl.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

bool log_fatal_pause;
int log_fatal_exit = 1;
uint32_t log_session_number;

/* Recursive: an ensure() that fails in here still gets its last words out. */
#define UNLOCKED PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
static pthread_mutex_t lock = UNLOCKED;
static struct buf text; /* the line being made; kept for its memory */
static void (*capture)(enum log_level, struct str, void *);
static void *capture_arg;

/* A child starts with an empty log and an open lock. */
static void
in_child(void)
{
	static const pthread_mutex_t fresh = UNLOCKED;

	lock = fresh;
	log_target_forked();
}

static void
panic_hook(const char *what)
{
	struct str s = str_trim(str_c(what));

	log_panic(STR_FMT, STR_ARG(s));
}

__attribute__((constructor)) static void
log_begin(void)
{
	pthread_atfork(NULL, NULL, in_child);
	ensure_hook = panic_hook;
}

/* Cuts at the limit, but not inside a UTF-8 sequence. */
static struct str
cut(struct str s)
{
	size_t len = s.len;

	if (len <= LOG_TEXT_LIMIT)
		return s;
	len = LOG_TEXT_LIMIT;
	while (len > 0 && ((unsigned char)s.data[len] & 0xc0) == 0x80)
		len--;
	return str_sub(s, 0, len);
}

/* Sends off the line in `text`; called with the lock, which it gives back. */
static void
finish(enum log_level level)
{
	struct str line = cut(buf_str(&text));

	if (capture) {
		capture(level, line, capture_arg);
	} else {
		log_target_add(level, line);
		if (level >= LOG_WARNING_LEVEL)
			log_target_flush();
	}
	pthread_mutex_unlock(&lock);
}

void
log_line_args(enum log_id id, const struct str *args)
{
	pthread_mutex_lock(&lock);
	buf_clear(&text);
	log_render(id, args, &text);
	finish(log_level_of(id));
}

PRINTF(2, 0)
static void
free_text(enum log_level level, const char *fmt, va_list ap)
{
	char raw[LOG_TEXT_LIMIT + 1];
	int len = vsnprintf(raw, sizeof(raw), fmt, ap);

	pthread_mutex_lock(&lock);
	buf_clear(&text);
	buf_addz(&text, log_label(level));
	if (len > 0)
		log_put_clean(&text, str_of(raw, MIN((size_t)len, sizeof(raw) - 1)));
	finish(level);
}

void
log_text(enum log_level level, struct str s)
{
	pthread_mutex_lock(&lock);
	buf_clear(&text);
	buf_addz(&text, log_label(level));
	log_put_clean(&text, s);
	finish(level);
}

void
log_relay(struct str line)
{
	pthread_mutex_lock(&lock);
	buf_clear(&text);
	log_put_clean(&text, line);
	log_target_relay(cut(buf_str(&text)));
	pthread_mutex_unlock(&lock);
}

#define FREE_TEXT(level) \
	va_list ap; \
	va_start(ap, fmt); \
	free_text(level, fmt, ap); \
	va_end(ap)

void
log_info(const char *fmt, ...)
{
	FREE_TEXT(LOG_INFO_LEVEL);
}

void
log_warn(const char *fmt, ...)
{
	FREE_TEXT(LOG_WARNING_LEVEL);
}

void
log_error(const char *fmt, ...)
{
	FREE_TEXT(LOG_ERROR_LEVEL);
}

void
log_fatal(const char *fmt, ...)
{
	FREE_TEXT(LOG_FATAL_LEVEL);
	if (log_fatal_pause)
		sleep(1);
	_exit(log_fatal_exit);
}

void
log_panic(const char *fmt, ...)
{
	FREE_TEXT(LOG_PANIC_LEVEL);
	abort();
}

void
log_session(uint32_t number)
{
	log_session_number = number;
}

uint32_t
log_session_current(void)
{
	return log_session_number;
}

void
log_flush(void)
{
	pthread_mutex_lock(&lock);
	log_target_flush();
	pthread_mutex_unlock(&lock);
}

void
log_capture(void (*fn)(enum log_level, struct str, void *), void *arg)
{
	capture = fn;
	capture_arg = arg;
}

/* The ring behind log_num() and log_fmt(). */
#define RING_SLOTS 16
#define RING_TEXT  1001
static char *
ring_next(void)
{
	static _Thread_local char ring[RING_SLOTS][RING_TEXT];
	static _Thread_local unsigned next;

	return ring[next++ % RING_SLOTS];
}

struct str
log_num(int64_t n)
{
	char *slot = ring_next();

	return str_of(slot, (size_t)snprintf(slot, RING_TEXT, "%lld", (long long)n));
}

/* In integers: the C library's printing of a double costs more than all the rest of the
 * line. */
struct str
log_delay(int64_t us, int decimals)
{
	int64_t unit = 1000000; /* of the last digit that is shown */
	int places = 0;
	int64_t value;

	for (us = MAX(us, 0); places < MIN(decimals, 6) && us / unit < 10; places++)
		unit /= 10;
	value = (us + unit / 2) / unit;
	while (places > 0 && value % 10 == 0) {
		value /= 10;
		unit *= 10;
		places--;
	}
	return places == 0 ? log_num(value)
			   : log_fmt("%d.%0*d", (int)(value * unit / 1000000), places,
				     (int)(value % (1000000 / unit)));
}

struct str
log_fmt(const char *fmt, ...)
{
	char *slot = ring_next();
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(slot, RING_TEXT, fmt, ap);
	va_end(ap);
	return str_of(slot, len < 0 ? 0 : MIN((size_t)len, RING_TEXT - 1));
}

int
log_facility(struct str name)
{
	static const struct {
		const char *name;
		int facility;
	} facilities[] = {
		{ "auth", LOG_AUTH },
		{ "authpriv", LOG_AUTHPRIV },
		{ "cron", LOG_CRON },
		{ "daemon", LOG_DAEMON },
		{ "ftp", LOG_FTP },
		{ "kern", LOG_KERN },
		{ "lpr", LOG_LPR },
		{ "mail", LOG_MAIL },
		{ "news", LOG_NEWS },
		{ "syslog", LOG_SYSLOG },
		{ "user", LOG_USER },
		{ "uucp", LOG_UUCP },
		{ "local0", LOG_LOCAL0 },
		{ "local1", LOG_LOCAL1 },
		{ "local2", LOG_LOCAL2 },
		{ "local3", LOG_LOCAL3 },
		{ "local4", LOG_LOCAL4 },
		{ "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 },
		{ "local7", LOG_LOCAL7 },
	};

	for (size_t i = 0; i < COUNT(facilities); i++) {
		if (str_is(name, facilities[i].name))
			return facilities[i].facility;
	}
	return -1;
}
