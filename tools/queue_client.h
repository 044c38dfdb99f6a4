/* queue_client.h -- how root's commands reach the queue: qmgr when the mail system runs,
 * the log itself, under the writer's lock, when it does not. */
#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H

#include "conf.h"
#include "messages.h"
#include "spool.h"

/* Root, or the owner of a queue of one's own. */
bool queue_client_may(const struct conf *c);
/* "$queue_directory/log" */
const char *queue_client_log(const struct conf *c);
/* Whose the log is, so that the files belong to him that are made in it. 0; -1: there is
 * none yet. Fatal for errors. */
BLOCKS int queue_client_become_owner(const struct conf *c);
/* With the mail system down: the log, to be written to. We become its owner, to whom the
 * files belong that are made on the way. NULL: there is none yet. Fatal for errors. */
BLOCKS struct spool *queue_client_open_log(const struct conf *c);
/* The same, with another engine for new mail than the configured one. */
BLOCKS struct spool *queue_client_open_engine(const struct conf *c, bool files);
/* Up to 31 letters and digits, as queue ids are. */
bool queue_client_is_id(struct str id);

/* Runs fn in a coroutine of a loop of its own, until it returns. */
void queue_client_run(void (*fn)(void *arg), void *arg);
/* Inside: a link to qmgr, or NULL when the system is down. Fatal for other errors. */
SWITCHES struct ipc_link *queue_client_link(const struct conf *c);
/* One call. Fatal when qmgr does not answer it. */
SWITCHES void queue_client_list(struct ipc_link *link,
	const struct queue_list_request *ask, struct arena *arena,
	struct queue_list_reply *said);
SWITCHES void queue_client_change(struct ipc_link *link,
	const struct queue_change_request *ask, struct arena *arena,
	struct queue_change_reply *said);
SWITCHES void queue_client_destinations(
	struct ipc_link *link, struct arena *arena, struct destinations_reply *said);
/* The file of suspensions is a new one. */
SWITCHES void queue_client_suspensions_changed(struct ipc_link *link);
SWITCHES void queue_client_space(
	struct ipc_link *link, struct arena *arena, struct spool_space_reply *said);

#endif
