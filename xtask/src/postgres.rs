//! PostgreSQL for tests and measurements: a server of their own, started and ended by them.

use std::path::Path;

use assent_temporary_postgres::{Durability, Server, pooler, programs};

use crate::{Result, debian, paths};

/// Makes sure that there is a PostgreSQL to start; as root on Debian it is installed.
///
/// # Errors
/// There is none and none can be installed: says how to get one.
pub(crate) fn ensure() -> Result {
    need("postgresql", || programs().is_some())
}

/// The same for all that the tests start: PgBouncer, too.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_for_tests() -> Result {
    ensure()?;
    need("pgbouncer", || pooler().is_some())
}

fn need(package: &'static str, is_there: impl Fn() -> bool) -> Result {
    if is_there() {
        return Ok(());
    }
    println!(
        "Not found: {package}, for PostgreSQL's store. Debian's package is installed where that is possible."
    );
    debian::install(package, &[package])?;
    if is_there() {
        return Ok(());
    }
    Err(format!(
        "Not found: {package}. Install it (Debian: sudo apt install {package}); PG_BIN names the folder of PostgreSQL's \
         programs, 15 or later."
    )
    .into())
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
