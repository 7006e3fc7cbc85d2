/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_STAGES_H
#define EBB_TESTS_BENCH_STAGES_H
/* stages: where stages.bpf.c can be told to end. */

enum stage {
	STAGE_PARSE,
	STAGE_SERVICE,
	STAGE_KEY,
	STAGE_SLOT, /* with the flow table, where it is asked, and the backend */
	STAGE_SEND, /* next hop, outer headers */
	STAGE__COUNT,
};

#endif
