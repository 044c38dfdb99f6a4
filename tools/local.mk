# tools
# What all of them begin with
COMMAND = tools/command.h tools/command.c
COMMAND_LIBS = lib/service/libservice.a $(BASE_LIBS)
# sendmail, mailq, newaliases; postdrop
sbin_PROGRAMS += tools/sendmail tools/postdrop
tools_sendmail_SOURCES = tools/sendmail.h tools/sendmail.c tools/sendmail_options.c \
	tools/sendmail_message.c tools/sendmail_smtp.c tools/sendmail_smtp.h \
	tools/sendmail_content.c tools/drop_child.c tools/user.h \
	tools/user.c $(COMMAND)
tools_sendmail_LDADD = lib/service/libservice.a lib/agent/libagent.a $(TABLE_LIBS) \
	lib/mime/libmime.a $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
tools_postdrop_SOURCES = tools/postdrop.c tools/setgid.h tools/setgid.c tools/user.h \
	tools/user.c $(COMMAND)
tools_postdrop_LDADD = lib/service/libservice.a lib/agent/libagent.a $(TABLE_LIBS) \
	$(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += tools/sendmail_options_test
TESTS += tools/sendmail_options_test
tools_sendmail_options_test_SOURCES = tools/sendmail_options_test.c tools/sendmail.h \
	tools/sendmail_options.c
tools_sendmail_options_test_LDADD = $(TEST_LIBS) lib/agent/libagent.a lib/mime/libmime.a \
	$(BASE_LIBS) $(EXTERNAL_LIBS)
if FUZZ
EXTRA_PROGRAMS += tools/sendmail_options_fuzz
tools_sendmail_options_fuzz_SOURCES = tools/sendmail_options_fuzz.c tools/sendmail.h \
	tools/sendmail_options.c
tools_sendmail_options_fuzz_LDADD = lib/agent/libagent.a lib/mime/libmime.a $(BASE_LIBS) \
	$(EXTERNAL_LIBS)
tools_sendmail_options_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tools/install-users
# postauth
if HAVE_UNBOUND
sbin_PROGRAMS += tools/postauth
tools_postauth_SOURCES = tools/postauth.h tools/postauth.c tools/postauth_dns.c \
	tools/postauth_spf.c tools/postauth_verify.c tools/postauth_keygen.c tools/postauth_sign.c \
	tools/postauth_options.c tools/postauth_records.c tools/postauth_check.c tools/postauth_site.c \
	tools/json.h tools/json.c $(COMMAND)
tools_postauth_LDADD = lib/auth/libauth.a lib/mime/libmime.a lib/dns/libdns.a $(TABLE_LIBS) $(COMMAND_LIBS) \
	$(OPENDKIM_LIBS) $(EXPAT_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS) -lunbound -lresolv
if HAVE_EXPAT
tools_postauth_SOURCES += tools/postauth_reports.c tools/postauth_report_print.c \
	tools/postauth_report_send.c
endif
endif
# postkick, postlock
sbin_PROGRAMS += tools/postkick tools/postlock
tools_postkick_SOURCES = tools/postkick.c $(COMMAND)
tools_postkick_LDADD = $(COMMAND_LIBS) $(EXTERNAL_LIBS)
tools_postlock_SOURCES = tools/postlock.c $(COMMAND)
tools_postlock_LDADD = lib/deliver/libdeliver.a $(COMMAND_LIBS) $(EXTERNAL_LIBS)
# postmulti
sbin_PROGRAMS += tools/postmulti
tools_postmulti_SOURCES = tools/postmulti.h tools/postmulti.c tools/postmulti_each.c \
	tools/postmulti_edit.c tools/postmulti_remove.h tools/postmulti_remove.c \
	tools/instances.h tools/instances.c tools/json.h tools/json.c $(COMMAND)
tools_postmulti_LDADD = lib/service/libservice.a lib/agent/libagent.a lib/spool/libspool.a \
	$(COMMAND_LIBS) $(EXTERNAL_LIBS)
# postconf
sbin_PROGRAMS += tools/postconf
tools_postconf_SOURCES = tools/postconf.h tools/postconf.c tools/postconf_names.c \
	tools/postconf_print.c tools/postconf_services.c tools/postconf_warn.c \
	tools/postconf_options.c tools/postconf_file.c tools/postconf_edit.c \
	tools/postconf_edit_services.c tools/postconf_origin.c tools/postconf_support.c tools/postconf_templates.c \
	tools/json.h tools/json.c
tools_postconf_LDADD = lib/sasl/libsasl.a $(TABLE_LIBS) $(BASE_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
# postqueue, postsuper, postcat
sbin_PROGRAMS += tools/postqueue tools/postsuper tools/postcat
tools_postqueue_SOURCES = tools/postqueue.c tools/destinations_print.h tools/destinations_print.c tools/json.h tools/json.c tools/queue_client.h tools/queue_client.c tools/queue_list.h tools/queue_list.c \
	tools/progress.h tools/progress.c \
	tools/queue_walk.h tools/queue_walk.c tools/setgid.h tools/setgid.c \
	tools/user.h tools/user.c $(COMMAND)
tools_postqueue_LDADD = lib/service/libservice.a $(TABLE_LIBS) lib/agent/libagent.a lib/spool/libspool.a $(BASE_LIBS) $(TABLE_EXTERNAL) \
	$(EXTERNAL_LIBS)
tools_postsuper_SOURCES = tools/postsuper.h tools/postsuper.c tools/postsuper_query.c tools/postsuper_suspend.c \
	tools/progress.h tools/progress.c tools/queue_client.h tools/queue_client.c $(COMMAND)
tools_postsuper_LDADD = lib/service/libservice.a lib/spool/libspool.a $(BASE_LIBS) $(EXTERNAL_LIBS)
tools_postcat_SOURCES = tools/postcat.h tools/postcat.c tools/postcat_records.c tools/queue_client.h tools/queue_client.c $(COMMAND)
tools_postcat_LDADD = lib/spool/libspool.a $(COMMAND_LIBS) $(EXTERNAL_LIBS)
# qshape
sbin_PROGRAMS += tools/qshape
tools_qshape_SOURCES = tools/qshape.c tools/shape.h tools/shape.c tools/queue_walk.h \
	tools/queue_walk.c $(COMMAND)
tools_qshape_LDADD = lib/agent/libagent.a lib/spool/libspool.a $(COMMAND_LIBS) $(EXTERNAL_LIBS)
check_PROGRAMS += tools/shape_test
TESTS += tools/shape_test
tools_shape_test_SOURCES = tools/shape_test.c tools/shape.h tools/shape.c
tools_shape_test_LDADD = $(TEST_LIBS) $(BASE_LIBS) $(EXTERNAL_LIBS)
# postern (postfix is a link to it), postlog
sbin_PROGRAMS += tools/postern tools/postlog
tools_postern_SOURCES = tools/postern.h tools/postern.c tools/postern_check.c \
	tools/check.h tools/check_certificates.c tools/check_daemons.c tools/check_domains.c \
	tools/check_files.c tools/check_doubles.c tools/check_loops.c tools/check_names.c tools/check_relay.c \
	tools/check_routes.c tools/postern_explain.c tools/postern_explain.h tools/explain_ask.c \
	tools/explain_broker.c tools/explain_print.c tools/json.h tools/json.c tools/postconf.h tools/postconf_names.c \
	tools/places.h tools/places.c tools/postern_install.c \
	tools/postern_jail.c tools/postern_log.c tools/postern_reload.c tools/postern_run.c \
	tools/postern_upgrade.c tools/postern_limits.c tools/postern_spool.c tools/postern_tls.c \
	tools/postern_import.c tools/config_copy.h tools/config_copy.c tools/postfix_queue.h tools/postfix_queue.c \
	tools/queue_import.h tools/queue_import.c tools/import_parcel.c tools/import_local.c \
	tools/queue_export.h tools/queue_export.c tools/export_files.c tools/export_local.c \
	tools/queue_client.h tools/queue_client.c $(COMMAND)
tools_postern_LDADD = lib/service/libservice.a lib/agent/libagent.a lib/spool/libspool.a \
	lib/mime/libmime.a $(TABLE_LIBS) $(BASE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
tools_postlog_SOURCES = tools/postlog.c $(COMMAND)
tools_postlog_LDADD = lib/service/libservice.a $(BASE_LIBS) $(EXTERNAL_LIBS)
# postmap, postalias
sbin_PROGRAMS += tools/postmap tools/postalias
TABLE_TOOL = tools/table_tool.h tools/table_tool.c tools/table_build.c tools/table_message.c \
	tools/table_query.c tools/json.h tools/json.c $(COMMAND)
tools_postmap_SOURCES = tools/postmap.c $(TABLE_TOOL)
tools_postmap_LDADD = $(TABLE_LIBS) lib/mime/libmime.a $(COMMAND_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
tools_postalias_SOURCES = tools/postalias.c $(TABLE_TOOL)
tools_postalias_LDADD = $(TABLE_LIBS) lib/mime/libmime.a $(COMMAND_LIBS) $(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
check_PROGRAMS += tools/queue_list_test
TESTS += tools/queue_list_test
tools_queue_list_test_SOURCES = tools/queue_list_test.c tools/json.h tools/json.c tools/queue_list.h tools/queue_list.c \
	tools/progress.h tools/progress.c tools/queue_walk.h tools/queue_walk.c
tools_queue_list_test_LDADD = $(TEST_LIBS) $(TABLE_LIBS) lib/agent/libagent.a \
	lib/spool/libspool.a $(BASE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
