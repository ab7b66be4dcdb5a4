/* Calls of the C library with all kinds of arguments and results, and one that is left by a longjmp. For any kind of processor; to be
 * built with -fno-builtin. */
#include <complex.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 100

static jmp_buf out_of_sort;

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int leaves(const void *a, const void *b)
{
	(void)a, (void)b;
	longjmp(out_of_sort, 1);
}

static void print_round(int i)
{
	char text[256];
	imaxdiv_t whole = imaxdiv(1000003 * (intmax_t)i, 17);
	double complex turned = cexp(i * 0.125 * I);
	struct mallinfo2 heap = mallinfo2();

	snprintf(text, sizeof(text), "%d %d %d %d %d %d %d %d %d %g %g %g %g %g %g %g %g %g %g", i, i + 1, i + 2, i + 3,
		i + 4, i + 5, i + 6, i + 7, i + 8, i * 0.5, i * 0.25, i * 1.5, i * 2.5, i * 3.5, i * 4.5, i * 5.5,
		i * 6.5, i * 7.5, i * 8.5);
	printf("%s %jd %jd %.9f %.9f %d %.6Lf\n", text, whole.quot, whole.rem, creal(turned), cimag(turned),
		heap.arena > 0, powl(1.0625L, i));
}

int main(void)
{
	int numbers[16];

	free(malloc(1000));
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < 16; k++)
			numbers[k] = (k * 7 + i) % 16;
		qsort(numbers, 16, sizeof(*numbers), by_value);
		if (!setjmp(out_of_sort))
			qsort(numbers, 16, sizeof(*numbers), leaves);
		printf("%d ", numbers[3]);
		print_round(i);
	}
	return 0;
}
