# A release: its version, its source, Debian's packages of it, installed and removed.
load helpers

VERSION=$(sed -n 's/^VERSION := //p' "$BATS_TEST_DIRNAME/../../Makefile")

@test "the version stands in one place, and all say it" {
	[[ $VERSION =~ ^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z.-]+)?$ ]]
	[ "$("$SMARTPROF" --version)" = "smartprof $VERSION" ]
	[ "$(sed -n 's/^## \([^ ]*\) .*/\1/p;T;q' "$ROOT/CHANGELOG.md")" = "$VERSION" ]
	[ "$(grep -rlF "\"$VERSION\"" "$ROOT"/{preload,env,sampler,profiles,symbolize,tools,docs} | wc -l)" -eq 0 ]
	# A release of another version than the changelog's is refused.
	status_of 1 "$ROOT/packaging/dist.sh" 99.0.0 out 2>err
	grep -q "CHANGELOG.md begins with '$VERSION', the Makefile says 99.0.0" err
}

@test "every schema is on the page of what is stable" {
	grep -rhoE --include='*.[ch]' '\<smartprof(-[a-z]+)*/[0-9]+\>' "$ROOT"/{env,profiles,tools} | sort -u >schemas
	at_least "$(wc -l <schemas)" 9
	while read -r schema; do
		grep -qF "\`$schema\`" "$ROOT/docs/VERSIONS.md" || fail "docs/VERSIONS.md lacks $schema"
	done <schemas
}

@test "the source of a release: the same bytes from every place, with checksums, and all of it" {
	"$ROOT/packaging/dist.sh" "$VERSION" one 2>said
	(cd one && sha256sum -c --quiet SHA256SUMS)
	tar -xf "one/smartprof-$VERSION.tar.gz"
	# From an unpacked release, by another user's habits, in another zone.
	(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 "smartprof-$VERSION/packaging/dist.sh" "$VERSION" two)
	cmp one/SHA256SUMS two/SHA256SUMS
	(cd "smartprof-$VERSION" && find . -type f -printf '%P\n') | sort >unpacked
	for file in Makefile .ci/test .env.profiling packaging/debian/rules tests/e2e/package.bats docs/page.png; do
		cmp "$ROOT/$file" "smartprof-$VERSION/$file"
	done
	refuse grep -E '^(build|\.git/)' unpacked
	[ -x "smartprof-$VERSION/.ci/test" ]
	day=$(sed -nE '/^## /{s/.*\((.*)\)$/\1/p;q}' "$ROOT/CHANGELOG.md")
	[ "$(TZ=UTC find "smartprof-$VERSION" -type f -printf '%TY-%Tm-%Td %TH:%TM\n' | sort -u)" = "$day 00:00" ]
	cp one/*.spdx.json "$BATS_FILE_TMPDIR/"
	grep -q "$(sha256sum <"one/smartprof-$VERSION.tar.gz" | cut -d' ' -f1)" "one/smartprof-$VERSION.spdx.json"
}

@test "what is in a release, by SPDX; and the check of it can fail" {
	sbom=$BATS_FILE_TMPDIR/smartprof-$VERSION.spdx.json
	"$ROOT/tests/e2e/spdx.py" "$sbom"
	for package in $(awk '$1 == "build" { print $2 }' "$ROOT/.ci/packages.txt"); do
		grep -q "\"name\": \"$package\"" "$sbom" || fail "$package"
	done
	# What is linked into the command or needed by it is told as such: by the libraries that it loads.
	sed -n 's/.*"DYNAMIC_LINK".*"SPDXRef-\([^"]*\)"}.*/\1/p' "$sbom" | xargs dpkg-query -W -f '${source:Package}\n' >linked
	for library in $(readelf -d "$SMARTPROF" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|ld-linux[^.]*)\.'); do
		dpkg-query -W -f '${source:Package}\n' "$(dpkg-query -S "*/$library" | sed -n '1s/: .*//p')" >source
		grep -qx "$(head -n 1 source)" linked || fail "$library, of $(cat source), is not among what is linked"
	done
	# So is what is loaded when it is wanted, and Debian's package recommends it.
	grep -rhoP --include='*.c' '^#define LIBRARY "\K[^"]*' "$ROOT/tools" >wanted
	at_least "$(wc -l <wanted)" 1
	while read -r library; do
		package=$(dpkg-query -S "*/$library" | sed -n '1s/:.*//p')
		grep -qE "^Recommends:.*\b$package\b" "$ROOT/packaging/debian/control" || fail "$package is not recommended"
		grep -qE "SPDXRef-${package%%[0-9]*}[a-z0-9-]*-dev\", \"relationshipType\": \"OPTIONAL_DEPENDENCY_OF" "$sbom" || fail "$package is not told as optional"
	done <wanted
	for breach in s/SPDX-2.3/SPDX-9/ /dataLicense/d '/BUILD_TOOL_OF/s/SPDXRef-gcc/SPDXRef-gone/' s/BUILD_TOOL_OF/USES/ 's/"MIT"/"Mine"/' \
		's/T00:00:00Z/ noon/' 's/"downloadLocation": "NOASSERTION", //' 's/Tool: /By /' 's/SPDXRef-make"/SPDXRef-gcc"/'; do
		sed "$breach" "$sbom" >other.json
		refuse cmp -s other.json "$sbom"
		status_of 1 "$ROOT/tests/e2e/spdx.py" other.json >said
		[ -s said ]
	done
}

# in_root SCRIPT: as root of a machine like this one, in a copy that is thrown away. $WORK is the same there.
in_root() {
	needs_root
	# shellcheck disable=SC2016
	in_mount_namespace 'set -e
		mkdir "$WORK/layer" && mount -t tmpfs layer "$WORK/layer" && cd "$WORK/layer" && mkdir upper work root
		mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
		mount --rbind /proc root/proc && mount --rbind /dev root/dev && mount -t tmpfs -o mode=1777 shm root/dev/shm
		mount --bind "$WORK" "root$WORK"
		chroot root bash -euc '"$(printf %q "$1")"
}

@test "Debian's packages: without a fault by lintian, installed, used, removed without a trace" {
	DEB_BUILD_OPTIONS=noautodbgsym "$ROOT/packaging/deb.sh" "$VERSION" deb "$ROOT/build"
	lintian --allow-root --fail-on warning,error deb/*.changes >said 2>&1 || fail "$(cat said)"
	export WORK VERSION
	mkdir used && open_to_all used
	in_root '
		cd "$WORK"
		dpkg --install deb/libsmartprof_*.deb deb/smartprof_*.deb deb/libsmartprof-dev_*.deb >install.log 2>&1
		test -z "$(dpkg --audit)"
		dpkg --verify smartprof libsmartprof libsmartprof-dev >verify.log
		dpkg -L smartprof libsmartprof libsmartprof-dev | sort -u >files
		cd used
		test "$(smartprof --version)" = "smartprof $VERSION"
		test "$(pkg-config --modversion smartprof)" = "$VERSION"
		library=$(pkg-config --variable=libdir smartprof)/libsmartprof.so
		setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=$PWD LD_PRELOAD=$library SMARTPROF_ENV=development \
			SMARTPROF_DIR=$PWD/by-hand /usr/bin/python3 -c "sum(i * i for i in range(3000000))"
		env SMARTPROF_DIR=$PWD/by-run smartprof run -- perl -e "\$n += \$_ * \$_ for 1..5000000"
		bash -c ". /usr/share/smartprof/.env.profiling; SMARTPROF_DIR=by-name LD_PRELOAD=libsmartprof.so perl -e \"\\\$n += \\\$_ for 1..5000000\""
		smartprof config --check >check.log 2>&1 || true
		echo "#include <smartprof.h>" | gcc $(pkg-config --cflags smartprof) -Werror -fsyntax-only -xc -
		bash --norc -c ". /usr/share/bash-completion/completions/smartprof; complete -p smartprof" >/dev/null
		dpkg --purge smartprof libsmartprof libsmartprof-dev >purge.log 2>&1
		test -z "$(dpkg --audit)"
		while read -r file; do test -d "$file" || test ! -e "$file" || { echo "$file is still there"; exit 1; }; done <../files
		test ! -e /usr/lib/smartprof && test ! -e /usr/share/smartprof && test ! -e /usr/share/doc/smartprof'
	for how in by-hand by-run by-name; do
		found=$(find used/$how -name '*.md' ! -name latest.md ! -name 'tree.*')
		check_profile "$found"
	done
	refuse grep -q 'libsmartprof.so is not' used/check.log
	for part in bin/smartprof lib/smartprof/libsmartprof-context.so include/smartprof.h share/zsh/vendor-completions/_smartprof \
		share/fish/vendor_completions.d/smartprof.fish share/man/man1/smartprof.1.gz share/man/man7/libsmartprof.7.gz \
		share/doc/libsmartprof/examples/smartprof.conf share/doc/smartprof/copyright share/doc/smartprof/SECURITY.md; do
		grep -qxE "/usr/$part(\.gz)?" files || fail "/usr/$part is in no package"
	done
}

@test "the example for systemd is well-formed, and names the library that is installed" {
	mkdir -p units/app.service.d
	printf '[Service]\nExecStart=/bin/true\n' >units/app.service
	cp "$ROOT/packaging/systemd/smartprof.conf" units/app.service.d/
	SYSTEMD_UNIT_PATH=$WORK/units: systemd-analyze verify --man=no units/app.service >said 2>&1 || fail "$(cat said)"
	refuse grep app.service said
	grep -q "LD_PRELOAD=$(sed -n 's/.*LIBDIR=\([^ ]*\).*/\1/p' "$ROOT/packaging/debian/rules")/libsmartprof.so" units/app.service.d/smartprof.conf
	echo Sort=no >>units/app.service.d/smartprof.conf
	SYSTEMD_UNIT_PATH=$WORK/units: systemd-analyze verify --man=no units/app.service >said 2>&1 || true
	grep -q "Unknown key.*'Sort'" said
}

@test "two builds of the packages, in other places, by other habits, are the same bytes" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: all is compiled twice"
	"$ROOT/packaging/deb.sh" "$VERSION" one
	mkdir -p some/where/else
	(umask 027 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS=parallel=1 "$ROOT/packaging/deb.sh" "$VERSION" some/where/else/two)
	at_least "$(find one -name '*.deb' | wc -l)" 5
	(cd one && sha256sum ./*.deb ./*.dsc ./*.tar.*) >sums
	(cd some/where/else/two && sha256sum -c --quiet "$WORK/sums")
	lintian --allow-root --fail-on warning,error one/*.changes >said 2>&1 || fail "$(cat said)"
}

# debian RELEASE [PACKAGE,…]: a minimal system of that release in ./RELEASE, from the mirror that apt uses here.
debian() {
	needs_root
	local mirror
	command -v mmdebstrap >/dev/null || skip "needs mmdebstrap"
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$')
	mmdebstrap --variant=apt --include="perl-base${2:+,$2}" --aptopt='Acquire::Check-Valid-Until "false"' "$1" "$1" "$mirror" \
		>"$1.log" 2>&1 || { tail -n 5 "$1.log" >&2; skip "no $1 to be had from $mirror"; }
	cp /etc/resolv.conf /etc/hosts "$1/etc/"
}

# within RELEASE SCRIPT: as root of it; its /mnt is $WORK. The directory for temporary files is its own.
within() {
	# shellcheck disable=SC2016
	TMPDIR=/tmp timeout -k 5 900 unshare -m bash -ec 'mount --rbind "$2" "$1/mnt" && mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" &&
		mount -t tmpfs -o mode=1777 shm "$1/dev/shm" && exec chroot "$1" /bin/bash -euc "$3"' within "$1" "$WORK" "$2"
}

# What is profiled there: a program of the system's, and one that a shell starts.
USED='export SMARTPROF_ENV=development SMARTPROF_DIR=/mnt/used HOME=/mnt/home XDG_STATE_HOME=/mnt/state
	LD_PRELOAD=/usr/lib/smartprof/libsmartprof.so perl -e "\$n += \$_ * \$_ for 1..5000000"
	smartprof run -- sh -c "perl -e \"my %h; \\\$h{\\\$_} = 1 for 1..300000\"; true"'

@test "the packages on a minimal Debian 12: dependencies are complete, and nothing is left" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: it fetches a Debian"
	debian bookworm
	"$ROOT/packaging/deb.sh" "$VERSION" deb "$ROOT/build"
	within bookworm 'find / -xdev -not -path "/mnt*" -not -path "/var/*" | sort >/mnt/before
		apt-get update >/mnt/log
		apt-get install -y --no-install-recommends /mnt/deb/libsmartprof_*.deb /mnt/deb/smartprof_*.deb >>/mnt/log 2>&1
		'"$USED"'
		apt-get purge -y --auto-remove smartprof libsmartprof >>/mnt/log 2>&1
		find / -xdev -not -path "/mnt*" -not -path "/var/*" | sort >/mnt/after'
	[ "$(find used -name 'perl.*.md' | wc -l)" -eq 2 ]
	for profile in used/development/perl.*.md; do check_profile "$profile"; done
	diff before after
}

@test "Debian 13: packages made there, by gcc 14 without a warning, used there, and the library of each Debian on the other" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: it fetches a Debian and its compiler"
	debian trixie "$(awk '$1 == "build" { printf "%s%s", n++ ? "," : "", $2 }' "$ROOT/.ci/packages.txt"),debhelper,build-essential"
	"$ROOT/packaging/dist.sh" "$VERSION" source
	tar -C source -xf "source/smartprof-$VERSION.tar.gz"
	cp "$AGENT" .
	within trixie "cd /mnt/source/smartprof-$VERSION && gcc --version | head -n 1 && make -s -j$(nproc) all
		packaging/deb.sh $VERSION /mnt/deb build
		dpkg --install /mnt/deb/libsmartprof_*.deb /mnt/deb/smartprof_*.deb
		$USED
		SMARTPROF_DIR=/mnt/other SMARTPROF_BIN=/usr/bin/smartprof LD_PRELOAD=/mnt/libsmartprof.so perl -e '\$n += \$_ * \$_ for 1..5000000'
		env -u SMARTPROF_DIR make demo >/mnt/demo" >said 2>&1 || fail "$(tail -n 40 said)"
	grep '^gcc' said >&3
	refuse grep -i warning: said
	grep -q '^\*\*Verdict (lua' demo
	SMARTPROF_BIN=$SMARTPROF SMARTPROF_DIR=other LD_PRELOAD=source/smartprof-$VERSION/build/libsmartprof.so plain "$TARGETS/cpu_truth" 0.5 >out
	check_profile "$(find other -name 'cpu_truth.*.md')"
	check_profile "$(find other -name 'perl.*.md')"
	for profile in used/development/perl.*.md; do check_profile "$profile"; done
}
