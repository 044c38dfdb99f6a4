/* renew.c -- tables that changed. A file of its own: programs without tables are linked
 * without their libraries. */
#include "dict.h"
#include "service.h"

void
service_renew_tables(void)
{
	if (!dict_renew())
		service_retire("a table has changed");
}
