/* log_impl.h -- what the files of lib/log share: finished text on its way out. */
#ifndef LOG_IMPL_H
#define LOG_IMPL_H

#include "log.h"

#define LOG_TEXT_LIMIT 2000 /* longer records are cut, as Postfix cuts them */

/* "warning: " ... or "". */
const char *log_label(enum log_level level);
enum log_level log_level_of(enum log_id id);
/* Appends bytes that may come from anybody: what would not print becomes ?. */
void log_put_clean(struct buf *out, struct str bytes);
void log_render_shape(const char *shape, const struct str *args, struct buf *out);

/* Where finished lines gather until log_target_flush(). The caller holds the lock. */
void log_target_add(enum log_level level, struct str text);
void log_target_relay(struct str line);
void log_target_flush(void);
void log_target_forked(void); /* in a child: what gathered is the parent's to send */
/* Tests: another socket than /dev/log, from the next log_open() on. */
void log_target_syslog_at(const char *path);

#endif
