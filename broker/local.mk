# broker
daemon_PROGRAMS += broker/broker
broker_broker_SOURCES = broker/broker.h broker/dial.c broker/directory.c \
	broker/endpoints.c broker/main.c broker/permits.c
broker_broker_LDADD = lib/service/libservice.a $(TABLE_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += broker/README
check_PROGRAMS += broker/permits_test
TESTS += broker/permits_test
broker_permits_test_SOURCES = broker/broker.h broker/permits.c broker/permits_test.c
broker_permits_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
check_PROGRAMS += broker/endpoints_test
TESTS += broker/endpoints_test
broker_endpoints_test_SOURCES = broker/broker.h broker/endpoints.c broker/endpoints_test.c
broker_endpoints_test_LDADD = $(TEST_LIBS) $(TABLE_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
