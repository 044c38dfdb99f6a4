/* dmarc_destinations_fuzz.c -- what a domain says of who shall get its reports: nothing
 * comes out of it that a command line or a header could take for something else. */
#include "dmarc_destinations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum dns_status
ask(void *arg, struct str name, uint16_t type, struct arena *arena, deadline_t until,
	struct dns_reply *said)
{
	(void)name, (void)until;
	*said = (struct dns_reply){ .status = DNS_OK, .n_records = 1 };
	said->records = arena_alloc(arena, sizeof(*said->records));
	said->records[0] = (struct dns_rr){ .type = type, .data = *(struct str *)arg };
	return DNS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str record = str_of(data, size);
	struct auth_dns dns = { .ask = ask, .arg = &record };
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct dmarc_destinations d;

	dmarc_destinations(&dns, STR("a.example"), arena, DEADLINE_NEVER, &d);
	ensure(d.n <= DMARC_DESTINATIONS_MOST && !d.in_doubt);
	for (size_t i = 0; i < d.n; i++) {
		struct str address = d.items[i].address;

		ensure(address.data[0] != '-' && str_chr(address, '@') > 0);
		for (size_t k = 0; k < address.len; k++)
			ensure(ascii_is_print(address.data[k]) &&
				!strchr(" <>()\",;:\\", address.data[k]));
	}
	return 0;
}
