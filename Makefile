# Builds build/libsmartprof.so (the agent) and build/smartprof (the command); see `make help`.
VERSION := 0.1.0
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
CXX ?= g++
# SAN=1: the command, the unit tests and the fuzzers with clang's AddressSanitizer and UBSan. Not the agent: a
# preloaded library cannot bring a sanitizer run time of its own.
# SAN=thread: the sampler and its unit tests with ThreadSanitizer; see `make tsan`.
# CROSS=aarch64-linux-gnu: the agent, and the unit tests of what is in it, for another kind of processor; see `make cross`.
ifdef CROSS
override CC := $(CROSS)-gcc
override AR := $(CROSS)-ar
CROSS_ROOT := build-$(CROSS)/root
override PKG_CONFIG := env PKG_CONFIG_SYSROOT_DIR=$(CROSS_ROOT) PKG_CONFIG_LIBDIR=$(CROSS_ROOT)/usr/lib/$(CROSS)/pkgconfig pkg-config
override LDFLAGS += -L$(CROSS_ROOT)/usr/lib/$(CROSS) -L$(CROSS_ROOT)/lib/$(CROSS) -Wl,--allow-shlib-undefined
endif
B := build$(if $(SAN),$(if $(filter thread,$(SAN)),-tsan,-san))$(CROSS:%=-%)
AGENT_B := $(if $(filter thread,$(SAN)),build-tsan,build)$(CROSS:%=-%)
Q := $(if $(V),,@)
COMMA := ,
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# Empty for compilers that nobody has tried.
WERROR ?= -Werror
WARN := -Wall -Wextra $(WERROR)
CPPFLAGS += -D_GNU_SOURCE -DSP_VERSION='"$(VERSION)"' -I. -MMD -MP
CFLAGS ?= -O2 -g
CSTD := -std=gnu17 $(WARN)
CMD_CC := $(CC)
ifeq ($(SAN),thread)
SANFLAGS := -fno-omit-frame-pointer -fsanitize=thread -Wno-tsan
else ifdef SAN
CMD_CC := clang
SANFLAGS := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
endif

# --- what is built from what
# What runs in every process, and in every forked child, lies together: the kernel maps sixteen pages around each that is touched.
# What runs at every start comes before what runs in forked children and at the end.
AGENT_FIRST := $(addprefix preload/,start/constructor.c own_string.c libc.c real.c process.c) \
	$(addprefix env/,config.c text.c program.c file.c options.c) sampler/agent.c \
	$(addprefix sampler/,threads/usage.c threads/self.c clock/clock.c clock/process.c heap/filter.c waits/waits.c) \
	$(addprefix sampler/,walk/unwind.c walk/stack_read.c) \
	preload/start/fork.c $(addprefix sampler/,heap/pre_activation.c heap/live.c threads/registry.c upkeep/thresholds.c) \
	$(addprefix preload/,hooks/malloc.c hooks/exit.c hooks/limits.c hooks/sigmask.c hooks/span_functions.c hooks/seccomp.c finish/finish.c finish/tree.c hooks/signals.c) \
	$(addprefix sampler/,threads/thread.c threads/block.c upkeep/timeline.c upkeep/discovery.c spool/write.c walk/generated.c) \
	$(addprefix preload/,hooks/children.c hooks/exec.c spool_place.c)
X86_64 := $(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null))
NOT_HERE := $(if $(X86_64),,$(addprefix sampler/walk/,code_rule.c instruction.c))
AGENT_SRC := $(filter-out $(NOT_HERE),$(AGENT_FIRST)) $(filter-out $(AGENT_FIRST) $(NOT_HERE) preload/context_library.c,$(wildcard sampler/*.c $(addprefix sampler/*/*.,c S) preload/*.c \
	$(addprefix preload/*/*.,c S) env/*.c))
CMD_NOT_HERE := $(if $(X86_64),tools/absent.c,tools/cmd_attach.c tools/cmd_where.c $(wildcard tools/attach/*.c tools/where/*.c))
CMD_SRC := $(filter-out tools/monitor/keeper.c $(CMD_NOT_HERE),$(wildcard tools/*.c tools/*/*.c profiles/*/*.c symbolize/*.c symbolize/*/*.c env/*.c))
AGENT_OBJ := $(AGENT_SRC:%=$(AGENT_B)/obj/agent/%.o)
# What says the version is compiled anew with another one, and the agent with other flags: its layout rests on them.
VERSIONED := $(shell grep -lw SP_VERSION $(AGENT_SRC) $(CMD_SRC))
$(VERSIONED:%=$(B)/obj/cmd/%.o) $(AGENT_OBJ): Makefile
SAMPLER_OBJ := $(filter $(AGENT_B)/obj/agent/sampler/%,$(AGENT_OBJ))
CMD_OBJ := $(CMD_SRC:%=$(B)/obj/cmd/%.o) $(addprefix $(B)/obj/cmd/,profiles/html/files.S.o tools/init/files.S.o tools/monitor/image.S.o)
# The chart library of the HTML page goes into the command, as Debian's node-d3-* have it.
D3_DIR ?= /usr/share/nodejs
# Each after those that it needs.
D3_PARTS := selection hierarchy array collection color dispatch ease format interpolate path time time-format timer \
	transition drag brush scale axis shape
D3_FILES := $(foreach part,$(D3_PARTS),$(D3_DIR)/d3-$(part)/dist/d3-$(part).min.js)
PAGE_SCRIPTS := $(addprefix profiles/html/script/,text.js chrome.js data.js functions.js trees.js flame.js timeline.js \
	details.js table.js comparison.js report.js page.js)
BOARD_SCRIPTS := $(addprefix profiles/html/,script/text.js script/chrome.js board/data.js script/functions.js script/trees.js \
	script/flame.js $(addprefix board/,statistics.js rows.js baselines.js chart.js overview.js trend.js versus.js change.js run.js health.js \
	board.js))

# To the compiler, malloc changes no memory of ours: here it counts.
ALLOCATORS := malloc calloc realloc reallocarray free aligned_alloc memalign posix_memalign valloc pvalloc strdup strndup
# No stack protector and no fortify in the agent: both end in abort(), which is the host's to call. No LTO, whatever CFLAGS say: the layout
# goes by the objects' names, and what is bound to what must not be chosen anew.
AGENT_CFLAGS := $(CSTD) -fPIC -fno-lto -fvisibility=hidden -ftls-model=initial-exec -fno-plt -fno-stack-protector \
	-fasynchronous-unwind-tables -ffunction-sections $(if $(X86_64),,-mno-outline-atomics) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 $(ALLOCATORS:%=-fno-builtin-%)
# The agent's layout (preload/variables.ld) is written for GNU ld: that one links it, whatever LDFLAGS say of the rest.
AGENT_LD ?= bfd
AGENT_LINKER := -fno-lto -fuse-ld=$(AGENT_LD)
# Nothing of the agent may be bound to the program's names (preload/libc.h): no start files, which refer to some, and
# of our own exports those alone are looked up that the program's calls would be (preload/shared.list).
AGENT_LDFLAGS := -shared -nostartfiles -Wl,-soname,libsmartprof.so $(if $(X86_64),-Wl$(COMMA)--version-script=preload/versions.map) \
	-Wl,--dynamic-list=preload/shared.list -Wl,--hash-style=gnu \
	-Wl,-z,now,-z,relro,-z,defs,-z,noseparate-code -Wl,--sort-section=name -Wl,-T,preload/variables.ld -Wl,--no-as-needed
AGENT_LIBS := -lc
# Asked for when something is linked: `make deps` comes before.
CMD_LIBS = $(eval CMD_LIBS := $(if $(SAN),,-Wl,--no-as-needed $(shell $(PKG_CONFIG) --libs jemalloc)) -Wl,--as-needed \
	$(shell $(PKG_CONFIG) --libs libdw libelf liblzma libunwind-generic jansson libarchive libmd sqlite3 zlib ncursesw) \
	-lZydis -liberty -lm -pthread)$(CMD_LIBS)

.DEFAULT_GOAL := all
.PHONY: all agent command
all: $(if $(SAN),command,agent command)
agent: $(B)/libsmartprof.so $(B)/libsmartprof-context.so
command: $(B)/smartprof

$(B)/libsmartprof.so: $(AGENT_OBJ) $(addprefix preload/,versions.map shared.list variables.ld)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(AGENT_LINKER) $(AGENT_LDFLAGS) -o $@ $(AGENT_OBJ) $(AGENT_LIBS)

# Needs nothing, not even the C library.
$(B)/libsmartprof-context.so: preload/context_library.c preload/context.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(AGENT_CFLAGS) $(if $(X86_64),-mno-red-zone) $(LDFLAGS) $(AGENT_LINKER) -shared -nostdlib -Wl,-soname,libsmartprof-context.so \
		-Wl,--version-script=preload/context.map -Wl,--hash-style=gnu -Wl,-z,now,-z,relro,-z,defs -o $@ $<

$(B)/smartprof: $(CMD_OBJ)
	$(call say,LD,$@)
	$(Q)$(CMD_CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -Wl,-z,now,-z,relro -o $@ $(CMD_OBJ) $(CMD_LIBS)

$(AGENT_B)/obj/agent/%.o: %
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(AGENT_CFLAGS) $(if $(filter thread,$(SAN)),$(SANFLAGS)) -c -o $@ $<

$(AGENT_B)/obj/agent/preload/own_string.c.o: AGENT_CFLAGS += -fno-builtin

$(B)/obj/cmd/%.o: %
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CMD_CC) $(CPPFLAGS) $(CFLAGS) $(CSTD) $(SANFLAGS) -c -o $@ $<

$(B)/obj/cmd/profiles/html/files.S.o: CPPFLAGS += -DD3='"$(B)/obj/d3.js"' -DSCRIPT='"$(B)/obj/page.js"' -DBOARD='"$(B)/obj/board.js"'
$(B)/obj/cmd/profiles/html/files.S.o: $(wildcard profiles/html/*.html profiles/html/*.css profiles/html/*.txt profiles/html/board/*.html profiles/html/board/*.css) \
	$(B)/obj/d3.js $(B)/obj/page.js $(B)/obj/board.js
$(B)/obj/d3.js: $(D3_FILES)
$(B)/obj/page.js: $(PAGE_SCRIPTS)
$(B)/obj/board.js: $(BOARD_SCRIPTS)
$(B)/obj/d3.js $(B)/obj/page.js $(B)/obj/board.js: Makefile
	@mkdir -p $(@D)
	$(Q)cat $(filter %.js,$^) >$@.new && mv $@.new $@
$(D3_DIR)/%.min.js:
	@echo 'make: no $@: install what .ci/packages.txt names (make deps), or say D3_DIR=' >&2; exit 1

$(B)/obj/cmd/tools/init/files.S.o: $(wildcard tools/init/files/*)

# A program of its own inside the command, as small as it gets.
$(B)/obj/cmd/tools/monitor/image.S.o: CPPFLAGS += -DKEEPER='"$(B)/obj/keeper"'
$(B)/obj/cmd/tools/monitor/image.S.o: $(B)/obj/keeper
$(B)/obj/keeper: tools/monitor/keeper.c tools/monitor/keeper.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -I. -Os $(CSTD) -static -s -o $@ $<

# --- unit tests: tests/unit/*.c with a main() are tests, the others help all of them
UNIT_ALL := $(wildcard tests/unit/*.c)
UNIT_SRC := $(if $(UNIT_ALL),$(shell grep -lE '^int main' $(UNIT_ALL)))
UNIT_HELP := $(filter-out $(UNIT_SRC),$(UNIT_ALL))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
UNIT_LIB := $(B)/unit/libunits.a
.PHONY: unit
.SECONDARY:
unit: $(UNIT)
	@.ci/run-units $(UNIT)

# For ThreadSanitizer, and for another kind of processor, what the tests that are made for it use of the command.
UNIT_CMD := $(if $(CROSS)$(filter thread,$(SAN)),$(addprefix $(B)/obj/cmd/,env/%.o profiles/base/%.o profiles/spool/%.o \
	$(if $(CROSS),profiles/redact/%.o profiles/model/%.o symbolize/%.o,symbolize/base/%.o)),%)
$(UNIT_LIB): $(filter $(UNIT_CMD),$(filter-out %/tools/main.c.o,$(CMD_OBJ))) $(SAMPLER_OBJ) $(UNIT_HELP:%=$(B)/obj/cmd/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/unit/%: $(B)/obj/cmd/tests/unit/%.c.o $(UNIT_LIB)
	$(call say,LD,$@)
	$(Q)$(CMD_CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pthread -o $@ $< $(UNIT_LIB) -Wl,--as-needed $(if $(CROSS),$(CROSS_LIBS), \
		-lcmocka $(CMD_LIBS) $(shell $(PKG_CONFIG) --libs libunwind))

# The tables that threads and signal handlers share without locks, by their own tests. Its run time wants its addresses
# where it expects them: without randomization.
TSAN_TESTS := sampler_stacks sampler_live sampler_pool sampler_registry sampler_spans
.PHONY: tsan
tsan:
	@$(MAKE) --no-print-directory SAN=thread $(TSAN_TESTS:%=build-tsan/unit/%)
	@TSAN_OPTIONS='halt_on_error=1 exitcode=66' setarch -R .ci/run-units $(TSAN_TESTS:%=build-tsan/unit/%)

# For aarch64, under qemu, with what Debian has for it below CROSS_ROOT. Not the one that rests on x86-64's instructions
# (sampler_code_rule), or on what qemu lacks: populating memory (sampler_limits), links of /proc (env_file).
CROSS_ROOT ?= build-aarch64-linux-gnu/root
CROSS_LIBS = -lcmocka -lunwind $(shell $(PKG_CONFIG) --libs libdw libelf liblzma libunwind-generic jansson sqlite3 zlib) -lmd -lZydis -liberty -lm
CROSS_PACKAGES := libbz2-1.0 libcmocka0 libcmocka-dev libdw-dev libdw1 libelf-dev libelf1 libiberty-dev libjansson-dev libjansson4 \
	liblzma-dev liblzma5 libmd-dev libmd0 libsqlite3-0 libsqlite3-dev libunwind-dev libunwind8 libzycore-dev libzydis-dev libzydis4.0 \
	zlib1g zlib1g-dev
CROSS_RUN = qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=$(CURDIR)/$(CROSS_ROOT)/usr/lib/aarch64-linux-gnu:$(CURDIR)/$(CROSS_ROOT)/lib/aarch64-linux-gnu
CROSS_TESTS := $(addprefix env_,detect facts limits options recorded) own_string profile_finish $(addprefix sampler_,copies estimate frame governor heap heap_large \
	live pages pool registry shared_rules slow_spans spans stacks thresholds unwind weights)
build-aarch64-linux-gnu/obj/cmd/%: CPPFLAGS += -I$(CROSS_ROOT)/usr/include -I$(CROSS_ROOT)/usr/include/$(CROSS)
.PHONY: cross
cross:
	@.ci/cross-root arm64 $(CROSS_ROOT) $(CROSS_PACKAGES)
	@$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu agent $(CROSS_TESTS:%=build-aarch64-linux-gnu/unit/%)
	@UNIT_RUN='$(CROSS_RUN)' .ci/run-units $(CROSS_TESTS:%=build-aarch64-linux-gnu/unit/%)
# The command, too: it takes 60 MB of packages, and is not a part of the tests.
CROSS_COMMAND_PACKAGES := $(CROSS_PACKAGES) libacl1 libarchive-dev libarchive13 libcurl4 libcurl4-openssl-dev libicu72 libjemalloc-dev \
	libjemalloc2 liblz4-1 libmicrohttpd-dev libmicrohttpd12 libncurses-dev libncursesw6 libnettle8 libssl3 libstdc++6 libtinfo6 libxml2 \
	libzstd1
.PHONY: cross-command
cross-command:
	@.ci/cross-root arm64 $(CROSS_ROOT) $(CROSS_COMMAND_PACKAGES)
	@$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu all
	@echo "cross-command: build-aarch64-linux-gnu/smartprof; try $(CROSS_RUN) build-aarch64-linux-gnu/smartprof --version"

# --- programs that benchmarks need: tests/bench/NAME.c over the command's objects
build/bench/%: tests/bench/%.c $(UNIT_LIB)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CSTD) -MF $@.d -o $@ $< $(UNIT_LIB) -Wl,--as-needed $(CMD_LIBS)

# The walker beside libunwind, in one library to preload.
$(B)/bench/liboracle.so: tests/bench/oracle.c tests/bench/oracle_points.c tests/bench/oracle.h $(SAMPLER_OBJ)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(AGENT_CFLAGS) $(if $(CROSS),-I$(CROSS_ROOT)/usr/include -I$(CROSS_ROOT)/usr/include/$(CROSS)) $(LDFLAGS) \
		-shared -o $@ $(filter %.c,$^) $(SAMPLER_OBJ) $(if $(CROSS),-lunwind,$(shell $(PKG_CONFIG) --libs libunwind))
.PHONY: bench-oracle bench-oracle-aarch64
# CONTEXTS=10000
bench-oracle:
	@tests/bench/oracle.sh
# Under qemu, with Debian's programs for it.
CROSS_ORACLE_PACKAGES := $(CROSS_PACKAGES) libexpat1 libgmp-dev libgmp10 libpython3.11-minimal libpython3.11-stdlib libssl3 openssl \
	python3.11-minimal
bench-oracle-aarch64:
	@.ci/cross-root arm64 $(CROSS_ROOT) $(CROSS_ORACLE_PACKAGES)
	@EMULATE='$(CROSS_RUN)' tests/bench/oracle.sh $(NAMES)

# --- fuzzing: tests/fuzz/fuzz_*.c, from the seeds kept for it and those that make_seeds composes
FUZZ_SECONDS ?= 10
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
F := build-san/fuzz
.PHONY: fuzz $(FUZZ:%=fuzz-%)
fuzz:
	@$(MAKE) --no-print-directory SAN=1 $(FUZZ:%=fuzz-%)
$(FUZZ:%=fuzz-%): fuzz-%: $(F)/fuzz_% $(F)/seeds/made
	@mkdir -p $(F)/corpus/$* $(F)/seeds/$* tests/fuzz/seeds/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
		-verbosity=0 -print_final_stats=1 -artifact_prefix=$(F)/ $(F)/corpus/$* tests/fuzz/seeds/$* $(F)/seeds/$* \
		2>$(F)/$*.log || { cat $(F)/$*.log; exit 1; }
	@sed -n "s/^stat::number_of_executed_units: */  fuzz_$*: runs /p" $(F)/$*.log
$(F)/seeds/made: $(F)/make_seeds
	@$< $(F)/seeds && touch $@
$(F)/make_seeds $(FUZZ:%=$(F)/fuzz_%): $(F)/%: $(B)/obj/cmd/tests/fuzz/%.c.o $(UNIT_LIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CMD_CC) $(CFLAGS) $(SANFLAGS) $(if $(filter fuzz_%,$*),-fsanitize=fuzzer) -o $@ $< $(UNIT_LIB) -Wl,--as-needed $(CMD_LIBS)

# --- programs with known behaviour: tests/targets/NAME.c, plugins in plugin_NAME.c or .cc
T_DIR := build/targets
T_PLUGIN := $(basename $(notdir $(wildcard tests/targets/plugin_*.c tests/targets/plugin_*.cc)))
T_PROGRAM := $(filter-out $(T_PLUGIN),$(basename $(notdir $(wildcard tests/targets/*.c tests/targets/*.cc))))
T_CFLAGS := -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -MMD -MP -I. -fno-optimize-sibling-calls
TARGETS := $(T_PROGRAM:%=$(T_DIR)/%) $(T_PLUGIN:%=$(T_DIR)/plugins/%.so) $(T_DIR)/cpu_truth_static
.PHONY: targets
targets: $(TARGETS)

$(T_DIR)/emulated_calls: T_LDFLAGS := -lm
$(T_DIR)/own_libc: T_LDFLAGS := -rdynamic
$(T_DIR)/runpath_host: T_LDFLAGS := -Wl,--enable-new-dtags,-rpath,'$$ORIGIN/plugins'
$(T_DIR)/span_functions: T_LDFLAGS := -rdynamic -L$(T_DIR)/plugins -l:plugin_span_functions.so -Wl,-rpath,'$$ORIGIN/plugins'
$(T_DIR)/span_functions: $(T_DIR)/plugins/plugin_span_functions.so
$(T_DIR)/plugins/plugin_malloc_early.so: T_CXXFLAGS = -fno-plt # its resolver calls before the PLT is there
$(T_DIR)/plugins/plugin_python.so: T_CXXFLAGS = $(shell /usr/bin/python3-config --includes)
$(T_DIR)/cpu_truth_static: tests/targets/cpu_truth.c
	$(call say,CC,$< (static))
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(T_CFLAGS) -static -o $@ $< -pthread
$(T_DIR)/%: tests/targets/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(T_CFLAGS) -o $@ $< -pthread $(T_LDFLAGS)
$(T_DIR)/%: tests/targets/%.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=gnu++17 -fsized-deallocation $(T_CFLAGS) -o $@ $< -pthread $(T_LDFLAGS)
$(T_DIR)/plugins/%.so: tests/targets/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(T_CFLAGS) -fPIC -shared -o $@ $<
$(T_DIR)/plugins/%.so: tests/targets/%.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=gnu++17 -fsized-deallocation $(T_CFLAGS) $(T_CXXFLAGS) -fPIC -shared -o $@ $<

# --- checks
.PHONY: lint format
lint: agent
	@tests/lint/format.sh .
	@tests/lint/cppcheck.sh .
	@tests/lint/layers.sh .
	@tests/lint/tags.sh .
	@tests/lint/docs.sh .
	@tests/lint/spelling.sh .
	@tests/lint/sampler-symbols.sh tests/lint/sampler-symbols.allow $(SAMPLER_OBJ)
	@tests/lint/exports.sh build/libsmartprof.so preload/exports.map
	@tests/lint/bindings.sh build/libsmartprof.so tests/lint/bindings.allow
	@tests/lint/exports.sh build/libsmartprof-context.so preload/context.map
	@tests/lint/needed.sh build/libsmartprof.so libc.so.6
	@tests/lint/pages.sh build/libsmartprof.so
	@tests/lint/needed.sh build/libsmartprof-context.so ''
	@echo "lint: all checks passed"
format:
	@tests/lint/format.sh --fix .

.PHONY: e2e test demo bench bench-costs bench-compare deps
# One file: make e2e T=signals. LONG=1 runs the storms for as long as a release wants.
e2e: all targets
	@SP_LONG=$(LONG) tests/e2e/run $(T)
test:
	@.ci/test
demo:
	@.ci/deps build
	@$(MAKE) --no-print-directory all
	@.ci/demo
bench: all targets
	@status=0; for bench in tests/bench/*.sh; do echo "== $$bench"; $$bench || status=1; done; exit $$status
# One of tests/bench/NAME.sh; ROUNDS=n where it repeats itself.
bench-%: all targets
	@tests/bench/$*.sh
# What docs/BENCHMARKS.md tells of what profiling costs, with as many rounds as half an hour has room for.
BENCH_COSTS := cost:5 cpu:2 heap:3 hooks:9 start:500 trees:2
bench-costs: all targets
	@status=0; for each in $(BENCH_COSTS); do bench=tests/bench/$${each%:*}.sh; echo "== $$bench"; \
		ROUNDS=$${each#*:} $$bench || status=1; done; exit $$status
# How often a comparison is wrong. RUNS=24 COMPARISONS=100
bench-compare: all
	@tests/bench/compare.sh $(RUNS) $(COMPARISONS)
deps:
	@.ci/deps build test

# --- installing
LIBDIR ?= $(PREFIX)/lib
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
MAN := $(wildcard docs/man/*.1 docs/man/*.7)
# The day of the newest release, for the pages' first lines.
RELEASED = $(shell sed -nE '/^.. [0-9]/{s/.*\((.*)\)$$/\1/p;q}' CHANGELOG.md)
man_place = $(PREFIX)/share/man/man$(subst .,,$(suffix $1))/$(notdir $1)
INSTALLED := $(PREFIX)/bin/smartprof $(LIBDIR)/libsmartprof.so $(LIBDIR)/libsmartprof-context.so \
	$(PREFIX)/include/smartprof.h $(PKGCONFIGDIR)/smartprof.pc $(PREFIX)/share/smartprof/.env.profiling \
	$(PREFIX)/share/bash-completion/completions/smartprof $(ZSHDIR)/_smartprof \
	$(PREFIX)/share/fish/vendor_completions.d/smartprof.fish $(foreach page,$(MAN),$(call man_place,$(page)))
# Directories that go when they have become empty: in a place of our own all, up to that place itself; the system's stay.
SYSTEM := $(filter / /usr /usr/local,$(abspath $(PREFIX)))
MADE := $(if $(SYSTEM),$(PREFIX)/share/smartprof,$(patsubst %/,%,$(sort $(dir $(INSTALLED)))))
KEPT := $(if $(SYSTEM),$(PREFIX)/share,$(patsubst %/,%,$(dir $(PREFIX))))
.PHONY: install uninstall clean help
# put MODE FILE PLACE: nobody starts a program with half of it, and who runs the old one keeps that.
put = install -D -m $1 $2 $(DESTDIR)$3.new && mv -f $(DESTDIR)$3.new $(DESTDIR)$3
install: all
	$(call put,755,build/smartprof,$(PREFIX)/bin/smartprof)
	$(call put,755,build/libsmartprof.so,$(LIBDIR)/libsmartprof.so)
	$(call put,755,build/libsmartprof-context.so,$(LIBDIR)/libsmartprof-context.so)
	$(call put,644,preload/smartprof.h,$(PREFIX)/include/smartprof.h)
	$(call put,644,.env.profiling,$(PREFIX)/share/smartprof/.env.profiling)
	$(call put,644,tools/completion/smartprof.bash,$(PREFIX)/share/bash-completion/completions/smartprof)
	$(call put,644,tools/completion/_smartprof,$(ZSHDIR)/_smartprof)
	$(call put,644,tools/completion/smartprof.fish,$(PREFIX)/share/fish/vendor_completions.d/smartprof.fish)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' tools/smartprof.pc.in | \
		$(call put,644,/dev/stdin,$(PKGCONFIGDIR)/smartprof.pc)
	for page in $(MAN); do sed '1s/""/"$(RELEASED)"/; 1s/"smartprof"/"smartprof $(VERSION)"/' $$page | \
		install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
uninstall:
	rm -f $(INSTALLED:%=$(DESTDIR)%)
	@for made in $(MADE); do while [ "$$made" != "$(KEPT)" ] && rmdir "$(DESTDIR)$$made" 2>/dev/null; do \
		made=$${made%/*}; done; done

# --- a release: build/dist has its source, build/deb Debian's packages of it
.PHONY: dist deb
dist:
	@packaging/dist.sh $(VERSION) build/dist
	@echo "dist: build/dist: $$(cd build/dist && ls smartprof-$(VERSION).* SHA256SUMS | paste -sd ' ')"
deb:
	@packaging/deb.sh $(VERSION) build/deb
	@ls build/deb/*.deb | sed 's/^/deb: /'
clean:
	rm -rf build build-san build-tsan build-aarch64-linux-gnu
help:
	@echo 'make [CC=clang] [V=1] [SAN=1]   build/libsmartprof.so and build/smartprof'
	@echo 'make deps                       install missing Debian packages (root or sudo)'
	@echo 'make test | unit | tsan | cross | fuzz [FUZZ_SECONDS=10] | e2e [T=file] | lint | format | demo | bench | bench-costs | bench-NAME [ROUNDS=n] (cost, cpu, gate, heap, hooks, start, trees, compare, oracle, ...)'
	@echo 'make install | uninstall        PREFIX=$(PREFIX), DESTDIR honoured'
	@echo 'make dist | deb                 a release: source with SBOM and checksums; packages of Debian'

-include $(shell find $(B) $(AGENT_B)/obj/agent build/targets -name root -prune -o -type f -name '*.d' -print 2>/dev/null)
