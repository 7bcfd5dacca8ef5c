//! Reading the parameters of an address, with an answer that says what is wrong.

use axum::{
    extract::{FromRequestParts, Query as Parameters},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The parameters of an address.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Parameters::from_request_parts(parts, state).await {
            Ok(Parameters(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                format!("{}.", rejection.body_text()),
            )),
        }
    }
}
