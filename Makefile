# Builds mod_mastra and tests it. "make run" serves the demo, "make test" is the one gate.

MPM    ?= event
DB     ?= sqlite3
BUILD  ?= build
APXS   ?= apxs
CFLAGS ?= -O2 -g
JOBS   ?= $(shell nproc)
# where installed files of Studio and Swagger UI are looked for
SHAREDIR ?= /usr/share/mod_mastra
# one base port per checkout (ten in a row), as two checkouts may test at once
TESTPORT ?= $(shell echo $$((10000 + $$(pwd | cksum | cut -d' ' -f1) % 2000 * 10)))

# --- what a machine must have ------------------------------------------------

BUILD_PKGS = apache2-bin apache2-dev gcc libapr1-dev libaprutil1-dev \
             libcurl4-openssl-dev libjansson-dev libjose-dev libpcre2-dev libssl-dev pkg-config
RUN_PKGS   = libaprutil1-dbd-sqlite3 lua-cjson curl tzdata
TEST_PKGS  = libapache2-mod-perl2 libaprutil1-dbd-pgsql postgresql openssl procps

# $(call need,PACKAGES): installs those that are missing, or names them
need = @sh .ci/need $(1)

# --- what it is built from ---------------------------------------------------

CORE_AREAS = folders base jose schema net store observe model vector tool memory \
             run agent workflow network schedule eval
# programs stand beside the sources of their area and are not part of the module
MAINS   := $(wildcard mod_mastra/*/main_*.c)
SRCS    := $(filter-out $(MAINS),$(wildcard mod_mastra/*.c mod_mastra/*/*.c))
CORE    := $(filter-out $(MAINS),$(wildcard $(CORE_AREAS:%=mod_mastra/%/*.c)))
OBJS    := $(SRCS:%.c=$(BUILD)/%.o)
MODULE  := $(BUILD)/mod_mastra.so
ARCHIVE := $(BUILD)/libmastra.a
TOOLS   := $(foreach m,$(MAINS),$(BUILD)/mastra-$(patsubst main_%.c,%,$(notdir $m)))
UNIT    := $(patsubst %.c,$(BUILD)/%,$(wildcard t/unit/*.c t/unit/*/*.c))
# modules that tests load, from t/modules, with the areas up to http inside
BELOW   := $(filter-out $(wildcard mod_mastra/*.c),$(SRCS))
TESTMOD := $(patsubst t/modules/%.c,$(BUILD)/%.so,$(wildcard t/modules/mod_*.c))
FUZZ    := $(filter-out t/fuzz/replay.c,$(wildcard t/fuzz/*.c))
REPLAY  := $(FUZZ:%.c=$(BUILD)/%)

# asked once, and only when something is compiled: a bare machine has no apxs yet
once = $(eval $(1) := $(2))$($(1))
ask  = $(or $(shell $(1)),$(error "$(1)" said nothing; "make deps" installs what a build needs))
INCLUDEDIR = $(call once,INCLUDEDIR,$(call ask,$(APXS) -q INCLUDEDIR))
MODDIR     = $(call once,MODDIR,$(call ask,$(APXS) -q LIBEXECDIR))
HTTPD     ?= $(call ask,$(APXS) -q SBINDIR)/$(call ask,$(APXS) -q PROGNAME)
PKGS       = apr-util-1 apr-1 jansson jose libcurl libcrypto libpcre2-8
PKG_CFLAGS = $(call once,PKG_CFLAGS,$(call ask,pkg-config --cflags $(PKGS)))
LIBS       = $(call once,LIBS,$(call ask,pkg-config --libs $(PKGS)) -lm -pthread)

WARN       = -std=gnu11 -Wall -Wextra -Wshadow -Wno-unused-parameter \
             -Wno-missing-field-initializers
CPPFLAGS   = -I$(INCLUDEDIR) -Iinclude -Imod_mastra $(PKG_CFLAGS) \
             -DMASTRA_SHARE_DIR='"$(SHAREDIR)"'
ALL_CFLAGS = $(WARN) $(CPPFLAGS) -fPIC -pthread $(CFLAGS)

export MPM DB BUILD

all: $(MODULE) $(TOOLS)

# other flags mean other objects: this file changes with them
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' >$@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# the list of objects changes when a source goes away
$(BUILD)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(OBJS)' | cmp -s - $@ || echo '$(OBJS)' >$@

# nodelete: httpd unloads modules at each restart, while threads that ran its code may still end
$(MODULE): $(OBJS) mod_mastra/mod_mastra.map $(BUILD)/objects
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,--version-script=mod_mastra/mod_mastra.map \
	    -Wl,-z,nodelete -Wl,--as-needed -o $@ $(OBJS) $(LIBS)
	@! nm -u $@ | grep ' mastra_' || { rm -f $@; echo '$@ lacks the symbols above'; exit 1; }

$(ARCHIVE): $(CORE:%.c=$(BUILD)/%.o) $(BUILD)/objects
	@rm -f $@
	ar rcs $@ $(CORE:%.c=$(BUILD)/%.o)

define tool
$(BUILD)/mastra-$(patsubst main_%.c,%,$(notdir $(1))): $(1:%.c=$(BUILD)/%.o) $(ARCHIVE)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach m,$(MAINS),$(eval $(call tool,$m)))

$(UNIT): $(BUILD)/%: %.c $(ARCHIVE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -It/unit -MMD -MP -o $@ $< $(ARCHIVE) $(LDFLAGS) $(LIBS)

$(BUILD)/libbelow.a: $(BELOW:%.c=$(BUILD)/%.o) $(BUILD)/objects
	@rm -f $@
	ar rcs $@ $(BELOW:%.c=$(BUILD)/%.o)

$(TESTMOD): $(BUILD)/%.so: $(BUILD)/t/modules/%.o t/modules/%.map $(BUILD)/libbelow.a
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,--version-script=t/modules/$*.map \
	    $(KEPT) -Wl,--as-needed -o $@ $< $(BUILD)/libbelow.a $(LIBS)
$(TESTMOD): KEPT = -Wl,-z,nodelete
$(BUILD)/t/modules/mod_routes.o: $(BUILD)/t/modules/tables.h
$(BUILD)/t/modules/mod_routes.o: private CPPFLAGS += -I$(BUILD)/t/modules
$(BUILD)/t/modules/tables.h: mod_mastra/http/router.h
	@mkdir -p $(@D)
	sed -n 's/^extern const mastra_route_t \(mastra_api_[a-z_]*\)\[\];/\1,/p' $< >$@
# as other modules are: unloaded at each restart
$(BUILD)/mod_sample.so: KEPT =

# a fuzz target with a main() that feeds it the files of its corpus
$(REPLAY): $(BUILD)/%: %.c t/fuzz/replay.c $(ARCHIVE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< t/fuzz/replay.c $(ARCHIVE) $(LDFLAGS) $(LIBS)

-include $(OBJS:.o=.d) $(MAINS:%.c=$(BUILD)/%.d) \
         $(TESTMOD:$(BUILD)/%.so=$(BUILD)/t/modules/%.d) $(UNIT:%=%.d) $(REPLAY:%=%.d)

# --- the demo ----------------------------------------------------------------

run: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@HTTPD='$(HTTPD)' MODDIR='$(MODDIR)' PORT='$(or $(PORT),4111)' exec sh conf/demo/serve

deps:
	$(call need,$(BUILD_PKGS) $(RUN_PKGS))

test-deps:
	$(call need,$(BUILD_PKGS) $(RUN_PKGS) $(TEST_PKGS))
	@sh t/client/install

# web pages that are npm's to bring, into share: Mastra's Studio, and Swagger UI
studio swagger-ui:
	@sh conf/pages $@

# --- tests -------------------------------------------------------------------

# the modules that the tests use, and no others of this machine
LOAD := mpm_$(MPM) unixd authn_core authz_core authz_host access_compat mime alias dir env dbd \
        log_config lua cgi headers deflate brotli filter ratelimit reqtimeout setenvif proxy \
        proxy_http socache_shmcb ssl http2 status rewrite watchdog

# rewritten each time: MPM and BUILD may differ from the last run
t/conf/modules.conf: FORCE
	@{ for m in $(LOAD); do [ ! -e $(MODDIR)/mod_$$m.so ] || \
	       echo "LoadModule $${m}_module $(MODDIR)/mod_$$m.so"; done; \
	   echo 'LoadModule mastra_module $(abspath $(MODULE))'; } >$@

# options given here make Apache::Test configure anew, so nothing stale is thawed
TEST = HTTPD='$(HTTPD)' MODULE='$(abspath $(MODULE))' perl t/TEST -apxs $$(command -v $(APXS)) \
       -httpd $(HTTPD) -port $(TESTPORT) -servername 127.0.0.1 \
       -httpd_conf $(CURDIR)/t/conf/modules.conf

test: test-deps
	+@MAKE='$(MAKE)' exec sh t/suite

check-build: $(MODULE) $(TOOLS) $(TESTMOD) $(UNIT) $(REPLAY)

# one pass over the suite; TESTS='t/agent/stream.t build/t/unit/base/json' narrows it
check: check-build t/conf/modules.conf
	$(if $(word 2,$(CURDIR)),$(error Tests do not run in a path with spaces. "make test" runs them in a copy))
	@UNIT='$(UNIT) $(REPLAY)' $(TEST) $(TESTS)

test-prefork:
	$(MAKE) check MPM=prefork
test-worker:
	$(MAKE) check MPM=worker TESTS=t/smoke

SANITIZE = -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer
asan: test-deps
	REAL_HTTPD='$(HTTPD)' $(MAKE) -s -j$(JOBS) check BUILD=build-asan \
	    HTTPD=$(CURDIR)/t/asan-httpd CFLAGS='$(SANITIZE)'

# processes killed at every boundary between steps, and ROUNDS= times at random points; MPM= and DB= narrow it
crash: test-deps
	for db in $(if $(filter file,$(origin DB)),sqlite3 pgsql,$(DB)); do \
	    CRASH=1 ROUNDS=$(or $(ROUNDS),20) $(MAKE) -s -j$(JOBS) check MPM=$(MPM) DB=$$db \
	    TESTS='t/workflows/boundaries.t t/workflows/nodes.t t/workflows/late.t t/agents/crash.t t/agents/once.t t/network/crash.t' || exit 1; done

# but for the one that measures time
valgrind: test-deps
	$(call need,valgrind)
	$(MAKE) -s -j$(JOBS) $(UNIT)
	@sh t/valgrind $(filter-out %/store/load,$(UNIT))

# the same questions to the real Mastra server and to this one; its npm packages are large
differential: all
	HTTPD='$(HTTPD)' MODDIR='$(MODDIR)' BUILD='$(BUILD)' bash t/differential/run

# Studio and Swagger UI in a real browser, which is large
test-studio: deps studio swagger-ui
	$(call need,chromium)
	@sh t/client/install t/browser
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	HTTPD='$(HTTPD)' MODDIR='$(MODDIR)' BUILD='$(BUILD)' bash t/browser/run

# umask 0: the parent creates the .gcda files as root, its children add to them
coverage: test-deps
	find . -name '*.gcda' -delete
	umask 0; mkdir -p build-cov; \
	    $(MAKE) -s -j$(JOBS) check BUILD=build-cov CFLAGS='-O0 -g --coverage'
	perl t/coverage $(SRCS:%.c=build-cov/%.o)

# The macros of APR and httpd are not ours to mend. What a tool gets wrong is said where it stands,
# by a comment for cppcheck or a pragma for the analyzer; here only what it gets wrong as a rule:
# it loses sight of memory that is linked into a list, which valgrind and the sanitizers watch.
LINT     = $(WARN) -Werror $(subst -I/,-isystem /,$(CPPFLAGS))
LINTED   = $(SRCS) $(MAINS)
CPPCHECK = --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning -Imod_mastra \
           --suppress=uninitvar:mod_mastra/agent/hub_follow.c
ANALYZER = -fanalyzer -Wno-analyzer-malloc-leak -O1
lint:
	$(call need,$(BUILD_PKGS) clang cppcheck)
	@n=$(words $(LINTED)); status=0; \
	echo "== $(CC), $$n files"; $(CC) -fsyntax-only -O2 $(LINT) $(LINTED) || status=1; \
	echo "== clang, $$n files"; clang -fsyntax-only $(LINT) $(LINTED) || status=1; \
	echo "== cppcheck, $$n files"; cppcheck $(CPPCHECK) -j$(JOBS) $(LINTED) || status=1; \
	echo "== $(CC) -fanalyzer, $$n files"; printf '%s\n' $(LINTED) | \
	    xargs -P$(JOBS) -n1 $(CC) -c -o /dev/null $(ANALYZER) $(LINT) || status=1; \
	[ $$status != 0 ] || echo 'lint: nothing to mend'; exit $$status

# SECONDS= for each target
FUZZING = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined
fuzz:
	$(call need,$(BUILD_PKGS) clang)
	@[ -n '$(FUZZ)' ] || { echo 'no targets in t/fuzz'; exit 1; }
	$(MAKE) -j$(JOBS) CC=clang BUILD=build-fuzz CFLAGS='$(FUZZING) -fsanitize=fuzzer-no-link' \
	    build-fuzz/libmastra.a
	@for f in $(FUZZ); do n=$$(basename $$f .c); mkdir -p build-fuzz/corpus/$$n; set -x; \
	    clang $(WARN) $(CPPFLAGS) $(FUZZING) -fsanitize=fuzzer -o build-fuzz/$$n $$f \
	        build-fuzz/libmastra.a $(LIBS) && \
	    build-fuzz/$$n -max_total_time=$(or $(SECONDS),30) -max_len=65536 -verbosity=0 \
	        -print_final_stats=1 -artifact_prefix=build-fuzz/ \
	        build-fuzz/corpus/$$n t/fuzz/corpus/$$n || exit 1; { set +x; } 2>/dev/null; done

# bench/bench.mk has its recipe
bench: deps

# --- installation ------------------------------------------------------------

AVAILABLE = $(DESTDIR)/etc/apache2/mods-available
install: $(MODULE) $(TOOLS)
	install -d $(DESTDIR)$(MODDIR)
	install -m 644 $(MODULE) $(DESTDIR)$(MODDIR)/mod_mastra.so
	install -d $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/mod_mastra.h $(DESTDIR)$(INCLUDEDIR)/mod_mastra.h
	@for d in $(wildcard share/*); do set -x; install -d $(DESTDIR)$(SHAREDIR) && \
	    rm -rf $(DESTDIR)$(SHAREDIR)/$${d#share/} && cp -r $$d $(DESTDIR)$(SHAREDIR)/ || exit 1; { set +x; } 2>/dev/null; done
	@if [ -d '$(AVAILABLE)' ]; then set -x; \
	    install -m 644 conf/mastra.load '$(AVAILABLE)/mastra.load' && \
	    { [ -e '$(AVAILABLE)/mastra.conf' ] || \
	      install -m 644 conf/mastra.conf '$(AVAILABLE)/mastra.conf'; } && \
	    { set +x; } 2>/dev/null && \
	    echo 'Now: a2enmod mastra, the lines of README.md, apachectl configtest and a restart.'; \
	else echo 'Now: LoadModule mastra_module $(MODDIR)/mod_mastra.so in httpd.conf.'; fi

clean:
	-[ ! -e t/conf/apache_test_config.pm ] || perl t/TEST -clean
	rm -rf build build-asan build-cov build-fuzz t/conf/modules.conf t/logs t/state t/htdocs

-include bench/bench.mk

FORCE:
.PHONY: all run deps studio swagger-ui test-deps test check check-build crash test-prefork test-worker test-studio asan valgrind coverage lint \
        fuzz bench differential install clean FORCE
