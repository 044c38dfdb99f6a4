# conf: what a fresh installation starts from. Files that are there already are the
# administrator's: they stay as they are. What ends in .proto is ours: postmulti(1) makes new
# instances of it.
CONF_FILES = conf/main.cf conf/master.cf
# Of systemd's, with our names and places: units, and the users.
UNITS = conf/$(suite).service
if HAVE_UNBOUND
if HAVE_EXPAT
UNITS += conf/$(suite)-reports.service conf/$(suite)-reports.timer
endif
endif
EXTRA_DIST += $(CONF_FILES) conf/closed.conf conf/shaping conf/service.in conf/reports.service.in \
	conf/reports.timer.in conf/sysusers.in
install-data-local: $(UNITS) conf/$(suite).conf
	$(MKDIR_P) "$(DESTDIR)$(suiteconfdir)" "$(DESTDIR)$(unitdir)" \
		"$(DESTDIR)$(sysusersdir)" "$(DESTDIR)$(localstatedir)"
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		$(INSTALL_DATA) "$(srcdir)/$$file" "$$there.proto" || exit 1; \
		test -e "$$there" || $(INSTALL_DATA) "$(srcdir)/$$file" "$$there" || exit 1; done
	$(INSTALL_DATA) $(UNITS) "$(DESTDIR)$(unitdir)"
	$(INSTALL_DATA) conf/$(suite).conf "$(DESTDIR)$(sysusersdir)"

# What was never changed goes, too.
uninstall-local:
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		rm -f "$$there.proto"; \
		if cmp -s "$(srcdir)/$$file" "$$there"; then rm -f "$$there"; fi; done
	for file in $(UNITS); do rm -f "$(DESTDIR)$(unitdir)/$${file#conf/}"; done
	rm -f "$(DESTDIR)$(sysusersdir)/$(suite).conf"

# Where make knows the places.
CLEANFILES += $(UNITS) conf/$(suite).conf
# [@]: here config.status shall leave the names alone.
PLACES = postern="$(sbindir)/$$(echo postern | sed '$(transform)')"; \
	postauth="$(sbindir)/$$(echo postauth | sed '$(transform)')"; \
	$(MKDIR_P) conf; sed -e 's,[@]localstatedir[@],$(localstatedir),' -e 's,[@]suite[@],$(suite),' -e "s,[@]postern[@],$$postern," \
	-e "s,[@]postauth[@],$$postauth," \
	-e 's,[@]mail_owner[@],$(mail_owner),' -e 's,[@]setgid_group[@],$(setgid_group),'
conf/$(suite).service: conf/service.in Makefile
	$(PLACES) $(srcdir)/conf/service.in >$@
conf/$(suite)-reports.service: conf/reports.service.in Makefile
	$(PLACES) $(srcdir)/conf/reports.service.in >$@
conf/$(suite)-reports.timer: conf/reports.timer.in Makefile
	$(PLACES) $(srcdir)/conf/reports.timer.in >$@
conf/$(suite).conf: conf/sysusers.in Makefile
	$(PLACES) $(srcdir)/conf/sysusers.in >$@
