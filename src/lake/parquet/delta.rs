//! Parquet's delta encodings: integers by their differences, texts as their lengths and then all their bytes.
//!
//! `DELTA_BINARY_PACKED` and `DELTA_LENGTH_BYTE_ARRAY` of the format's `Encodings.md`: blocks of 128 differences, in
//! four miniblocks, each packed in as many bits as its largest difference from the block's smallest needs.

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Appends integers.
pub fn integers(values: &[i64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint(MINIBLOCKS as u64, out);
    varint(values.len() as u64, out);
    varint(zigzag(values.first().copied().unwrap_or(0)), out);
    let mut buffer = [0_i64; BLOCK];
    let mut at = 1;
    while at < values.len() {
        let end = (at + BLOCK).min(values.len());
        for (difference, pair) in buffer.iter_mut().zip(values[at - 1..end].windows(2)) {
            *difference = pair[1].wrapping_sub(pair[0]);
        }
        let differences = &buffer[..end - at];
        at = end;
        let least = differences.iter().copied().min().unwrap_or(0);
        varint(zigzag(least), out);
        let above = |difference: &i64| difference.wrapping_sub(least) as u64;
        let widths = differences
            .chunks(MINIBLOCK)
            .map(|some| (u64::BITS - some.iter().map(above).max().unwrap_or(0).leading_zeros()) as u8);
        let widths: Vec<u8> = widths.collect();
        out.extend_from_slice(&widths);
        // A miniblock without values has a width and nothing else.
        out.resize(out.len() + MINIBLOCKS - widths.len(), 0);
        for (some, width) in differences.chunks(MINIBLOCK).zip(widths) {
            pack(some.iter().map(above), width, out);
        }
    }
}

/// Packs up to 32 values; those that are missing are zeros.
fn pack(values: impl Iterator<Item = u64>, width: u8, out: &mut Vec<u8>) {
    let end = out.len() + MINIBLOCK / 8 * usize::from(width);
    // Up to 64 bits, and 7 left over from the value before.
    let (mut bits, mut filled) = (0_u128, 0);
    for value in values {
        bits |= u128::from(value) << filled;
        filled += u32::from(width);
        while filled >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(bits as u8);
    }
    out.resize(end, 0);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
