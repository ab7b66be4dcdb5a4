/* main → encode → mix, N times: `MORE` changes main and what lies around, `SLOW` makes encode call mix twice, and `ROUNDS` is a constant
 * that no instruction has. */
#include <stdio.h>
#include <stdlib.h>

#ifndef ROUNDS
#define ROUNDS 50
#endif

static unsigned buffer[4096];
static const int rounds[] = {ROUNDS, ROUNDS + 1};

__attribute__((noinline)) unsigned mix(unsigned x)
{
	for (int i = 0, most = rounds[x % 2]; i < most; i++)
		x = x * 2654435761u + buffer[x % 4096];
	return x;
}

__attribute__((noinline)) unsigned encode(int n)
{
	unsigned x = 1;

	for (int i = 0; i < n; i++) {
		x ^= mix((unsigned)i);
#ifdef SLOW
		x ^= mix(x);
#endif
		buffer[i % 4096] = x;
	}
	return x;
}

#ifdef MORE
static char table[10000];

__attribute__((noinline)) int decode(int n)
{
	for (int i = 0; i < n; i++)
		table[i % 10000] += (char)i;
	return table[n % 7];
}
#endif

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000000;

#ifdef MORE
	if (n < 0)
		printf("%d\n", decode(-n));
#endif
	printf("%u\n", encode(n));
	return 0;
}
