// Test vectors: a folder with one file of int64 values per array and an index of their shapes
// (written by hls/csim/vectors.py from the golden model). C types only, so that the testbench needs no C++ library.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct array {
    int dims;
    int shape[4];
    size_t count;
    const int64_t* values;
};

// Read a folder; ends the program with exit code 2 and one sentence if it is incomplete.
void load_vectors(const char* folder);
// Return an array, or null.
const array* find_vector(const char* name);
// Return an array; ends the program with exit code 2 if there is none.
const array& vector_named(const char* name);
