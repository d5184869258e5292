// The memories of the kernels.
#pragma once
#include "types.hpp"

#include <ram.h>

namespace srcnn {

using hls_open::ram;

}  // namespace srcnn
