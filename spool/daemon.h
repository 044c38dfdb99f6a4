/* daemon.h -- what the files of spool(8) share. */
#ifndef SPOOL_DAEMON_H
#define SPOOL_DAEMON_H

#include "service.h"
#include "spool.h"

extern struct spool *the_spool;

/* Is this the program that may ask that? If not, it was answered and logged. */
bool asked_by(struct ipc_request *rq, const char *program);
void refuse(struct ipc_request *rq, int error);
void requests_in_hand(int change);

/* put.c: cleanup brings a message. */
void run_put(struct ipc_request *rq);
/* watch.c: qmgr tells what became of messages, and hears of new ones. */
void run_update(struct ipc_request *rq);
void run_watch(struct ipc_request *rq);
void run_space(struct ipc_request *rq);
void run_pace(struct ipc_request *rq);
bool watch_is_behind(void);                   /* qmgr, with new mail */
void watch_tell(const struct spool_entry *e); /* a new one, with its envelope */
void watch_moved(const struct spool_entry *e, void *arg);
void watch_indexed(void); /* old messages can be told of */
void watch_link_closed(struct ipc_link *link);
/* corrupt.c: BLOCKS; the content of a message that brought cleanup down. 0 or an errno.
 */
int keep_corrupt(
	const char *queue, struct str queue_id, struct str envelope, struct str content);

#endif
