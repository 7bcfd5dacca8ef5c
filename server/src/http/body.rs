//! Reading bodies: bounded, and with an answer that says what is wrong.

use std::time::Duration;

use axum::{
    Form,
    body::{Body, Bytes, to_bytes},
    extract::FromRequest as _,
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;

use super::{problem::Problem, text};

/// The largest body that is read, in bytes.
pub(crate) const BODY_LEN_MAX: usize = 16 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads JSON that is sent as `application/json` or as `text/plain`, which spares browsers a preflight.
pub(crate) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    expect_type(headers, &["text/plain", "application/json"])?;
    let bytes = bounded(headers, body).await?;
    // serde would take a list for an object whose fields stand in the right order.
    if bytes
        .trim_ascii_start()
        .first()
        .is_some_and(|first| *first != b'{')
    {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body must be a JSON object.",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|error| explain::<T>(&bytes, &error))
}

/// Reads the fields of a form.
pub(crate) async fn form<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    expect_type(headers, &["application/x-www-form-urlencoded"])?;
    let bytes = bounded(headers, body).await?;
    let request = axum::http::Request::builder()
        .method("POST")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(bytes))
        .map_err(|_| unreadable())?;
    match Form::<T>::from_request(request, &()).await {
        Ok(Form(fields)) => Ok(fields),
        Err(_) => Err(unreadable()),
    }
}

/// The form has not the fields that it should have.
pub(crate) fn unreadable() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The form cannot be read.")
}

fn expect_type(headers: &HeaderMap, types: &[&'static str]) -> Result<(), Problem> {
    let sent = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if types.iter().any(|name| essence.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("The content type must be {}.", types.join(" or ")),
    ))
}

async fn bounded(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 16,384 bytes.",
        )
    };
    let announced = text(headers, header::CONTENT_LENGTH).and_then(|len| len.parse::<usize>().ok());
    if announced.is_some_and(|len| len > BODY_LEN_MAX) {
        return Err(too_large());
    }
    match tokio::time::timeout(READ_TIMEOUT, to_bytes(body, BODY_LEN_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Without an announced length the only way to fail on an intact connection is to be too long.
        Ok(Err(_)) if announced.is_none() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "The body ended early.")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time.",
        )),
    }
}

/// Says what is wrong with a JSON body. It is read once more with a note of the path, which the fast way
/// leaves out.
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::new(StatusCode::BAD_REQUEST, format!("The body is not JSON: {error}."));
    }
    let reading = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(bytes));
    let path = reading.err().map(|error| error.path().to_string());
    let path = path
        .filter(|path| path != ".")
        .unwrap_or_else(|| named(&error.to_string()));
    Problem::field(StatusCode::UNPROCESSABLE_ENTITY, path, format!("{error}"))
}

/// The field that serde names in backquotes: a missing one stands at no path.
fn named(message: &str) -> String {
    message.split('`').nth(1).unwrap_or_default().to_owned()
}
