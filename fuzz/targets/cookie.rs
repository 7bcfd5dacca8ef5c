//! Any cookie under any terms: it reads back as it was written, or it is no consent.
#![no_main]

use arbitrary::Arbitrary;
use assent_consent::{
    Categories,
    cookie::{LEN_MAX, Stored},
    decision::{Model, Objections, Terms, decide},
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
    cookie: &'a [u8],
}

fuzz_target!(|visit: Visit<'_>| {
    let stored = Stored::parse(visit.cookie);
    if let Some(stored) = &stored {
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
});
