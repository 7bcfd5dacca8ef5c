//! Confirmations of what was done with records: compact JWS by the key of the receipts. What they confirm may not be
//! stored any more, so nothing stored could say it again.

use assent_consent::record::Subject;
use assent_store::Hold;
use axum::http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use crate::{app::App, http::problem::Problem};

/// What is confirmed.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Confirmation<'a> {
    /// Records are gone, by a visitor's or an owner's wish.
    Erasure {
        /// Milliseconds since 1970.
        erased_at_ms: i64,
        /// What the law keeps although it was to go.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        held: Vec<Held>,
        /// Ids of what is gone.
        records: &'a [Uuid],
        /// Whose all of them were, if the visitor wanted it.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
    },
    /// A visitor's records are restricted, or no more.
    Restriction {
        /// Milliseconds since 1970.
        confirmed_at_ms: i64,
        /// Milliseconds since 1970; `None` if that was lifted.
        restricted_since_ms: Option<i64>,
        /// Whose.
        subject: Subject,
    },
}

impl Confirmation<'_> {
    /// The media type, which keeps one from being taken for another.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Erasure { .. } => "erasure-confirmation+jws",
            Self::Restriction { .. } => "restriction-confirmation+jws",
        }
    }
}

/// A record that the law keeps.
#[derive(Serialize)]
pub(crate) struct Held {
    id: Uuid,
    until_ms: i64,
}

/// The records that the law keeps, as they are confirmed.
pub(crate) fn held(holds: &[Hold]) -> Vec<Held> {
    holds
        .iter()
        .map(|hold| Held {
            id: hold.record,
            until_ms: hold.until_ms,
        })
        .collect()
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    confirmation: &'a Confirmation<'a>,
    site: &'a str,
    version: u8,
}

/// Signs a confirmation for a site.
pub(crate) fn sign(app: &App, site: &str, confirmation: &Confirmation<'_>) -> Result<String, Problem> {
    let payload = Payload {
        confirmation,
        site,
        version: 1,
    };
    let payload = serde_json::to_vec(&payload).map_err(|error| {
        tracing::error!(%error, "a confirmation does not serialise");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The confirmation cannot be made.",
        )
    })?;
    Ok(app.signer.sign_as(confirmation.kind(), &payload))
}
