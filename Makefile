# ebb: an eBPF/XDP layer-4 load balancer with a userspace controller.
#
#   make            build/ebbd, build/ebb and the BPF objects
#   make test       unit tests, packet tests, lab scenarios (root)
#   make bench      the table of docs/bench.md (root)
#   make fuzz-xdp   N=10000000 mutated packets through the BPF programs (root)
#   make fuzz       every fuzz target for FUZZ_SECONDS each (clang-19's libFuzzer)
#   make install    DESTDIR= PREFIX=/usr
#
# Everything built lands in build/. V=1 shows the commands. Warnings are errors.

PREFIX    ?= /usr
DESTDIR   ?=
CC        ?= gcc
BPF_CLANG ?= clang-19
BPFTOOL   ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool)
PKGS      := libbpf jansson libcurl libmicrohttpd libnl-3.0 libnl-route-3.0 libcyaml yaml-0.1

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)
WARN      := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	     -Wpointer-arith -Wno-unused-parameter -Wno-missing-field-initializers
CPPFLAGS  := -D_GNU_SOURCE -DEBB_VERSION='"$(VERSION)"' -I. -Ibuild
CFLAGS    ?= -O2 -g
# The tables are a pure function of the weights on every machine: no contraction, no excess precision.
EBB_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS) -ffp-contract=off -fno-strict-aliasing \
	      $(shell pkg-config --cflags $(PKGS))
LDLIBS    := $(shell pkg-config --libs $(PKGS)) -lev -lelf -lz -lm -lpthread
SAN       := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	     -fno-omit-frame-pointer
BPF_CFLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -fno-strict-aliasing -Wall -Wextra -Werror \
	      -Wno-unused-parameter -Wno-address-of-packed-member -I. \
	      -idirafter /usr/include/$(shell $(CC) -dumpmachine)

ifneq ($(V),1)
Q   := @
say  = @printf '  %-8s %s\n' $(1) $(2)
endif

BPF_SRC  := $(wildcard bpf/*.bpf.c)
BPF_SKEL := $(BPF_SRC:bpf/%.bpf.c=build/%.skel.h)
LIB_SRC  := $(filter-out controller/ebbd.c,$(wildcard controller/*.c controller/sim/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=build/%.o)
CLI_OBJ  := $(patsubst %.c,build/%.o,$(wildcard controller/cli/*.c))
SAN_SRC  := $(LIB_SRC) $(filter-out controller/cli/main.c,$(wildcard controller/cli/*.c))
SAN_OBJ  := $(SAN_SRC:%.c=build/san/%.o)
UNIT     := $(patsubst tests/unit/%.c,build/tests/unit/%,$(wildcard tests/unit/test_*.c))
PACKET   := $(patsubst tests/bpf/%.c,build/tests/bpf/%,$(wildcard tests/bpf/test_*.c tests/bpf/fuzz_*.c))
LABTOOL  := $(patsubst tests/net/%.c,build/tests/net/%,$(filter-out %.bpf.c %.so.c,$(wildcard tests/net/*.c))) \
	    $(patsubst tests/net/%.c,build/tests/net/%.o,$(wildcard tests/net/*.bpf.c)) build/tests/net/quic_id.so
BENCH    := $(patsubst tests/bench/%.c,build/tests/bench/%,$(wildcard tests/bench/bench_*.c))
BENCH_SKEL := $(patsubst tests/bench/%.bpf.c,build/tests/bench/%.skel.h,$(wildcard tests/bench/*.bpf.c))

# libFuzzer targets. What they find worth keeping lands in build/fuzz/corpus, beside tests/fuzz/corpus, which every
# run of the tests replays; fuzz_commands needs the BPF maps, so it is replayed with the packet tests.
FUZZ_SECONDS ?= 60
FUZZ_CC  := clang-19
FUZZ     := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
CORPUS   := $(patsubst tests/fuzz/%.c,build/tests/corpus/%,$(wildcard tests/fuzz/fuzz_*.c))
CORPUS_BPF := build/tests/corpus/fuzz_commands
FUZZ_OBJ := $(SAN_SRC:%.c=build/fuzz/obj/%.o)
FUZZ_CFLAGS = $(filter-out -Werror,$(EBB_CFLAGS)) -O1 -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-recover=undefined

.PHONY: all fuzz fuzz-xdp packet-tests test test-unit test-bpf test-net lab-tools bench install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: build/libebb.a $(BPF_SKEL) $(if $(wildcard controller/ebbd.c),build/ebbd) $(if $(CLI_OBJ),build/ebb)

# --- BPF: object, then skeleton. User-space kernel headers only, so a build does not depend on the
# running kernel; what a kernel struct is needed for is declared with preserve_access_index.
build/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

build/%.skel.h: build/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# --- user space
build/controller/%.o: controller/%.c | $(BPF_SKEL)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) -MMD -MP -c $< -o $@

build/san/%.o: %.c | $(BPF_SKEL)
	$(call say,CC-SAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) $(SAN) -MMD -MP -c $< -o $@

build/libebb.a: $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/san/libebb.a: $(SAN_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/ebbd: build/controller/ebbd.o build/libebb.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

build/ebb: $(CLI_OBJ) build/libebb.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- tests
build/tests/unit/%: tests/unit/%.c build/san/libebb.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) $(SAN) -MMD -MP -o $@ $< build/san/libebb.a $(LDLIBS) -lcmocka

build/tests/corpus/%: tests/fuzz/%.c tests/fuzz/replay.c build/san/libebb.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) $(SAN) -o $@ $< tests/fuzz/replay.c build/san/libebb.a $(LDLIBS) -lcmocka

build/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

build/tests/bpf/%.skel.h: build/tests/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

build/tests/bpf/%: tests/bpf/%.c build/libebb.a $(BPF_SKEL) build/tests/bpf/glb.skel.h
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) -MMD -MP -o $@ $< build/libebb.a $(LDLIBS) -lcmocka

build/tests/net/%.bpf.o: tests/net/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# The same program by other rules: what an upgrade puts in its place.
build/tests/net/other_lb.bpf.o: bpf/xdp_lb.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -O3 -MMD -MP -c $< -o $@

build/tests/net/other_lb.skel.h: build/tests/net/other_lb.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name other_lb > $@

build/tests/net/swap_program: tests/net/swap_program.c build/tests/net/other_lb.skel.h
	$(call say,TOOL,$@)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) -MMD -MP -o $@ $< $(LDLIBS)

build/tests/net/%.so: tests/net/%.so.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) $(CFLAGS) -fPIC -shared -MMD -MP -o $@ $<

build/tests/net/%: tests/net/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -I. -std=gnu11 $(WARN) $(CFLAGS) -MMD -MP -o $@ $< -lm

build/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

build/tests/bench/%.skel.h: build/tests/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

build/tests/bench/%: tests/bench/%.c build/libebb.a $(BPF_SKEL) $(BENCH_SKEL)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(EBB_CFLAGS) -MMD -MP -o $@ $< build/libebb.a $(LDLIBS)

# Every test runs, whatever became of the one before; the exit status is of all.
RUN_ALL = failed=0; for t in $(1); do echo "== $$t"; $$t || { echo "!! $$t: exit $$?"; failed=1; }; done; exit $$failed

build/fuzz/obj/%.o: %.c | $(BPF_SKEL)
	$(call say,CC-FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

build/fuzz/libebb.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c build/fuzz/libebb.a
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< build/fuzz/libebb.a $(LDLIBS)

fuzz: $(FUZZ)
	$(Q)for f in $(FUZZ:build/fuzz/fuzz_%=%); do \
	  mkdir -p build/fuzz/corpus/$$f; d=tests/fuzz/$$f.dict; echo "== $$f"; \
	  build/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=30 -print_final_stats=1 \
	    $$([ -f $$d ] && echo -dict=$$d) -artifact_prefix=build/fuzz/ \
	    build/fuzz/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

test:
	$(Q)$(MAKE) -k test-unit test-bpf test-net

test-unit: $(UNIT) $(filter-out $(CORPUS_BPF),$(CORPUS))
	$(Q)$(call RUN_ALL,$^)

test-bpf: $(PACKET) $(CORPUS_BPF)
	$(Q)$(call RUN_ALL,$^)

# N packets through each of xdp_lb and node, against plain C models of them.
N ?= 10000000
fuzz-xdp: $(filter build/tests/bpf/fuzz_%,$(PACKET))
	$(Q)for f in $^; do $$f -n $(N) || exit 1; done

test-net: all lab-tools
	$(Q)$(call RUN_ALL,$(wildcard tests/net/test_*.sh))

packet-tests: $(PACKET)

# What the lab needs besides ebb itself: clients, servers, a program that passes everything.
lab-tools: $(LABTOOL)

bench: all $(BENCH)
	$(Q)for b in $(BENCH); do $$b || exit 1; done

install: all
	install -D -m 0755 build/ebbd $(DESTDIR)$(PREFIX)/sbin/ebbd
	install -D -m 0755 build/ebb $(DESTDIR)$(PREFIX)/bin/ebb
	install -D -m 0644 packaging/ebbd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/ebbd.service
	install -D -m 0644 packaging/ebb.yaml $(DESTDIR)$(PREFIX)/share/doc/ebb/ebb.yaml
	for s in packaging/scenarios/*.yaml; do \
	  install -D -m 0644 $$s $(DESTDIR)$(PREFIX)/share/doc/ebb/scenarios/$${s##*/}; done
	install -D -m 0644 packaging/ebb.bash-completion \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ebb
	for m in docs/man/*.[1-8]; do \
	  install -D -m 0644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
