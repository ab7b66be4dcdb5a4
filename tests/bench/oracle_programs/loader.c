/* Loads, looks up and unloads, without end. */
#include <dlfcn.h>
#include <stddef.h>

int main(void)
{
	for (;;) {
		void *math = dlopen("libm.so.6", RTLD_LAZY), *other = dlopen("libcrypto.so.3", RTLD_LAZY);

		dlsym(math, "sin");
		dlsym(RTLD_DEFAULT, "nonesuch");
		if (other) {
			dlsym(other, "EVP_sha256");
			dlclose(other);
		}
		dlclose(math);
	}
}
