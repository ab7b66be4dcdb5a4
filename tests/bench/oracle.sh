#!/bin/bash
# The walker beside libunwind, stack by stack: CONTEXTS (10,000) instructions in each of several objects, single-stepped
# through, the stack of each walked by both (oracle.c). Where code has no tables the way to its return is read from its
# instructions, which libunwind does not do: these are counted apart. Usage: oracle.sh [NAME…], of those in the list below.
set -eu -o pipefail
root=$(realpath "$(dirname "$0")/../..")
oracle=$root/build/bench/liboracle.so
make -s -C "$root" build/bench/liboracle.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
programs=$root/tests/bench/oracle_programs
names=("$@")
[ $# -gt 0 ] || names=(libc ld.so rsa ecdsa aes sha chacha x264 ffmpeg gmp python3 node go)

# compare NAME OBJECT COMMAND…: contexts in the object whose name contains OBJECT.
compare() {
	local name=$1 object=$2 status=0
	shift 2
	command -v "$1" >/dev/null || { echo "$name: $1 is not installed"; return 0; }
	rm -f found
	ORACLE_OUT=$work/found ORACLE_OBJECT=$object ORACLE_CONTEXTS=${CONTEXTS:-10000} LD_PRELOAD=$oracle \
		timeout 120 "$@" >output 2>&1 </dev/null || status=$?
	if [ -s found ]; then sed "1s/^[^:]*/$name/" found; else echo "$name: nothing was compared (status $status)"; tail -3 output; fi
}
built() { # NAME LIBRARY…
	${CC:-cc} -O1 -w -o "$1" "$programs/$1.c" "${@:2}"
}
for name in "${names[@]}"; do
	case $name in
	libc) built libc_all -lm && compare libc libc.so ./libc_all ;;
	ld.so) built loader && compare ld.so ld-linux ./loader ;;
	rsa) compare rsa libcrypto openssl speed -seconds 9 rsa2048 ;;
	ecdsa) compare ecdsa libcrypto openssl speed -seconds 9 ecdsap256 ;;
	aes) compare aes libcrypto openssl speed -seconds 9 -evp aes-128-gcm ;;
	sha) compare sha libcrypto openssl speed -seconds 9 -evp sha512 ;;
	chacha) compare chacha libcrypto openssl speed -seconds 9 -evp chacha20-poly1305 ;;
	x264 | ffmpeg)
		command -v ffmpeg >/dev/null || { echo "$name: ffmpeg is not installed"; continue; }
		[ -e video.y4m ] || ffmpeg -v error -f lavfi -i testsrc2=s=640x360:d=9 -pix_fmt yuv420p video.y4m
		[ -e video.mp4 ] || ffmpeg -v error -i video.y4m -c:v libx264 -preset ultrafast video.mp4
		if [ $name = x264 ]; then compare x264 libx264 x264 --threads 1 -o /dev/null video.y4m
		else compare ffmpeg libavcodec ffmpeg -v error -stream_loop 100 -i video.mp4 -f null -; fi
		;;
	gmp) built gmp -lgmp && compare gmp libgmp ./gmp ;;
	python3) compare python3 '[program]' /usr/bin/python3 "$programs/mixed.py" ;;
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
