/* tls_stage.h -- for tests: certificates made here, and two connections of ours that talk
 * TLS with each other. */
#ifndef TLS_STAGE_H
#define TLS_STAGE_H

#include "net_impl.h"

extern struct tls_stage {
	struct conn *client, *server;
	struct tls_context *client_ctx, *server_ctx;
	enum conn_result result; /* of the server's handshake */
	bool done;               /* the server is */
	bool early_secret;       /* somebody sent plain text behind STARTTLS */
	char rsa_file[200], ec_file[200], bad_file[200], cert_only[200], key_only[200];
} stage;

deadline_t stage_soon(void);
void stage_run(void (*fn)(void *)); /* in a loop of its own, until event_stop() */
void stage_certificates(void);      /* fills in the names of their files, once */
/* chain: a file, or NULL. */
struct tls_context *stage_context(
	bool is_server, struct tls_config conf, const char *chain) MUST_CHECK;

void stage_open(void);
/* A server that echoes lines until one says QUIT; to be spawned. */
SWITCHES void stage_serve(void *arg);
SWITCHES void stage_talk(void); /* two lines there and back, and QUIT */
SWITCHES void stage_close(void);

#endif
