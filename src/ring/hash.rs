//! Where a key lies on the circle: three hash functions and the arithmetic of angles.
//!
//! Dynamo §4.3 hashes keys with MD5 to a 128-bit position; murmur3 and siphash are there to show
//! that the balance of the ring does not hang on that choice. This file knows nothing of nodes.

use std::hash::Hasher;

use md5::{Digest, Md5};
use siphasher::sip128::{Hasher128, SipHasher13};

/// The function that takes a key to its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashKind {
    /// MD5, read as a big-endian number (Dynamo §4.3).
    Md5,
    /// MurmurHash3 x64 128 with seed 0, in the variant of Cassandra's partitioner; the first half
    /// is the high half.
    Murmur3,
    /// SipHash-1-3 with 128 bits and a key of zeros.
    Siphash,
}

/// The position of a key on the circle of 2^128 positions.
pub fn position(kind: HashKind, key: &[u8]) -> u128 {
    match kind {
        HashKind::Md5 => u128::from_be_bytes(Md5::digest(key).into()),
        HashKind::Murmur3 => {
            let (first, second) = murmur3(key);
            u128::from(first) << 64 | u128::from(second)
        }
        HashKind::Siphash => {
            let mut hasher = SipHasher13::new();
            hasher.write(key);
            hasher.finish128().as_u128()
        }
    }
}

/// The position of an angle: `floor(degrees / 360 × 2^128)`, exactly, with
/// `degrees = whole + billionths / 10^9`. Angles of 360 degrees and more wrap.
pub fn position_from_degrees(whole: u64, billionths: u32) -> u128 {
    const BILLION: u128 = 1_000_000_000;
    const CIRCLE: u128 = 360 * BILLION;
    let angle = (u128::from(whole) * BILLION + u128::from(billionths)) % CIRCLE;
    // Long division in base 2^64: the angle has 39 bits, so neither step overflows.
    let high = (angle << 64) / CIRCLE;
    let low = (((angle << 64) % CIRCLE) << 64) / CIRCLE;
    high << 64 | low
}

/// MurmurHash3 x64 128, seed 0. Bytes of the tail are sign-extended, as Cassandra does it, so that
/// its published tokens hold; for ASCII keys this is the original function.
fn murmur3(data: &[u8]) -> (u64, u64) {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let (mut h1, mut h2) = (0u64, 0u64);
    let mut blocks = data.chunks_exact(16);
    for block in &mut blocks {
        let (low, high) = block.split_at(8);
        let k1 = u64::from_le_bytes(low.try_into().expect("half a block is 8 bytes"));
        let k2 = u64::from_le_bytes(high.try_into().expect("half a block is 8 bytes"));
        h1 ^= k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (mut k1, mut k2) = (0u64, 0u64);
    for (i, &byte) in blocks.remainder().iter().enumerate() {
        let extended = i64::from(byte as i8) as u64;
        if i < 8 {
            k1 ^= extended << (8 * i);
        } else {
            k2 ^= extended << (8 * (i - 8));
        }
    }
    h2 ^= k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    h1 ^= k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    h1 ^= data.len() as u64;
    h2 ^= data.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = avalanche(h1);
    h2 = avalanche(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2)
}

fn avalanche(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_of_a_key_is_its_position() {
        // The true MD5 of the key the literature writes as 0x4a….
        assert_eq!(position(HashKind::Md5, b"cart_123"), 0x1d6a_f01a_08ec_59f7_8dc6_abd6_f6ee_ed25);
    }

    #[test]
    fn md5_tokens_are_those_of_cassandras_random_partitioner() {
        let token = |key: &[u8]| (position(HashKind::Md5, key) as i128).unsigned_abs();
        assert_eq!(token(b"123"), 42_767_516_990_368_493_138_776_584_305_024_125_808);
        assert_eq!(token(b"9223372036854775807"), 28_528_976_619_278_518_853_815_276_204_542_453_639);
    }

    #[test]
    fn md5_angles_are_the_recomputed_ones() {
        for (key, degrees) in [("cart_123", 41.3687), ("cart-123", 337.7816), ("user-456", 334.6255)] {
            let angle = position(HashKind::Md5, key.as_bytes()) as f64 / 2.0 / (1u128 << 127) as f64 * 360.0;
            assert!((angle - degrees).abs() < 0.0001, "{key} lies at {angle}");
        }
    }

    #[test]
    fn murmur3_tokens_are_those_of_cassandras_murmur3_partitioner() {
        let token = |key: &[u8]| (position(HashKind::Murmur3, key) >> 64) as i64;
        let run = |from: u8| (from..from + 16).collect::<Vec<u8>>();
        assert_eq!(token(b"123"), -7_468_325_962_851_647_638);
        assert_eq!(token(&[0x00, 0xff, 0x10, 0xfa, 0x99].repeat(10)), 5_837_342_703_291_459_765);
        assert_eq!(token(&[0xfe; 8]), -8_927_430_733_708_461_935);
        assert_eq!(token(&[0x10; 8]), 1_446_172_840_243_228_796);
        assert_eq!(token(b"9223372036854775807"), 7_162_290_910_810_015_547);
        assert_eq!(token(&run(1)), -5_563_837_382_979_743_776);
        assert_eq!(token(&run(2)), -1_513_403_162_740_402_161);
        assert_eq!(token(&run(3)), -495_360_443_712_684_655);
        assert_eq!(token(&run(4)), 1_734_091_135_765_407_943);
        assert_eq!(token(&run(5)), -3_199_412_112_042_527_988);
    }

    #[test]
    fn every_hash_spreads_keys_evenly_over_buckets() {
        const BUCKETS: usize = 256;
        const KEYS: u32 = 256 * 200;
        for kind in [HashKind::Md5, HashKind::Murmur3, HashKind::Siphash] {
            let mut counts = [0u32; BUCKETS];
            for i in 0..KEYS {
                counts[(position(kind, format!("key-{i}").as_bytes()) >> 120) as usize] += 1;
            }
            let expected = f64::from(KEYS) / BUCKETS as f64;
            let chi2: f64 =
                counts.iter().map(|&c| (f64::from(c) - expected) * (f64::from(c) - expected) / expected).sum();
            // 255 degrees of freedom: 181 and 348 are the one in ten thousand bounds.
            assert!((181.0..348.0).contains(&chi2), "{kind:?} spreads keys with a chi-square of {chi2}");
        }
    }

    #[test]
    fn angles_become_positions_exactly() {
        assert_eq!(position_from_degrees(0, 0), 0);
        assert_eq!(position_from_degrees(90, 0), 1 << 126);
        assert_eq!(position_from_degrees(180, 0), 1 << 127);
        assert_eq!(position_from_degrees(360, 0), 0);
        assert_eq!(position_from_degrees(450, 0), 1 << 126);
        assert_eq!(position_from_degrees(120, 0), u128::MAX / 3);
        assert_eq!(position_from_degrees(11, 250_000_000), 1 << 123);
        assert_eq!(position_from_degrees(359, 999_999_999), u128::MAX - u128::MAX / 360_000_000_000);
    }
}
