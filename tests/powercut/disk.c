/* disk.c -- a disk that writes down what is done to it: a FUSE file system with two
 *files.
 *
 *	disk    the disk (a loop device goes over it); each write and each flush is
 *recorded notes   what is written here is recorded in between: who was told what, and
 *when
 *
 * One thread serves both, so the record has one order. A write is recorded before it is
 * answered, a flush when it comes: what stands before a flush in the record was complete
 * when the flush began, or is taken to be.
 *
 * Record: u8 kind (W, F, N), u64 microseconds, u64 offset, u32 length, the bytes; big
 *endian.
 *
 * A slow disk is one whose flushes take so many milliseconds.
 *
 * usage: disk IMAGE RECORD MOUNTPOINT [MILLISECONDS] */
#define FUSE_USE_VERSION 31
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int image, record;
static useconds_t flush_takes;

static void
record_add(char kind, uint64_t offset, const char *data, size_t len)
{
	char head[21];

	head[0] = kind;
	put_u64(head + 1, (uint64_t)time_monotonic_us());
	put_u64(head + 9, offset);
	put_u32(head + 17, (uint32_t)len);
	if (write_all(record, str_of(head, sizeof(head))) < 0 ||
		write_all(record, str_of(data, len)) < 0) {
		perror("disk: record");
		abort();
	}
}

static bool
is_disk(const char *path)
{
	return strcmp(path, "/disk") == 0;
}

static int
disk_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (!is_disk(path) && strcmp(path, "/notes") != 0)
		return -ENOENT;
	st->st_mode = S_IFREG | 0644;
	st->st_nlink = 1;
	if (is_disk(path))
		st->st_size = lseek(image, 0, SEEK_END);
	return 0;
}

static int
disk_open(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = 1; /* nothing waits in the page cache of this file */
	return is_disk(path) || strcmp(path, "/notes") == 0 ? 0 : -ENOENT;
}

static int
disk_read(const char *path, char *out, size_t len, off_t at, struct fuse_file_info *fi)
{
	ssize_t n = is_disk(path) ? pread(image, out, len, at) : 0;

	(void)fi;
	return n < 0 ? -errno : (int)n;
}

static int
disk_write(const char *path, const char *data, size_t len, off_t at,
	struct fuse_file_info *fi)
{
	(void)fi;
	if (!is_disk(path)) {
		record_add('N', 0, data, len);
		return (int)len;
	}
	if (pwrite(image, data, len, at) != (ssize_t)len)
		return -EIO;
	record_add('W', (uint64_t)at, data, len);
	return (int)len;
}

static int
disk_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)data_only, (void)fi;
	if (is_disk(path)) {
		record_add('F', 0, "", 0);
		usleep(flush_takes);
	}
	return 0;
}

/* mkfs discards, file systems may: as zeroes, which is what they are then. */
static int
disk_fallocate(const char *path, int mode, off_t at, off_t len, struct fuse_file_info *fi)
{
	(void)path, (void)mode, (void)at, (void)len, (void)fi;
	return -EOPNOTSUPP; /* the loop device then offers no discard */
}

static int
disk_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)path, (void)size, (void)fi;
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = disk_getattr,
	.open = disk_open,
	.read = disk_read,
	.write = disk_write,
	.fsync = disk_fsync,
	.fallocate = disk_fallocate,
	.truncate = disk_truncate,
};

int
main(int argc, char **argv)
{
	char foreground[] = "-f", one_thread[] = "-s", option[] = "-o",
	     all[] = "allow_other";
	char *args[] = { argv[0], foreground, one_thread, option, all, argv[3], NULL };

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: disk IMAGE RECORD MOUNTPOINT [MILLISECONDS]\n");
		return 2;
	}
	if (argc == 5)
		flush_takes = (useconds_t)strtoul(argv[4], NULL, 10) * 1000;
	image = open(argv[1], O_RDWR | O_CLOEXEC);
	record = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (image < 0 || record < 0) {
		perror("disk");
		return 1;
	}
	return fuse_main(6, args, &operations, NULL);
}
