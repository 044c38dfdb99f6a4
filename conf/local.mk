# conf: what a fresh installation starts from. Files that are there already are the
# administrator's: they stay as they are.
CONF_FILES = conf/main.cf conf/master.cf
EXTRA_DIST += $(CONF_FILES) conf/service.in
install-data-local: conf/unit
	$(MKDIR_P) "$(DESTDIR)$(suiteconfdir)" "$(DESTDIR)$(unitdir)"
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		test -e "$$there" || $(INSTALL_DATA) "$(srcdir)/$$file" "$$there" || exit 1; done
	$(INSTALL_DATA) conf/unit "$(DESTDIR)$(unitdir)/$(suite).service"

# What was never changed goes, too.
uninstall-local:
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		if cmp -s "$(srcdir)/$$file" "$$there"; then rm -f "$$there"; fi; done
	rm -f "$(DESTDIR)$(unitdir)/$(suite).service"

# systemd's unit, where make knows the places.
CLEANFILES += conf/unit
conf/unit: conf/service.in Makefile
	$(MKDIR_P) conf
	postern="$(sbindir)/$$(echo postern | sed '$(transform)')"; \
	sed -e 's,@suite@,$(suite),' -e "s,@postern@,$$postern," \
		"$(srcdir)/conf/service.in" >$@
