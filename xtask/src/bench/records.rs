//! Durable consent records per second, beside c15t's backend: 64 connections, each sending its next record when the last
//! one is acknowledged; then a steady rate. Afterwards every acknowledged record is read back.

mod assent;
mod c15t;
mod data;
mod latencies;
mod load;
mod memory;
mod options;
mod random;
mod table;

use std::{
    env,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use crate::{Result, paths, process, step};
use assent::Measured;
use options::{Options, Subject};

/// How long a server rests before its memory is looked at.
const REST: Duration = Duration::from_secs(10);

/// Measures what the arguments say and prints the figures.
///
/// # Errors
/// The arguments', the build's, a refused record, or an acknowledged record that is not there afterwards.
#[expect(clippy::disallowed_methods, reason = "measures the server from outside")]
pub(crate) fn run(arguments: &[&str]) -> Result {
    let options = Options::read(arguments)?;
    let binary = super::binary()?;
    println!("{}", table::HEAD);
    for subject in &options.subjects {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let now_ms = u64::try_from(now.as_millis())?;
        eprintln!("{:>14} …", subject.name());
        let rows = match subject {
            Subject::Assent(database) => Measured {
                database: *database,
                binary: &binary,
                options: &options,
                now_ms,
            }
            .rows()?,
            Subject::C15t => c15t::measure(&options, now_ms)?,
        };
        // At once: what comes next may fail.
        for row in rows {
            println!("{row}");
        }
    }
    if options.stored > 0 {
        let folder = data::folder();
        println!(
            "\nFilled data is kept for the next run; remove it with rm -r {}",
            folder.display()
        );
    }
    Ok(())
}

/// The program that fills a database: `ASSENT_FILL_BIN`, else the release build.
///
/// # Errors
/// The build's.
fn filler() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ASSENT_FILL_BIN") {
        return Ok(path.into());
    }
    step::always("filler", || {
        process::quiet(process::cargo().args(["build", "--release", "--package", "assent-store-fill"]))
    })?;
    Ok(paths::executable("release", "assent-store-fill"))
}
