/* Computes with large numbers, without end. */
#include <gmp.h>
#include <stdlib.h>

int main(void)
{
	mpz_t a, b, c;

	mpz_inits(a, b, c, NULL);
	for (unsigned long i = 0;; i++) {
		mpz_ui_pow_ui(a, 3, 200 + i % 5000);
		mpz_ui_pow_ui(b, 7, 100 + i % 3000);
		mpz_mul(c, a, b);
		mpz_tdiv_q(c, c, b);
		mpz_sqrt(c, c);
		mpz_gcd(c, a, b);
		mpz_invert(c, a, b);
		mpz_powm(c, a, b, b);
		free(mpz_get_str(NULL, 10, b));
	}
}
