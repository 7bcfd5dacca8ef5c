//! Counts for the consent rates.

use assent_consent::{
    Categories, Category,
    record::{Choice, Services},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// The banner came into view: one per page view.
    Shown,
    /// A visitor whom the banner asked granted every category.
    AcceptedAll,
    /// A visitor whom the banner asked refused every optional category.
    RejectedAll,
    /// A visitor whom the banner asked granted some.
    Mixed,
    /// A visitor whom the banner asked granted performance.
    Performance,
    /// A visitor whom the banner asked granted functional.
    Functional,
    /// A visitor whom the banner asked granted targeting.
    Targeting,
    /// A visitor changed an earlier choice, unasked.
    Changed,
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 8] = [
        Self::Shown,
        Self::AcceptedAll,
        Self::RejectedAll,
        Self::Mixed,
        Self::Performance,
        Self::Functional,
        Self::Targeting,
        Self::Changed,
    ];

    /// The id as it is stored.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::AcceptedAll => "accepted_all",
            Self::RejectedAll => "rejected_all",
            Self::Mixed => "mixed",
            Self::Performance => "performance",
            Self::Functional => "functional",
            Self::Targeting => "targeting",
            Self::Changed => "changed",
        }
    }

    /// What a choice counts as: an outcome and the granted categories if the banner asked, else a change.
    pub fn of(choice: Choice, services: &Services, asked: bool) -> impl Iterator<Item = Self> + use<> {
        let granted = Categories::from(choice);
        let outcome = if !asked {
            Self::Changed
        } else if !services.is_empty() {
            Self::Mixed
        } else if granted == Categories::ALL {
            Self::AcceptedAll
        } else if granted == Categories::NECESSARY {
            Self::RejectedAll
        } else {
            Self::Mixed
        };
        let each = [
            (Category::Performance, Self::Performance),
            (Category::Functional, Self::Functional),
            (Category::Targeting, Self::Targeting),
        ];
        std::iter::once(outcome).chain(
            each.into_iter()
                .filter_map(move |(category, measure)| (asked && granted.has(category)).then_some(measure)),
        )
    }

    /// Reads an id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.id() == id)
    }
}

/// Device classes.
pub const DEVICES: [&str; 3] = ["phone", "tablet", "desktop"];

/// The device class of this name.
pub fn device(name: &str) -> Option<&'static str> {
    DEVICES.into_iter().find(|device| *device == name)
}

/// One more of something, in one cell of the roll-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Count {
    /// The site.
    pub site: String,
    /// Hours since 1970, UTC, of the server's clock.
    pub hour: i32,
    /// The revision.
    pub revision: u32,
    /// Id of the rule.
    pub rule: String,
    /// Language of the notice.
    pub language: String,
    /// Device class, one of [`DEVICES`].
    pub device: &'static str,
    /// What.
    pub measure: Measure,
}

/// Counts of one site per UTC day, one row per day that has any, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// The days.
    pub days: Vec<RateRow>,
}

/// Counts of one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateRow {
    /// Days since 1970.
    pub day: i32,
    counts: [u64; 8],
}

impl RateRow {
    /// An empty day.
    pub const fn new(day: i32) -> Self {
        Self { day, counts: [0; 8] }
    }

    /// A count.
    pub const fn get(&self, measure: Measure) -> u64 {
        self.counts[measure as usize]
    }

    /// Adds to a count.
    pub const fn add(&mut self, measure: Measure, count: u64) {
        self.counts[measure as usize] += count;
    }

    /// Visitors whom the banner asked and who decided.
    pub const fn decided(&self) -> u64 {
        self.get(Measure::AcceptedAll) + self.get(Measure::RejectedAll) + self.get(Measure::Mixed)
    }
}

impl Rates {
    /// The sum of all days.
    pub fn total(&self) -> RateRow {
        let mut total = RateRow::default();
        for row in &self.days {
            for measure in Measure::ALL {
                total.add(measure, row.get(measure));
            }
        }
        total
    }
}
