// SPDX-License-Identifier: GPL-2.0-or-later
/* trace: see the header. */
#include "controller/trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controller/dataplane_load.h"
#include "controller/mono.h"
#include "maps/settings.h"

#define LEASE_NS 2000000000LL
#define GUE_PORT 6080

struct trace {
	struct ring_buffer *ring;
	struct settings *settings;
	trace_fn fn; /* of the read that goes on */
	void *ctx;
};

/* --- the ring */

static int on_record(void *ctx, void *data, size_t size)
{
	struct trace *trace = ctx;

	return size < sizeof(struct trace_record) ? 0 : trace->fn(trace->ctx, data);
}

static int open_map(const char *bpffs_dir, const char *name, struct err *err)
{
	char path[DATAPLANE_PATH_MAX], dir[DATAPLANE_PATH_MAX];
	int fd;

	if (dataplane_path(dir, bpffs_dir, "maps", NULL) || dataplane_path(path, dir, name, NULL))
		return err_set(err, ENAMETOOLONG, "%.100s...: the path is too long", bpffs_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return err_set(err, errno, "cannot open %s: %s%s", path, strerror(errno),
			       errno == ENOENT ? "; is ebbd's data plane there?" : "");
	return fd;
}

static void *map_settings(int fd)
{
	void *at = mmap(NULL, sizeof(struct settings), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void renew(struct trace *trace)
{
	__atomic_store_n(&trace->settings->trace_until_ns, (uint64_t)(mono_now().v + LEASE_NS),
			 __ATOMIC_RELEASE);
}

static int open_settings(struct trace *trace, const char *bpffs_dir, struct err *err)
{
	int fd = open_map(bpffs_dir, "settings", err);

	if (fd < 0)
		return fd;
	trace->settings = map_settings(fd);
	close(fd);
	if (!trace->settings)
		return err_set(err, errno, "cannot map the settings: %s", strerror(errno));
	if (trace->settings->trace_rate &&
	    trace->settings->trace_until_ns > (uint64_t)mono_now().v)
		return err_set(err, EBUSY, "another trace is being read");
	return 0;
}

static int skip(void *ctx, const struct trace_record *record)
{
	return 0;
}

static int open_ring(struct trace *trace, const char *bpffs_dir, struct err *err)
{
	int fd = open_map(bpffs_dir, "trace", err);

	if (fd < 0)
		return fd;
	trace->ring = ring_buffer__new(fd, on_record, trace, NULL);
	close(fd);
	if (!trace->ring)
		return err_set(err, errno, "cannot read the trace: %s", strerror(errno));
	trace->fn = skip; /* what an earlier reader left */
	(void)ring_buffer__consume(trace->ring);
	return 0;
}

int trace_open(const char *bpffs_dir, uint32_t rate, struct err *err, struct trace **ret_trace)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int rc;

	if (!trace)
		return err_set(err, ENOMEM, "out of memory");
	rc = open_settings(trace, bpffs_dir, err);
	if (!rc)
		rc = open_ring(trace, bpffs_dir, err);
	if (rc) {
		if (trace->settings)
			munmap(trace->settings, sizeof(*trace->settings));
		free(trace);
		return rc;
	}
	renew(trace);
	__atomic_store_n(&trace->settings->trace_rate, rate, __ATOMIC_RELEASE);
	*ret_trace = trace;
	return 0;
}

int trace_read(struct trace *trace, int timeout_ms, trace_fn fn, void *ctx)
{
	int rc;

	trace->fn = fn;
	trace->ctx = ctx;
	renew(trace);
	rc = ring_buffer__poll(trace->ring, timeout_ms);
	return rc > 0 ? 0 : rc;
}

void trace_close(struct trace *trace)
{
	if (!trace)
		return;
	__atomic_store_n(&trace->settings->trace_rate, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&trace->settings->trace_until_ns, 0, __ATOMIC_RELEASE);
	ring_buffer__free(trace->ring);
	munmap(trace->settings, sizeof(*trace->settings));
	free(trace);
}

/* --- a record's bytes */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Where the IP header begins; 0: it is none. Up to two tags. */
static size_t behind_ethernet(const struct trace_record *record, size_t captured)
{
	size_t at = 12;

	for (int tags = 0; at + 2 <= captured; tags++, at += 4) {
		uint16_t type = get16(record->bytes + at);

		if (type == 0x0800 || type == 0x86dd)
			return at + 2;
		if (tags == 2 || (type != 0x8100 && type != 0x88a8))
			return 0;
	}
	return 0;
}

/* Reads the header at `at`; returns where what it carries begins, 0 if it is no IP or cut. */
static size_t read_ip(const struct trace_record *record, size_t at, size_t captured,
		      struct trace_layer *ret_layer)
{
	const uint8_t *ip = record->bytes + at;
	size_t length;

	memset(ret_layer, 0, sizeof(*ret_layer));
	if (at + 20 <= captured && ip[0] >> 4 == 4 && (ip[0] & 15) >= 5) {
		length = (size_t)(ip[0] & 15) * 4;
		ret_layer->source.bytes[10] = ret_layer->source.bytes[11] = 0xff;
		ret_layer->destination.bytes[10] = ret_layer->destination.bytes[11] = 0xff;
		memcpy(ret_layer->source.bytes + 12, ip + 12, 4);
		memcpy(ret_layer->destination.bytes + 12, ip + 16, 4);
		ret_layer->protocol = ip[9];
		/* A later fragment has no ports. */
		return get16(ip + 6) & 0x1fff ? captured : at + length;
	}
	if (at + 40 > captured || ip[0] >> 4 != 6)
		return 0;
	memcpy(ret_layer->source.bytes, ip + 8, 16);
	memcpy(ret_layer->destination.bytes, ip + 24, 16);
	ret_layer->protocol = ip[6];
	return at + 40;
}

static size_t read_layer(const struct trace_record *record, size_t at, size_t captured,
			 struct trace_layer *ret_layer)
{
	const uint8_t *l4;

	at = read_ip(record, at, captured, ret_layer);
	if (!at)
		return 0;
	if ((ret_layer->protocol != IPPROTO_TCP && ret_layer->protocol != IPPROTO_UDP) ||
	    at + 4 > captured)
		return at;
	l4 = record->bytes + at;
	ret_layer->source_port = get16(l4);
	ret_layer->destination_port = get16(l4 + 2);
	return at;
}

/* Where an encapsulated packet begins; 0: it carries none. */
static size_t inside(const struct trace_record *record, const struct trace_layer *layer, size_t at,
		     size_t captured)
{
	if (layer->protocol == IPPROTO_IPIP || layer->protocol == IPPROTO_IPV6)
		return at;
	if (layer->protocol != IPPROTO_UDP || layer->destination_port != GUE_PORT ||
	    at + 12 > captured)
		return 0;
	return at + 12 + (size_t)(record->bytes[at + 8] & 0x1f) * 4;
}

size_t trace_layers(const struct trace_record *record, struct trace_layer ret_layers[TRACE_LAYERS_MAX])
{
	size_t captured = record->captured < TRACE_BYTES ? record->captured : TRACE_BYTES;
	size_t at = behind_ethernet(record, captured), count = 0;

	while (at && at < captured && count < TRACE_LAYERS_MAX) {
		struct trace_layer layer;

		at = read_layer(record, at, captured, &layer);
		if (!at)
			break;
		ret_layers[count++] = layer;
		at = inside(record, &layer, at, captured);
	}
	return count;
}
