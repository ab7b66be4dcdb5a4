/* main → encode → mix, N times: `MORE` changes main and what lies around, `SLOW` makes encode call mix twice. */
#include <stdio.h>
#include <stdlib.h>

static unsigned buffer[4096];

__attribute__((noinline)) unsigned mix(unsigned x)
{
	for (int i = 0; i < 50; i++)
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
