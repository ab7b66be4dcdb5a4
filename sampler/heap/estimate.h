/* The two functions that Poisson sampling by bytes needs, without libm (the agent links none).
 *
 * Bytes are picked by a Poisson process of mean distance I, so an allocation of s bytes is picked
 * with probability P = 1 - e^(-s/I), and a picked one stands for 1/P allocations of s bytes
 * (Horvitz and Thompson 1952; the scheme is that of tcmalloc's and jemalloc's profilers). estimate.md
 * derives weight and variance. */
#ifndef SP_SAMPLER_HEAP_ESTIMATE_H
#define SP_SAMPLER_HEAP_ESTIMATE_H

#include <stdint.h>

/* From this many intervals on an allocation is always picked, and stands for itself alone. */
#define SP_EXACT_INTERVALS 8u

/* e^-x for 0 <= x <= 8, relative error below 1e-9: 2^-k times a Taylor polynomial. */
static inline double sp_exp_minus(double x)
{
	double y = x * 1.4426950408889634; /* log2 e */
	int k = (int)y;
	double f = -(y - k) * 0.6931471805599453, sum = 1, term = 1;
	int i;

	for (i = 1; i <= 11; i++) {
		term *= f / i;
		sum += term;
	}
	return sum / (double)(1ull << k);
}

/* -ln(u / 2^53) for 0 < u <= 2^53, relative error below 1e-9: binary exponent plus an atanh
 * series of the mantissa around sqrt(1/2)..sqrt(2). */
static inline double sp_minus_log(uint64_t u)
{
	int k = 63 - __builtin_clzll(u);
	double m = (double)u / (double)(1ull << k), z, z2, sum = 0, power;
	int i;

	if (m > 1.4142135623730951) {
		m /= 2;
		k++;
	}
	z = (m - 1) / (m + 1);
	z2 = z * z;
	power = z;
	for (i = 1; i <= 15; i += 2) {
		sum += power / i;
		power *= z2;
	}
	return (53 - k) * 0.6931471805599453 - 2 * sum;
}

/* Bytes up to and including the next picked one: exponential of mean `interval`, rounded up, so
 * that an allocation of s bytes is picked exactly when the pick is not above s; cut off at
 * SP_EXACT_INTERVALS intervals, which only moves what is recorded exactly anyway. `random`: 64
 * random bits. */
static inline int64_t sp_next_pick(uint64_t random, uint64_t interval)
{
	double d = sp_minus_log((random >> 11) + 1);

	if (d >= SP_EXACT_INTERVALS)
		return (int64_t)(SP_EXACT_INTERVALS * interval);
	return (int64_t)(d * (double)interval) + 1;
}

/* Probability that an allocation of `size` bytes is picked. */
static inline double sp_pick_probability(uint64_t size, uint64_t interval)
{
	if (size / SP_EXACT_INTERVALS >= interval)
		return 1;
	return 1 - sp_exp_minus((double)size / (double)interval);
}

#endif
