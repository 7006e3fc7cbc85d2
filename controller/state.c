// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/namehash.h"

#define NAME "state.json"
#define HEAD "ebb-state 1 %016" PRIx64 "\n"
#define HEAD_BYTES 29 /* "ebb-state 1 " + 16 + newline */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_text(char **text)
{
	free(*text);
}

/* --- reading */

static int read_all(int fd, size_t length, char **ret_bytes)
{
	__attribute__((cleanup(free_text))) char *bytes = malloc(length + 1);
	size_t done = 0;

	if (!bytes)
		return -ENOMEM;
	while (done < length) {
		ssize_t n = read(fd, bytes + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	bytes[done] = 0;
	if (done < length)
		return -EIO;
	*ret_bytes = bytes;
	bytes = NULL;
	return 0;
}

const char *state_parse(const char *bytes, size_t length, json_t **ret_state)
{
	json_error_t where;
	uint64_t sum;
	json_t *state;
	char head[HEAD_BYTES + 1];

	if (length <= HEAD_BYTES || sscanf(bytes, "ebb-state 1 %16" SCNx64, &sum) != 1)
		return "it has no header of version 1";
	snprintf(head, sizeof(head), HEAD, sum);
	if (memcmp(bytes, head, HEAD_BYTES) ||
	    hash_checksum(bytes + HEAD_BYTES, length - HEAD_BYTES) != sum)
		return "its checksum does not match";
	state = json_loadb(bytes + HEAD_BYTES, length - HEAD_BYTES, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(state)) {
		json_decref(state);
		return "it is no JSON object";
	}
	*ret_state = state;
	return NULL;
}

static int set_aside(const char *path, const char *why, struct err *err)
{
	char bad[PATH_MAX + 4];

	snprintf(bad, sizeof(bad), "%s.bad", path);
	if (rename(path, bad))
		return err_set(err, EBADMSG, "%s is unusable: %s; it could not be set aside: %s",
			       path, why, strerror(errno));
	return err_set(err, EBADMSG, "%s is unusable: %s; it is set aside as %s", path, why, bad);
}

int state_load(const char *dir, struct err *err, json_t **ret_state)
{
	__attribute__((cleanup(free_text))) char *bytes = NULL;
	__attribute__((cleanup(close_fd))) int fd = -1;
	char path[PATH_MAX];
	const char *why;
	struct stat st;
	int e;

	if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "the state directory's name is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st))
		return err_set(err, errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return set_aside(path, "it is no regular file", err);
	if (st.st_size > STATE_BYTES_MAX)
		return set_aside(path, "it is too big", err);
	e = read_all(fd, (size_t)st.st_size, &bytes);
	if (e)
		return err_set(err, -e, "cannot read %s: %s", path, strerror(-e));
	why = state_parse(bytes, (size_t)st.st_size, ret_state);
	return why ? set_aside(path, why, err) : 0;
}

/* --- writing */

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int write_file(const char *path, const char *body)
{
	__attribute__((cleanup(close_fd))) int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	char head[HEAD_BYTES + 1];
	size_t length = strlen(body);
	int e;

	if (fd < 0)
		return -errno;
	snprintf(head, sizeof(head), HEAD, hash_checksum(body, length));
	e = write_all(fd, head, HEAD_BYTES);
	if (!e)
		e = write_all(fd, body, length);
	if (!e && fsync(fd))
		e = -errno;
	return e;
}

static int sync_dir(const char *dir)
{
	__attribute__((cleanup(close_fd))) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}

int state_save(const char *dir, const json_t *state, struct err *err)
{
	__attribute__((cleanup(free_text))) char *body =
		json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
	char path[PATH_MAX], temporary[PATH_MAX];
	int e = 0;

	if (!body)
		return err_set(err, ENOMEM, "out of memory");
	if (strlen(body) + HEAD_BYTES > STATE_BYTES_MAX)
		return err_set(err, EFBIG, "the state is over %d bytes", STATE_BYTES_MAX);
	if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path) ||
	    snprintf(temporary, sizeof(temporary), "%s/" NAME ".new", dir) >= (int)sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "the state directory's name is too long");
	e = write_file(temporary, body);
	if (!e && rename(temporary, path))
		e = -errno;
	if (!e)
		e = sync_dir(dir);
	return e ? err_set(err, -e, "cannot write %s: %s", path, strerror(-e)) : 0;
}

/* --- the model's part */

static int put_backend(json_t *backends, const struct model_backend *b)
{
	json_t *entry = json_pack("{}");

	if (b->admin_state != BACKEND_STATE_READY)
		json_object_set_new(entry, "state",
				    json_string(model_state_names[b->admin_state]));
	if (b->told.admin > REPORT_ADMIN_READY)
		json_object_set_new(entry, "told", json_string(report_admin_names[b->told.admin]));
	if (b->told.status == REPORT_STATUS_DOWN)
		json_object_set_new(entry, "told_down", json_true());
	if (b->admin_weight != 1)
		json_object_set_new(entry, "weight", json_real(b->admin_weight));
	if (b->admin_health != MODEL_ADMIN_HEALTH_AUTO)
		json_object_set_new(entry, "health",
				    json_string(model_admin_health_names[b->admin_health]));
	if (json_object_size(entry))
		return json_object_set_new(backends, b->name, entry);
	json_decref(entry);
	json_object_del(backends, b->name);
	return 0;
}

int state_put_model(json_t *state, const struct model *m)
{
	json_t *backends = json_object_get(state, "backends");
	int e = 0;

	if (!json_is_object(backends)) {
		backends = json_object();
		if (json_object_set_new(state, "backends", backends))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < m->config->backend_count; i++)
		e |= put_backend(backends, &m->backends[i]);
	e |= json_object_set_new(state, "frozen", json_boolean(m->frozen));
	return e ? -ENOMEM : 0;
}

static int word_of(const json_t *word, const char *const *names, int count)
{
	for (int i = 0; i < count && json_is_string(word); i++)
		if (!strcmp(names[i], json_string_value(word)))
			return i;
	return -1;
}

void state_take_model(const json_t *state, struct model *m, struct mono_ns now)
{
	const json_t *backends = json_object_get(state, "backends");
	const char *name;
	json_t *entry;

	json_object_foreach((json_t *)backends, name, entry) {
		uint32_t i = model_find_backend(m, name);
		json_t *weight = json_object_get(entry, "weight");
		int s, h, told;

		if (i == UINT32_MAX)
			continue;
		s = word_of(json_object_get(entry, "state"), model_state_names,
			    BACKEND_STATE__COUNT);
		h = word_of(json_object_get(entry, "health"), model_admin_health_names,
			    MODEL_ADMIN_HEALTH__COUNT);
		if (s > BACKEND_STATE_FREE)
			model_backend_set_state(m, i, (enum backend_state)s, now);
		if (json_is_number(weight) &&
		    model_backend_set_weight(m, i, json_number_value(weight), now, NULL))
			continue;
		told = word_of(json_object_get(entry, "told"), report_admin_names,
			       REPORT_ADMIN__COUNT);
		model_told(m, i, told > 0 ? (enum report_admin)told : REPORT_ADMIN_UNSAID,
			   json_is_true(json_object_get(entry, "told_down")), now);
		if (h >= 0)
			model_backend_set_health(m, i, (enum model_admin_health)h, now);
	}
	if (json_is_true(json_object_get(state, "frozen")))
		model_freeze(m, true, now);
}
