//! Data to measure on: empty, or filled once and copied for each run.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

use assent_temporary_postgres::Durability;
use tempfile::TempDir;

use super::options::Database;
use crate::{Result, paths, postgres, process, server::Server, step};

/// The one database that a PostgreSQL of its own has from the start.
const POSTGRES_DATABASE: &str = "postgres";
/// The server's name of its file of SQLite's.
const FILE: &str = "assent.db";
/// The server's origin, whichever port it listens on: the demo site's configuration names it, and another one would be
/// another revision.
pub(super) const ORIGIN: &str = "http://127.0.0.1:8787";

/// A data folder, and where its database is a PostgreSQL's, that. Both go when it is dropped.
pub(super) struct Data {
    folder: TempDir,
    postgres: Option<assent_temporary_postgres::Server>,
}

impl Data {
    /// Data of the demo site, without records.
    ///
    /// # Errors
    /// PostgreSQL's, or the server's.
    pub(super) fn empty(database: Database, binary: &Path) -> Result<Self> {
        let postgres = match database {
            Database::Postgres => Some(postgres::start(Durability::Disk)?),
            Database::Sqlite => None,
        };
        let data = Self {
            folder: temporary()?,
            postgres,
        };
        data.start(binary)?.stop()?;
        Ok(data)
    }

    /// A copy of data with so many records, which are stored now unless they were before.
    ///
    /// # Errors
    /// As [`Self::empty`], or they cannot be stored.
    pub(super) fn filled(database: Database, binary: &Path, stored: u32) -> Result<Self> {
        let kept = kept(database, stored)?;
        if !kept.exists() {
            fill(database, binary, stored, &kept)?;
        }
        eprintln!("{stored} records stored before: a copy of {}", kept.display());
        let folder = temporary()?;
        copy(&kept.join("data/."), folder.path())?;
        let postgres = match database {
            Database::Postgres => Some(postgres::start_on_copy(&kept.join("postgres"), Durability::Disk)?),
            Database::Sqlite => None,
        };
        Ok(Self { folder, postgres })
    }

    /// Starts a server on it.
    ///
    /// # Errors
    /// The server's.
    pub(super) fn start(&self, binary: &Path) -> Result<Server> {
        let address = self.address();
        let mut settings = vec![("ASSENT_PUBLIC_URL", ORIGIN)];
        if self.postgres.is_some() {
            settings.push(("ASSENT_DATABASE", &address));
        }
        Server::start_on(binary, self.folder.path(), &settings)
    }

    /// What the database takes on the disk, in bytes; without the write-ahead log of PostgreSQL's. The server has ended.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn bytes(&self) -> Result<u64> {
        let Some(postgres) = &self.postgres else {
            return Ok(fs::metadata(self.folder.path().join(FILE))?.len());
        };
        let bytes = postgres.run(POSTGRES_DATABASE, "select pg_database_size(current_database())")?;
        Ok(bytes.trim().parse()?)
    }

    /// As the filler takes it.
    fn address(&self) -> String {
        self.postgres.as_ref().map_or_else(
            || self.folder.path().join(FILE).to_string_lossy().into_owned(),
            |postgres| postgres.address(POSTGRES_DATABASE),
        )
    }
}

/// Where filled data is kept: another schema is another place.
fn kept(database: Database, stored: u32) -> Result<PathBuf> {
    let name = database.name();
    let mut migrations: Vec<_> = fs::read_dir(paths::root().join(format!("store/{name}/migrations")))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    migrations.sort();
    let mut hasher = DefaultHasher::new();
    for migration in migrations {
        fs::read(migration)?.hash(&mut hasher);
    }
    Ok(folder().join(format!("{name}-{stored}-{:016x}", hasher.finish())))
}

/// The folder of all filled data, and of its copies.
pub(super) fn folder() -> PathBuf {
    paths::scratch().join("records")
}

/// A folder that goes when it is dropped; should this program be killed, with the filled data.
fn temporary() -> Result<TempDir> {
    fs::create_dir_all(folder())?;
    Ok(tempfile::tempdir_in(folder())?)
}

/// Stores records through the store itself, and keeps them once the server has checked and signed their log.
fn fill(database: Database, binary: &Path, stored: u32, kept: &Path) -> Result {
    let filler = super::filler()?;
    let data = Data::empty(database, binary)?;
    process::loud(
        process::command(filler)
            .arg(data.address())
            .arg(stored.to_string()),
    )?;
    data.start(binary)?.stop()?;

    // In place only once it is whole.
    let unfinished = kept.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    if let Some(postgres) = data.postgres {
        // As a server in use would have done by and by.
        step::always("vacuum", || {
            Ok(postgres.run(POSTGRES_DATABASE, "vacuum (analyze)")?)
        })?;
        postgres.keep(&unfinished.join("postgres"))?;
    }
    fs::rename(data.folder.keep(), unfinished.join("data"))?;
    fs::rename(unfinished, kept)?;
    Ok(())
}

/// Copies what is in a folder, to the disk: what is written back later would disturb what is measured.
fn copy(from: &Path, to: &Path) -> Result {
    process::quiet(process::command("cp").arg("-a").args([from, to]))?;
    process::quiet(process::command("sync").arg("-f").arg(to)).map(drop)
}
