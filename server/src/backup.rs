//! `assent backup` and `assent restore`: the database in one file, made while the server runs, and put back only if its
//! logs are in order.
//!
//! A backup has the public keys in it and no secret: with them what was signed still verifies, and the folder that it is
//! put into signs with its own key, or makes a new one.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use assent_store::Store as _;
use assent_store_sqlite::SqliteStore;
use ed25519_dalek::VerifyingKey;

use crate::{
    database::FILE,
    keys,
    ledger::{audit, command::Outcome},
    serve::Failure,
};

/// Writes the database of a data folder to a new file.
pub(crate) async fn back_up(data: &Path, to: &Path) -> Result<String, Failure> {
    let database = data.join(FILE);
    if !database.exists() {
        return Err(Failure::Other(format!("there is no {}", database.display())));
    }
    if to.exists() {
        return Err(Failure::Other(format!("{} is there already", to.display())));
    }
    let mut known = keys::known(data).map_err(cannot("read the keys in", data))?;
    known.reverse();
    let known: Vec<_> = known.iter().map(|key| *key.as_bytes()).collect();
    let store = SqliteStore::open_read_only(&database).await?;
    // Under another name until it is whole.
    let part = beside(to);
    let written = store.back_up(&part, &known).await;
    store.close().await;
    let counted = match written {
        Ok(()) => contents(&part).await,
        Err(error) => Err(error.into()),
    };
    match counted {
        Ok(contents) => {
            fs::rename(&part, to).map_err(cannot("write", to))?;
            Ok(format!(
                "{}\n{contents}It holds personal data and the server's public keys, not the secret one (receipt-key).\n",
                to.display()
            ))
        }
        Err(failure) => {
            remove(&part);
            Err(failure)
        }
    }
}

/// What is in a backup, for the person at the terminal.
async fn contents(part: &Path) -> Result<String, Failure> {
    let store = SqliteStore::open_read_only(part).await?;
    let mut text = String::new();
    for revision in store.current_revisions().await? {
        let site = revision.config.id;
        let _ = writeln!(
            text,
            "  {site}: {} entries in the log",
            store.log_size(&site).await?
        );
    }
    store.close().await;
    Ok(text)
}

/// Puts a backup into a data folder that has no database.
pub(crate) async fn restore(from: &Path, data: &Path) -> Result<Outcome, Failure> {
    let database = data.join(FILE);
    if database.exists() || with_ending(&database, "-wal").exists() {
        return Err(Failure::Other(format!(
            "{} is there already; move it away first. It may be evidence.",
            database.display()
        )));
    }
    fs::create_dir_all(data).map_err(cannot("make", data))?;
    let part = beside(&database);
    // What an interrupted restore has left must not be taken for this one's.
    remove(&part);
    fs::copy(from, &part).map_err(cannot("copy", from))?;
    let restored = check(&part, data).await;
    match restored {
        Ok((text, Some(keys))) => {
            // The keys first: without them the server would refuse the logs.
            keys::retire(data, &keys).map_err(cannot("write the keys in", data))?;
            fs::File::open(&part)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&part, &database))
                .map_err(cannot("write", &database))?;
            Ok(Outcome {
                text: text
                    + "It is in place. What was stored since the backup was made is missing, and what visitors had \
                       erased since then is there again: erase it once more.\n",
                holds: true,
            })
        }
        Ok((text, None)) => {
            remove(&part);
            Ok(Outcome {
                text: text + "It was not put in place.\n",
                holds: false,
            })
        }
        Err(failure) => {
            remove(&part);
            Err(failure)
        }
    }
}

/// Audits a copy of a backup; with its keys, oldest first, if everything holds.
async fn check(part: &Path, data: &Path) -> Result<(String, Option<Vec<VerifyingKey>>), Failure> {
    let damaged = || Failure::Other("a key in the backup is damaged".to_owned());
    let keys = SqliteStore::keys_of_backup(part)
        .await?
        .iter()
        .map(|key| VerifyingKey::from_bytes(key).map_err(|_| damaged()))
        .collect::<Result<Vec<_>, _>>()?;
    // What the folder knows as well: a key that came after the backup signs nothing in it.
    let mut known = keys.clone();
    known.extend(keys::known(data).unwrap_or_default());
    let store = SqliteStore::open(part).await?;
    let (mut text, mut holds) = (String::new(), true);
    for revision in store.current_revisions().await? {
        let site = revision.config.id;
        let report = audit::stored(&store, &site, &known, None).await?;
        let _ = write!(text, "Log of the site {site}\n{report}");
        holds &= report.faults.is_empty();
    }
    store.close().await;
    Ok((text, holds.then_some(keys)))
}

fn beside(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes a database that did not come to be.
fn remove(part: &Path) {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(with_ending(part, ending));
    }
}

fn cannot(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let what = format!("cannot {what} {}", path.display());
    move |error| Failure::Other(format!("{what}: {error}"))
}
