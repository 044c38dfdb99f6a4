# tools
# sendmail, mailq, newaliases; postdrop
sbin_PROGRAMS += tools/sendmail tools/postdrop
tools_sendmail_SOURCES = tools/sendmail.h tools/sendmail.c tools/sendmail_options.c \
	tools/sendmail_message.c tools/sendmail_smtp.c tools/drop_child.c
tools_sendmail_LDADD = lib/agent/libagent.a lib/mime/libmime.a $(BASE_LIBS) $(EXTERNAL_LIBS)
tools_postdrop_SOURCES = tools/postdrop.c
tools_postdrop_LDADD = lib/agent/libagent.a $(BASE_LIBS) $(EXTERNAL_LIBS)
EXTRA_DIST += tools/install-users
