# smtpd
noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = smtpd/session.h smtpd/verbs.h smtpd/site.h smtpd/policy.h \
	smtpd/policy_lists.h smtpd/message.h smtpd/data.h smtpd/session.c smtpd/reply.c smtpd/peer.c \
	smtpd/verbs.c smtpd/cmd_ehlo.c smtpd/cmd_auth.c smtpd/login.h smtpd/login.c smtpd/cmd_mail.c smtpd/cmd_rcpt.c smtpd/cmd_data.c \
	smtpd/cmd_bdat.c smtpd/cmd_starttls.c smtpd/cmd_xclient.c smtpd/cmd_xforward.c smtpd/claims.h smtpd/claims.c smtpd/cmd_misc.c smtpd/cmd_etrn.c \
	smtpd/message.c smtpd/storage.c smtpd/received.c smtpd/data.c smtpd/site.c \
	smtpd/lists.c smtpd/policy.c smtpd/checks.c smtpd/ccert.c smtpd/access.c smtpd/listed.c \
	smtpd/hosts.h smtpd/hosts.c smtpd/spf_session.h smtpd/spf_session.c smtpd/spf_engine.h smtpd/spf_engine.c smtpd/backup.c smtpd/listings.h smtpd/listings.c smtpd/expand.h \
	smtpd/expand.c smtpd/delegate.c smtpd/policy_answer.h smtpd/policy_answer.c smtpd/verified.c smtpd/limits.h smtpd/limits.c smtpd/quotas.h smtpd/quotas.c smtpd/greylist.c \
	smtpd/starttls.h smtpd/starttls.c \
	smtpd/explained.h smtpd/explain.c smtpd/milters.h smtpd/milters.c smtpd/milter_macros.c \
	smtpd/filter.h smtpd/filter.c
daemon_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/main.c
smtpd_smtpd_LDADD = smtpd/libsmtpd.a lib/auth/libauth.a lib/sasl/libsasl.a lib/milter/libmilter.a lib/deliver/libdeliver.a $(ROUTE_LIBS) lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += smtpd/smtpd_test
TESTS += smtpd/smtpd_test
smtpd_smtpd_test_SOURCES = smtpd/play.h smtpd/play.c smtpd/data_test.c \
	smtpd/policy_test.c smtpd/session_test.c smtpd/auth_test.c
# No libservice: play.c and libalone stand in for master and broker.
smtpd_smtpd_test_LDADD = smtpd/libsmtpd.a lib/auth/libauth.a lib/sasl/libsasl.a lib/milter/libmilter.a lib/deliver/libdeliver.a $(TEST_LIBS) $(ROUTE_LIBS) lib/mime/libmime.a \
	lib/agent/libagent.a lib/service/libalone.a $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += smtpd/README
if FUZZ
EXTRA_PROGRAMS += smtpd/data_fuzz smtpd/session_fuzz smtpd/policy_answer_fuzz
smtpd_policy_answer_fuzz_SOURCES = smtpd/policy_answer_fuzz.c
smtpd_policy_answer_fuzz_LDADD = smtpd/libsmtpd.a lib/mime/libmime.a lib/base/libbase.a
smtpd_policy_answer_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
smtpd_session_fuzz_SOURCES = smtpd/session_fuzz.c smtpd/play.h smtpd/play.c
smtpd_session_fuzz_LDADD = $(smtpd_smtpd_test_LDADD)
smtpd_session_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
smtpd_data_fuzz_SOURCES = smtpd/data_fuzz.c
smtpd_data_fuzz_LDADD = smtpd/libsmtpd.a lib/base/libbase.a
smtpd_data_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
