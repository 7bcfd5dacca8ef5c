//! Opening a database: what is wrong with it is said here, before anything depends on it.

use std::{io, str::FromStr as _, time::Duration};

use assent_store::{Result, StoreError};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgDatabaseError},
};

use crate::connection::{Database, Lock};

/// The oldest PostgreSQL that will do: 15.0 as the server counts.
const VERSION_MIN: i32 = 150_000;
/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database cannot be used, for the operator. None of it tells a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be read.
    #[error("the database's address cannot be read; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Address(#[source] sqlx::Error),
    /// Nobody answers there.
    #[error("cannot reach PostgreSQL at {0}")]
    Unreachable(String, #[source] sqlx::Error),
    /// Nobody answers there in time.
    #[error("PostgreSQL at {0} does not answer")]
    Silent(String),
    /// There is no TLS, or the certificate is not what was asked for.
    #[error(
        "no TLS connection to PostgreSQL at {0}; `sslmode` and `sslrootcert` in the address say what is asked of it"
    )]
    Tls(String, #[source] sqlx::Error),
    /// The server refuses the role, or its password.
    #[error(
        "PostgreSQL refuses the role {role}: {message}. The password may stand in the address, in PGPASSWORD or in ~/.pgpass"
    )]
    Role {
        /// The role.
        role: String,
        /// What the server says.
        message: String,
    },
    /// There is no such database.
    #[error("there is no database {0}. Make it: create database {0} encoding 'UTF8' template template0")]
    NoDatabase(String),
    /// The server is too old.
    #[error("this is PostgreSQL {0}; Assent needs 15 or later")]
    TooOld(String),
    /// The database cannot hold every text.
    #[error("the database's encoding is {0}; make another one with encoding 'UTF8'")]
    Encoding(String),
    /// The schema is of a newer version, or was changed.
    #[error("the database's schema does not fit this version of Assent")]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// Something else.
    #[error("PostgreSQL at {0} cannot be used")]
    Other(String, #[source] sqlx::Error),
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        Self::Database(error.into())
    }
}

/// Reads an address, checks what is there, and brings the schema up to date.
pub(crate) async fn open(address: &str) -> Result<Database> {
    let options = PgConnectOptions::from_str(address)
        .map_err(OpenError::Address)?
        // PgBouncer refuses a connection that asks for it.
        .extra_float_digits(None)
        .application_name("assent");
    let keeps_statements = !address
        .split(['?', '&'])
        .any(|setting| setting == "statement-cache-capacity=0");

    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options));
    let mut connection = connecting
        .await
        .map_err(|_| OpenError::Silent(place(&options)))?
        .map_err(|error| refused(error, &options))?;
    let found: Found = sqlx::query_as(FOUND)
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| OpenError::Other(place(&options), error))?;
    check(found)?;
    // Whether this ends in order is of no interest any more.
    let _ = connection.close().await;

    let database = Database::new(options, keeps_statements);
    migrate(&database).await?;
    Ok(database)
}

/// Where the server is, without secrets.
fn place(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |folder| format!("{}/.s.PGSQL.{}", folder.display(), options.get_port()),
    )
}

/// What a refused connection means: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn refused(error: sqlx::Error, options: &PgConnectOptions) -> OpenError {
    let Some(refusal) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return match error {
            sqlx::Error::Tls(_) => OpenError::Tls(place(options), error),
            // So a handshake fails: the server's bytes are not what they should be.
            sqlx::Error::Io(ref cause) if cause.kind() == io::ErrorKind::InvalidData => {
                OpenError::Tls(place(options), error)
            }
            sqlx::Error::Io(_) => OpenError::Unreachable(place(options), error),
            error => OpenError::Other(place(options), error),
        };
    };
    match refusal.code() {
        "3D000" => OpenError::NoDatabase(
            options
                .get_database()
                .unwrap_or_else(|| options.get_username())
                .to_owned(),
        ),
        "28P01" | "28000" => OpenError::Role {
            role: options.get_username().to_owned(),
            message: refusal.message().to_owned(),
        },
        _ => OpenError::Other(place(options), error),
    }
}

/// The server's version as a number and as it is called, and the database's encoding.
type Found = (i32, String, String);

const FOUND: &str = "select
    current_setting('server_version_num')::integer,
    current_setting('server_version'),
    current_setting('server_encoding')";

/// Whether the server is new enough and holds every text.
fn check((number, name, encoding): Found) -> Result<(), OpenError> {
    if number < VERSION_MIN {
        Err(OpenError::TooOld(name))
    } else if encoding != "UTF8" {
        Err(OpenError::Encoding(encoding))
    } else {
        Ok(())
    }
}

/// Brings the schema up to date, one node at a time, all or nothing. A role that may not change it will do as long as
/// there is nothing to change.
async fn migrate(database: &Database) -> Result<()> {
    let mut migrator = sqlx::migrate!();
    // That lock is a session's.
    migrator.set_locking(false);
    let mut work = database.session().await?;
    // sqlx makes each migration a transaction, within one that it knows of only a savepoint.
    let mut all = work.connection().begin().await.map_err(crate::database)?;
    let connection = &mut *all;
    sqlx::raw_sql(AssertSqlSafe(Lock::schema().statement()))
        .execute(&mut *connection)
        .await
        .map_err(crate::database)?;
    let is_new = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is null")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await
        .map_err(crate::database)?;
    let applied: Vec<(i64, Vec<u8>)> = if is_new {
        Vec::new()
    } else {
        sqlx::query_as("select version, checksum from _sqlx_migrations order by version")
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .map_err(crate::database)?
    };
    let is_current = applied.len() == migrator.iter().len()
        && migrator
            .iter()
            .zip(&applied)
            .all(|(ours, (version, checksum))| ours.version == *version && ours.checksum == *checksum);
    if !is_current {
        migrator
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(OpenError::Schema)?;
    }
    all.commit().await.map_err(crate::database)?;
    work.forget_statements().await?;
    work.end().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_refused() {
        let found =
            |number, name: &str, encoding: &str| check((number, name.to_owned(), encoding.to_owned()));
        let refused = found(140_019, "14.19 (Debian 14.19-1)", "UTF8").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "this is PostgreSQL 14.19 (Debian 14.19-1); Assent needs 15 or later"
        );
        assert!(found(150_000, "15.0", "UTF8").is_ok());
        assert!(found(180_001, "18.1", "UTF8").is_ok());
        assert!(found(180_001, "18.1", "LATIN1").is_err());
    }
}
