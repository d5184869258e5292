#include "vectors.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

static std::map<std::string, array> arrays;

[[noreturn]] static void fail(const std::string& message) {
    std::fprintf(stderr, "error: %s\n", message.c_str());
    std::exit(2);
}

void load_vectors(const char* folder) {
    static std::vector<std::vector<int64_t>> storage;
    const std::string base = folder;
    std::ifstream index(base + "/index.txt");
    std::string name;
    array a;
    while (index >> name >> a.dims) {
        a.count = 1;
        for (int i = 0; i < a.dims && i < 4; i++) {
            index >> a.shape[i];
            a.count *= a.shape[i];
        }
        storage.emplace_back(a.count);
        std::ifstream file(base + "/" + name + ".bin", std::ios::binary);
        file.read(reinterpret_cast<char*>(storage.back().data()), a.count * sizeof(int64_t));
        if (!file || a.dims > 4) {
            fail("the vectors in " + base + " are incomplete (" + name + "); run `make csim` again");
        }
        a.values = storage.back().data();
        arrays[name] = a;
    }
    if (arrays.empty()) {
        fail("there are no vectors in " + base + "; run `make csim`");
    }
}

const array* find_vector(const char* name) {
    const auto found = arrays.find(name);
    return found == arrays.end() ? nullptr : &found->second;
}

const array& vector_named(const char* name) {
    const array* found = find_vector(name);
    if (!found) {
        fail(std::string("the vectors lack ") + name + "; run `make csim` again");
    }
    return *found;
}
