//! PostgreSQL for tests and measurements: a server of their own, started and ended by them.

use std::path::Path;

use assent_temporary_postgres::{Durability, Server, pooler, programs};

use crate::{Result, debian, paths};

/// Debian's package of something that is started here, and whether it is there.
type Part = (&'static str, fn() -> bool);

const SERVER: Part = ("postgresql", || programs().is_some());
const POOLER: Part = ("pgbouncer", || pooler().is_some());

/// Makes sure that there is a PostgreSQL to start; as root on Debian it is installed.
///
/// # Errors
/// There is none and none can be installed: says how to get one.
pub(crate) fn ensure() -> Result {
    need(&[SERVER])
}

/// The same for all that the tests start: PgBouncer, too.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_for_tests() -> Result {
    need(&[SERVER, POOLER])
}

fn need(parts: &[Part]) -> Result {
    let missing = || -> Vec<&'static str> {
        let missing = parts.iter().filter(|(_, is_there)| !is_there());
        missing.map(|(package, _)| *package).collect()
    };
    let packages = missing();
    if !packages.is_empty() {
        debian::install("PostgreSQL", &packages)?;
    }
    let packages = missing();
    if packages.is_empty() {
        Ok(())
    } else {
        Err(advice(&packages).into())
    }
}

/// How to get what is missing.
fn advice(packages: &[&str]) -> String {
    format!(
        "Not found: {}, for PostgreSQL's store, with or without browsers. Install it (Debian: sudo apt install {}; as \
         root this command does so itself); PG_BIN names the folder of PostgreSQL's programs, 15 or later.",
        packages.join(", "),
        packages.join(" "),
    )
}

/// Starts a server whose data is in the target folder, because /tmp may be memory.
///
/// # Errors
/// There is none, or it does not start.
pub(crate) fn start(durability: Durability) -> Result<Server> {
    ensure()?;
    std::fs::create_dir_all(paths::scratch())?;
    Ok(Server::start(&paths::scratch(), durability)?)
}

/// The same on a copy of data that a server has kept.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_on_copy(kept: &Path, durability: Durability) -> Result<Server> {
    ensure()?;
    std::fs::create_dir_all(paths::scratch())?;
    Ok(Server::start_on_copy(&paths::scratch(), kept, durability)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_asked_for() {
        assert!(need(&[("there", || true)]).is_ok());
        let text = advice(&["pgbouncer"]);
        assert!(text.starts_with("Not found: pgbouncer, for"), "{text}");
        assert!(text.contains("apt install pgbouncer;"), "{text}");
    }
}
