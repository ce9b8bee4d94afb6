#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>
#include <string>
#include <vector>
namespace app {
template <typename T> struct Box {
    T value{};
    inline T spin(T by) { value = value * 31 + by; return value ^ (value >> 3); }
    inline T twice(T by) { return spin(by) + spin(by + 1); }
};
__attribute__((noinline)) unsigned work(std::vector<unsigned> &all) {
    Box<unsigned> box;
    std::transform(all.begin(), all.end(), all.begin(), [&](unsigned x) { return box.twice(x); });
    std::sort(all.begin(), all.end());
    std::map<std::string, unsigned> names;
    for (unsigned i = 0; i < 2000; i++) names[std::to_string(all[i] % 100)] += all[i];
    return std::accumulate(names.begin(), names.end(), 0u, [](unsigned s, auto &p) { return s + p.second; });
}
}
int main() {
    std::vector<unsigned> all(100000);
    std::iota(all.begin(), all.end(), 1u);
    unsigned total = 0;
    for (int i = 0; i < 250; i++) total += app::work(all);
    std::printf("%u\n", total);
}
