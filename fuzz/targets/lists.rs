//! Any list of items or hosts and any name: no panic, what nothing declares is left alone, what is granted stays.
#![no_main]

use assent_consent::{Categories, erase};
use libfuzzer_sys::fuzz_target;

/// Matching by definition: a star takes any number of bytes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for byte in pattern {
        if *byte == b'*' {
            let first = reached.iter().position(|on| *on).unwrap_or(reached.len());
            reached[first..].fill(true);
        } else {
            for at in (0..name.len()).rev() {
                reached[at + 1] = reached[at] && name[at] == *byte;
            }
            reached[0] = false;
        }
    }
    reached[name.len()]
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (bits, list, name) = input;
    let granted = Categories::granted(bits);
    let declared: Vec<bool> = list
        .split(|byte| *byte == b' ')
        .filter_map(|entry| match entry {
            [mark @ b'0'..=b'o', pattern @ ..] if !pattern.is_empty() && matches(pattern, name) => {
                // Without a choice per service no slot is granted.
                Some(*mark <= b'3' && granted.bits() & (1 << (mark - b'0')) != 0)
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        erase::is_erased(list, name, granted),
        !declared.is_empty() && !declared.contains(&true)
    );
    if !name.is_empty() {
        let allowed = (!declared.is_empty()).then(|| !declared.contains(&false));
        assert_eq!(erase::is_allowed(list, name, granted), allowed);
    }
});
