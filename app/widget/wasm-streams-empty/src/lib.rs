//! The names of wasm-streams that `server_fn` compiles against. See `Cargo.toml` for why.

use futures_util::{Stream, stream};
use wasm_bindgen::JsValue;

/// A stream of the browser, without the bridge to Rust streams.
#[derive(Debug)]
pub struct ReadableStream(web_sys::ReadableStream);

impl ReadableStream {
    /// Takes a stream of the browser.
    pub fn from_raw(raw: web_sys::ReadableStream) -> Self {
        Self(raw)
    }

    /// The stream of the browser.
    pub fn into_raw(self) -> web_sys::ReadableStream {
        self.0
    }

    /// Refuses: the bridge is left out.
    ///
    /// # Panics
    /// Always. Nothing in Assent streams through server functions.
    pub fn from_stream(_: impl Stream<Item = Result<JsValue, JsValue>> + 'static) -> Self {
        left_out()
    }

    /// Refuses: the bridge is left out. The type is what callers compile against.
    ///
    /// # Panics
    /// Always. Nothing in Assent streams through server functions.
    pub fn into_stream(self) -> stream::Empty<Result<JsValue, JsValue>> {
        left_out()
    }
}

fn left_out() -> ! {
    panic!("server functions that stream are not part of Assent")
}
