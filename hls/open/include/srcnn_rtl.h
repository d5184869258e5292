// SPDX-License-Identifier: Apache-2.0
// What a step may ask of the world around it. These functions are defined nowhere: the lowering of the open route
// turns a call into a channel operation. The first argument tells which stream or RAM object it is; data passes
// through memory, so that one function serves every type. Used by hls_stream.h and the kernels' RAM class only.
#ifndef SRCNN_OPEN_RTL_H
#define SRCNN_OPEN_RTL_H

extern "C" {
void srcnn_stream_read(const void* stream, void* to);
void srcnn_stream_write(const void* stream, const void* from);
bool srcnn_stream_empty(const void* stream);
bool srcnn_stream_full(const void* stream);
// One word of a RAM. `words` is its depth; the word's type is that of the RAM class's first template argument.
void srcnn_ram_read(const void* ram, unsigned address, void* to);
void srcnn_ram_write(const void* ram, unsigned address, const void* from);
}

#endif
