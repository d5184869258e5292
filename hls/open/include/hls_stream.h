// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls::stream with AMD's interface, twice:
//  - with HLS_OPEN_RTL, every access is a call to an undefined function that carries the stream's address; the
//    lowering turns it into a channel operation;
//  - otherwise a native FIFO, a ring buffer that grows as needed.
#ifndef HLS_OPEN_HLS_STREAM_H
#define HLS_OPEN_HLS_STREAM_H

#define HLS_OPEN_INLINE __attribute__((always_inline, nodebug)) inline

#ifdef HLS_OPEN_RTL

#include "hls_open_rtl.h"

namespace hls {

template <class T, int DEPTH = 0> class stream;

// The depth is what the netlist of a top reads from a stream's type; a kernel takes streams of any depth.
template <class T, int DEPTH> class stream : public stream<T, 0> {
public:
    stream() : stream<T, 0>(nullptr, DEPTH) {}
    explicit stream(const char* name) : stream<T, 0>(name, DEPTH) {}
};

template <class T> class stream<T, 0> {
public:
    stream() { hls_open_stream(this, 0, nullptr); }
    explicit stream(const char* name) { hls_open_stream(this, 0, name); }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    HLS_OPEN_INLINE T read() {
        T x;
        hls_open_stream_read(this, &x);
        return x;
    }
    HLS_OPEN_INLINE void read(T& x) { x = read(); }
    HLS_OPEN_INLINE void write(const T& x) {
        T copy = x;
        hls_open_stream_write(this, &copy);
    }
    HLS_OPEN_INLINE void operator>>(T& x) { x = read(); }
    HLS_OPEN_INLINE void operator<<(const T& x) { write(x); }
    // Whether data or room is there is the business of the FIFOs between stages: a step waits for its inputs and
    // never asks. (A step that asked would behave differently in every clock cycle.)
    HLS_OPEN_INLINE bool empty() { return hls_open_stream_empty(this); }
    HLS_OPEN_INLINE bool full() { return hls_open_stream_full(this); }
    HLS_OPEN_INLINE bool read_nb(T&) { return hls_open_stream_read_nb(this); }
    HLS_OPEN_INLINE bool write_nb(const T&) { return hls_open_stream_write_nb(this); }
    HLS_OPEN_INLINE unsigned size() { return hls_open_stream_size(this); }
    HLS_OPEN_INLINE unsigned capacity() { return hls_open_stream_size(this); }

protected:
    stream(const char* name, int depth) { hls_open_stream(this, depth, name); }

private:
    char identity;
};

}  // namespace hls

#else

#include <stddef.h>
#include <stdio.h>

namespace hls {

template <class T, int DEPTH = 0> class stream {
public:
    stream() = default;
    explicit stream(const char* n) : name(n) {}
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() { delete[] ring; }

    HLS_OPEN_INLINE bool empty() const { return head == tail; }
    HLS_OPEN_INLINE bool full() const { return false; }
    HLS_OPEN_INLINE size_t size() const { return tail - head; }

    HLS_OPEN_INLINE T read() {
        if (empty())
            return read_empty();
        return ring[head++ & (capacity - 1)];
    }
    HLS_OPEN_INLINE void read(T& x) { x = read(); }
    HLS_OPEN_INLINE bool read_nb(T& x) {
        bool some = !empty();
        x = some ? read() : T();
        return some;
    }
    HLS_OPEN_INLINE void write(const T& x) {
        if (size() == capacity)
            grow();
        ring[tail++ & (capacity - 1)] = x;
    }
    HLS_OPEN_INLINE bool write_nb(const T& x) {
        write(x);
        return true;
    }
    HLS_OPEN_INLINE void operator>>(T& x) { x = read(); }
    HLS_OPEN_INLINE void operator<<(const T& x) { write(x); }

private:
    const char* name = "";
    T* ring = nullptr;
    size_t capacity = 0, head = 0, tail = 0;  // head and tail count up for ever; capacity is a power of two

    __attribute__((noinline)) T read_empty() {  // as AMD's: hardware would wait for ever
        fprintf(stderr, "hls::stream '%s' is read while empty: the hardware would hang here\n", name);
        return T();
    }
    __attribute__((noinline)) void grow() {
        size_t n = size(), larger = capacity ? 2 * capacity : 64;
        T* next = new T[larger];
        for (size_t i = 0; i < n; i++)
            next[i] = ring[(head + i) & (capacity - 1)];
        delete[] ring;
        ring = next;
        capacity = larger;
        head = 0;
        tail = n;
    }
};

}  // namespace hls

#endif
#endif
