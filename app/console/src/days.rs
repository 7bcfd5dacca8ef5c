use jiff::{ToSpan, civil::Date};

fn date(day: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(i64::from(day).days())
}

/// `20 Nov`.
pub(crate) fn short(day: i32) -> String {
    date(day).strftime("%-d %b").to_string()
}

/// `20 Nov 2026`.
pub(crate) fn long(day: i32) -> String {
    date(day).strftime("%-d %b %Y").to_string()
}

/// `2026-11-20`, as date fields and `<time>` want it.
pub(crate) fn iso(day: i32) -> String {
    date(day).to_string()
}

/// `22 Oct – 20 Nov 2026`, with the first year where it differs.
pub(crate) fn range(from_day: i32, to_day: i32) -> String {
    if from_day == to_day {
        return long(to_day);
    }
    let from = if date(from_day).year() == date(to_day).year() {
        short(from_day)
    } else {
        long(from_day)
    };
    format!("{from} – {}", long(to_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_for_people_and_machines() {
        assert_eq!(long(0), "1 Jan 1970");
        assert_eq!(iso(20_777), "2026-11-20");
        assert_eq!(range(20_748, 20_777), "22 Oct – 20 Nov 2026");
        assert_eq!(range(20_454, 20_454), "1 Jan 2026");
        assert_eq!(range(20_453, 20_454), "31 Dec 2025 – 1 Jan 2026");
    }
}
