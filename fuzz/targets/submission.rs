//! Any body of a post: it is refused, or it makes a record whose bytes are those of RFC 8785.
#![no_main]

use assent_consent::record::Submission;
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_795_291_200_000;

fuzz_target!(|text: &[u8]| {
    let Ok(submission) = serde_json::from_slice::<Submission>(text) else {
        return;
    };
    let Ok(subject) = submission.check(NOW_MS) else {
        return;
    };
    assert_eq!(submission.id.get_version_num(), 7);
    assert_ne!(submission.previous, Some(submission.id));
    let key = hex(&subject.0);
    assert_ne!(key, submission.key, "the subject does not give the key away");
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
