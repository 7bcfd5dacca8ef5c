//! What is to be measured: `[sqlite|postgres|c15t]… [--stored N] [--seconds S] [--rate R]`.

use crate::Result;

const SECONDS: u32 = 15;

/// What Assent keeps its records in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    /// One file.
    Sqlite,
    /// A server of its own.
    Postgres,
}

impl Database {
    /// As it is called in arguments and in the names of folders.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// As people call it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The goal, in records per second.
    pub(super) const fn goal(self) -> u32 {
        match self {
            Self::Sqlite => 10_000,
            Self::Postgres => 5_000,
        }
    }
}

/// Whose records are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Assent's, on this database.
    Assent(Database),
    /// Those of c15t's backend, on SQLite.
    C15t,
}

impl Subject {
    const ALL: [Self; 3] = [
        Self::Assent(Database::Sqlite),
        Self::Assent(Database::Postgres),
        Self::C15t,
    ];

    /// As it is called in arguments.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Assent(database) => database.name(),
            Self::C15t => "c15t",
        }
    }
}

/// What the arguments say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// In the order in which they are measured.
    pub(super) subjects: Vec<Subject>,
    /// Measured with so many records stored before, beside an empty log; 0: empty only.
    pub(super) stored: u32,
    /// How long each load lasts.
    pub(super) seconds: u32,
    /// Records per second of the paced load, in place of half the goal.
    pub(super) rate: Option<u32>,
}

impl Options {
    /// Reads arguments.
    ///
    /// # Errors
    /// Names the one that is wrong.
    pub(super) fn read(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            subjects: Vec::new(),
            stored: 0,
            seconds: SECONDS,
            rate: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u32> {
                arguments
                    .next()
                    .and_then(|text| text.replace('_', "").parse().ok())
                    .filter(|number| *number > 0)
                    .ok_or_else(|| format!("{argument} needs a number, 1 or more").into())
            };
            match *argument {
                "--stored" => options.stored = number()?,
                "--seconds" => options.seconds = number()?,
                "--rate" => options.rate = Some(number()?),
                name => {
                    let named = Subject::ALL.into_iter().find(|subject| subject.name() == name);
                    options
                        .subjects
                        .push(named.ok_or_else(|| format!("`bench records` knows no {name}"))?);
                }
            }
        }
        if options.subjects.is_empty() {
            options.subjects = Subject::ALL.to_vec();
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_all_are_measured_empty() {
        let options = Options::read(&[]).unwrap();
        assert_eq!(options.subjects, Subject::ALL);
        assert_eq!(
            (options.stored, options.seconds, options.rate),
            (0, SECONDS, None)
        );
    }

    #[test]
    fn arguments_stand_in_any_order() {
        let options = Options::read(&[
            "--rate",
            "2500",
            "postgres",
            "--stored",
            "10_000_000",
            "sqlite",
            "--seconds",
            "3",
        ]);
        assert_eq!(
            options.unwrap(),
            Options {
                subjects: vec![
                    Subject::Assent(Database::Postgres),
                    Subject::Assent(Database::Sqlite)
                ],
                stored: 10_000_000,
                seconds: 3,
                rate: Some(2_500),
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, named) in [
            (&["mysql"][..], "mysql"),
            (&["--stored"], "--stored"),
            (&["--seconds", "0"], "--seconds"),
            (&["--rate", "fast"], "--rate"),
            (&["--stored", "-1"], "--stored"),
        ] {
            let error = Options::read(arguments).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
