# pickup
daemon_PROGRAMS += pickup/pickup
pickup_pickup_SOURCES = pickup/main.c pickup/pickup.h pickup/requeue.c
pickup_pickup_LDADD = lib/mime/libmime.a $(SERVICE_LIBS) \
	$(TABLE_EXTERNAL) $(EXTERNAL_LIBS)
EXTRA_DIST += pickup/README
