/* lines.h -- logical lines, as main.cf, master.cf and the text files of tables have them:
 * a line that begins with blank continues the one before; empty lines and lines whose
 * first non-blank is # are skipped, also in the middle of a continued one. */
#ifndef CONF_LINES_H
#define CONF_LINES_H

#include "base.h"

/* Nothing here blocks: the caller has the whole file. text is good until the next call.
 */
struct conf_lines {
	struct str rest;   /* not read yet */
	int next;          /* number of the first line of rest */
	int line;          /* where the logical line begins */
	struct str text;   /* joined as written, without blanks at the end */
	struct buf joined; /* what text points into when it was continued */
	bool stray; /* text begins with blank but continues nothing: it is no line */
};
void conf_lines_open(struct conf_lines *l, struct str file);
/* False at the end. A stray continuation is handed out with stray set, for a warning. */
bool conf_lines_next(struct conf_lines *l);
void conf_lines_close(struct conf_lines *l); /* for CLEANUP too */

#endif
