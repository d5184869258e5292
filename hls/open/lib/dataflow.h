// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls_open::run: a kernel as a process of a dataflow. For this compiler, for Vitis HLS, and for C simulation.
//
//     template <int N> static void scale(hls::stream<word>& in, hls::stream<word>& out) {
//         scale_kernel<N> kernel;
//         hls_open::run(kernel, in, out);
//     }
//
//     void pipeline(hls::stream<word>& in, hls::stream<word>& out) {
//     #pragma HLS DATAFLOW
//         hls::stream<word, 16> between;
//         scale<3>(in, between);
//         scale<5>(between, out);
//     }
//
// In hardware the kernel steps for ever; in C simulation until its inputs are used up, which it finds out by itself. A
// feedback, where a process waits for one that comes later, can't be simulated by calling one after the other: the
// streams of such a dataflow hold what they hold, and `hls-open top` runs all of them together.
#ifndef HLS_OPEN_DATAFLOW_H
#define HLS_OPEN_DATAFLOW_H

#include <hls_stream.h>

#ifdef HLS_OPEN_RTL

#include <hls_open_rtl.h>

namespace hls_open {

// What the compiler gets to know of a kernel.
template <class Kernel> struct process {
    static constexpr auto step = hls_open_member_of<Kernel>(&Kernel::step);
    static void reset(Kernel* kernel) { new ((void*)kernel) Kernel; }
    static Kernel object;  // declared only: its type counts
};

template <class Kernel, class... Streams> inline void run(Kernel& kernel, Streams&... streams) {
    (void)sizeof((kernel.step(streams...), 0));  // they fit
    hls_open_process(&kernel, &process<Kernel>::step, (const void*)&process<Kernel>::reset, &process<Kernel>::object);
    const int each[] = {(hls_open_process_stream(&streams), 0)...};
    (void)each;
}

}  // namespace hls_open

#elif defined(HLS_OPEN_CHECK)

#include <hls_open_check.h>

namespace hls_open {

template <class Kernel, class... Streams> inline void run(Kernel& kernel, Streams&... streams) {
    hls_open_check::add_process(kernel, streams...);
}

}  // namespace hls_open

#elif defined(__SYNTHESIS__)

namespace hls_open {

template <class Kernel, class... Streams> void run(Kernel& kernel, Streams&... streams) {
#pragma HLS INLINE
free_run:
    while (true) {
#pragma HLS PIPELINE II=1 style=frp  // a step that waits for input still gives out what came before
        kernel.step(streams...);
    }
}

}  // namespace hls_open

#else

namespace hls_open {

template <class Stream> struct carried;
template <template <class, int> class Stream, class T, int DEPTH> struct carried<Stream<T, DEPTH> > {
    typedef T type;
};
template <template <class> class Stream, class T> struct carried<Stream<T> > {
    typedef T type;
};

// A stream for one step at a time, so that a step can be taken back. Of each stream a step has one access: it gets one
// word lent, the next one, or a word that is only there to be missed; what is behind it afterwards was written.
template <class Stream> class borrowed {
    typedef typename carried<Stream>::type word_t;

public:
    explicit borrowed(Stream& stream) : real(stream), word(), sent() {}
    ~borrowed() {
        while (!once.empty())
            once.read();
        if (holds)
            give_back();
    }
    // True if there was nothing to lend.
    bool lend() {
        if (output || holds)
            return false;
        padded = real.empty();
        if (!padded)
            word = real.read();
        once.write(word);
        holds = !padded;
        return padded;
    }
    // What a step has done with it; true if it read a word that isn't there.
    bool look() {
        word_t words[2] = {word_t(), word_t()};
        int n = 0;
        while (!once.empty())
            words[n++ & 1] = once.read();
        left = (holds || padded) && n > 0;
        wrote = n > left;
        if (wrote)
            sent = words[left];
        return padded && !left;
    }
    void settle(bool done) {
        if (done && wrote) {
            if (holds)
                give_back();
            holds = false;
            output = true;
            real.write(sent);
        }
        if (holds && (left || !done))
            once.write(word);
        else
            holds = false;
        padded = false;
    }
    bool read() const { return !output && !left; }

    Stream once;

private:
    void give_back() {  // in front of the others
        Stream rest;
        while (!real.empty())
            rest.write(real.read());
        real.write(word);
        while (!rest.empty())
            real.write(rest.read());
    }

    Stream& real;
    bool output = false, holds = false, padded = false, left = false, wrote = false;
    word_t word, sent;
};

template <class Kernel, class... Borrowed> void run_until_starved(Kernel& kernel, Borrowed&&... streams) {
    // A kernel that reads nothing any more would step for ever.
    for (long idle = 0; idle < 1000000; idle++) {
        bool risky = false, starved = false, some = false;
        const int lent[] = {(risky |= streams.lend(), 0)...};
        if (risky) {
            const Kernel before(kernel);
            kernel.step(streams.once...);
            const int seen[] = {(starved |= streams.look(), 0)...};
            if (starved)
                kernel = before;
            (void)seen;
        } else {
            kernel.step(streams.once...);
            const int seen[] = {(streams.look(), 0)...};
            (void)seen;
        }
        const int settled[] = {(streams.settle(!starved), some |= streams.read(), 0)...};
        (void)lent, (void)settled;
        if (starved)
            return;
        if (some)
            idle = 0;
    }
}

template <class Kernel, class... Streams> void run(Kernel& kernel, Streams&... streams) {
    run_until_starved(kernel, borrowed<Streams>(streams)...);
}

}  // namespace hls_open

#endif

#endif
