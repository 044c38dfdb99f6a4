/* places.c -- see places.h. */
#include "places.h"

const struct place places[] = {
	{ "command_directory", PLACE_PATH },
	{ "config_directory", PLACE_PATH },
	{ "daemon_directory", PLACE_PATH },
	{ "data_directory", PLACE_PATH },
	{ "html_directory", PLACE_PATH_OR_NO },
	{ "mail_owner", PLACE_NAME },
	{ "mailq_path", PLACE_PATH },
	{ "manpage_directory", PLACE_PATH },
	{ "meta_directory", PLACE_PATH },
	{ "newaliases_path", PLACE_PATH },
	{ "queue_directory", PLACE_PATH },
	{ "readme_directory", PLACE_PATH_OR_NO },
	{ "sample_directory", PLACE_PATH_OR_NO },
	{ "sendmail_path", PLACE_PATH },
	{ "setgid_group", PLACE_NAME },
	{ "shlib_directory", PLACE_PATH_OR_NO },
};
const size_t places_count = COUNT(places);

const struct place *
place_find(struct str name)
{
	for (size_t i = 0; i < COUNT(places); i++)
		if (str_is(name, places[i].name))
			return &places[i];
	return NULL;
}
