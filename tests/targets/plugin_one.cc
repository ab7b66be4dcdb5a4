// A plugin that computes and throws; dlstorm loads it and its sibling in turn.
#include <stdexcept>
#include <vector>

extern "C" int plugin_work(int n)
{
	std::vector<int> v;
	for (int i = 0; i < n % 100 + 10; i++)
		v.push_back(i);
	try {
		if (n % 3 == 0)
			throw std::runtime_error("one");
	} catch (const std::exception &) {
		return 1;
	}
	return v.back();
}
