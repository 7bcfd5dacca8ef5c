//! Counts as people read them. All rates are whole per mille, so that nothing is rounded twice.

/// A space that does not break, between a number and its unit.
const SPACE: char = '\u{a0}';

/// `part` of `whole` in per mille, rounded; `None` where there is nothing to take a share of.
pub(crate) fn share(part: u64, whole: u64) -> Option<i64> {
    if whole == 0 {
        return None;
    }
    let rounded = (u128::from(part) * 1_000 + u128::from(whole) / 2) / u128::from(whole);
    i64::try_from(rounded).ok()
}

/// `62.1 %`, or `–` for a share of nothing.
pub(crate) fn percent(per_mille: Option<i64>) -> String {
    per_mille.map_or_else(|| "–".to_owned(), |rate| format!("{}{SPACE}%", tenths(rate)))
}

/// `1,204`.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn tenths(per_mille: i64) -> String {
    let size = per_mille.unsigned_abs();
    format!("{}.{}", number(size / 10), size % 10)
}

/// How a figure moved against the previous period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It rose; by how much, from what.
    Up(String),
    /// It fell; by how much, from what.
    Down(String),
    /// It is what it was.
    Same(String),
    /// The previous period has no such figure.
    Unknown,
}

/// Change of a count, in per cent of what it was.
pub(crate) fn count_change(now: u64, before: u64) -> Change {
    let Some(ratio) = share(now, before) else {
        return Change::Unknown;
    };
    let moved = ratio - 1_000;
    change(moved, &format!("{}{SPACE}%", tenths(moved)), &number(before))
}

/// Change of a rate, in percentage points.
pub(crate) fn rate_change(now: Option<i64>, before: Option<i64>) -> Change {
    let (Some(now), Some(was)) = (now, before) else {
        return Change::Unknown;
    };
    let moved = now - was;
    change(
        moved,
        &format!("{}{SPACE}points", tenths(moved)),
        &percent(before),
    )
}

fn change(moved: i64, size: &str, before: &str) -> Change {
    match moved {
        0 => Change::Same(format!("was {before}")),
        1.. => Change::Up(format!("{size} from {before}")),
        _ => Change::Down(format!("{size} from {before}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_no_zero() {
        assert_eq!(share(0, 0), None);
        assert_eq!(percent(share(0, 0)), "–");
        assert_eq!(percent(share(0, 5)), "0.0\u{a0}%");
    }

    #[test]
    fn shares_are_rounded_once() {
        assert_eq!(share(1_204, 1_938), Some(621));
        assert_eq!(percent(Some(621)), "62.1\u{a0}%");
        assert_eq!(percent(share(2, 3)), "66.7\u{a0}%");
        assert_eq!(percent(share(1, 1)), "100.0\u{a0}%");
        assert_eq!(percent(share(3, 2)), "150.0\u{a0}%");
        assert_eq!(share(u64::MAX, u64::MAX), Some(1_000));
    }

    #[test]
    fn thousands_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(count), text);
        }
    }

    #[test]
    fn changes_name_what_they_are_measured_against() {
        assert_eq!(
            rate_change(Some(621), Some(589)),
            Change::Up("3.2\u{a0}points from 58.9\u{a0}%".to_owned())
        );
        assert_eq!(
            rate_change(Some(589), Some(621)),
            Change::Down("3.2\u{a0}points from 62.1\u{a0}%".to_owned())
        );
        assert_eq!(
            rate_change(Some(500), Some(500)),
            Change::Same("was 50.0\u{a0}%".to_owned())
        );
        assert_eq!(rate_change(Some(500), None), Change::Unknown);
        assert_eq!(
            count_change(1_938, 1_724),
            Change::Up("12.4\u{a0}% from 1,724".to_owned())
        );
        assert_eq!(count_change(5, 0), Change::Unknown);
    }
}
