//! Ids that are spread like random ones, and yet known again from a record's number.

/// Another value for each number.
pub(super) fn spread(number: u32) -> u64 {
    // Odd multiplier: a bijection.
    (u64::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A UUID of version 7 for each number; ten in a millisecond, from `now_ms` on.
pub(super) fn id(now_ms: u64, number: u32) -> String {
    let time_ms = now_ms + u64::from(number / 10);
    let spread = spread(number);
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        time_ms >> 16,
        time_ms & 0xFFFF,
        spread >> 60,
        spread >> 48 & 0xFFF,
        spread & 0xFFFF_FFFF_FFFF,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for number in 0..8_000 {
            let id = id(1_795_000_000_000, number);
            assert_eq!(id.len(), 36, "{id}");
            assert_eq!((&id[14..15], &id[19..20]), ("7", "8"));
            assert!(seen.insert(id));
        }
    }
}
