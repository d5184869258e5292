// hls::stream for the model of random tops (sim/fuzz/random_tops.py): a read of an empty stream says so, and a step can
// be taken back.
#ifndef SIM_FUZZ_HLS_STREAM_H
#define SIM_FUZZ_HLS_STREAM_H

#include <functional>
#include <stddef.h>
#include <vector>

namespace hls {

static bool starved;  // a read found nothing: the step waits

struct any_stream {
    virtual void keep() = 0;       // what was read is gone, what was written is there
    virtual void take_back() = 0;  // as if the step had not been
    virtual size_t size() const = 0;
};

template <class T, int DEPTH = 0> struct stream : any_stream {
    std::vector<T> words, written;
    size_t head = 0, kept = 0;

    T read() {
        if (head == words.size()) {
            starved = true;
            return T();
        }
        return words[head++];
    }
    void write(const T& x) { written.push_back(x); }
    void keep() override {
        words.insert(words.end(), written.begin(), written.end());
        written.clear();
        kept = head;
    }
    void take_back() override {
        written.clear();
        head = kept;
    }
    size_t size() const override { return words.size() - head; }
    bool empty() const { return size() == 0; }
};

struct process {
    std::function<void()> step;                // with its kernel; takes the kernel back itself
    std::vector<any_stream*> streams, behind;  // all, and those that only have so much room
    int steps = 0;
};

// Steps whatever can step, in turns, until nothing can or each has done its steps.
static void run(process* processes, int count, size_t room, int steps) {
    for (bool some = true; some;) {
        some = false;
        for (process* p = processes; p < processes + count; p++) {
            bool full = p->steps == steps;
            for (any_stream* s : p->behind)
                full |= s->size() >= room;
            if (full)
                continue;
            starved = false;
            p->step();
            for (any_stream* s : p->streams)
                starved ? s->take_back() : s->keep();
            p->steps += !starved;
            some |= !starved;
        }
    }
}

}  // namespace hls

#endif
