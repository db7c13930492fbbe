# The benchmarks' programs and `make bench`. Included by the Makefile; needs
# APXS and BUILD, and MODULE, the module that is measured.

APXS  ?= apxs
BUILD ?= build

BENCH_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Werror
BENCH_TOOLS  = $(BUILD)/bench/upstream $(BUILD)/bench/load \
               $(BUILD)/bench/mod_floor.so $(BUILD)/bench/mod_tools.so

$(BUILD)/bench/upstream: bench/upstream.c bench/chat.c bench/chat.h
$(BUILD)/bench/load: bench/load.c bench/answer.c bench/answer.h bench/hist.h

$(BUILD)/bench/upstream $(BUILD)/bench/load: bench/util.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

# httpd's and APR's headers are not ours to warn about
$(BUILD)/bench/mod_tools.so: include/mod_mastra.h
$(BUILD)/bench/mod_%.so: bench/mod_%.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -shared -fPIC -Iinclude \
	    -isystem $$($(APXS) -q INCLUDEDIR) \
	    $$(pkg-config --cflags apr-1 | sed 's/-I/-isystem /g') -o $@ $<

bench-tools: $(BENCH_TOOLS)

bench: $(MODULE) $(BENCH_TOOLS)
	APXS='$(APXS)' BUILD='$(BUILD)' perl bench/run

.PHONY: bench bench-tools
