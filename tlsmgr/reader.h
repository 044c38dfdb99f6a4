/* reader.h -- a child of tlsmgr that stays root, since private keys belong in files that
 * only root can read. It opens the files that the configuration names as keys and
 * certificates of servers, and passes them on unread; of a table with them
 * (tls_server_sni_maps) it passes a copy. Whoever has taken over tlsmgr has the keys
 * anyway, and gets nothing else here: names are compared with main.cf and master.cf,
 * which the reader reads itself. */
#ifndef READER_H
#define READER_H

#include "base.h"
#include "conf.h"

enum reader_kind {
	READER_FILE = 1,
	READER_TABLE /* name: "hash:/etc/postfix/sni" */
};
#define READER_NAME 4000 /* octets of a name */

/* Forks it: as root, before the jail. */
void reader_start(const struct conf *c);
/* 1, and *out holds the bytes of the file, or of each entry of the table its key and its
 * value as fields of IPC strings, when it is another one than *stamp says, which then is
 * its stamp (0: any). 0: it is the same. -1 and errno: EPERM when the configuration does
 * not name it. */
SWITCHES int reader_get(enum reader_kind kind, struct str name, uint64_t *stamp,
	struct buf *out) MUST_CHECK;

#endif
