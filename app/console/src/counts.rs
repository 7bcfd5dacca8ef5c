use std::ops::Add;

use assent_consent::Category;

/// What was counted, on one day or over many. Without identifiers: counts of events, not of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Page views on which the banner came into view.
    pub shown: u64,
    /// Decisions that granted every optional category.
    pub accepted_all: u64,
    /// Decisions that refused every optional category.
    pub rejected_all: u64,
    /// Decisions that granted some.
    pub mixed: u64,
    /// Decisions that granted performance.
    pub performance: u64,
    /// Decisions that granted functional.
    pub functional: u64,
    /// Decisions that granted targeting.
    pub targeting: u64,
}

impl Counts {
    /// Decisions that the banner asked for.
    pub const fn decided(&self) -> u64 {
        self.accepted_all + self.rejected_all + self.mixed
    }

    /// Decisions that granted the category; all of them for `necessary`.
    pub const fn granted(&self, category: Category) -> u64 {
        match category {
            Category::Necessary => self.decided(),
            Category::Performance => self.performance,
            Category::Functional => self.functional,
            Category::Targeting => self.targeting,
        }
    }

    /// Whether nothing at all was counted.
    pub const fn is_empty(&self) -> bool {
        self.shown == 0 && self.decided() == 0
    }
}

impl Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            shown: self.shown + other.shown,
            accepted_all: self.accepted_all + other.accepted_all,
            rejected_all: self.rejected_all + other.rejected_all,
            mixed: self.mixed + other.mixed,
            performance: self.performance + other.performance,
            functional: self.functional + other.functional,
            targeting: self.targeting + other.targeting,
        }
    }
}

/// The counts of one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// Days since 1970.
    pub day: i32,
    /// What was counted.
    pub counts: Counts,
}

/// Every day of `from_day..=to_day`, in order, with zeros where `days` has none.
pub(crate) fn every_day(days: &[DayCounts], from_day: i32, to_day: i32) -> Vec<DayCounts> {
    (from_day..=to_day)
        .map(|day| DayCounts {
            day,
            counts: days
                .iter()
                .filter(|entry| entry.day == day)
                .fold(Counts::default(), |sum, entry| sum + entry.counts),
        })
        .collect()
}

/// The sum of all days.
pub(crate) fn total(days: &[DayCounts]) -> Counts {
    days.iter()
        .fold(Counts::default(), |sum, entry| sum + entry.counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_counts_are_filled_in() {
        let counted = DayCounts {
            day: 11,
            counts: Counts {
                shown: 3,
                mixed: 1,
                ..Counts::default()
            },
        };
        let days = every_day(&[counted], 10, 12);
        assert_eq!(days.len(), 3);
        assert_eq!(days[1], counted);
        assert!(days[0].counts.is_empty() && days[2].counts.is_empty());
        assert_eq!(total(&days), counted.counts);
    }
}
