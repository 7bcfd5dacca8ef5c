//! Any `data-category` attribute: only known names release, and only what is granted.
#![no_main]

use assent_consent::{Categories, Category, tag};
use libfuzzer_sys::fuzz_target;

/// The rule once more, over strings: what the gate decides must be what this says.
fn expected(attribute: &[u8], granted: Categories) -> Option<bool> {
    let text = std::str::from_utf8(attribute).ok()?;
    let marks: Vec<&str> = text
        .split(|c: char| c.is_ascii_whitespace())
        .filter(|mark| !mark.is_empty())
        .collect();
    let mut released = true;
    for mark in &marks {
        let name = mark.strip_prefix('!').unwrap_or(mark);
        let category = ["necessary", "performance", "functional", "targeting"]
            .iter()
            .position(|id| id.eq_ignore_ascii_case(name))
            .map(|at| Category::ALL[at])?;
        released &= granted.has(category) != mark.starts_with('!');
    }
    (!marks.is_empty()).then_some(released)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (bits, attribute) = input;
    let granted = Categories::granted(bits);
    assert_eq!(tag::is_released(attribute, granted), expected(attribute, granted));
});
