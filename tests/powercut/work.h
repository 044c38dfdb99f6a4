/* work.h -- what the workload and its judge share: contents made from a seed. */
#ifndef WORK_H
#define WORK_H

#include <stddef.h>
#include <stdint.h>

enum { WORK_SEGMENT = 128 << 10 };

static inline void
fill(char *out, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		out[i] = (char)(seed >> 56);
	}
}

#endif
