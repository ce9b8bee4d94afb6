/* Three threads without frame pointers: recursion, alloca, a realigned stack, qsort and printf of libc
 * that call back, small writes, and signals in between. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
static volatile unsigned long sink;

NOINLINE unsigned long leaf(unsigned long n) {
    unsigned long a = n;
    for (unsigned long i = 0; i < n; i++) a = a * 31 + (a >> 7);
    return a;
}

NOINLINE unsigned long recursive(unsigned long n, int depth) {
    unsigned long b[16], a = 0;
    for (int i = 0; i < 16; i++) b[i] = leaf(n + i);
    if (depth) b[3] += recursive(n, depth - 1);
    for (int i = 0; i < 16; i++) a += b[i];
    return a;
}

NOINLINE unsigned long variable(unsigned long n) {
    char *p = __builtin_alloca(n % 512 + 16);
    memset(p, 1, n % 512 + 16);
    return leaf(n) + p[n % 16];
}

__attribute__((noinline, noclone, force_align_arg_pointer)) unsigned long realigned(unsigned long n) {
    unsigned long b[8] __attribute__((aligned(64)));
    char *p = __builtin_alloca(n % 64 + 16);
    memset(b, 1, sizeof b);
    memset(p, 2, 16);
    for (int i = 0; i < 8; i++) b[i] += leaf(n + b[i] % 3) + p[i];
    return b[n & 7];
}

static int compare(const void *x, const void *y) {
    sink += leaf(20);
    return *(const int *)x - *(const int *)y;
}

static void handler(int number) { sink += recursive(10000 + number, 1); }

static void *work(void *nothing) {
    char buffer[4096];
    FILE *file = fopen("/dev/null", "w");
    for (int round = 0; round < 800; round++) {
        int numbers[200];
        sink += recursive(1000, round % 8) + variable(30000 + round) + realigned(10000 + round);
        for (int i = 0; i < 200; i++) numbers[i] = i * 7919 % 211;
        qsort(numbers, 200, sizeof *numbers, compare);
        for (int i = 0; i < 1000; i++) fprintf(file, "%d %s\n", i, "x");
        for (int i = 0; i < 200; i++) sink += write(fileno(file), buffer, 1) + getppid();
    }
    fclose(file);
    return nothing;
}

int main(void) {
    struct itimerval every = {{0, 10000}, {0, 10000}};
    pthread_t threads[3];
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int i = 0; i < 3; i++) pthread_create(threads + i, NULL, work, NULL);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    return 0;
}
