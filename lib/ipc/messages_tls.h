/* messages_tls.h -- what tlsmgr has for everybody: tickets, sessions, private keys. */
#ifndef MESSAGES_TLS_H
#define MESSAGES_TLS_H

#include "ipc.h"

/* ---- smtpd -> tlsmgr: the keys of session tickets. The first is for new tickets, the
 * others are of tickets that are still good. ---- */
#define ticket_key_FIELDS(FIELD, LIST) FIELD(STR, bytes)
IPC_STRUCT(ticket_key)
#define ticket_keys_REQUEST(FIELD, LIST) FIELD(U32, unused)
#define ticket_keys_REPLY(FIELD, LIST) \
	LIST(ticket_key, keys) \
	FIELD(U64, good_for) /* milliseconds: then there are others */
IPC_RPC(ticket_keys, 60)

/* ---- smtp -> tlsmgr: the TLS session of a server, for whoever connects there next. key:
 * the server, and all that must be the same. ---- */
#define tls_session_REQUEST(FIELD, LIST) FIELD(STR, key)
#define tls_session_REPLY(FIELD, LIST)   FIELD(STR, session) /* none: there is none */
IPC_RPC(tls_session, 61)
#define tls_session_keep_NOTE(FIELD, LIST) \
	FIELD(STR, key) \
	FIELD(STR, session)  /* replaces the one before */ \
	FIELD(U64, good_for) /* milliseconds */
IPC_NOTE(tls_session_keep, 62)

/* ---- smtpd -> tlsmgr: which certificates a service shows, and what is asked of their
 * private keys, which tlsmgr alone has (lib/net/tls_keys.h). ---- */
#define tls_certificates_FIELDS(FIELD, LIST) \
	FIELD(STR, key)           /* the name of the private key: a digest */ \
	FIELD(STRS, certificates) /* DER; that of the key, and those above it */
IPC_STRUCT(tls_certificates)
#define tls_identity_REQUEST(FIELD, LIST) \
	FIELD(STRS, chain_files) /* as the configuration names them */ \
	FIELD(STRS, pairs)       /* certificate file, key file, and so on */ \
	FIELD(U64, known)        /* the version that the caller has; 0: none */
#define tls_identity_REPLY(FIELD, LIST) \
	FIELD(U64, version) /* as known: chains are left out */ \
	LIST(tls_certificates, chains) \
	FIELD(STR, error) /* why there is nothing, or nothing newer */
IPC_RPC(tls_identity, 63)
/* The certificates for a server's name, of tls_server_sni_maps. */
#define tls_sni_REQUEST(FIELD, LIST) FIELD(STR, maps) FIELD(STR, name)
#define tls_sni_REPLY(FIELD, LIST) \
	LIST(tls_certificates, chains) /* none, and no error: not in the maps */ \
	FIELD(STR, error)
IPC_RPC(tls_sni, 64)
#define tls_key_REQUEST(FIELD, LIST) \
	FIELD(STR, key) \
	FIELD(BOOL, decrypt) \
	FIELD(BOOL, pss) \
	FIELD(STR, digest) \
	FIELD(U32, client_version) \
	FIELD(U32, negotiated_version) \
	FIELD(STR, data)
#define tls_key_REPLY(FIELD, LIST) \
	FIELD(STR, result) /* none: it could not be done */ \
	FIELD(STR, error) \
	FIELD(BOOL, unknown) /* there is no such key */
IPC_RPC(tls_key, 65)

#endif
