# A short front of the CMake presets: results lie in build/, `make` lists the targets.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# Warnings of the release build are errors, in continuous integration only.
WERROR ?= $(if $(filter true,$(CI)),1,0)
# Seconds for each target of `make fuzz`, or of the whole `make soak-real`; what fuzzes: libfuzzer or afl.
fuzz: SECONDS ?= 60
soak-real: SECONDS ?= 7200
ENGINE ?= libfuzzer
# How many of each kind of fault `make faults` tries.
FAULTS ?= all
# Debian's mosquitto is not on a plain user's path.
export PATH := $(PATH):/usr/sbin:/sbin

C_FILES = $(shell find core sim gateway configurator updater firmware tests fuzz bench tools -name '*.[ch]' 2>/dev/null)

# $(call need,PURPOSE,COMMANDS,PKG-CONFIG MODULES): stops when one is missing, and says what brings it.
define need
	@lacks=; \
	for c in $(2); do command -v $$c >/dev/null || lacks="$$lacks $$c"; done; \
	for m in $(3); do pkg-config --exists $$m 2>/dev/null || lacks="$$lacks $$m"; done; \
	test -z "$$lacks" || { echo "make $@: missing:$$lacks; run ./bootstrap $(1)" >&2; exit 1; }
endef
# $(call cmake,PRESET,TARGET[,OPTIONS]), $(call ctest,PRESET)
cmake = cmake --preset $(1) $(3) >/dev/null && cmake --build --preset $(1) --target $(2)
# Most tests wait for most of their time.  On a busy machine one may wait in vain: what fails is tried once more, and named.
ctest = ctest --preset $(1) -j $(shell echo $$((3 * $(JOBS)))) --repeat until-pass:2

libraries = libmosquitto inih libsystemd libmicrohttpd gnutls openssl jansson libqrencode libcrypt sqlite3 libcurl zlib libgpiod ncurses
need_build = $(call need,run,gcc cmake ninja pkg-config,$(libraries))
need_test = $(call need,test,gcc cmake ninja pkg-config python3 mosquitto mbpoll clang \
	arm-none-eabi-gcc qemu-system-arm clang-format clang-tidy cppcheck chromedriver openssl curl strace,$(libraries) cmocka)

# Where tests write down which bad inputs they have shown.
bad_inputs = build/bad-inputs

need_image = mmdebstrap fakeroot mkfs.ext4 debugfs mkfs.vfat mcopy sfdisk openssl rauc mksquashfs grub-editenv
# What makes signed updates, and installs them.
update_tools = rauc mksquashfs unsquashfs grub-editenv openssl

.PHONY: $(shell sed -n "s/^\([a-z-]*\):.*\#\# .*/\1/p" Makefile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

build: ## build the programs: build/smart-connect, build/p1mb-config, build/smart-connect-fetch
	$(need_build)
	$(call cmake,release,smart-connect p1mb-config smart-connect-fetch,-DWERROR=$(WERROR))

configurator: ## build what sets a P1MB: build/p1mb-config
	$(need_build)
	$(call cmake,release,p1mb-config,-DWERROR=$(WERROR))

run: build ## try it: a simulated meter, a broker and a live view; Ctrl-C ends it
	$(call need,run,mosquitto)
	tools/demo

test: ## all tests: what is shipped as it is, all else with sanitizers; then a short fuzzing
	$(need_test)
	rm -rf "$(bad_inputs)"
	$(call cmake,release,all,-DWERROR=$(WERROR))
	$(call ctest,release) -L 'shipped|style|build|box|update' -LE long
	$(call ctest,asan)
	$(call ctest,fuzz)
	$(MAKE) bad-inputs

sanitized: ## build what `make test` tries with sanitizers: programs, unit tests, fuzz targets
	$(need_test)
	$(call cmake,asan,all,-DWERROR=$(WERROR))
	$(call cmake,fuzz,fuzz)

bad-inputs: ## which inputs of tests/bad_inputs.csv the last `make test` has shown to be met as they should be
	/usr/bin/python3 -B tests/bad_inputs.py "$(bad_inputs)"

test-box: ## a whole box: among routers and chargers, and in an emulated PC with radios, button and lights: five minutes
	$(call need,test,python3 qemu-system-x86_64 busybox cpio depmod NetworkManager wpa_supplicant hostapd dnsmasq dbus-daemon \
		avahi-daemon iw ip nft curl mbpoll,$(libraries))
	$(call cmake,release,smart-connect,-DWERROR=$(WERROR))
	$(call ctest,release) -L box

test-update: ## updates in an emulated PC: bundles that must not be installed, trials, power cuts: five minutes
	$(call need,test,python3 qemu-system-x86_64 busybox cpio depmod dbus-daemon $(update_tools),$(libraries))
	$(call cmake,release,smart-connect smart-connect-floor reboots_on_bus,-DWERROR=$(WERROR))
	$(call ctest,release) -L update

image: deb ## the appliance: build/image/smart-connect-ARCH.img, a disk, and .raucb, an update of it; ARCH=, KEYS=, PACKAGES=, DEBUG=1
	$(call need,image,$(need_image))
	packaging/image/build build/image

test-image: deb ## the appliance in an emulated PC: started, updated, broken: half an hour
	$(call need,image,$(need_image) qemu-system-x86_64 qemu-img python3)
	$(call cmake,release,smart-connect,-DWERROR=$(WERROR))
	DEBUG=1 packaging/image/build build/image
	$(call ctest,release) -L image

test-update-long: ## every byte, cut and race of the bundles that must not be installed, and 200 power cuts: hours
	$(call need,test,python3 qemu-system-x86_64 busybox cpio depmod dbus-daemon $(update_tools),$(libraries))
	$(call cmake,release,smart-connect smart-connect-floor reboots_on_bus,-DWERROR=$(WERROR))
	UPDATE_LONG=1 /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/update_bundles_test.py \
		tests/update_signature_test.py tests/update_trial_test.py tests/update_cut_test.py

firmware: ## the P1MB's firmware for each board: build/firmware/p1mb-BOARD.elf, .bin, .hex
	$(call need,firmware,arm-none-eabi-gcc python3)
	$(MAKE) -C firmware WERROR=$(WERROR)

test-package: build ## the Debian packages in a Debian of their own: as root, a minute at first
	$(call need,test,python3 dh mmdebstrap,$(libraries))
	$(call ctest,release) -R '^(deb|package)$$'

bench: build firmware ## measure, and write docs/performance.md
	$(call need,test,python3 valgrind strace mosquitto qemu-system-arm,libmodbus)
	$(call cmake,release,bench)
	bench/run

fuzz: ## try to break the parsers: SECONDS=60 each, ENGINE=libfuzzer or afl; with $FIGURES noted there
	$(call need,$(if $(filter afl,$(ENGINE)),prove,test),cmake ninja pkg-config python3 $(if $(filter afl,$(ENGINE)),afl-clang-fast afl-fuzz,clang))
	$(call cmake,$(if $(filter afl,$(ENGINE)),fuzz-afl,fuzz),fuzz)
	tools/fuzz $(if $(filter afl,$(ENGINE)),--afl) --seconds $(SECONDS) --jobs $(JOBS)

fuzz-corpus: ## keep of what `make fuzz` gathered the inputs that reach more: fuzz/corpus
	$(call need,test,cmake ninja pkg-config python3 clang)
	$(call cmake,fuzz-coverage,fuzz)
	tools/fuzz-corpus

fuzz-coverage: ## lines and branches of the parsers that fuzz/corpus reaches; fails under 100 % and 95 %
	$(call need,prove,cmake ninja pkg-config python3 clang llvm-profdata llvm-cov)
	$(call cmake,fuzz-coverage,fuzz)
	tools/fuzz-coverage

crash: ## every state a power cut can leave, each with the gateway itself: twelve minutes
	$(need_test)
	$(call cmake,release,all)
	CRASH_IMAGES=all /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/crash_test.py \
		tests/spool_crash_test.py

faults: ## every allocation and system call that fails, all that runs out: FAULTS=all, or 100 of each kind: hours
	$(need_test)
	$(call cmake,release,all)
	FAULTS=$(FAULTS) /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/alloc_fault_test.py \
		tests/resource_fault_test.py tests/update_fault_test.py

load: ## load, ten million reads compared, and where it breaks: on a quiet machine, a quarter of an hour
	$(need_test)
	$(call cmake,release,all)
	LOAD=1 /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/load_test.py

load-days: ## a month of everything, on a clock that is set on by the second: DAYS=30, twenty minutes
	$(need_test)
	$(call cmake,release,all)
	SOAK_DAYS=$(or $(DAYS),30) /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/days_test.py

soak: ## outages of hours told faster, networks that fail, hostile brokers: half an hour
	$(need_test)
	$(call cmake,release,all)
	SOAK=1 /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider $(wildcard tests/mqtt_*_test.py)

soak-crowds: ## crowds and slow clients at every door, clocks that jump, meters that come and go: half an hour
	$(need_test)
	$(call cmake,release,all)
	SOAK=1 /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/crowds_test.py tests/clock_jumps_test.py \
		tests/flapping_test.py

soak-real: ## faults at random on a whole house, in real time: SECONDS=7200, SEED= to have the same again
	$(need_test)
	$(call cmake,release,all)
	SOAK_SECONDS=$(SECONDS) SOAK_SEED=$(or $(SEED),$(shell date +%s)) /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/soak_test.py

soak-firmware: firmware ## a day of telegrams and polls on the emulated P1MB: ten minutes
	$(need_test)
	SOAK_HOURS=24 /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/firmware_test.py -k 'hours or own_time'

prove: ## all long forms, and one table of what they measured in docs/reliability.md: five hours; STEPS='fuzz soak': parts
	$(need_test)
	tools/prove $(STEPS)

scan: build ## what sslscan and testssl.sh say of the page's TLS
	$(call need,test,sslscan testssl python3)
	tools/scan

coverage: ## line coverage of core/ by its unit tests; fails under 95 %
	$(call need,test,gcc cmake ninja pkg-config gcovr arm-none-eabi-gcc,$(libraries) cmocka)
	$(call cmake,coverage,all)
	find build/coverage -name '*.gcda' -delete
	$(call ctest,coverage)
	gcovr --root . --filter core/ --exclude '.*_test\.c' --fail-under-line 95 build/coverage

check-captures: build ## decode your own recorded telegrams: CAPTURES=DIR
	@if test -d "$(CAPTURES)"; then tests/check-captures build/smart-connect "$(CAPTURES)"; \
	else echo "skipped: no folder CAPTURES='$(CAPTURES)'"; fi

format: ## format all C sources
	$(call need,test,clang-format)
	clang-format -i $(C_FILES)

check-format: ## check format and style rules
	$(call need,test,clang-format)
	tests/style.sh

analyze: ## static analysis of the product's code: gcc, clang-tidy, cppcheck; three minutes
	$(call need,test,gcc clang-tidy cppcheck cmake ninja pkg-config python3,$(libraries) cmocka)
	cmake --preset release >/dev/null
	tools/analyze

install: build ## install to PREFIX=/usr/local, below DESTDIR
	cmake --install build --prefix "$(PREFIX)"

deb: ## Debian packages of this machine's architecture: build/deb/*.deb
	$(call need,deb,gcc cmake ninja pkg-config python3 dh dpkg-buildpackage,$(libraries))
	@tools/make-deb

sbom: build ## what the programs are made of: build/smart-connect.cdx.json, build/p1mb-config.cdx.json
	$(call need,run,readelf python3)
	for p in smart-connect p1mb-config; do tools/make-sbom build/$$p >build/$$p.cdx.json || exit 1; done

clean: ## remove build/
	rm -rf build
