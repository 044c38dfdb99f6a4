# tests
include tests/powercut/local.mk
EXTRA_DIST += tests/conf/honoured_test.py tests/conf/postconf_test.py tests/conf/sets.expected
include tests/spool/local.mk
EXTRA_DIST += tests/dict/interop_test.py tests/dict/postalias_test.py tests/dict/postmap_test.py \
	tests/dict/rules_test.py tests/dict/users_test.py
EXTRA_DIST += tests/harness.py tests/jail/jail_test.py tests/master/foreground_test.py \
	tests/master/reload_test.py tests/master/start_stop_test.py tests/master/supervise_test.py
