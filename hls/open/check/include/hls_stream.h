// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls::stream for checking: without a bound, like the streams of C simulation, but a read of an empty stream ends the
// step that did it, which then counts as not begun (hls_open_check.h). Any compiler, any ap_int.h.
#ifndef HLS_OPEN_CHECK_HLS_STREAM_H
#define HLS_OPEN_CHECK_HLS_STREAM_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace hls_open_check {

// Where a step goes back to that reads an empty stream.
struct starvation {
    jmp_buf place;
    bool armed;
};
inline starvation& starved() {
    static starvation one;
    return one;
}

// What a stream holds. It outlives the stream: a dataflow runs after the function that has declared it.
template <class T> struct queue {
    T* ring = nullptr;
    size_t capacity = 0, head = 0, tail = 0;  // count up for ever; capacity is a power of two
    size_t marked_head = 0, marked_tail = 0;
    const char* name;
    bool outside = false;  // an input of the whole dataflow: a reset leaves its words alone

    explicit queue(const char* n) : name(n) {}
    size_t size() const { return tail - head; }
    T read() {
        if (head == tail) {
            if (starved().armed)
                longjmp(starved().place, 1);
            fprintf(stderr, "stream '%s' is read while empty, outside a step\n", name);
            exit(3);
        }
        return ring[head++ & (capacity - 1)];
    }
    void write(const T& x) {
        if (tail - marked_head == capacity)
            grow();
        ring[tail++ & (capacity - 1)] = x;
    }
    void mark() { marked_head = head, marked_tail = tail; }
    void back() { head = marked_head, tail = marked_tail; }
    void clear() { head = outside ? head : tail; }
    void grow() {
        size_t larger = capacity ? 2 * capacity : 64;
        T* next = new T[larger];
        for (size_t i = marked_head; i != tail; i++)
            next[i & (larger - 1)] = ring[i & (capacity - 1)];
        ring = next;  // the old one stays: a step that is given up must not have freed anything
        capacity = larger;
    }
};

}  // namespace hls_open_check

namespace hls {

template <class T, int DEPTH = 0> class stream;

template <class T> class stream<T, 0> {
public:
    stream() : words(new hls_open_check::queue<T>("")) {}
    explicit stream(const char* name) : words(new hls_open_check::queue<T>(name)) {}
    explicit stream(hls_open_check::queue<T>* of) : words(of) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    bool empty() const { return words->size() == 0; }
    bool full() const { return false; }
    size_t size() const { return words->size(); }
    T read() { return words->read(); }
    void read(T& x) { x = words->read(); }
    bool read_nb(T& x) {
        if (empty())
            return false;
        x = words->read();
        return true;
    }
    void write(const T& x) { words->write(x); }
    bool write_nb(const T& x) {
        words->write(x);
        return true;
    }
    void operator>>(T& x) { x = words->read(); }
    void operator<<(const T& x) { words->write(x); }

    hls_open_check::queue<T>* words;
};

template <class T, int DEPTH> class stream : public stream<T, 0> {
public:
    stream() = default;
    explicit stream(const char* name) : stream<T, 0>(name) {}
};

}  // namespace hls

#endif
