//! The owner's console: signing in, the consent rates of a site, what its pages load without consent, what its visitors
//! were shown, and its records.
//!
//! Rendered on the server by Leptos and complete without any script: links, plain forms and a chart that is
//! drawn as SVG here. The pages need no more than `default-src 'none'; style-src 'self'; img-src 'self'
//! data:; form-action 'self'`. They take plain numbers and addresses; no clock, no store. English only.
//!
//! `figures` turns counts into what people read, `chart` turns them into geometry; both are pure, and tested
//! without a page. To add a page: give it a module with its data and its function, and use `document`.

mod access;
mod chart;
mod counts;
mod days;
mod document;
mod figures;
mod frame;
mod notices;
mod rates;
mod records;
mod table;
mod third_parties;

pub use access::{SetPasswordPage, SignInPage, set_password, sign_in};
pub use counts::{Counts, DayCounts};
pub use document::{Assets, MessagePage, message};
pub use frame::{Frame, SiteLink};
pub use notices::{ArchivedNotice, NoticesPage, notices};
pub use rates::{RatesPage, rates};
pub use records::{
    Content, ErasedRecordPage, Held, Moment, Place, RecordPage, RecordState, RecordsPage, Restricted, Run,
    Stored, TrailLine, erase_record, erased_record, record, records,
};
pub use third_parties::{ThirdPartiesPage, ThirdParty, Waits, third_parties};
