//! Parquet's hybrid of run lengths and bit packing, for definition levels and dictionary indices.
//!
//! As the Parquet format's `Encodings.md` has it: a run of at least eight equal values is a varint of its length,
//! doubled, and the value in whole bytes; anything else is packed in groups of eight.

/// Bits that hold `max`.
pub fn width(max: u32) -> u8 {
    (u32::BITS - max.leading_zeros()) as u8
}

/// Appends `values`, each of `width` bits.
///
/// Looks at eight values at a time, since packing comes in eights: a run that is worth one fills such a group.
pub fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    let mut at = 0;
    // Where the values begin that wait to be packed, whole groups of them.
    let mut waiting = 0;
    while let Some(group) = values[at..].first_chunk::<8>() {
        let value = group[0];
        if group.iter().fold(0, |differs, other| differs | (other ^ value)) != 0 {
            at += 8;
            continue;
        }
        let length = 8 + values[at + 8..].iter().take_while(|&&other| other == value).count();
        pack(&values[waiting..at], width, out);
        run(value, length, width, out);
        at += length;
        waiting = at;
    }
    pack(&values[waiting..], width, out);
}

/// Appends a run of one value.
pub fn run(value: u32, length: usize, width: u8, out: &mut Vec<u8>) {
    varint((length as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
}

/// Appends values in groups of eight; the last group is filled up with zeros, which readers know not to take.
fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    varint((values.len().div_ceil(8) as u64) << 1 | 1, out);
    let width = usize::from(width);
    out.reserve(values.len().div_ceil(8) * width);
    for group in values.chunks(8) {
        let end = out.len() + width;
        // Four values of at most 32 bits at a time; the bits left over are those of the next four.
        let (mut bits, mut filled) = (0_u128, 0);
        for half in group.chunks(4) {
            for value in half {
                bits |= u128::from(*value) << filled;
                filled += width;
            }
            let whole = filled / 8;
            out.extend_from_slice(&bits.to_le_bytes()[..whole]);
            bits = if whole < 16 { bits >> (whole * 8) } else { 0 };
            filled %= 8;
        }
        if filled > 0 {
            out.push(bits as u8);
        }
        out.resize(end, 0);
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads what the specification says, step by step.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let size = usize::from(width);
            if header & 1 == 0 {
                let mut value = [0; 4];
                value[..size.div_ceil(8)].copy_from_slice(&bytes[..size.div_ceil(8)]);
                bytes = &bytes[size.div_ceil(8)..];
                values.extend(std::iter::repeat_n(u32::from_le_bytes(value), (header >> 1) as usize));
            } else {
                let packed = (header >> 1) as usize * 8;
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                values.extend((0..packed).map(|at| (0..size).map(|b| bit(at * size + b) << b).sum::<u32>()));
                bytes = &bytes[packed * size / 8..];
            }
        }
        assert!(bytes.is_empty());
        assert!(values[count..].iter().all(|value| *value == 0));
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            runs in prop::collection::vec((0..1_u32 << 20, 1..40_usize), 0..40),
            mask in 0..21_u32,
        ) {
            let low = (1_u32 << mask) - 1;
            let values: Vec<u32> =
                runs.iter().flat_map(|(value, length)| std::iter::repeat_n(value & low, *length)).collect();
            let width = width(values.iter().copied().max().unwrap_or(0));
            let mut out = Vec::new();
            encode(&values, width, &mut out);
            prop_assert_eq!(decode(&out, width, values.len()), values);
        }
    }
}
