//! `cargo xtask prepare`: the checked queries of the stores, for builds that have no database.
//!
//! sqlx's macros check each query against a database when a store is compiled, and describe it in a file; a build without
//! a database reads those files. They are made anew as a whole, so that none stays behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::SystemTime,
};

use assent_temporary_postgres::Durability;

use crate::{Result, paths, postgres, process, step};

/// Writes `.sqlx` of both stores.
///
/// # Errors
/// A migration or a query that the database refuses, no `sqlite3`, or no PostgreSQL.
pub(crate) fn run() -> Result {
    if !process::exists("sqlite3") {
        return Err("The sqlite3 command is missing. On Debian: apt install sqlite3".into());
    }
    fs::create_dir_all(paths::scratch())?;
    let scratch = tempfile::tempdir_in(paths::scratch())?;
    let database = scratch.path().join("prepare.sqlite");
    let sqlite = step::always("sqlite", || {
        for migration in migrations("store/sqlite")? {
            process::quiet(
                process::command("sqlite3")
                    .arg("-bail")
                    .arg(&database)
                    .stdin(Stdio::from(fs::File::open(migration)?)),
            )?;
        }
        describe(
            "store/sqlite",
            "assent-store-sqlite",
            &format!("sqlite://{}", database.display()),
        )
    })?;
    let postgres = step::always("postgres", || {
        let server = postgres::start(Durability::None)?;
        for migration in migrations("store/postgres")? {
            server.run("postgres", &fs::read_to_string(migration)?)?;
        }
        describe(
            "store/postgres",
            "assent-store-postgres",
            &server.address("postgres"),
        )
    })?;
    println!("{sqlite} queries in store/sqlite/.sqlx, {postgres} in store/postgres/.sqlx");
    Ok(())
}

fn migrations(store: &str) -> Result<Vec<PathBuf>> {
    sorted(&paths::root().join(store).join("migrations"))
}

/// Writes the descriptions of a store's queries, as a database that has its schema gives them; returns how many.
fn describe(store: &str, package: &str, address: &str) -> Result<usize> {
    let queries = tempfile::tempdir_in(paths::scratch())?;
    // The macros run only when the crate is compiled, and cargo does not see that their database changed.
    touch(&paths::root().join(store).join("src/lib.rs"))?;
    process::quiet(
        process::cargo()
            .args(["check", "--package", package, "--all-targets"])
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", queries.path())
            .env("DATABASE_URL", address),
    )?;
    let made = sorted(queries.path())?;
    if made.is_empty() {
        return Err(format!("sqlx described no query of {store}").into());
    }
    replace(&made, &paths::root().join(store).join(".sqlx"))?;
    Ok(made.len())
}

fn replace(made: &[PathBuf], folder: &Path) -> Result {
    fs::create_dir_all(folder)?;
    for old in sorted(folder)? {
        fs::remove_file(old)?;
    }
    for query in made {
        if let Some(name) = query.file_name() {
            fs::copy(query, folder.join(name))?;
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[expect(clippy::disallowed_methods, reason = "a file's date is the machine's")]
fn touch(file: &Path) -> Result {
    fs::File::options()
        .append(true)
        .open(file)?
        .set_modified(SystemTime::now())?;
    Ok(())
}
