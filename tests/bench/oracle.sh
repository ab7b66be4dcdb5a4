#!/bin/bash
# The walker beside libunwind, stack by stack: CONTEXTS (10,000) instructions in each of several objects, single-stepped
# through, the stack of each walked by both (oracle.c). Where code has no tables the way to its return is read from its
# instructions, which libunwind does not do: these are counted apart. Usage: oracle.sh [NAME…], of those in the list below.
# SECONDS_EACH: ends each of these after so long. EMULATE: aarch64's programs instead, run by that command.
set -eu -o pipefail
root=$(realpath "$(dirname "$0")/../..")
cross='' build=build place=''
if [ -n "${EMULATE-}" ]; then
	cross=aarch64-linux-gnu
	build=build-$cross
	place=$root/$build/root
fi
oracle=$root/$build/bench/liboracle.so
make -s -C "$root" CROSS=$cross $build/bench/liboracle.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
programs=$root/tests/bench/oracle_programs
names=("$@")
if [ $# -eq 0 ]; then
	names=(libc ld.so rsa ecdsa aes sha chacha gmp python3)
	[ -n "$cross" ] || names+=(x264 ffmpeg node go)
fi

# compare NAME OBJECT COMMAND…: contexts in the object whose name contains OBJECT.
compare() {
	local name=$1 object=$2 status=0
	shift 2
	command -v "$1" >/dev/null || { echo "$name: $1 is not installed"; return 0; }
	rm -f found
	if [ -n "$cross" ]; then
		# shellcheck disable=SC2086 # a command and its arguments
		ORACLE_OUT=$work/found ORACLE_OBJECT=$object ORACLE_CONTEXTS=${CONTEXTS:-10000} \
			timeout "${SECONDS_EACH:-900}" $EMULATE -E LD_PRELOAD="$oracle" "$@" >output 2>&1 </dev/null || status=$?
	else
		ORACLE_OUT=$work/found ORACLE_OBJECT=$object ORACLE_CONTEXTS=${CONTEXTS:-10000} LD_PRELOAD=$oracle \
			timeout 120 "$@" >output 2>&1 </dev/null || status=$?
	fi
	if [ -s found ]; then sed "1s/^[^:]*/$name/" found; else echo "$name: nothing was compared (status $status)"; tail -3 output; fi
}
built() { # NAME LIBRARY…
	if [ -n "$cross" ]; then
		"$cross-gcc" -O1 -w -I"$place/usr/include" -I"$place/usr/include/$cross" -L"$place/usr/lib/$cross" -o "$1" "$programs/$1.c" "${@:2}"
	else
		${CC:-cc} -O1 -w -o "$1" "$programs/$1.c" "${@:2}"
	fi
}
openssl=${place:+$place/usr/bin/}openssl python=$place/usr/bin/python3${place:+.11} seconds=${place:+99}
seconds=${seconds:-9}
for name in "${names[@]}"; do
	case $name in
	libc) built libc_all -lm && compare libc libc.so ./libc_all ;;
	ld.so) built loader && compare ld.so ld-linux ./loader ;;
	rsa) compare rsa libcrypto "$openssl" speed -seconds "$seconds" rsa2048 ;;
	ecdsa) compare ecdsa libcrypto "$openssl" speed -seconds "$seconds" ecdsap256 ;;
	aes) compare aes libcrypto "$openssl" speed -seconds "$seconds" -evp aes-128-gcm ;;
	sha) compare sha libcrypto "$openssl" speed -seconds "$seconds" -evp sha512 ;;
	chacha) compare chacha libcrypto "$openssl" speed -seconds "$seconds" -evp chacha20-poly1305 ;;
	x264 | ffmpeg)
		command -v ffmpeg >/dev/null || { echo "$name: ffmpeg is not installed"; continue; }
		[ -e video.y4m ] || ffmpeg -v error -f lavfi -i testsrc2=s=640x360:d=9 -pix_fmt yuv420p video.y4m
		[ -e video.mp4 ] || ffmpeg -v error -i video.y4m -c:v libx264 -preset ultrafast video.mp4
		if [ $name = x264 ]; then compare x264 libx264 x264 --threads 1 -o /dev/null video.y4m
		else compare ffmpeg libavcodec ffmpeg -v error -stream_loop 100 -i video.mp4 -f null -; fi
		;;
	gmp) built gmp -lgmp && compare gmp libgmp ./gmp ;;
	python3) [ -z "$place" ] || export PYTHONHOME=$place/usr
		compare python3 '[program]' "$python" "$programs/mixed.py" ;;
	node) compare node '[program]' node "$programs/mixed.js" ;;
	go)
		command -v go >/dev/null || { echo "go: go is not installed"; continue; }
		cp "$programs/mixed.go" . && GOCACHE=$work/cache HOME=$work go build -o go_mixed mixed.go && compare go '' ./go_mixed
		;;
	*)
		echo "oracle.sh: no '$name' in the list" >&2
		exit 2
		;;
	esac
done
