#!/bin/bash
# Programs with debug information for the benchmarks of symbols, made in DIRECTORY: program_cxx, C++ with
# templates, and program_c, plain C of many functions. Usage: programs.sh DIRECTORY
set -eu
cd "$1"
python3 - <<'END'
with open("c.c", "w") as f:
    f.write("#include <stdlib.h>\n#include <string.h>\n#include <stdio.h>\n")
    for i in range(12):
        f.write(f"static inline int leaf{i}(int x) {{ if (x > {900 + i}) abort(); return x * {i + 3} ^ x >> {i % 7}; }}\n")
        f.write(f"static inline int middle{i}(int x)\n{{\n\tfor (int k = 0; k < {i + 2}; k++)\n\t\tx += leaf{i}(x + k);\n\treturn x;\n}}\n")
    for i in range(900):
        f.write(f"""__attribute__((noinline)) {'static ' if i % 3 else ''}int work{i}(char *text, int x)
{{
\tstruct {{ int a, b; }} s = {{ x, middle{i % 12}(x) }};

\tfor (int k = 0; k < {i % 9 + 2}; k++) {{
\t\tif (text[k] == {i % 90 + 32})
\t\t\ts.a += middle{(i + 5) % 12}(s.b);
\t\telse
\t\t\ts.b ^= leaf{(i + 7) % 12}(k) + (int)strlen(text);
\t}}
\tif (s.a == s.b)
\t\tprintf("%d", s.a);
\treturn s.a + s.b;
}}
""")
    f.write("int main(int argc, char **argv)\n{\n\tint x = argc;\n")
    f.writelines(f"\tx += work{i}(argv[0], x);\n" for i in range(900))
    f.write("\treturn x & 1;\n}\n")
with open("cxx.cc", "w") as f:
    f.write("#include <algorithm>\n#include <map>\n#include <memory>\n#include <string>\n#include <unordered_map>\n#include <vector>\n")
    for i in range(60):
        f.write(f"""namespace part{i} {{
struct Item {{ int key; std::string text; bool operator<(const Item &o) const {{ return key < o.key; }} }};
template <typename T> struct Box {{
\tstd::vector<T> items;
\tstd::map<int, T> byKey;
\tvoid add(T t) {{ byKey.emplace(t.key, t); items.push_back(std::move(t)); }}
\tint best() const {{ return std::max_element(items.begin(), items.end())->key; }}
}};
int work(int n)
{{
\tBox<Item> box;
\tstd::unordered_map<std::string, std::unique_ptr<int>> names;
\tfor (int k = 0; k < n + {i}; k++) {{
\t\tbox.add(Item{{k * {i + 3} % 101, std::to_string(k)}});
\t\tnames[std::to_string(k % {i + 5})] = std::make_unique<int>(k);
\t}}
\tstd::sort(box.items.begin(), box.items.end(), [](const Item &a, const Item &b) {{ return a.text < b.text; }});
\treturn box.best() + (int)names.size();
}}
}}
""")
    f.write("int main(int argc, char **)\n{\n\tint x = argc;\n")
    f.writelines(f"\tx += part{i}::work(x & 63);\n" for i in range(60))
    f.write("\treturn x & 1;\n}\n")
END
gcc -g -O2 -o program_c c.c
g++ -g -O2 -o program_cxx cxx.cc
