//! `cargo xtask prepare`: the checked queries of the SQLite store, for builds that have no database.
//!
//! sqlx's macros check each query against a database when the store is compiled, and describe it in a file;
//! a build without a database reads those files. They are made anew as a whole, so that none stays behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::SystemTime,
};

use crate::{Result, paths, process, step};

const STORE: &str = "store/sqlite";

/// Writes `store/sqlite/.sqlx`.
///
/// # Errors
/// A migration or a query that the database refuses, or no `sqlite3`.
pub(crate) fn run() -> Result {
    if !process::exists("sqlite3") {
        return Err("The sqlite3 command is missing. On Debian: apt install sqlite3".into());
    }
    fs::create_dir_all(paths::scratch())?;
    let scratch = tempfile::tempdir_in(paths::scratch())?;
    let database = scratch.path().join("prepare.sqlite");
    let queries = scratch.path().join("queries");
    fs::create_dir(&queries)?;

    step::always("migrations", || {
        for migration in sorted(&paths::root().join(STORE).join("migrations"))? {
            process::quiet(
                process::command("sqlite3")
                    .arg("-bail")
                    .arg(&database)
                    .stdin(Stdio::from(fs::File::open(migration)?)),
            )?;
        }
        Ok(())
    })?;
    step::always("queries", || {
        // The macros run only when the crate is compiled, and cargo does not see that their database changed.
        touch(&paths::root().join(STORE).join("src/lib.rs"))?;
        process::quiet(
            process::cargo()
                .args(["check", "--package", "assent-store-sqlite", "--all-targets"])
                .env("SQLX_OFFLINE", "false")
                .env("SQLX_OFFLINE_DIR", &queries)
                .env("DATABASE_URL", format!("sqlite://{}", database.display())),
        )
    })?;

    let made = sorted(&queries)?;
    if made.is_empty() {
        return Err("sqlx described no query".into());
    }
    replace(&made, &paths::root().join(STORE).join(".sqlx"))?;
    println!("{} queries in {STORE}/.sqlx", made.len());
    Ok(())
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
