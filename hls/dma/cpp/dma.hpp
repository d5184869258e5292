// All kernels of the DMA. How they are joined says hls/dma/flow.py.
#pragma once
#include "mm2s.hpp"
#include "registers.hpp"
#include "s2mm.hpp"
