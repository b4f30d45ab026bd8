// The checksums themselves, each of a piece of memory as a whole.

#include "sums.h"
#include <string.h>

// CRC-32 with a reflected polynomial, four bits at a time.
static uint32_t crc(const uint8_t *data, size_t len, uint32_t polynomial) {
    uint32_t table[16];
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 4; bit++) c = c & 1 ? c >> 1 ^ polynomial : c >> 1;
        table[i] = c;
    }
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        c = c >> 4 ^ table[(c ^ data[i]) & 15];
        c = c >> 4 ^ table[(c ^ data[i] >> 4) & 15];
    }
    return ~c;
}

static void put32(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put64(uint8_t *out, uint64_t value) {
    put32(out, (uint32_t)(value >> 32));
    put32(out + 4, (uint32_t)value);
}

static void crc32(const uint8_t *data, size_t len, uint8_t *out) {
    put32(out, crc(data, len, 0xedb88320));
}

static void crc32c(const uint8_t *data, size_t len, uint8_t *out) {
    put32(out, crc(data, len, 0x82f63b78));
}

// RFC 1950, 8.2.
static void adler32(const uint8_t *data, size_t len, uint8_t *out) {
    uint32_t a = 1, b = 0;
    while (len > 0) {
        // So many steps fit before the sums overflow.
        size_t part = len < 5552 ? len : 5552;
        for (size_t i = 0; i < part; i++) {
            a += data[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
        data += part;
        len -= part;
    }
    put32(out, b << 16 | a);
}

// The digests below work block by block. The last block carries a one bit, zeros and the length in
// bits; where there is no room for these there is one block more.
typedef void block_fn(void *state, const uint8_t *block);

static void blocks(block_fn *digest, void *state, size_t size, bool big_endian, const uint8_t *data, size_t len) {
    uint8_t tail[256] = {0};
    size_t whole = len - len % size;
    for (size_t i = 0; i < whole; i += size) digest(state, data + i);
    memcpy(tail, data + whole, len - whole);
    tail[len - whole] = 0x80;
    // The length has 64 bits for blocks of 64 bytes, and 128 bits for blocks of 128.
    size_t end = len - whole + 1 + size / 8 <= size ? size : 2 * size;
    uint64_t bits = (uint64_t)len * 8;
    for (size_t i = 0; i < 8; i++) {
        size_t at = big_endian ? end - 1 - i : end - 8 + i;
        tail[at] = (uint8_t)(bits >> (8 * i));
    }
    for (size_t i = 0; i < end; i += size) digest(state, tail + i);
}

static uint32_t left(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t right(uint32_t x, int n) { return x >> n | x << (32 - n); }
static uint64_t right64(uint64_t x, int n) { return x >> n | x << (64 - n); }

static uint32_t get32(const uint8_t *in) {
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

// RFC 1321.
static const uint32_t MD5[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void md5_block(void *state, const uint8_t *block) {
    static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t *h = state, a = h[0], b = h[1], c = h[2], d = h[3];
    for (int i = 0; i < 64; i++) {
        uint32_t f;
        int word;
        switch (i / 16) {
        case 0: f = (b & c) | (~b & d), word = i; break;
        case 1: f = (d & b) | (~d & c), word = 5 * i + 1; break;
        case 2: f = b ^ c ^ d, word = 3 * i + 5; break;
        default: f = c ^ (b | ~d), word = 7 * i; break;
        }
        const uint8_t *in = block + word % 16 * 4;
        f += a + MD5[i] + ((uint32_t)in[3] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[1] << 8 | in[0]);
        a = d, d = c, c = b;
        b += left(f, turns[i / 16][i % 4]);
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

static void md5(const uint8_t *data, size_t len, uint8_t *out) {
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    blocks(md5_block, h, 64, false, data, len);
    for (int i = 0; i < 16; i++) out[i] = (uint8_t)(h[i / 4] >> (8 * (i % 4)));
}

// FIPS 180-4, 6.1.
static void sha1_block(void *state, const uint8_t *block) {
    uint32_t *h = state, w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) w[i] = get32(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f;
        switch (i / 20) {
        case 0: f = ((b & c) | (~b & d)) + 0x5a827999; break;
        case 1: f = (b ^ c ^ d) + 0x6ed9eba1; break;
        case 2: f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc; break;
        default: f = (b ^ c ^ d) + 0xca62c1d6; break;
        }
        f += left(a, 5) + e + w[i];
        e = d, d = c, c = left(b, 30), b = a, a = f;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void sha1(const uint8_t *data, size_t len, uint8_t *out) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    blocks(sha1_block, h, 64, true, data, len);
    for (int i = 0; i < 5; i++) put32(out + 4 * i, h[i]);
}

// FIPS 180-4, 6.2.
static const uint32_t SHA256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_block(void *state, const uint8_t *block) {
    uint32_t *h = state, w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = get32(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (right(x, 7) ^ right(x, 18) ^ x >> 3) + w[i - 7] + (right(y, 17) ^ right(y, 19) ^ y >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t a = s[0], b = s[1], c = s[2], e = s[4];
        uint32_t x = s[7] + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + SHA256[i] + w[i];
        uint32_t y = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += x;
        s[0] = x + y;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

static void sha256(const uint8_t *data, size_t len, uint8_t *out) {
    uint32_t h[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    blocks(sha256_block, h, 64, true, data, len);
    for (int i = 0; i < 8; i++) put32(out + 4 * i, h[i]);
}

// FIPS 180-4, 6.4.
static const uint64_t SHA512[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static void sha512_block(void *state, const uint8_t *block) {
    uint64_t *h = state, w[80], s[8];
    for (int i = 0; i < 16; i++) w[i] = (uint64_t)get32(block + 8 * i) << 32 | get32(block + 8 * i + 4);
    for (int i = 16; i < 80; i++) {
        uint64_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (right64(x, 1) ^ right64(x, 8) ^ x >> 7) + w[i - 7] + (right64(y, 19) ^ right64(y, 61) ^ y >> 6);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint64_t a = s[0], b = s[1], c = s[2], e = s[4];
        uint64_t x = s[7] + (right64(e, 14) ^ right64(e, 18) ^ right64(e, 41)) + ((e & s[5]) ^ (~e & s[6])) + SHA512[i] + w[i];
        uint64_t y = (right64(a, 28) ^ right64(a, 34) ^ right64(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += x;
        s[0] = x + y;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

static void sha512(const uint8_t *data, size_t len, uint8_t *out) {
    uint64_t h[8] = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
        0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f,
        0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    };
    blocks(sha512_block, h, 128, true, data, len);
    for (int i = 0; i < 8; i++) put64(out + 8 * i, h[i]);
}

const algorithm_t ALGORITHMS[ALGORITHM_COUNT] = {
    {"crc32", 4, crc32},   {"crc32c", 4, crc32c},  {"adler32", 4, adler32}, {"md5", 16, md5},
    {"sha1", 20, sha1},    {"sha256", 32, sha256}, {"sha512", 64, sha512},
};
