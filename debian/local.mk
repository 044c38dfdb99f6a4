# debian: the packages, made by dpkg-buildpackage.
EXTRA_DIST += debian/changelog debian/control debian/copyright debian/rules \
	debian/source/format debian/postern.install debian/postern.links \
	debian/postern.postinst debian/postern.prerm debian/postern.postrm \
	debian/postern-canary.install debian/postern-canary.links \
	debian/postern-canary.postinst debian/postern-canary.prerm \
	debian/postern-canary.postrm debian/postern-ldap.install \
	debian/postern-mysql.install debian/postern-pgsql.install \
	debian/postern-sqlite.install debian/postfix.preinst
EXTRA_DIST += docs/authenticated-mail.md docs/friday-to-monday.md docs/front-layer.md \
	docs/roles.md
