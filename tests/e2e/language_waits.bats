# What programs wait for whose language waits by futexes of its own: C++20's atomics and what is made of them, and Rust's.
load helpers

# Calls and functions of the program that were waited in.
waits_of() {
	PROFILE=$(profile_of "$1")
	"$SMARTPROF" validate "$PROFILE" >/dev/null
	section '## Waits' "$PROFILE" >waits
}

@test "C++20: atomics, semaphores, latches and barriers, by kind and place" {
	cat >cxx20.cc <<-'END'
		#include <atomic>
		#include <barrier>
		#include <chrono>
		#include <latch>
		#include <semaphore>
		#include <thread>
		static std::atomic<int> word{0};
		static std::counting_semaphore<4> tickets{0};
		static std::latch gate{1};
		static std::barrier meeting{2};
		static void nap() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }
		[[gnu::noinline]] static void atomic_waits() { std::jthread t([] { nap(); word = 1; word.notify_all(); }); word.wait(0); }
		[[gnu::noinline]] static void semaphore_waits() { std::jthread t([] { nap(); tickets.release(); }); tickets.acquire(); }
		[[gnu::noinline]] static void latch_waits() { std::jthread t([] { nap(); gate.count_down(); }); gate.wait(); }
		[[gnu::noinline]] static void barrier_waits() { std::jthread t([] { nap(); meeting.arrive_and_wait(); }); meeting.arrive_and_wait(); }
		int main() { atomic_waits(); semaphore_waits(); latch_waits(); barrier_waits(); for (volatile long i = 0; i < 100000000; i = i + 1); }
	END
	g++ -std=c++20 -O1 -g -fno-optimize-sibling-calls -o cxx20 cxx20.cc -pthread
	SMARTPROF_ENV=critical profiled ./cxx20
	waits_of cxx20
	for function in atomic_waits semaphore_waits latch_waits barrier_waits; do
		grep -q "| condition | futex | $function() ← main" waits || fail "$function is not there"
	done
	grep -q '| sleep | nanosleep | nap() ' waits
}

@test "Rust: mutexes, condition variables, parking and channels, by place" {
	command -v rustc >/dev/null || skip "there is no rustc"
	cat >rusty.rs <<-'END'
		use std::sync::{mpsc, Arc, Condvar, Mutex};
		use std::{thread, time::Duration};
		fn nap() { thread::sleep(Duration::from_millis(100)); }
		#[inline(never)]
		fn mutex_waits() {
			let (m, (tx, rx)) = (Arc::new(Mutex::new(0)), mpsc::channel());
			let n = m.clone();
			let t = thread::spawn(move || { let _g = n.lock().unwrap(); tx.send(1).unwrap(); nap(); });
			rx.recv().unwrap();
			drop(m.lock().unwrap());
			t.join().unwrap();
		}
		#[inline(never)]
		fn condition_waits() {
			let p = Arc::new((Mutex::new(false), Condvar::new()));
			let q = p.clone();
			let t = thread::spawn(move || { nap(); *q.0.lock().unwrap() = true; q.1.notify_all(); });
			let mut g = p.0.lock().unwrap();
			while !*g { g = p.1.wait(g).unwrap(); }
			drop(g);
			t.join().unwrap();
		}
		#[inline(never)]
		fn park_waits() {
			let me = thread::current();
			let t = thread::spawn(move || { nap(); me.unpark(); });
			thread::park();
			t.join().unwrap();
		}
		fn main() {
			mutex_waits();
			condition_waits();
			park_waits();
			let mut s = 0u64;
			for i in 0..100000000u64 { s = s.wrapping_add(i ^ (s >> 3)); }
			println!("{}", s);
		}
	END
	HOME=$(getent passwd "$EUID" | cut -d: -f6) rustc -g -O -o rusty rusty.rs 2>err || skip "rustc does not work here"
	SMARTPROF_ENV=critical profiled ./rusty >out
	waits_of rusty
	for function in mutex_waits condition_waits park_waits; do
		grep -q "| condition | futex | rusty::$function" waits || fail "$function is not there"
	done
}
