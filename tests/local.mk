# tests
include tests/powercut/local.mk
EXTRA_DIST += tests/conf/honoured_test.py tests/conf/postconf_test.py tests/conf/sets.expected
include tests/spool/local.mk
