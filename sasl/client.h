/* client.h -- one socket of an smtpd process, and the logins that are judged for it. */
#ifndef CLIENT_H
#define CLIENT_H

#include "cyrus.h"

/* Serves the descriptor until the other end closes it. The strings are copied. */
void client_begin(int fd, const struct cyrus_config *config);
/* No more logins are begun: those under way end, then the sockets close, and done() is
 * called. */
void clients_finish(void (*done)(void));

#endif
