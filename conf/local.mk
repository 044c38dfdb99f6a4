# conf: what a fresh installation starts from. Files that are there already are the
# administrator's: they stay as they are.
CONF_FILES = conf/main.cf conf/master.cf
EXTRA_DIST += $(CONF_FILES)
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(suiteconfdir)"
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		test -e "$$there" || $(INSTALL_DATA) "$(srcdir)/$$file" "$$there" || exit 1; done

# What was never changed goes, too.
uninstall-local:
	for file in $(CONF_FILES); do \
		there="$(DESTDIR)$(suiteconfdir)/$${file#conf/}"; \
		if cmp -s "$(srcdir)/$$file" "$$there"; then rm -f "$$there"; fi; done
