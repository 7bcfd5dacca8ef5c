//! The preference center: the page on which a visitor reads what the site uses, changes the choice, sees
//! every choice made before and takes the receipts along.
//!
//! Rendered on the server by Leptos and complete without any script: one form per decision, answered by the
//! server with a redirect. The page needs no more than `default-src 'none'; style-src 'self'; img-src 'self'
//! data:; form-action 'self'`. Everything that it says comes in through [`CenterPage`]: no clock, no store,
//! no wording of its own.
//!
//! To add a section: give it a module with one function from data to view, and a place in [`page`].

mod choices;
mod document;
mod history;
mod icon;
mod page;
mod replay;
mod rights;

pub use choices::{SHOWN, field};
pub use document::{MessagePage, message};
pub use page::{CenterPage, Current, HistoryRow, Moment, News, page};
pub use replay::{Replay, replay};
pub use rights::{
    DataPage, DataRow, ErasedPage, Frame, HeldRow, RestrictionPage, Rights, RightsTexts, data, erase, erased,
    restrict, restriction,
};
