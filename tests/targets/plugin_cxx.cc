// A C++ plugin for a C program: its exceptions and its operator new must work although the
// program itself never loaded libstdc++.
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

struct alignas(64) wide {
	char bytes[64];
};

static __attribute__((noinline)) int thrower(int n)
{
	if (n == 0)
		throw std::runtime_error("from the plugin");
	return thrower(n - 1) + 1;
}

extern "C" int cxx_plugin(int rounds)
{
	int caught = 0;
	for (int i = 0; i < rounds; i++) {
		std::vector<std::unique_ptr<std::string>> strings;
		for (int j = 0; j < 20; j++)
			strings.push_back(std::make_unique<std::string>(static_cast<size_t>(j) * 50, 'x'));
		std::unique_ptr<wide> w(new wide);
		std::unique_ptr<int[]> a(new (std::nothrow) int[100]);
		if (reinterpret_cast<uintptr_t>(w.get()) % 64 || !a)
			return -1;
		try {
			thrower(10);
		} catch (const std::exception &e) {
			caught += std::string(e.what()) == "from the plugin";
		}
		try {
			std::vector<char> impossible(static_cast<size_t>(1) << 62);
		} catch (const std::bad_alloc &) {
			caught++;
		}
	}
	return caught;
}
