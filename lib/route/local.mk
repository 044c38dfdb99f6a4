# lib/route
noinst_LIBRARIES += lib/route/libroute.a
lib_route_libroute_a_SOURCES = lib/route/route.h lib/route/route_impl.h \
	lib/route/mapping.c lib/route/own.c lib/route/resolve.c lib/route/ways.c lib/route/rewrite.c lib/route/route.c
ROUTE_LIBS = lib/route/libroute.a lib/mime/libmime.a
check_PROGRAMS += lib/route/route_test
TESTS += lib/route/route_test
lib_route_route_test_SOURCES = lib/route/route_test.c
lib_route_route_test_LDADD = $(TEST_LIBS) $(ROUTE_LIBS) $(SERVICE_LIBS) $(TABLE_EXTERNAL) \
	$(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += lib/route/route_fuzz
lib_route_route_fuzz_SOURCES = lib/route/route_fuzz.c
lib_route_route_fuzz_LDFLAGS = -fsanitize=fuzzer
lib_route_route_fuzz_LDADD = $(ROUTE_LIBS) $(SERVICE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
endif
