//! The interface of `consent` to the page: numbers in, numbers out, text through one buffer.
//!
//! `no_std`, without imports and without allocation, so that the module stays small enough to stand inside
//! the loader and to be compiled synchronously. Every decision is made in `assent_consent`; none is made
//! here. The host writes UTF-8 into the buffer with `TextEncoder.encodeInto` and passes its length; lengths
//! beyond the buffer count as the buffer's end, so that no argument can make the gate read elsewhere.
//!
//! What is exported goes by one letter: every byte is on every first visit. `app/host/src/gate.ts` has the same list.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

#[cfg(feature = "services")]
use assent_consent::services::{ENTRY_LEN, SERVICES_MAX, Services};
use assent_consent::{
    Categories, Granted,
    cookie::{KEY_LEN, LEN_MAX, RECORD_LEN, Stored},
    decision::{Model, Objections, Terms, decide},
    erase, signals, tag,
};

const BUFFER_LEN: usize = 16_384;

static mut BUFFER: [u8; BUFFER_LEN] = [0; BUFFER_LEN];
static mut GRANTED: Granted = Granted::NECESSARY;
#[cfg(feature = "services")]
const LIST_LEN_MAX: usize = SERVICES_MAX * ENTRY_LEN;
/// The list of services, and its length.
#[cfg(feature = "services")]
static mut LIST: [u8; LIST_LEN_MAX] = [0; LIST_LEN_MAX];
#[cfg(feature = "services")]
static mut LIST_LEN: usize = 0;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

fn text(start: usize, len: usize) -> &'static [u8] {
    let start = start.min(BUFFER_LEN);
    let len = len.min(BUFFER_LEN - start);
    // SAFETY: the range is inside the buffer, which lives as long as the module; the page has one thread,
    // and the host writes only between calls.
    unsafe { core::slice::from_raw_parts((&raw const BUFFER).cast::<u8>().add(start), len) }
}

fn granted() -> Granted {
    // SAFETY: the page has one thread.
    unsafe { GRANTED }
}

fn grant(granted: Granted) {
    // SAFETY: the page has one thread.
    unsafe { GRANTED = granted }
}

#[cfg(feature = "services")]
fn services() -> Services<'static> {
    // SAFETY: the length is the list's at most, the page has one thread, and no slice is kept between calls.
    Services::of(unsafe { core::slice::from_raw_parts((&raw const LIST).cast(), LIST_LEN) })
}

/// Parts the cookie's value from the list of services, which follows it after a space, and keeps the list.
#[cfg(feature = "services")]
fn take_services(text: &'static [u8]) -> &'static [u8] {
    let Some(space) = text.iter().rposition(|byte| *byte == b' ') else {
        return text;
    };
    let list = &text[space + 1..];
    let len = list.len().min(LIST_LEN_MAX);
    // SAFETY: the page has one thread, and no slice of the list is alive here.
    unsafe {
        (&raw mut LIST).cast::<u8>().copy_from(list.as_ptr(), len);
        LIST_LEN = len;
    }
    &text[..space]
}

/// Address of the buffer.
#[unsafe(export_name = "b")]
pub extern "C" fn buffer() -> *const u8 {
    (&raw const BUFFER).cast()
}

/// Decides from the cookie's value in the buffer (`len` 0: no cookie) and the terms of the rule. `flags`:
/// bits 0 and 1 the signals that the browser sends, bits 2 and 3 those that the rule honours. Returns the bits of the
/// decision. With the feature `services` a space and the list of services may follow the cookie's value, and bit 6
/// says that the choice has exceptions.
#[unsafe(export_name = "s")]
pub extern "C" fn start(
    len: usize,
    model: u8,
    on_by_default: u8,
    flags: u8,
    valid_from_revision: u32,
    expiry_s: u32,
    now_s: u32,
) -> u32 {
    let text = text(0, len);
    #[cfg(feature = "services")]
    let text = take_services(text);
    let terms = Terms {
        model: Model::from_number(model),
        on_by_default: Categories::granted(on_by_default),
        honours: Objections::from_bits(flags >> 2),
        expiry_s,
        valid_from_revision,
        #[cfg(feature = "services")]
        by_service: !services().is_empty(),
        #[cfg(not(feature = "services"))]
        by_service: false,
    };
    let stored = Stored::parse(text);
    let decision = decide(&terms, Objections::from_bits(flags), stored.as_ref(), now_s);
    let bits = u32::from(decision.bits());
    #[cfg(feature = "services")]
    {
        let exceptions = stored.and_then(|stored| stored.exceptions);
        grant(services().granted(&decision, exceptions.unwrap_or_default()));
        bits | u32::from(exceptions.is_some()) << 6
    }
    #[cfg(not(feature = "services"))]
    {
        grant(decision.granted.into());
        bits
    }
}

/// Takes the visitor's choice of categories and returns what is granted now. Its exceptions count once `start` has
/// read them from the cookie.
#[unsafe(export_name = "c")]
pub extern "C" fn choose(bits: u8) -> u32 {
    grant(Categories::granted(bits).into());
    u32::from(granted().categories().bits())
}

/// Whether a tag whose `data-category` stands in the buffer may run: 1, or 0 if it has to wait, or 2 if the
/// attribute names no categories.
#[unsafe(export_name = "r")]
pub extern "C" fn released(len: usize) -> u32 {
    tag::is_released(text(0, len), granted().categories()).map_or(2, u32::from)
}

/// Whether a stored item has to go: the buffer holds the list of declared items, then the item's name.
#[unsafe(export_name = "e")]
pub extern "C" fn erased(list_len: usize, name_len: usize) -> bool {
    erase::is_erased(text(0, list_len), text(list_len, name_len), granted())
}

/// Whether what loads from a place may load: the buffer holds the list of declared hosts, then the place. 1, or 0 if
/// it has to wait, or 2 if nothing declares it.
#[unsafe(export_name = "a")]
pub extern "C" fn allowed(list_len: usize, place_len: usize) -> u32 {
    erase::is_allowed(text(0, list_len), text(list_len, place_len), granted()).map_or(2, u32::from)
}

/// The granted types of Google Consent Mode, as bits.
#[unsafe(export_name = "g")]
pub extern "C" fn google() -> u32 {
    u32::from(signals::google(granted().categories()))
}

/// Writes the cookie's value for the present choice over the buffer, which holds the subject key and the
/// record's id, and returns its length. The codes of the choice's exceptions, which are the host's to add, may follow.
#[unsafe(export_name = "k")]
pub extern "C" fn cookie(revision: u32, now_s: u32) -> usize {
    let mut key = [0; KEY_LEN];
    key.copy_from_slice(text(0, KEY_LEN));
    let mut record = [0; RECORD_LEN];
    record.copy_from_slice(text(KEY_LEN, RECORD_LEN));
    let stored = Stored {
        revision,
        granted: granted().categories(),
        decided_at_s: now_s,
        key,
        record,
        exceptions: None,
    };
    let mut out = [0; LEN_MAX];
    let len = stored.write(&mut out);
    // SAFETY: the page has one thread, and no slice of the buffer is alive here.
    unsafe {
        (&raw mut BUFFER).cast::<u8>().copy_from(out.as_ptr(), LEN_MAX);
    }
    len
}
