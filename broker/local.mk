# broker
daemon_PROGRAMS += broker/broker
broker_broker_SOURCES = broker/broker.h broker/directory.c broker/main.c broker/permits.c
broker_broker_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += broker/README
check_PROGRAMS += broker/permits_test
TESTS += broker/permits_test
broker_permits_test_SOURCES = broker/broker.h broker/permits.c broker/permits_test.c
broker_permits_test_LDADD = $(TEST_LIBS) lib/base/libbase.a
