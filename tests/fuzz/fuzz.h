/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_FUZZ_H
#define EBB_TESTS_FUZZ_H
/* fuzz: what every target shares. A promise that does not hold ends the process, and libFuzzer keeps the input. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define must(condition) ((condition) ? (void)0 : abort())

#endif
