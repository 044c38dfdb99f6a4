# man
# Pages with lists of parameters, which come from the table.
EXTRA_DIST += $(man_MANS:man/pages/%=man/%) man/parameters.awk lib/conf/parameters.doc
CLEANFILES += $(man_MANS)
MAN_LISTS = $(srcdir)/man/parameters.awk $(srcdir)/lib/conf/parameters.doc \
	$(srcdir)/lib/conf/parameters.def
man/pages/%: man/% $(MAN_LISTS)
	$(AM_V_GEN)$(MKDIR_P) man/pages && $(AWK) -f $(MAN_LISTS) $< >$@.new && mv $@.new $@
man_MANS += man/pages/smtpd.8
man_MANS += man/pages/postscreen.8
man_MANS += man/pages/smtp.8
man_MANS += man/pages/lmtp.8
man_MANS += man/pages/cleanup.8
man_MANS += man/pages/local.8
man_MANS += man/pages/virtual.8
man_MANS += man/pages/bounce.8
man_MANS += man/pages/pickup.8
man_MANS += man/pages/error.8
man_MANS += man/pages/flush.8
man_MANS += man/pages/verify.8
man_MANS += man/pages/anvil.8
man_MANS += man/pages/tlsmgr.8
man_MANS += man/pages/greylistd.8
man_MANS += man/pages/dkimsign.8
man_MANS += man/pages/mailauth.8
man_MANS += man/pages/stsd.8
man_MANS += man/pages/proxymap.8
man_MANS += man/pages/sasl.8
man_MANS += man/pages/discard.8
man_MANS += man/pages/pipe.8
man_MANS += man/pages/spawn.8
man_MANS += man/pages/dns.8
man_MANS += man/pages/spool.8
man_MANS += man/pages/postconf.5
man_MANS += man/pages/qmgr.8
man_MANS += man/pages/showq.8
man_MANS += man/pages/master.8
man_MANS += man/pages/broker.8
# Pages that are complete.
dist_man_MANS += man/aliases.5
dist_man_MANS += man/bounce.5
dist_man_MANS += man/postdrop.1
dist_man_MANS += man/sendmail.1
dist_man_MANS += man/spool.5
dist_man_MANS += man/postconf.1
dist_man_MANS += man/master.5
dist_man_MANS += man/postqueue.1
dist_man_MANS += man/postsuper.1
dist_man_MANS += man/postcat.1
dist_man_MANS += man/postmap.1
dist_man_MANS += man/postalias.1
dist_man_MANS += man/postern-tables.5
dist_man_MANS += man/cidr_table.5
dist_man_MANS += man/ldap_table.5
dist_man_MANS += man/memcache_table.5
dist_man_MANS += man/mysql_table.5
dist_man_MANS += man/pcre_table.5
dist_man_MANS += man/pgsql_table.5
dist_man_MANS += man/redis_table.5
dist_man_MANS += man/regexp_table.5
dist_man_MANS += man/socketmap_table.5
dist_man_MANS += man/sqlite_table.5
dist_man_MANS += man/tcp_table.5
dist_man_MANS += man/postern.1
dist_man_MANS += man/postauth.1
dist_man_MANS += man/postkick.1
dist_man_MANS += man/postlock.1
dist_man_MANS += man/postlog.1
dist_man_MANS += man/postmulti.1
dist_man_MANS += man/postlogd.8
dist_man_MANS += man/qshape.1
dist_man_MANS += man/posttls-finger.1
