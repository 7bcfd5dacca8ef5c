//! Which database the data is in, and opening it.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use assent_store::{Store, StoreError};
use assent_store_postgres::PostgresStore;
use assent_store_sqlite::SqliteStore;

/// The database's file in a data folder.
pub(crate) const FILE: &str = "assent.db";

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A file of SQLite's.
    Sqlite(PathBuf),
    /// `postgres://…`.
    Postgres(String),
}

impl Address {
    /// Reads an address; nothing stands for the file in the data folder. `None` if it is none.
    pub(crate) fn of(text: &str, data: &Path) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::in_folder(data));
        }
        let (scheme, rest) = text.split_once(':')?;
        match scheme {
            "postgres" | "postgresql" => Some(Self::Postgres(text.to_owned())),
            "sqlite" if !rest.is_empty() => Some(Self::Sqlite(rest.into())),
            _ => None,
        }
    }

    /// The same, or a data folder.
    pub(crate) fn or_folder(text: &str) -> Option<Self> {
        match Self::of(text, Path::new("")) {
            None if !text.contains("://") => Some(Self::in_folder(Path::new(text))),
            address => address,
        }
    }

    /// The database of a data folder.
    pub(crate) fn in_folder(data: &Path) -> Self {
        Self::Sqlite(data.join(FILE))
    }

    /// The address as the configuration takes it, with `***` in place of a password.
    pub(crate) fn masked(&self) -> String {
        let address = match self {
            Self::Sqlite(file) => return format!("sqlite:{}", file.display()),
            Self::Postgres(address) => address,
        };
        let (scheme, rest) = address.split_once(':').unwrap_or((address, ""));
        // By the last `@`: a password may have one, too, and rather too much is masked than too little.
        let (user, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, place)| (Some(user), place));
        let user = user.map_or_else(String::new, |user| match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@"),
            None => format!("{user}@"),
        });
        let (place, options) = place
            .split_once('?')
            .map_or((place, None), |(place, options)| (place, Some(options)));
        let options = options.map_or_else(String::new, |options| {
            let options: Vec<String> = options
                .split('&')
                .map(|option| match option.split_once('=') {
                    // An encoded name may be anything.
                    Some((name, _)) if name.contains("password") || name.contains('%') => {
                        format!("{name}=***")
                    }
                    _ => option.to_owned(),
                })
                .collect();
            format!("?{}", options.join("&"))
        });
        format!("{scheme}:{user}{place}{options}")
    }

    /// The file that is missing, if this is one.
    pub(crate) fn missing(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) if !file.exists() => Some(file),
            _ => None,
        }
    }

    /// Opens the database; SQLite's file and its folder are made if there is none.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, OpenError> {
        Ok(match self {
            Self::Sqlite(file) => {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder)
                        .map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
                }
                Arc::new(SqliteStore::open(file).await?)
            }
            Self::Postgres(address) => Arc::new(PostgresStore::open(address).await?),
        })
    }

    /// Opens the database only to read it, beside a server that runs on it; nothing is made or brought up to date.
    /// PostgreSQL has no such opening: there the role that is named decides what it may do.
    pub(crate) async fn open_read_only(&self) -> Result<Arc<dyn Store>, OpenError> {
        match self {
            Self::Sqlite(file) => Ok(Arc::new(SqliteStore::open_read_only(file).await?)),
            Self::Postgres(_) => self.open().await,
        }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The file's folder cannot be made.
    #[error("cannot create {0}: {1}")]
    Folder(PathBuf, io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.display().fmt(f),
            Self::Postgres(address) => {
                let address = address.split_once("://").map_or("", |(_, rest)| rest);
                let address = address.split('?').next().unwrap_or_default();
                let address = address.rsplit_once('@').map_or(address, |(_, place)| place);
                write!(f, "postgres://{address}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let data = Path::new("data");
        let of = |text| Address::of(text, data);
        assert_eq!(of(""), Some(Address::Sqlite("data/assent.db".into())));
        assert_eq!(of("sqlite:/srv/a.db"), Some(Address::Sqlite("/srv/a.db".into())));
        for address in ["postgres://localhost/assent", "postgresql:///assent"] {
            assert_eq!(of(address), Some(Address::Postgres(address.to_owned())));
        }
        for none in ["mysql://localhost/assent", "assent.db", "sqlite:"] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(
            Address::or_folder("old"),
            Some(Address::Sqlite("old/assent.db".into()))
        );
        assert_eq!(Address::or_folder("mysql://localhost/assent"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        for (address, shown) in [
            (
                "postgres://ada:s@cr:et@db.example:5432/assent?password=x",
                "postgres://db.example:5432/assent",
            ),
            ("postgres:///assent?host=/run/postgresql", "postgres:///assent"),
        ] {
            assert_eq!(Address::Postgres(address.to_owned()).to_string(), shown);
        }
    }

    #[test]
    fn a_masked_address_is_whole_but_for_the_password() {
        for (address, masked) in [
            (
                "postgres://ada@db.example/assent",
                "postgres://ada@db.example/assent",
            ),
            (
                "postgres://ada:s@cr:et@db.example:5432/assent?sslmode=require",
                "postgres://ada:***@db.example:5432/assent?sslmode=require",
            ),
            (
                "postgresql:///assent?host=/run/postgresql&password=x&p%61ssword=x",
                "postgresql:///assent?host=/run/postgresql&password=***&p%61ssword=***",
            ),
            (
                "postgres://ada:a?b@c/d@db.example/assent",
                "postgres://ada:***@db.example/assent",
            ),
        ] {
            assert_eq!(Address::Postgres(address.to_owned()).masked(), masked);
        }
        assert_eq!(
            Address::in_folder(Path::new("data")).masked(),
            "sqlite:data/assent.db"
        );
    }
}
