# tests
include tests/bench/local.mk
include tests/powercut/local.mk
include tests/spool/local.mk
EXTRA_DIST += tests/bench/run tests/check-layers tests/conf/sets.expected tests/cppcheck.suppressions \
	tests/lint tests/tools/postconf_edit.compared tests/tools/small.compared \
	tests/tools/tables.compared

# The tests in Python, and the notes on changes, go into the tarball without being listed.
dist-hook:
	cd "$(srcdir)" && find tests changes \( -name '*.py' -o -name '*.md' \) -print | \
		while read -r file; do \
			$(MKDIR_P) "$(abs_builddir)/$(distdir)/$${file%/*}" && \
			cp -p "$$file" "$(abs_builddir)/$(distdir)/$$file" || exit 1; done
