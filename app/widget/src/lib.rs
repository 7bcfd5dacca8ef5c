//! What the visitor sees on the owner's page: the banner, rendered on the server into the loader, and the
//! dialog, a browser module that is loaded only when somebody asks for it.
//!
//! Both are Leptos views in the light DOM below `#assent`; their styles are `style/banner.css` and
//! `style/dialog.css`. Nothing here decides what is granted: the views report what was pressed.

#[cfg(feature = "ssr")]
pub mod archive;
#[cfg(feature = "ssr")]
pub mod banner;
#[cfg(feature = "dialog")]
pub mod dialog;
#[cfg(any(feature = "ssr", feature = "dialog"))]
mod layer;
