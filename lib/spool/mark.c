/* mark.c -- notes in the lock file up to where each stream was flushed.
 *
 * Each batch says that of what lies before it, and what lies behind the furthest such
 * word counts as torn by a power cut. So nothing speaks for the newest batch, which may
 * be the last one for hours; damage in it would pass for a torn write. The mark speaks
 * for it, from another place of the disk.
 *
 * It is written after each flush. As the next batch says the same, and syncing twice for
 * each would cost half of the speed, it is synced only by a flush that has no new mail:
 * the one that follows the last mail within o.state_flush. A mark that cannot be written
 * is no loss: it is as if the power had gone before. */
#include "private.h"
#include <unistd.h>

void
mark_write(const struct spool *s, uint8_t stream, const struct mark *m)
{
	char bytes[MARK];

	mark_put(bytes, m);
	(void)write_at(s->lock, str_of(bytes, sizeof(bytes)), (octets_t)stream * MARK);
}

void
mark_sync(const struct spool *s)
{
	(void)fdatasync(s->lock);
}

bool
mark_read(const struct spool *s, uint8_t stream, struct mark *out)
{
	char bytes[MARK];

	return s->lock >= 0 &&
	       read_at(s->lock, bytes, sizeof(bytes), (octets_t)stream * MARK) == 0 &&
	       mark_get(bytes, out) == 0;
}
