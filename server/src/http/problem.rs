//! The one error that clients get: `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use assent_consent::record::Invalid;
use assent_store::StoreError;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    append::NotStored,
    auth::{NotHashed, NotIssued},
    intake::Refused,
    ledger::LogError,
    random::NoRandomness,
};

/// Seconds after which a client should try again when the server is busy.
const RETRY_AFTER_S: u64 = 2;

/// What went wrong, in words for the client. What only the operator may know goes to the log.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    field: Option<String>,
    retry_after_s: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem with the request as a whole.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// A problem with one field of the body.
    pub(crate) fn field(
        status: StatusCode,
        field: impl Into<String>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(status, detail)
        }
    }

    /// Too many requests; the next may come after some seconds.
    pub(crate) fn too_many(retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests from this address. Try again later.",
            )
        }
    }

    fn busy() -> Self {
        Self {
            retry_after_s: Some(RETRY_AFTER_S),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot store anything at the moment. Try again soon.",
            )
        }
    }

    /// What was asked for is not there yet; worth trying again.
    pub(crate) fn later(detail: &'static str, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::CONFLICT, detail)
        }
    }

    /// The status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
        })
        .unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::Database(_) => Self::busy(),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server's data is in disorder.",
            ),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => error.into(),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "a log is incomplete");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The server's data is in disorder.",
                )
            }
        }
    }
}

impl From<NotStored> for Problem {
    fn from(_: NotStored) -> Self {
        Self::busy()
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error);
        Self::busy()
    }
}

impl From<NotIssued> for Problem {
    fn from(error: NotIssued) -> Self {
        match error {
            NotIssued::Store(error) => error.into(),
            NotIssued::Random(error) => error.into(),
        }
    }
}

impl From<NotHashed> for Problem {
    fn from(error: NotHashed) -> Self {
        tracing::error!(%error);
        Self::busy()
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::field(StatusCode::UNPROCESSABLE_ENTITY, invalid.field, invalid.problem)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(invalid) => invalid.into(),
            Refused::Conflict => Self::field(
                StatusCode::CONFLICT,
                "id",
                "belongs to another record, or to one that was erased",
            ),
            Refused::NotStored(reason) => reason.into(),
            Refused::Store(error) => error.into(),
            Refused::Random(error) => error.into(),
        }
    }
}
