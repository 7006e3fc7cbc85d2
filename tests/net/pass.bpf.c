/* SPDX-License-Identifier: GPL-2.0-only */
/* pass: lets everything through. A veth end takes frames that XDP sent from the other end only if
 * it has a program itself. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp.frags") /* jumbo frames need it of both ends */
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
