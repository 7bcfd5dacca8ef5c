//! Any cookie under any terms: it reads back as it was written, or it is no consent.
#![no_main]

use arbitrary::Arbitrary;
use assent_consent::{
    Categories,
    cookie::{LEN_MAX, Stored},
    decision::{Model, Objections, Terms, decide},
    services::{MARKS, Services, are_exceptions},
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Visit<'a> {
    model: u8,
    on_by_default: u8,
    honours: u8,
    seen: u8,
    expiry_s: u32,
    valid_from_revision: u32,
    now_s: u32,
    services: &'a [u8],
    cookie: &'a [u8],
}

fuzz_target!(|visit: Visit<'_>| {
    let stored = Stored::parse(visit.cookie);
    let exceptions = stored.as_ref().and_then(|stored| stored.exceptions);
    if let Some(stored) = &stored
        && exceptions.is_none_or(are_exceptions)
    {
        let mut out = [0; LEN_MAX];
        let len = stored.write(&mut out);
        assert_eq!(&out[..len], visit.cookie, "a cookie has one form");
    }
    let terms = Terms {
        model: Model::from_number(visit.model),
        on_by_default: Categories::granted(visit.on_by_default),
        honours: Objections::from_bits(visit.honours),
        expiry_s: visit.expiry_s,
        valid_from_revision: visit.valid_from_revision,
        by_service: !visit.services.is_empty(),
    };
    let seen = Objections::from_bits(visit.seen);
    let decision = decide(&terms, seen, stored.as_ref(), visit.now_s);
    assert!(decision.granted.contains(Categories::NECESSARY));
    if terms.model == Model::OptIn && !decision.chosen {
        assert_eq!(decision.granted, Categories::NECESSARY, "nothing before a choice");
    }
    if let Some(stored) = &stored {
        assert!(
            stored.granted.contains(decision.granted),
            "nothing that was refused"
        );
    }
    let granted = Services::of(visit.services).granted(&decision, exceptions.unwrap_or_default());
    assert_eq!(granted.categories(), decision.granted);
    if terms.model == Model::OptIn && !decision.chosen {
        let any = MARKS
            .into_iter()
            .any(|mark| granted.has(mark as u8) == Some(true));
        // A list may name services of what is always granted.
        assert!(!any || visit.services.iter().step_by(4).any(|category| *category == b'0'));
    }
});
