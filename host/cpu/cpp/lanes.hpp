// Vectors of 32-bit sums, and the one instruction that matters: each lane adds four products of bytes.
//
// Processors with VNNI have it (vpdpbusd). Without, AVX2 multiplies even and odd bytes as 16-bit numbers, and any other
// processor one byte after the other; all are exact, since no sum leaves 32 bits (host/cpu/plan.py sees to that).
#pragma once
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define LANES_MOST 16
#define REGISTERS 32
#define VECTORS "AVX-512 VNNI"
#else
#define LANES_MOST 8
#define REGISTERS 16
#if defined(__AVXVNNI__)
#define VECTORS "AVX-VNNI"
#elif defined(__AVX2__)
#define VECTORS "AVX2"
#else
#define VECTORS ""
#endif
#endif

template <int N> struct vectors {
    typedef int32_t sums __attribute__((vector_size(4 * N)));
    typedef uint8_t bytes __attribute__((vector_size(N)));
    typedef int16_t words __attribute__((vector_size(2 * N)));
    typedef int32_t loose __attribute__((vector_size(4 * N), aligned(1), may_alias));  // anywhere in memory
    typedef uint8_t loose_bytes __attribute__((vector_size(N), aligned(1), may_alias));
    typedef int16_t loose_words __attribute__((vector_size(2 * N), aligned(1), may_alias));
};
typedef vectors<8>::sums sums8;
typedef vectors<16>::sums sums16;

template <int N> static inline typename vectors<N>::sums splat(int32_t value) {
    return value - (typename vectors<N>::sums){};
}

template <int N> static inline typename vectors<N>::sums load(const void* from) {
    return *static_cast<const typename vectors<N>::loose*>(from);
}

// Four neighbouring bytes for every lane.
template <int N> static inline typename vectors<N>::sums four(const uint8_t* from) {
    typedef int32_t anywhere __attribute__((aligned(1), may_alias));
    return splat<N>(*reinterpret_cast<const anywhere*>(from));
}

// acc + the four products of each lane; x is unsigned, w signed.
template <typename T> static inline T dot4_plain(T acc, T x, T w) {
    for (int i = 0; i < 4; i++) {
        acc += ((x >> (8 * i)) & 255) * ((w << (24 - 8 * i)) >> 24);
    }
    return acc;
}

static inline sums8 dot4(sums8 acc, sums8 x, sums8 w) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return (sums8)_mm256_dpbusd_epi32((__m256i)acc, (__m256i)x, (__m256i)w);
#elif defined(__AVXVNNI__)
    return (sums8)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)x, (__m256i)w);
#elif defined(__AVX2__)
    const __m256i low = _mm256_set1_epi16(255);
    const __m256i even =
        _mm256_madd_epi16(_mm256_and_si256((__m256i)x, low), _mm256_srai_epi16(_mm256_slli_epi16((__m256i)w, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16((__m256i)x, 8), _mm256_srai_epi16((__m256i)w, 8));
    return acc + (sums8)even + (sums8)odd;
#else
    return dot4_plain(acc, x, w);
#endif
}

static inline sums16 dot4(sums16 acc, sums16 x, sums16 w) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return (sums16)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)w);
#else
    return dot4_plain(acc, x, w);
#endif
}

// The sums over the lanes of eight vectors.
static inline sums8 sums_of(const sums8* v) {
#if defined(__AVX2__)
    const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)v[0], (__m256i)v[1]),
                                        _mm256_hadd_epi32((__m256i)v[2], (__m256i)v[3]));
    const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)v[4], (__m256i)v[5]),
                                        _mm256_hadd_epi32((__m256i)v[6], (__m256i)v[7]));
    return (sums8)_mm256_permute2x128_si256(a, b, 0x20) + (sums8)_mm256_permute2x128_si256(a, b, 0x31);
#else
    sums8 out = {};
    for (int i = 0; i < 8; i++) {
        for (int lane = 0; lane < 8; lane++) {
            out[i] += v[i][lane];
        }
    }
    return out;
#endif
}

template <typename T> static inline T clipped(T v, int32_t least, int32_t most) {
    v = v < least ? splat<sizeof(T) / 4>(least) : v;
    return v > most ? splat<sizeof(T) / 4>(most) : v;
}
