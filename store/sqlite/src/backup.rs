//! A copy of the whole database in one file, made while it is in use.

use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path};

use assent_store::{Result, StoreError};
use sqlx::{Connection as _, SqliteConnection, SqlitePool, sqlite::SqliteConnectOptions};

use crate::{cell::Cell, database};

fn failed(error: io::Error) -> StoreError {
    StoreError::Database(error.into())
}

/// Writes the database as it is at this moment, without what lies in it unused, to a file that is not there yet, with
/// the server's public keys, oldest first. The file is on the disk when this returns.
pub(crate) async fn write(readers: &SqlitePool, to: &Path, keys: &[[u8; 32]]) -> Result<()> {
    let name = to
        .to_str()
        .ok_or_else(|| StoreError::Database("the file's name is not UTF-8".into()))?;
    // SQLite takes an empty file for its own, and leaves its mode as it is.
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(failed)?;
    sqlx::query("vacuum into ?")
        .bind(name)
        .execute(readers)
        .await
        .map_err(database)?;
    let mut copy = open(to).await?;
    // Who has signed out, and what was used up, must not come back with the backup.
    sqlx::raw_sql(
        "pragma secure_delete = on;
        delete from session;
        delete from one_time_token;
        create table backup_key (number integer primary key, key blob not null) strict",
    )
    .execute(&mut copy)
    .await
    .map_err(database)?;
    for key in keys {
        sqlx::query("insert into backup_key (key) values (?)")
            .bind(key.as_slice())
            .execute(&mut copy)
            .await
            .map_err(database)?;
    }
    copy.close().await.map_err(database)?;
    // `vacuum into` leaves that to the system.
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(failed)
}

/// Makes a database of a backup: takes the keys out of it, and returns them, oldest first.
pub(crate) async fn take_keys(path: &Path) -> Result<Vec<[u8; 32]>> {
    let mut copy = open(path).await?;
    let keys: Vec<Vec<u8>> = sqlx::query_scalar("select key from backup_key order by number")
        .fetch_all(&mut copy)
        .await
        .map_err(database)?;
    sqlx::raw_sql("drop table backup_key")
        .execute(&mut copy)
        .await
        .map_err(database)?;
    copy.close().await.map_err(database)?;
    let at = Cell {
        table: "backup_key",
        column: "key",
    };
    keys.iter().map(|key| at.bytes(key)).collect()
}

async fn open(path: &Path) -> Result<SqliteConnection> {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path))
        .await
        .map_err(database)
}
