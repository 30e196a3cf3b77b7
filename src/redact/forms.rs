//! Forms in which keys are handed out to people: groups of letters and digits between dashes.

/// `abcd-efgh-ijkl`: groups of one length, as recovery codes are written.
pub(super) fn is_grouped(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths.len() >= 2 && lengths.iter().all(|length| *length == lengths[0]) && (4..=8).contains(&lengths[0])
}

/// Eight groups of six digits, as disks are unlocked with.
pub(super) fn is_recovery_key(value: &str) -> bool {
    value.len() == 55
        && value.split('-').count() == 8
        && value.split('-').all(|group| group.len() == 6 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `ABCD-1234-EFGH-5678`.
pub(super) fn is_product_key(value: &str) -> bool {
    let is_key = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    value.len() >= 14
        && value.bytes().all(is_key)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && is_grouped(value)
        && value.matches('-').count() >= 2
}
