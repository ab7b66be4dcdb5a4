// measured: what a program asks the profiler through smartprof.h, from C++: a measurement of a part of it, in one of several
// threads, marks from a signal handler, and a snapshot. Prints what it got; nothing without the library.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "preload/smartprof.h"

static volatile double sink = 1;
static std::atomic<bool> done{false};

static __attribute__((noinline)) void work(int rounds)
{
	for (int i = 0; i < rounds * 1000000; i++)
		sink = sink * 1.0000001 + 1;
}

static std::vector<std::vector<char>> kept;

static __attribute__((noinline)) void grow(int blocks)
{
	for (int i = 0; i < blocks; i++)
		kept.emplace_back(10000, 'x');
}

static void on_signal(int)
{
	if (smartprof_mark && !smartprof_mark("signal"))
		std::_Exit(3);
}

static void measure()
{
	static smartprof_result r;

	work(10); // is not to be in it
	if (!smartprof_start || !smartprof_start())
		return;
	work(50);
	grow(2000);
	work(50);
	if (!smartprof_stop(&r))
		std::exit(4);
	std::printf("duration %llu cpu %llu rss %llu heap %llu allocated %llu samples %llu points %u last %llu\n",
		r.duration_ns, r.cpu_ns, r.peak_rss_bytes, r.heap_bytes, r.allocated_bytes, r.samples, r.points,
		r.points ? r.timeline[r.points - 1].t_ns : 0);
	if (smartprof_stop(&r) || smartprof_active())
		std::exit(5);
}

int main()
{
	std::thread other([] {
		while (!done)
			work(1);
	});

	std::signal(SIGUSR1, on_signal);
	measure();
	std::raise(SIGUSR1);
	if (smartprof_snapshot && !smartprof_snapshot("end"))
		return 6;
	work(10);
	done = true;
	other.join();
	return 0;
}
