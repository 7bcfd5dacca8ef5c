//! Any body of a post: it is refused, with the field's name, or it makes a record that is signed and logged as it is.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use assent_consent::{
    Category,
    receipt::{self, ReceiptSigner},
    record::{AGE_MS_MAX, CLOCK_AHEAD_MS_MAX, ConsentRecord, Submission, check_services},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const NOW_MS: i64 = 1_795_291_200_000;
const RECORD: &str = include_str!("../../consent/testdata/record.json");

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    /// As it comes.
    Raw(&'a [u8]),
    /// Of the right shape, with any values, but for what is changed.
    Shaped(Shaped<'a>),
}

#[derive(Arbitrary, Debug)]
struct Shaped<'a> {
    id: [u8; 16],
    is_version_7: bool,
    key: [u8; 16],
    revision: u32,
    notice: [u8; 32],
    method: u8,
    choice: [bool; 3],
    services: Vec<(u8, bool)>,
    flags: [bool; 3],
    previous: Option<[u8; 16]>,
    /// Added to the server's time, in milliseconds.
    decided: i64,
    /// Which field is replaced, by what.
    changed: Option<(u8, Json<'a>)>,
    removed: Option<u8>,
    added: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Json<'a> {
    Null,
    Flag(bool),
    Number(i64),
    Text(&'a str),
    List(Vec<bool>),
    Object(BTreeMap<&'a str, bool>),
}

impl From<Json<'_>> for Value {
    fn from(json: Json<'_>) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Flag(flag) => flag.into(),
            Json::Number(number) => number.into(),
            Json::Text(text) => text.into(),
            Json::List(list) => list.into(),
            Json::Object(object) => json!(object),
        }
    }
}

impl Shaped<'_> {
    fn json(self) -> Map<String, Value> {
        let mut id = self.id;
        if self.is_version_7 {
            id[6] = id[6] & 0x0f | 0x70;
            id[8] = id[8] & 0x3f | 0x80;
        }
        let method = ["banner", "dialog", "center", "api"][usize::from(self.method % 4)];
        let [performance, functional, targeting] = self.choice;
        let [asked, gpc, dnt] = self.flags;
        let services: BTreeMap<_, _> = self
            .services
            .into_iter()
            .map(|(service, answer)| (format!("service-{}", service % 8), answer))
            .collect();
        let Value::Object(mut body) = json!({
            "id": uuid(&id),
            "key": hex(&self.key),
            "revision": self.revision,
            "notice": hex(&self.notice),
            "method": method,
            "choice": { "performance": performance, "functional": functional, "targeting": targeting },
            "services": services,
            "asked": asked,
            "gpc": gpc,
            "dnt": dnt,
            "previous": self.previous.map(|id| uuid(&id)),
            "decided_at_ms": NOW_MS.saturating_add(self.decided),
        }) else {
            unreachable!("an object");
        };
        let names: Vec<_> = body.keys().cloned().collect();
        let name = |at: u8| names[usize::from(at) % names.len()].clone();
        if let Some((at, value)) = self.changed {
            body.insert(name(at), value.into());
        }
        if let Some(at) = self.removed {
            body.remove(&name(at));
        }
        if let Some(added) = self.added {
            body.insert(added.to_owned(), true.into());
        }
        body
    }
}

fuzz_target!(|body: Body<'_>| {
    let text = match body {
        Body::Raw(text) => text.to_vec(),
        Body::Shaped(shaped) => {
            let is_whole = shaped.changed.is_none() && shaped.removed.is_none() && shaped.added.is_none();
            let text = serde_json::to_vec(&shaped.json()).expect("it serialises");
            assert!(
                !is_whole || serde_json::from_slice::<Submission>(&text).is_ok(),
                "the shape is right"
            );
            text
        }
    };
    let Ok(submission) = serde_json::from_slice::<Submission>(&text) else {
        return;
    };
    let subject = match submission.check(NOW_MS) {
        Ok(subject) => subject,
        Err(invalid) => {
            assert!(!invalid.field.is_empty() && !invalid.problem.is_empty());
            return;
        }
    };
    assert_eq!(submission.id.get_version_num(), 7);
    assert_ne!(submission.previous, Some(submission.id));
    assert!((NOW_MS - AGE_MS_MAX..=NOW_MS + CLOCK_AHEAD_MS_MAX).contains(&submission.decided_at_ms));
    assert_ne!(
        hex(&subject.0),
        submission.key,
        "the subject does not give the key away"
    );
    let offered = (0..4)
        .map(|service| (format!("service-{service}"), Category::Targeting))
        .collect();
    if check_services(&submission.services, submission.choice, &offered).is_ok() {
        let answer = !submission.choice.targeting;
        assert!(
            submission
                .services
                .iter()
                .all(|(id, said)| offered.contains_key(id) && *said == answer)
        );
    }

    // The server's own part of a record does not matter here.
    let mut record: ConsentRecord = serde_json::from_str(RECORD).expect("the golden record");
    record.id = submission.id;
    record.subject = subject;
    record.revision = submission.revision;
    record.notice = submission.notice;
    record.method = submission.method;
    record.choice = submission.choice;
    record.services.clone_from(&submission.services);
    record.asked = submission.asked;
    record.previous = submission.previous;
    record.decided_at_ms = submission.decided_at_ms;
    let canonical = record.canonical();
    assert_eq!(
        serde_json::from_slice::<ConsentRecord>(&canonical).expect("it reads back"),
        record
    );
    let signer = ReceiptSigner::new(&[7; 32]);
    let signed = signer.sign(&record);
    let read = receipt::verify(&signed, &signer.verifying_key()).expect("it was signed");
    assert_eq!(read.commitment(), record.commitment());
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(bytes: &[u8; 16]) -> String {
    let digits = hex(bytes);
    let (a, b, c, d, e) = (
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}
