/* rewrite.h -- the secrets of SRS (lib/auth/srs.h): those of srs_secret_file, read as
 * root before the jail. */
#ifndef REWRITE_H
#define REWRITE_H

#include "ipc.h"

/* Before the jail. */
void rewrite_open(void);
/* Answers a call `srs`. */
void rewrite_answer(struct ipc_request *rq);

#endif
