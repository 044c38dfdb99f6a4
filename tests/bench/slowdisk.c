/* slowdisk.c -- a disk whose flush takes its time: a FUSE file system with one file,
 *`disk`, over IMAGE; a loop device and a file system go over it. Reads and writes go on
 *while a flush sleeps, as on a disk with a cache.
 *
 *	slowdisk IMAGE MOUNTPOINT MICROSECONDS */
#define FUSE_USE_VERSION 31
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int image;
static unsigned flush_us;

static bool
is_disk(const char *path)
{
	return strcmp(path, "/disk") == 0;
}

static int
slow_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	st->st_nlink = 1;
	st->st_mode = S_IFDIR | 0755;
	if (strcmp(path, "/") == 0)
		return 0;
	st->st_mode = S_IFREG | 0600;
	st->st_size = lseek(image, 0, SEEK_END);
	return is_disk(path) ? 0 : -ENOENT;
}

static int
slow_open(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = 1; /* nothing waits in the page cache of this file */
	return is_disk(path) ? 0 : -ENOENT;
}

static int
slow_read(const char *path, char *out, size_t len, off_t at, struct fuse_file_info *fi)
{
	ssize_t n = pread(image, out, len, at);

	(void)path, (void)fi;
	return n < 0 ? -errno : (int)n;
}

static int
slow_write(const char *path, const char *data, size_t len, off_t at,
	struct fuse_file_info *fi)
{
	ssize_t n = pwrite(image, data, len, at);

	(void)path, (void)fi;
	return n < 0 ? -errno : (int)n;
}

static int
slow_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)path, (void)data_only, (void)fi;
	usleep(flush_us);
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = slow_getattr,
	.open = slow_open,
	.read = slow_read,
	.write = slow_write,
	.fsync = slow_fsync,
};

int
main(int argc, char **argv)
{
	char foreground[] = "-f", option[] = "-o", all[] = "allow_other";
	char *args[] = { argv[0], foreground, option, all, argv[2], NULL };

	if (argc != 4) {
		fprintf(stderr, "usage: slowdisk IMAGE MOUNTPOINT MICROSECONDS\n");
		return 2;
	}
	image = open(argv[1], O_RDWR | O_CLOEXEC);
	flush_us = (unsigned)strtoul(argv[3], NULL, 10);
	if (image < 0) {
		perror("slowdisk");
		return 1;
	}
	return fuse_main(5, args, &operations, NULL);
}
