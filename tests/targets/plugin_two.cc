// The other plugin of dlstorm: another size and other frames, so that addresses change hands.
#include <map>
#include <string>

static thread_local int calls;

static __attribute__((noinline)) int deep(int n)
{
	volatile char space[256];
	space[0] = static_cast<char>(n);
	if (n == 0)
		throw std::string("two");
	return deep(n - 1) + space[0];
}

extern "C" int plugin_work(int n)
{
	std::map<int, std::string> m;
	for (int i = 0; i < 50; i++)
		m[i * n % 97] = std::string(static_cast<size_t>(i) + 20, 'x');
	try {
		return deep(n % 30);
	} catch (const std::string &) {
		return static_cast<int>(m.size()) + ++calls;
	}
}
