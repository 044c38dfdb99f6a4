/* file_fuzz.c -- a message's file that somebody, or a disk, has changed. */
#include "file.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_state(void *arg, struct str state)
{
	size_t *total = arg;

	*total += state.len;
}

/* The text of a head with the CRC that it must have. */
static void
try_head(const char *data, size_t size)
{
	char head[FILE_HEAD], again[FILE_HEAD], crc[16];
	struct file_head h, same;

	memset(head, '\n', sizeof(head));
	memcpy(head, data, MIN(size, sizeof(head) - 13));
	snprintf(crc, sizeof(crc), "crc %08x\n", crc32c(0, head, sizeof(head) - 13));
	memcpy(head + sizeof(head) - 13, crc, 13);
	if (file_head_get(head, &h) < 0)
		return;
	file_head_put(again, &h);
	ensure(file_head_get(again, &same) == 0 && same.mid == h.mid &&
		same.states == h.states && strcmp(same.queue_id, h.queue_id) == 0);
}

/* States of any length, one after the other, then some of the bytes changed. */
static void
try_states(const char *data, size_t size)
{
	struct buf area CLEANUP(buf_free) = BUF_INIT;
	size_t total = 0, n = 0;
	struct file_walk w = { .state = on_state, .arg = &total };
	uint64_t mid = FILE_MID | 1;

	for (size_t at = 0; at < size && n < 20;
		at += (unsigned char)data[at] + 1u, n++) {
		size_t len = MIN((size_t)(unsigned char)data[at], size - at - 1);
		octets_t place = file_state_place(FILE_HEAD + area.len, len);

		while (FILE_HEAD + area.len < place)
			buf_addc(&area, 0);
		file_state_put(&area, mid, place, FILE_HEAD, (uint32_t)n,
			str_of(data + at + 1, len));
	}
	file_walk(buf_str(&area), FILE_HEAD, mid, &w);
	ensure(!w.damaged && !w.torn && w.records == n && w.end == FILE_HEAD + area.len);
	for (size_t i = 0; i + 2 < size && area.len; i += 3)
		area.data[get_u16(data + i) % area.len] ^= data[i + 2];
	file_walk(buf_str(&area), FILE_HEAD, mid, &w);
	ensure(w.end <= FILE_HEAD + area.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t total = 0;
	struct file_walk w = { .state = on_state, .arg = &total };

	try_head((const char *)data, size);
	try_states((const char *)data, size);
	file_walk(str_of((const char *)data, size), FILE_HEAD, FILE_MID | 1, &w);
	return 0;
}
