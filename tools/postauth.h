/* postauth.h -- the subcommands of postauth(1). */
#ifndef POSTAUTH_H
#define POSTAUTH_H

/* Each is given its name as argv[0], with its own options behind it, has a --help of its
 * own, and gives the exit status. None of them needs a mail system that runs, or rights
 * of its. */

#endif
