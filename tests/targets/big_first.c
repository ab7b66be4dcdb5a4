/* The first allocations are the largest: 300,000 bytes, then 40 MiB, both kept to the end. */
#include <stdlib.h>
#include <string.h>

int main(void)
{
	char *first = malloc(300000), *second = malloc(40u << 20);
	volatile long sum = 0;

	if (!first || !second)
		return 1;
	memset(second, 1, 40u << 20);
	for (long i = 0; i < 30000000; i++)
		sum += i;
	return first == second || sum < 0;
}
