/* submit.h -- handing a message to cleanup: what smtpd, pickup, bounce and local do.
 *
 * A cleanup process that dies under a message costs nobody else anything: what was in its
 * hands is sent again, alone, to a process that handles one suspect at a time. A message
 * that brings down three of them is answered 451 and kept in the spool's corrupt/ folder.
 * Only messages of up to SUBMIT_KEPT bytes can be sent again; larger ones are answered
 * 451 the first time, and their sender tries again. */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "base.h"
#include "conf.h"
#include "ipc.h"
#include "messages.h"

#define SUBMIT_KEPT (64 * 1024)

/* What receive_override_options and content_filter want for mail that this service takes
 * in: sets flags and attributes of the envelope. Strings are the configuration's or in
 * arena. */
void submission_overrides(const struct conf *c, struct arena *arena, struct envelope *e);

struct submission;
/* ask is encoded now. Nothing leaves this process before the content outgrew SUBMIT_KEPT
 * or submission_end was called, so a small message is one write. */
struct submission *submission_new(const struct submit_request *ask) MUST_CHECK;
/* Connections that cleanup may use until it has answered: duplicated when the message
 * leaves. It is then not sent a second time when cleanup dies under it. */
void submission_lend(struct submission *s, const int *fds, size_t n);
/* -1: cleanup cannot take more of it (it answered already, or was lost): go on reading
 * from the client if the protocol asks for it, then call submission_end for the answer.
 */
SWITCHES int submission_write(
	struct submission *s, struct str bytes, deadline_t patience);
/* The answer, strings in arena; frees s. ACCEPT means that the message survives a power
 * cut. When nobody answers: TEMPFAIL 4.3.0 "queue file write error". */
SWITCHES enum verdict submission_end(struct submission *s, struct arena *arena,
	struct submit_reply *said, deadline_t patience);
void submission_abort(struct submission *s); /* frees s; cleanup drops the message */

#endif
