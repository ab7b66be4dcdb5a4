/* For race detectors: four threads take turns at each kind of lock, and wait for each. */
#include <pthread.h>
#include <threads.h>

#include "tests/targets/common.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static mtx_t c11;
static int by_mutex, by_rwlock;

static void nap(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void *work(void *unused)
{
	for (int i = 0; i < 6; i++) {
		pthread_mutex_lock(&mutex);
		nap(9);
		by_mutex++;
		pthread_mutex_unlock(&mutex);
		pthread_rwlock_wrlock(&rwlock);
		nap(9);
		by_rwlock++;
		pthread_rwlock_unlock(&rwlock);
		pthread_rwlock_rdlock(&rwlock);
		check(by_rwlock > 0, "read");
		pthread_rwlock_unlock(&rwlock);
		mtx_lock(&c11);
		nap(1);
		mtx_unlock(&c11);
	}
	return unused;
}

int main(void)
{
	pthread_t threads[4];

	spend(0.1); /* else there is no profile of it */
	mtx_init(&c11, mtx_plain);
	for (int i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, work, NULL) == 0, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("%d %d\n", by_mutex, by_rwlock);
	return 0;
}
