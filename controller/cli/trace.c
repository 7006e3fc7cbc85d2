// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trace: `ebb trace`, a sample of packets with their verdicts, as lines, documents or a pcap file; and `ebb explain --trace`,
 * the packets of the flow that was asked about. Reads the pins itself; see local.h and controller/trace.h.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/address.h"
#include "controller/cli/local.h"
#include "controller/cli/print.h"
#include "controller/explain.h"
#include "controller/trace.h"
#include "maps/verdict.h"

#define POLL_MS		 200
#define PCAP_MAGIC_NS	 0xa1b23c4du /* times in nanoseconds */
#define PCAP_ETHERNET	 1
#define PCAP_SNAP_LENGTH TRACE_BYTES
#define END_TEXT_MAX	 64

static const char *const verdict_names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = text,
	VERDICTS(X)
#undef X
};

struct tracer {
	struct cli *cli;
	FILE *pcap;
	const char *verdict; /* only these; NULL: all */
	const struct explain_flow *flow; /* only its packets; NULL: all */
	json_int_t left;     /* < 0: no end */
	int64_t to_real_ns;  /* CLOCK_REALTIME less CLOCK_MONOTONIC */
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pcap_begin(FILE *f)
{
	const uint32_t head[6] = {PCAP_MAGIC_NS, 2 | 4 << 16, 0, 0, PCAP_SNAP_LENGTH, PCAP_ETHERNET};

	fwrite(head, sizeof(head), 1, f);
	fflush(f);
}

static void pcap_add(FILE *f, const struct trace_record *record, int64_t real_ns)
{
	const uint32_t head[4] = {(uint32_t)(real_ns / 1000000000), (uint32_t)(real_ns % 1000000000),
				  record->captured, record->length};

	fwrite(head, sizeof(head), 1, f);
	fwrite(record->bytes, record->captured, 1, f);
	fflush(f);
}

static const char *verdict_name(const struct trace_record *record)
{
	return record->verdict < VERDICT__COUNT ? verdict_names[record->verdict] : "unknown";
}

static json_t *layer_document(const struct trace_layer *layer)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

	return json_pack("{sssssisisi}", "source", address_format(&layer->source, source), "destination",
			 address_format(&layer->destination, destination), "protocol", layer->protocol,
			 "source_port", layer->source_port, "destination_port", layer->destination_port);
}

static void print_document(struct tracer *t, const struct trace_record *record, int64_t real_ns)
{
	struct trace_layer layers[TRACE_LAYERS_MAX];
	size_t count = trace_layers(record, layers);
	char name[IF_NAMESIZE] = "";
	json_t *list = json_array(), *doc;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, layer_document(&layers[i]));
	doc = json_pack("{sfsssssiso}", "time", (double)real_ns / 1e9, "verdict", verdict_name(record),
			"interface", if_indextoname(record->ifindex, name) ? name : "", "length",
			(int)record->length, "layers", list);
	cli_print_json(t->cli, doc, true);
	json_decref(doc);
}

/* ADDRESS:PORT, or what there is of it. */
static const char *end_text(const struct address *address, uint16_t port, char to[END_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN];

	address_format(address, text);
	if (!port)
		snprintf(to, END_TEXT_MAX, "%s", text);
	else
		snprintf(to, END_TEXT_MAX, strchr(text, ':') ? "[%s]:%u" : "%s:%u", text, port);
	return to;
}

static const char *protocol_name(const struct trace_layer *layer, char to[8])
{
	switch (layer->protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	}
	snprintf(to, 8, "%u", layer->protocol);
	return to;
}

static void print_line_of(struct tracer *t, const struct trace_record *record, int64_t real_ns)
{
	char time_text[16], a[END_TEXT_MAX], b[END_TEXT_MAX], number[8];
	struct trace_layer layers[TRACE_LAYERS_MAX];
	size_t count = trace_layers(record, layers);
	time_t seconds = real_ns / 1000000000;
	struct tm tm;

	strftime(time_text, sizeof(time_text), "%H:%M:%S", localtime_r(&seconds, &tm));
	fprintf(t->cli->out, "%s.%06d  %-20s %5u B", time_text, (int)(real_ns % 1000000000 / 1000),
		verdict_name(record), record->length);
	if (count) {
		const struct trace_layer *last = &layers[count - 1];

		fprintf(t->cli->out, "  %s %s > %s", protocol_name(last, number),
			end_text(&last->source, last->source_port, a),
			end_text(&last->destination, last->destination_port, b));
	}
	if (count > 1)
		fprintf(t->cli->out, "  to %s", end_text(&layers[0].destination, 0, a));
	fputc('\n', t->cli->out);
}

/* By the innermost header that was captured; a later fragment has no ports, and is nobody's. */
static bool is_of_flow(const struct explain_flow *flow, const struct trace_record *record)
{
	struct trace_layer layers[TRACE_LAYERS_MAX];
	size_t count = trace_layers(record, layers);
	const struct trace_layer *last = &layers[count ? count - 1 : 0];

	return count && last->protocol == flow->protocol && last->source_port == flow->source_port &&
	       last->destination_port == flow->destination_port &&
	       !address_compare(&last->source, &flow->source) &&
	       !address_compare(&last->destination, &flow->destination);
}

static int on_record(void *ctx, const struct trace_record *record)
{
	struct tracer *t = ctx;
	int64_t real_ns = (int64_t)record->time_ns + t->to_real_ns;

	if ((t->verdict && strcmp(t->verdict, verdict_name(record))) ||
	    (t->flow && !is_of_flow(t->flow, record)))
		return 0;
	if (t->pcap)
		pcap_add(t->pcap, record, real_ns);
	else if (t->cli->json)
		print_document(t, record, real_ns);
	else
		print_line_of(t, record, real_ns);
	fflush(t->cli->out);
	if (t->left > 0)
		t->left--;
	return t->left == 0 || ferror(t->pcap ? t->pcap : t->cli->out) ? -ECANCELED : 0;
}

static int check_verdict(const char *verdict)
{
	for (int v = 0; verdict && v < VERDICT__COUNT; v++)
		if (!strcmp(verdict, verdict_names[v]))
			return CLI_DONE;
	return verdict ? cli_fail(CLI_USAGE, "no verdict is called \"%s\"", verdict) : CLI_DONE;
}

static int run(struct tracer *t, const char *bpffs_dir, uint32_t rate)
{
	struct trace *trace;
	struct err err = {{0}};
	int rc = trace_open(bpffs_dir, rate, &err, &trace);

	if (rc)
		return cli_fail(CLI_REFUSED, "%s", err.text);
	do {
		rc = trace_read(trace, POLL_MS, on_record, t);
	} while (!rc || rc == -EINTR);
	trace_close(trace);
	if (rc != -ECANCELED)
		return cli_fail(CLI_REFUSED, "%s", strerror(-rc));
	return t->left == 0 ? CLI_DONE : cli_fail(CLI_REFUSED, "cannot write");
}

static struct tracer tracer_new(struct cli *cli, const json_t *params)
{
	const json_t *count = json_object_get(params, "_count");

	return (struct tracer){
		.cli = cli,
		.verdict = json_string_value(json_object_get(params, "_verdict")),
		.left = count ? json_integer_value(count) : -1,
		.to_real_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC),
	};
}

int trace_command(struct cli *cli, const struct command *command, json_t *params)
{
	const char *path = json_string_value(json_object_get(params, "_pcap"));
	const char *bpffs = json_string_value(json_object_get(params, "_bpffs"));
	const json_t *rate = json_object_get(params, "_rate");
	struct tracer t = tracer_new(cli, params);
	int rc = check_verdict(t.verdict);

	if (rc)
		return rc;
	if (path) {
		t.pcap = fopen(path, "we");
		if (!t.pcap)
			return cli_fail(CLI_REFUSED, "cannot write %s: %s", path, strerror(errno));
		pcap_begin(t.pcap);
	}
	rc = run(&t, bpffs ? bpffs : cli->bpffs_dir, rate ? (uint32_t)json_integer_value(rate) : 1);
	if (t.pcap && fclose(t.pcap) && !rc)
		rc = cli_fail(CLI_REFUSED, "cannot write %s: %s", path, strerror(errno));
	return rc;
}

/* --- of one flow */

/* The daemon has judged the text already. */
static int flow_of(const json_t *params, struct explain_flow *ret_flow)
{
	const char *proto = json_string_value(json_object_get(params, "proto"));
	struct err err = {{0}};
	int rc = explain_endpoint(json_string_value(json_object_get(params, "src")), &ret_flow->source,
				  &ret_flow->source_port, &err);

	if (!rc)
		rc = explain_endpoint(json_string_value(json_object_get(params, "dst")),
				      &ret_flow->destination, &ret_flow->destination_port, &err);
	ret_flow->protocol = strcmp(proto, "tcp") ? IPPROTO_UDP : IPPROTO_TCP;
	return rc ? cli_fail(CLI_USAGE, "%s", err.text) : CLI_DONE;
}

static int ask(struct cli *cli, const struct command *command, json_t *params, bool one_line)
{
	json_t *request = json_object(), *result = NULL, *value;
	const char *key;
	int rc;

	json_object_foreach(params, key, value)
		if (key[0] != '_')
			json_object_set(request, key, value);
	rc = cli_call(cli, command->method, request, &result);
	json_decref(request);
	if (rc == CLI_DONE && cli->json)
		cli_print_json(cli, result, one_line);
	else if (rc == CLI_DONE)
		command->print(cli, result, params);
	json_decref(result);
	fflush(cli->out);
	return rc;
}

int explain_command(struct cli *cli, const struct command *command, json_t *params)
{
	bool trace = json_is_true(json_object_get(params, "_trace"));
	const char *bpffs = json_string_value(json_object_get(params, "_bpffs"));
	struct tracer t = tracer_new(cli, params);
	struct explain_flow flow;
	int rc = ask(cli, command, params, trace);

	if (rc == CLI_DONE && trace)
		rc = flow_of(params, &flow);
	if (rc != CLI_DONE || !trace)
		return rc;
	t.flow = &flow;
	return run(&t, bpffs ? bpffs : cli->bpffs_dir, 1);
}
