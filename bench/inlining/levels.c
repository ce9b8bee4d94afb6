#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
struct node { uint32_t key, value; };
static struct node table[1 << 12];
static inline uint32_t rotate(uint32_t x, int by) { return x << by | x >> (32 - by); }
static inline uint32_t mix(uint32_t x) { x ^= rotate(x, 13); x *= 0x9e3779b1u; return x ^ x >> 16; }
static inline uint32_t hash(uint32_t key) { return mix(mix(key) + 7); }
static inline struct node *slot(uint32_t key) { return &table[hash(key) & ((1 << 12) - 1)]; }
static inline void add(uint32_t key) { struct node *n = slot(key); n->key = key; n->value += mix(n->value + key); }
static int compare(const void *a, const void *b)
{ const struct node *x = a, *y = b; return (x->value > y->value) - (x->value < y->value); }
__attribute__((noinline)) static void fill(int n) { for (int i = 0; i < n; i++) add(i); }
static inline void sort_all(void) { qsort(table, 1 << 12, sizeof *table, compare); }
static inline void round_of(int n) { fill(n); sort_all(); }
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 600;
    for (int i = 0; i < rounds; i++) round_of(200000);
    printf("%u\n", table[17].value);
}
