//! Who may use the console: passwords, sessions, one-time links.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use assent_store::{Grant, Session, Store, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    app::App,
    clock::Clock,
    random::{self, NoRandomness, Random},
};

/// How long a session lasts.
pub(crate) const SESSION_S: u32 = 12 * 3600;
/// How long a one-time sign-in link works.
const LINK_MS: i64 = 24 * 3_600_000;
/// Hashing takes 19 MiB each; as many run at once.
const HASHES_AT_ONCE: usize = 2;

/// What the store keeps of a token.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// What forms of a session carry, so that no other page can post them. Nobody can make it without the token.
pub(crate) fn csrf_token(session: &str) -> String {
    hex::encode(Sha256::digest(format!("assent csrf\0{session}")))
}

/// Checks and makes password hashes (Argon2id), a few at a time and off the threads that serve requests.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
}

/// Stands in where there is no account, so that the answer takes as long.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIHRoZSBkZWNveQ$\
                     BPfuh2xoJvBAJrjM2H7OzSAjIdRjYB5sCPlm3Yv5rBE";

/// A password could not be hashed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a password could not be hashed")]
pub(crate) struct NotHashed;

impl Passwords {
    /// Ready to work.
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
        }
    }

    /// A password as it is stored, in PHC format.
    pub(crate) async fn hash(&self, password: String) -> Result<String, NotHashed> {
        self.work(move || make(&password)).await?
    }

    /// Whether the password fits the stored one. Without a stored one it never does, and takes as long.
    pub(crate) async fn fits(&self, password: String, stored: Option<String>) -> Result<bool, NotHashed> {
        let has_password = stored.is_some();
        let stored = stored.unwrap_or_else(|| DECOY.to_owned());
        let fits = self
            .work(move || {
                PasswordHash::new(&stored).is_ok_and(|stored| {
                    Argon2::default()
                        .verify_password(password.as_bytes(), &stored)
                        .is_ok()
                })
            })
            .await?;
        Ok(fits && has_password)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| NotHashed)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|_| NotHashed)
    }
}

fn make(password: &str) -> Result<String, NotHashed> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|_| NotHashed)
}

/// A token or session could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotIssued {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Begins a session and returns its token.
pub(crate) async fn begin_session(app: &App, owner: Uuid) -> Result<String, NotIssued> {
    let token = random::token(app.random.as_ref())?;
    app.store
        .begin_session(&Session {
            token_hash: hash(&token),
            owner,
            expires_at_ms: app.clock.now_ms() + i64::from(SESSION_S) * 1000,
        })
        .await?;
    Ok(token)
}

/// Makes a one-time token that signs an owner in.
pub(crate) async fn sign_in_token(
    store: &dyn Store,
    random: &dyn Random,
    clock: &dyn Clock,
    owner: Uuid,
) -> Result<String, NotIssued> {
    one_time_token(store, random, |_| Grant::SignIn(owner), clock.now_ms() + LINK_MS).await
}

/// Makes a one-time token for what `grant` makes of it.
pub(crate) async fn one_time_token(
    store: &dyn Store,
    random: &dyn Random,
    grant: impl FnOnce(&str) -> Grant,
    expires_at_ms: i64,
) -> Result<String, NotIssued> {
    let token = random::token(random)?;
    store
        .put_token(hash(&token), &grant(&token), expires_at_ms)
        .await?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoy_costs_what_a_password_costs() {
        let decoy = PasswordHash::new(DECOY).unwrap();
        let own = make("a password").unwrap();
        let own = PasswordHash::new(&own).unwrap();
        assert_eq!(
            (decoy.algorithm, decoy.version, &decoy.params),
            (own.algorithm, own.version, &own.params)
        );
        assert_eq!(decoy.hash.unwrap().len(), own.hash.unwrap().len());
    }
}
