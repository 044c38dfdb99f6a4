/* messages.h -- everything our processes say to each other, declared once, by subject.
 * New fields go last; a peer skips what it does not know and reads a missing one as zero.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "messages_auth.h"
#include "messages_client.h"
#include "messages_deliver.h"
#include "messages_explain.h"
#include "messages_lookup.h"
#include "messages_mail.h"
#include "messages_queue.h"
#include "messages_tls.h"

#endif
