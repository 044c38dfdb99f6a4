# conf: what a fresh installation starts from. Files that are there already are the
# administrator's: they stay as they are. What ends in .proto is ours: postmulti(1) makes new
# instances of it.
CONF_FILES = conf/main.cf conf/master.cf
# Of systemd's, with our names and places: the unit, the users.
SYSTEMD_FILES = conf/$(suite).service conf/$(suite).conf
EXTRA_DIST += $(CONF_FILES) conf/closed.conf conf/shaping conf/service.in conf/sysusers.in
install-data-local: $(SYSTEMD_FILES)
	$(MKDIR_P) "$(DESTDIR)$(suiteconfdir)" "$(DESTDIR)$(unitdir)" \
		"$(DESTDIR)$(sysusersdir)" "$(DESTDIR)$(localstatedir)"
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		$(INSTALL_DATA) "$(srcdir)/$$file" "$$there.proto" || exit 1; \
		test -e "$$there" || $(INSTALL_DATA) "$(srcdir)/$$file" "$$there" || exit 1; done
	$(INSTALL_DATA) conf/$(suite).service "$(DESTDIR)$(unitdir)"
	$(INSTALL_DATA) conf/$(suite).conf "$(DESTDIR)$(sysusersdir)"

# What was never changed goes, too.
uninstall-local:
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		rm -f "$$there.proto"; \
		if cmp -s "$(srcdir)/$$file" "$$there"; then rm -f "$$there"; fi; done
	rm -f "$(DESTDIR)$(unitdir)/$(suite).service" "$(DESTDIR)$(sysusersdir)/$(suite).conf"

# Where make knows the places.
CLEANFILES += $(SYSTEMD_FILES)
# [@]: here config.status shall leave the names alone.
PLACES = postern="$(sbindir)/$$(echo postern | sed '$(transform)')"; \
	$(MKDIR_P) conf; sed -e 's,[@]localstatedir[@],$(localstatedir),' -e 's,[@]suite[@],$(suite),' -e "s,[@]postern[@],$$postern," \
	-e 's,[@]mail_owner[@],$(mail_owner),' -e 's,[@]setgid_group[@],$(setgid_group),'
conf/$(suite).service: conf/service.in Makefile
	$(PLACES) $(srcdir)/conf/service.in >$@
conf/$(suite).conf: conf/sysusers.in Makefile
	$(PLACES) $(srcdir)/conf/sysusers.in >$@
