// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An 8x8 matrix, kept in a RAM, times vectors: a row of the matrix per cycle, a result per cycle.
//
// What it shows: a RAM that is filled at first and then only read, a state machine over three streams, and a promise:
// every row is read eight steps or more after it was written, so nothing has to be compared or forwarded. The
// simulation of the Verilog holds the kernel to it.
//
//     hls-open check matrix_vector.hpp matrix_vector=matrix_vector
#pragma once
#include <ap_int.h>
#include <hls_stream.h>
#include <ram.h>

struct matrix_vector {
    static constexpr int N = 8;
    typedef ap_int<8> element_t;
    typedef ap_uint<8 * N> row_t;  // N elements, the first one lowest
    typedef ap_int<16 + 3> dot_t;

    hls_open::ram<row_t, N> rows;
    bool filled = false;
    ap_uint<3> row = 0;
    row_t vector = 0;

    static element_t element(const row_t& word, int i) { return word.range(8 * i + 7, 8 * i); }

    void step(hls::stream<row_t>& matrix, hls::stream<row_t>& vectors, hls::stream<dot_t>& products) {
        rows.independent();
        if (!filled) {
            rows.write(row, matrix.read());
        } else {
            if (row == 0) {
                vector = vectors.read();
            }
            const row_t word = rows.read(row);
            dot_t dot = 0;
            for (int i = 0; i < N; i++) {
                dot += element(word, i) * element(vector, i);
            }
            products.write(dot);
        }
        filled = filled || row == N - 1;
        row++;  // three bits: from 7 to 0
    }
};
