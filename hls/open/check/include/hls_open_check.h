// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the reference program of `hls-open check` is made of: words as bits, steps that may turn out not to have begun,
// and processes that run until no one of them can go on.
#ifndef HLS_OPEN_CHECK_H
#define HLS_OPEN_CHECK_H

#include <ap_int.h>
#include <hls_stream.h>

namespace hls_open_check {

// -- words: bit i is bit i % 32 of w[i / 32]

inline unsigned bits_of(const unsigned* w, int low, int width) {  // up to 32
    unsigned long long both = w[low / 32];
    if (low % 32 + width > 32)
        both |= (unsigned long long)w[low / 32 + 1] << 32;
    both >>= low % 32;
    return unsigned(width == 32 ? both : both & ((1ull << width) - 1));
}

template <class T> void take(T& x, const unsigned* w, int low, int width) {  // an ap_int
    x = 0;
    for (int i = (width - 1) / 32; i >= 0; i--) {
        const int n = width - 32 * i < 32 ? width - 32 * i : 32;
        if (i < (width - 1) / 32)
            x = x << 32;
        x = T(x | T(ap_uint<32>(bits_of(w, low + 32 * i, n))));
    }
}

template <class T> void put(const T& x, unsigned* w, int low, int width) {
    for (int i = 0; i < width; i++)
        if (x[i])
            w[(low + i) / 32] |= 1u << (low + i) % 32;
}

template <class T> void take_builtin(T& x, const unsigned* w, int low, int width) {
    unsigned long long value = bits_of(w, low, width < 32 ? width : 32);
    if (width > 32)
        value |= (unsigned long long)bits_of(w, low + 32, width - 32) << 32;
    x = (T)value;
}

template <class T> void put_builtin(const T& x, unsigned* w, int low, int width) {
    const unsigned long long value = (unsigned long long)x;
    for (int i = 0; i < width; i++)
        if (value >> i & 1)
            w[(low + i) / 32] |= 1u << (low + i) % 32;
}

// A word of a file, one hexadecimal number per line; false at its end.
inline bool read_word(FILE* file, unsigned* w, int bits) {
    int c = fgetc(file), digits[(1 << 16) / 4], n = 0;
    while (c == '\n' || c == ' ')
        c = fgetc(file);
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n' && n < (1 << 16) / 4; c = fgetc(file))
        digits[n++] = c >= 'a' ? c - 'a' + 10 : c - '0';
    memset(w, 0, (bits + 31) / 32 * sizeof *w);
    for (int i = 0; i < n && 4 * i < bits; i++)
        w[i / 8] |= (unsigned)digits[n - 1 - i] << 4 * (i % 8);
    return true;
}

inline void print_word(FILE* file, const unsigned* w, int bits) {
    fputc(' ', file);
    for (int i = (bits + 3) / 4 - 1; i >= 0; i--)
        fputc("0123456789abcdef"[w[i / 8] >> 4 * (i % 8) & 15], file);
}

// -- steps

// One step of a kernel; false, and everything as before, if it would read a stream that is empty.
//
// `written` remembers of which streams the kernel writes: an empty one of them is no reason to keep a copy of the
// kernel.
template <class Kernel, class... Streams> bool try_step(Kernel& kernel, bool* written, Streams&... streams) {
    static unsigned char saved[sizeof(Kernel)];
    const bool empty[] = {streams.empty()...};
    const void* const which[] = {streams.words...};
    bool risky = false;
    for (size_t i = 0; i < sizeof...(streams); i++)
        risky |= empty[i] && !written[i];
    int unused[] = {(streams.words->mark(), 0)...};
    (void)unused;
    if (risky)
        memcpy(saved, (void*)&kernel, sizeof kernel);
    starved().armed = true;
    if (setjmp(starved().place)) {
        starved().armed = false;
        if (!risky) {
            fprintf(stderr, "a stream that a kernel writes is read by it, too\n");
            exit(3);
        }
        memcpy((void*)&kernel, saved, sizeof kernel);
        int again[] = {(streams.words->back(), 0)...};
        (void)again;
        return false;
    }
    kernel.step(streams...);
    starved().armed = false;
    const bool grown[] = {streams.words->tail != streams.words->marked_tail...};
    const bool shrunk[] = {streams.words->head != streams.words->marked_head...};
    for (size_t i = 0; i < sizeof...(streams); i++) {
        bool twice = false;  // one stream as two parameters: which of them wrote can't be told
        for (size_t j = 0; j < sizeof...(streams); j++)
            twice |= i != j && which[i] == which[j];
        written[i] |= grown[i] && !shrunk[i] && !twice;
    }
    return true;
}

// -- a dataflow: what `hls_open::run` was called for

// The RAMs of objects that were made, by their addresses: a reset leaves them alone.
struct made_ram {
    const char* at;
    size_t size;
};
struct list_of_rams {
    made_ram* all;
    size_t count, room;
};
inline list_of_rams& rams() {
    static list_of_rams one = {nullptr, 0, 0};
    return one;
}
inline void add_ram(const void* at, size_t size) {
    list_of_rams& list = rams();
    if (list.count == list.room) {
        list.room = 2 * list.room + 16;
        list.all = (made_ram*)realloc((void*)list.all, list.room * sizeof *list.all);
    }
    list.all[list.count].at = (const char*)at;
    list.all[list.count++].size = size;
}

struct process {
    process* next = nullptr;
    size_t ram_at[4096], ram_size[4096];  // in the kernel, in their order
    int ram_count = 0;
    long steps = 0, most = 0, commits[4096];
    size_t seen = 0;  // words ever written to its streams when it lacked one

    virtual bool step() = 0;
    virtual size_t written_to_streams() const = 0;
    virtual void restart() = 0;
    virtual void keep(int ram) = 0;
    virtual void clear() = 0;

    bool go() {
        if (steps >= most)
            return false;
        for (int r = 0; r < ram_count; r++)
            if (commits[r] == steps)
                keep(r);
        if (seen == written_to_streams() + 1)
            return false;  // nothing has come since it lacked a word
        if (!step()) {
            seen = written_to_streams() + 1;
            return false;
        }
        seen = 0;
        steps++;
        return true;
    }
};
inline process*& processes() {
    static process* first = nullptr;
    return first;
}

template <int... I> struct numbers {};
template <int N, int... I> struct count_to : count_to<N - 1, N - 1, I...> {};
template <int... I> struct count_to<0, I...> {
    typedef numbers<I...> type;
};

template <class S> struct word_in;
template <class T, int DEPTH> struct word_in<hls::stream<T, DEPTH>> {
    typedef T type;
};

template <class Kernel, class... T> struct process_of : process {
    alignas(Kernel) unsigned char first[sizeof(Kernel)], now[sizeof(Kernel)], kept[sizeof(Kernel)];
    void* queues[sizeof...(T)];
    bool written[sizeof...(T)] = {};

    template <class... S> static bool with(Kernel& kernel, bool* written, S&&... streams) {
        return try_step(kernel, written, streams...);
    }
    template <int... I> bool step_with(numbers<I...>) {
        return with(*(Kernel*)(void*)now, written, hls::stream<T>((queue<T>*)queues[I])...);
    }
    template <int... I> size_t sum(numbers<I...>) const {
        size_t all = 0;
        const int each[] = {(all += ((queue<T>*)queues[I])->tail, 0)...};
        (void)each;
        return all;
    }
    bool step() override { return step_with(typename count_to<sizeof...(T)>::type()); }
    size_t written_to_streams() const override { return sum(typename count_to<sizeof...(T)>::type()); }
    void restart() override {
        memcpy(now, first, sizeof now);
        for (int r = 0; r < ram_count; r++)
            memcpy(now + ram_at[r], kept + ram_at[r], ram_size[r]);
        steps = 0, seen = 0;
    }
    template <int... I> void clear_all(numbers<I...>) {
        const int each[] = {(((queue<T>*)queues[I])->clear(), 0)...};
        (void)each;
    }
    void clear() override { clear_all(typename count_to<sizeof...(T)>::type()); }
    void keep(int r) override { memcpy(kept + ram_at[r], now + ram_at[r], ram_size[r]); }
};

template <class Kernel, class... S> void add_process(Kernel& kernel, S&... streams) {
    typedef process_of<Kernel, typename word_in<S>::type...> mine;
    mine* added = new mine;
    memcpy(added->first, (void*)&kernel, sizeof kernel);
    memcpy(added->kept, (void*)&kernel, sizeof kernel);
    void* queues[] = {(void*)streams.words...};
    memcpy(added->queues, queues, sizeof queues);
    list_of_rams& list = rams();
    size_t left = 0;
    for (size_t i = 0; i < list.count; i++) {
        const char* base = (const char*)&kernel;
        if (list.all[i].at >= base && list.all[i].at < base + sizeof kernel) {
            int r = added->ram_count++;
            for (; r > 0 && added->ram_at[r - 1] > size_t(list.all[i].at - base); r--) {
                added->ram_at[r] = added->ram_at[r - 1];
                added->ram_size[r] = added->ram_size[r - 1];
            }
            added->ram_at[r] = list.all[i].at - base;
            added->ram_size[r] = list.all[i].size;
        } else {
            list.all[left++] = list.all[i];
        }
    }
    list.count = left;
    process** last = &processes();
    while (*last)
        last = &(*last)->next;
    *last = added;
}

// All processes, until none can go on.
inline void run_all() {
    for (bool any = true; any;) {
        any = false;
        for (process* p = processes(); p; p = p->next)
            while (p->go())
                any = true;
    }
}

// From reset to reset: how many steps every process does, and how many of them had written each of its RAMs at the end.
// `print_ports` tells what went through the ports; after the last stretch comes which processes could go on.
inline void run_epochs(FILE* epochs, FILE* out, void (*print_ports)(FILE*)) {
    int last;
    while (fscanf(epochs, "%d", &last) == 1) {
        for (process* p = processes(); p; p = p->next) {
            p->clear();
            p->restart();
            if (fscanf(epochs, "%ld", &p->most) != 1)
                exit(3);
            for (int r = 0; r < p->ram_count; r++)
                if (fscanf(epochs, "%ld", &p->commits[r]) != 1)
                    exit(3);
        }
        run_all();
        fprintf(out, "epoch");
        for (process* p = processes(); p; p = p->next) {
            fprintf(out, " %ld", p->steps);
            for (int r = 0; r < p->ram_count; r++)
                if (p->commits[r] >= p->steps)
                    p->keep(r);
        }
        fputc('\n', out);
        print_ports(out);
        int i = 0;
        for (process* p = processes(); last && p; p = p->next, i++) {
            p->most++;
            if (p->go())
                fprintf(out, "more %d\n", i);
        }
    }
}

// -- the types of a kernel's streams

template <int I, class... S> struct nth;
template <class S, class... More> struct nth<0, S, More...> {
    typedef S type;
};
template <int I, class S, class... More> struct nth<I, S, More...> : nth<I - 1, More...> {};

template <class S> struct word_of;
template <class T, int DEPTH> struct word_of<hls::stream<T, DEPTH>&> {
    typedef T type;
};

template <class S> struct without_reference;
template <class S> struct without_reference<S&> {
    typedef S type;
};
template <int I, class Function> struct stream_at;
template <int I, class Result, class... S> struct stream_at<I, Result (*)(S...)>
    : without_reference<typename nth<I, S...>::type> {};

template <int I, class Step> struct word_at;
template <int I, class Kernel, class Result, class... S> struct word_at<I, Result (Kernel::*)(S...)>
    : word_of<typename nth<I, S...>::type> {};
template <int I, class Result, class... S> struct word_at<I, Result (*)(S...)> : word_of<typename nth<I, S...>::type> {
};

// All words of a file into a stream.
template <class T>
void load(hls::stream<T>& stream, const char* path, int bits, void (*take_word)(T&, const unsigned*)) {
    static unsigned w[1 << 11];
    FILE* file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "no %s\n", path);
        exit(3);
    }
    while (read_word(file, w, bits)) {
        T x;
        take_word(x, w);
        stream.write(x);
    }
    fclose(file);
}

template <class T> void print(FILE* file, const T& x, int bits, void (*put_word)(const T&, unsigned*)) {
    static unsigned w[1 << 11];
    memset(w, 0, (bits + 31) / 32 * sizeof *w);
    put_word(x, w);
    print_word(file, w, bits);
}

}  // namespace hls_open_check

#endif
