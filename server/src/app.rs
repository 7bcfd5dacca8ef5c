//! What handlers share, and the routes put together.

use std::{net::IpAddr, sync::Arc};

use assent_consent::receipt::ReceiptSigner;
use assent_store::Store;
use axum::{Router, http::HeaderName};
use ed25519_dalek::VerifyingKey;

use crate::{
    append::Queue, auth::Passwords, clock::Clock, http, ledger::checkpoints::Signatory, limits::Limits,
    publish::Published, random::Random, witness::Witnessed,
};

/// What every handler gets.
pub type AppState = Arc<App>;

/// The running server's parts.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) signer: ReceiptSigner,
    /// Public keys of the signer and of those before it.
    pub(crate) known_keys: Vec<VerifyingKey>,
    pub(crate) queue: Queue,
    pub(crate) published: Published,
    pub(crate) limits: Limits,
    pub(crate) passwords: Passwords,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) country_header: Option<HeaderName>,
    /// What this server has countersigned of other servers' logs.
    pub(crate) witnessed: Witnessed,
    /// The server's own origin, `https://consent.example`.
    pub(crate) origin: String,
    /// Whether `/demo/` is served.
    pub(crate) demo: bool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Whether browsers reach the server by https; its cookies are then marked `Secure`.
    pub(crate) fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The origin without its scheme: the server's name in signed notes.
    pub(crate) fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// What signs the checkpoints.
    pub(crate) fn signatory(&self) -> Signatory<'_> {
        Signatory {
            key: self.signer.key(),
            known: &self.known_keys,
            origin: &self.origin,
        }
    }
}

/// All routes.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new()
        .merge(http::loader::router())
        .merge(http::assets::router())
        .merge(http::ledger::router())
        .merge(http::notices::router())
        .merge(http::visitor_router(&state))
        .merge(http::center::router())
        .merge(http::console::router())
        .merge(http::verify::router())
        .merge(http::wellknown::router())
        .merge(http::witness::router())
        .merge(http::health::router());
    if state.demo {
        router = router.merge(http::demo::router());
    }
    router.fallback(http::not_found).with_state(state)
}
