// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a step may ask of the world around it. These functions are defined nowhere: the lowering of the open route
// turns a call into a channel operation. The first argument tells which stream or RAM object it is; data passes
// through memory, so that one function serves every type. Used by hls_stream.h and the kernels' RAM class only.
#ifndef HLS_OPEN_RTL_H
#define HLS_OPEN_RTL_H

extern "C" {
void hls_open_stream_read(const void* stream, void* to);
void hls_open_stream_write(const void* stream, const void* from);
bool hls_open_stream_empty(const void* stream);
bool hls_open_stream_full(const void* stream);
bool hls_open_stream_read_nb(const void* stream);
bool hls_open_stream_write_nb(const void* stream);
unsigned hls_open_stream_size(const void* stream);
// One word of a RAM. `words` is its depth; the word's type is that of the RAM class's first template argument.
void hls_open_ram_read(const void* ram, unsigned address, void* to);
void hls_open_ram_write(const void* ram, unsigned address, const void* from);
void hls_open_ram_independent(const void* ram);
// What a dataflow consists of: a stream with its depth (0: not said) and name; a process, whose kernel is in the state
// that a reset gives it, and then each of its streams in the order of step's parameters.
void hls_open_stream(const void* stream, int depth, const char* name);
void hls_open_process(const void* kernel, const void* step, const void* reset, const void* object);
void hls_open_process_stream(const void* stream);
}

#endif
