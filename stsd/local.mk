# stsd
if HAVE_CURL
daemon_PROGRAMS += stsd/stsd
stsd_stsd_SOURCES = stsd/policies.h stsd/policies.c stsd/file.h stsd/file.c stsd/fetch.h stsd/fetch.c \
	stsd/main.c
stsd_stsd_LDADD = lib/auth/libauth.a lib/net/libhttps.a $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(CURL_LIBS) $(EXTERNAL_LIBS)
endif
check_PROGRAMS += stsd/policies_test
TESTS += stsd/policies_test
stsd_policies_test_SOURCES = stsd/policies.h stsd/policies.c stsd/policies_test.c
stsd_policies_test_LDADD = lib/auth/libauth.a $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += stsd/README
