// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dataplane_load: see the header.
 *
 * Adoption, map by map, before the object is loaded:
 *   not pinned                         -> made anew
 *   another layout                     -> as migrate.h decides: carried over, made anew, or -EEXIST, naming the map
 *   as large as wanted, or larger      -> used as it is (its size wins)
 *   smaller                            -> a larger one is made and the contents are copied. `flows` of another size -> -EEXIST:
 *                                         a note's place depends on the size, so notes cannot be copied
 * The data plane goes on with the old maps until the link gets the new program.
 */
#include "controller/dataplane_load.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "controller/dataplane_carry.h"
#include "controller/log.h"

#define MAPS_PER_OBJECT_MAX 48
/* The owning group may list and open pins; nobody else learns what is balanced here, as keys and
 * addresses stand in the maps. The pins themselves are 0600. */
#define DIR_MODE            0750

/* libbpf's last words: the line that says why, of the verifier if it spoke. */
static char said_by_verifier[256], said_by_libbpf[256];

static void keep_line(char to[256], const char *line)
{
	snprintf(to, 256, "%s", line);
}

static int on_libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text, *line, *rest;

	if (level == LIBBPF_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		log_debug("libbpf", "text=%s", log_quote(line));
		if (level != LIBBPF_WARN)
			continue;
		if (!strncmp(line, "libbpf: ", 8))
			keep_line(said_by_libbpf, line + 8);
		else if (strncmp(line, "processed ", 10) && strncmp(line, "-- ", 3))
			keep_line(said_by_verifier, line);
	}
	free(text);
	return 0;
}

int dataplane_path(char ret_path[DATAPLANE_PATH_MAX], const char *dir, const char *sub,
		   const char *name)
{
	int n = snprintf(ret_path, DATAPLANE_PATH_MAX, "%s/%s%s%s", dir, sub, name ? "/" : "",
			 name ? name : "");

	return n < 0 || n >= DATAPLANE_PATH_MAX ? -ENAMETOOLONG : 0;
}

static uint64_t effective_capabilities(void)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	fclose(f);
	return caps;
}

int dataplane_capabilities(struct err *err)
{
	static const struct {
		int bit;
		const char *name;
	} wanted[] = {{CAP_BPF, "CAP_BPF"},
		      {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		      {CAP_PERFMON, "CAP_PERFMON"}};
	uint64_t have = effective_capabilities();
	char missing[64] = "";

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		/* CAP_SYS_ADMIN implies CAP_BPF and CAP_PERFMON. */
		bool by_admin = wanted[i].bit != CAP_NET_ADMIN && have >> CAP_SYS_ADMIN & 1;

		if (have >> wanted[i].bit & 1 || by_admin)
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
			 missing[0] ? ", " : "", wanted[i].name);
	}
	if (!missing[0])
		return 0;
	return err_set(err, EPERM, "no permission to use XDP: missing %s; run as root or grant %s",
		       missing, strchr(missing, ',') ? "these capabilities" : "this capability");
}

/* The nearest ancestor of `path` that exists must lie on a bpffs. */
static int check_bpffs(const char *path, struct err *err)
{
	char at[DATAPLANE_PATH_MAX];
	struct statfs fs;

	if (snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at) || path[0] != '/')
		return err_set(
			err, EINVAL,
			"bpffs directory \"%s\": an absolute path of at most %d bytes is needed",
			path, DATAPLANE_PATH_MAX - 1);
	while (statfs(at, &fs) < 0) {
		if (errno != ENOENT)
			return err_set(err, errno, "%s: %s", at, strerror(errno));
		dirname(at); /* changes `at` in place and ends at "/" */
	}
	if (fs.f_type != BPF_FS_MAGIC)
		return err_set(err, ENOENT,
			       "%s is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf",
			       path);
	return 0;
}

static int make_dirs(const char *path)
{
	char at[DATAPLANE_PATH_MAX];

	snprintf(at, sizeof(at), "%s", path);
	for (char *slash = strchr(at + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(at, DIR_MODE) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int dataplane_dir_make(const char *dir, struct err *err)
{
	const char *dot = strchr(dir, '.');
	int rc = check_bpffs(dir, err);

	if (rc)
		return rc;
	if (dot)
		return err_set(err, EINVAL,
			       "bpffs directory \"%s\": a BPF file system allows no dot in names",
			       dir);
	rc = make_dirs(dir);
	if (rc == -EPERM || rc == -EACCES)
		return err_set(err, -rc,
			       "cannot make %s: no permission; run as root, or let the directory "
			       "belong to this user",
			       dir);
	if (rc)
		return err_set(err, -rc, "cannot make %s: %s", dir, strerror(-rc));
	return 0;
}

int dataplane_lock(const char *dir, bool wait, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return err_set(err, errno, "cannot open %s: %s", dir, strerror(errno));
	if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) == 0)
		return fd;
	code = errno == EWOULDBLOCK ? EBUSY : errno;
	close(fd);
	if (code == EBUSY)
		return err_set(err, code,
			       "another ebbd uses %s: stop it, or choose another --bpffs directory",
			       dir);
	return err_set(err, code, "cannot lock %s: %s", dir, strerror(code));
}

int dataplane_pin(int fd, const char *path, struct err *err)
{
	char fresh[DATAPLANE_PATH_MAX];

	if (snprintf(fresh, sizeof(fresh), "%s_new", path) >= (int)sizeof(fresh))
		return err_set(err, ENAMETOOLONG, "cannot pin %s: the path is too long", path);
	unlink(fresh); /* of one that died here */
	if (bpf_obj_pin(fd, fresh) < 0)
		return err_set(err, errno, "cannot pin %s: %s", path, strerror(errno));
	if (rename(fresh, path) < 0) {
		int code = errno;

		unlink(fresh);
		return err_set(err, code, "cannot pin %s: %s", path, strerror(code));
	}
	return 0;
}

int dataplane_unpin_all(const char *dir, const char *sub, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	struct dirent *entry;
	DIR *d;

	if (dataplane_path(path, dir, sub, NULL))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %s", path, strerror(errno));
	while ((entry = readdir(d))) {
		if (entry->d_type != DT_DIR && unlinkat(dirfd(d), entry->d_name, 0) < 0) {
			int code = errno;

			closedir(d);
			return err_set(err, code, "cannot remove %s/%s: %s", path, entry->d_name,
				       strerror(code));
		}
	}
	closedir(d);
	if (rmdir(path) < 0)
		return err_set(err, errno, "cannot remove %s: %s", path, strerror(errno));
	return 0;
}

/* `flows`: a note's place depends on the size. */
static bool may_grow(const struct bpf_map *map)
{
	uint32_t type = bpf_map__type(map);

	return (type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
		type == BPF_MAP_TYPE_HASH) &&
	       strcmp(bpf_map__name(map), "flows");
}

enum adopt {
	ADOPT_AS_IT_IS,
	ADOPT_CARRIED,
	ADOPT_ANEW,
};

static int refuse_layout(const char *path, const struct bpf_map *map, const struct bpf_map_info *info,
			 struct err *err)
{
	return err_set(err, EEXIST,
		       "%s has another layout (keys of %u bytes and values of %u; this ebb has %u and %u), "
		       "and there is no way to carry it over: run the version of ebb that wrote it, or "
		       "`ebb detach`, which stops forwarding, and start again",
		       path, info->key_size, info->value_size, bpf_map__key_size(map),
		       bpf_map__value_size(map));
}

static int refuse_size(const char *path, const struct bpf_map *map, const struct bpf_map_info *info,
		       struct err *err)
{
	return err_set(err, EEXIST,
		       "%s holds %u entries, %u are wanted: configure %u, or `ebb detach`, which stops "
		       "forwarding, and start again",
		       path, info->max_entries, bpf_map__max_entries(map), info->max_entries);
}

/* *ret_how, and of ADOPT_CARRIED all but the fd of *carried. */
static int judge_pinned(struct bpf_map *map, const struct bpf_map_info *info, const char *path,
			struct carried *carried, enum adopt *ret_how, struct err *err)
{
	const struct map_kind pinned = {info->type, info->map_flags, info->key_size, info->value_size};
	const struct map_kind ours = {bpf_map__type(map), bpf_map__map_flags(map),
				      bpf_map__key_size(map), bpf_map__value_size(map)};
	uint32_t wanted = bpf_map__max_entries(map);
	const struct migration *migration = NULL;

	*carried = (struct carried){map, -1, info->max_entries, info->value_size, NULL};
	switch (migrate_decide(migrations, migration_count, bpf_map__name(map), &pinned, &ours,
			       &migration)) {
	case MIGRATE_SAME:
		*ret_how = info->max_entries < wanted ? ADOPT_CARRIED : ADOPT_AS_IT_IS;
		return info->max_entries == wanted || may_grow(map) ? 0
								    : refuse_size(path, map, info, err);
	case MIGRATE_CARRY:
		carried->migration = migration;
		*ret_how = ADOPT_CARRIED;
		return info->max_entries > wanted ? bpf_map__set_max_entries(map, info->max_entries) : 0;
	case MIGRATE_ANEW:
		*ret_how = ADOPT_ANEW;
		return 0;
	case MIGRATE_REFUSE:
	case MIGRATE__COUNT:
		break;
	}
	return refuse_layout(path, map, info, err);
}

struct adoption {
	struct carried carried[MAPS_PER_OBJECT_MAX];
	uint32_t carried_count;
	struct bpf_map *fresh[MAPS_PER_OBJECT_MAX]; /* to be pinned */
	uint32_t fresh_count;
	bool adopted;
};

static void adoption_free(struct adoption *a)
{
	for (uint32_t i = 0; i < a->carried_count; i++)
		close(a->carried[i].old_fd);
}

/* Keeps `fd` only in a->carried. */
static int adopt_pinned(struct adoption *a, struct bpf_map *map, int fd, const char *path, struct err *err)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	enum adopt how = ADOPT_AS_IT_IS;
	struct carried carried;
	int rc;

	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	rc = judge_pinned(map, &info, path, &carried, &how, err);
	if (rc)
		return rc;
	a->adopted = true;
	if (how == ADOPT_AS_IT_IS) {
		rc = bpf_map__reuse_fd(map, fd);
		return rc ? err_set(err, -rc, "cannot adopt %s: %s", path, strerror(-rc)) : 0;
	}
	log_info("map", "name=%s entries=%u value_bytes=%u was_entries=%u was_value_bytes=%u contents=%s",
		 bpf_map__name(map), bpf_map__max_entries(map), bpf_map__value_size(map),
		 info.max_entries, info.value_size, how == ADOPT_CARRIED ? "carried" : "anew");
	if (how == ADOPT_CARRIED) {
		carried.old_fd = fd;
		a->carried[a->carried_count++] = carried;
	}
	a->fresh[a->fresh_count++] = map;
	return 0;
}

static int adopt_map(struct adoption *a, struct bpf_map *map, const char *dir, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	int fd, rc;

	if (dataplane_path(path, dir, "maps", bpf_map__name(map)))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	if (a->fresh_count == MAPS_PER_OBJECT_MAX)
		return err_set(err, E2BIG, "more than %d maps", MAPS_PER_OBJECT_MAX);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT) {
		a->fresh[a->fresh_count++] = map;
		return 0;
	}
	if (fd < 0)
		return err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	rc = adopt_pinned(a, map, fd, path, err);
	if (a->carried_count && a->carried[a->carried_count - 1].old_fd == fd)
		return rc; /* it is needed until the new map is there */
	close(fd);
	return rc;
}

static int explain_load(int code, const char *what, struct err *err)
{
	const char *why = said_by_verifier[0] ? said_by_verifier : said_by_libbpf;
	struct utsname kernel;

	if ((code == EPERM || code == EACCES) && dataplane_capabilities(err))
		return -EPERM;
	if (code == ENOSYS)
		return err_set(err, ENOTSUP,
			       "this kernel has no bpf(2): one with CONFIG_BPF_SYSCALL is needed");
	uname(&kernel);
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) == 0)
		return err_set(err, ENOTSUP,
			       "kernel %s cannot load XDP programs: 6.1 or newer, with "
			       "CONFIG_BPF_SYSCALL, is recommended",
			       kernel.release);
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_DEVMAP, NULL) == 0)
		return err_set(err, ENOTSUP, "kernel %s has no devmap: 6.1 or newer is recommended",
			       kernel.release);
	if (code == ENOMEM)
		return err_set(err, code,
			       "not enough memory for the maps of %s: make edge.flows or "
			       "edge.slots smaller",
			       what);
	return err_set(err, code, "kernel %s refuses program %s: %s (6.1 or newer is recommended)",
		       kernel.release, what, why[0] ? why : strerror(code));
}

static int pin_fresh(const struct adoption *a, const char *dir, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	int rc;

	for (uint32_t i = 0; i < a->fresh_count; i++) {
		rc = dataplane_path(path, dir, "maps", bpf_map__name(a->fresh[i]));
		if (!rc)
			rc = dataplane_pin(bpf_map__fd(a->fresh[i]), path, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int load_adopting(struct adoption *a, struct bpf_object *object, const char *dir,
			 struct err *err)
{
	struct bpf_map *map;
	int rc;

	bpf_object__for_each_map(map, object)
	{
		rc = bpf_map__is_internal(map) ? 0 : adopt_map(a, map, dir, err);
		if (rc)
			return rc;
	}
	said_by_verifier[0] = said_by_libbpf[0] = '\0';
	rc = bpf_object__load(object);
	if (rc)
		return explain_load(-rc, bpf_object__name(object), err);
	for (uint32_t i = 0; i < a->carried_count; i++) {
		rc = dataplane_carry(&a->carried[i], err);
		if (rc)
			return rc;
	}
	return pin_fresh(a, dir, err);
}

int dataplane_load(struct bpf_object *object, const char *dir, struct err *err, bool *ret_adopted)
{
	char maps[DATAPLANE_PATH_MAX];
	struct adoption a = {};
	int rc;

	libbpf_set_print(on_libbpf_print);
	rc = dataplane_path(maps, dir, "maps", NULL);
	if (!rc)
		rc = dataplane_dir_make(maps, err);
	if (!rc)
		rc = load_adopting(&a, object, dir, err);
	adoption_free(&a);
	if (!rc)
		*ret_adopted = a.adopted;
	return rc;
}
