//! From a submission to a committed record and its receipt. Both the browser's records and the center's come
//! through here.

use assent_consent::record::{ConsentRecord, Event, Invalid, Salt, Submission, check_services};
use assent_store::{Appended, Count, Measure, NewRecord, StoreError};
use uuid::Uuid;

use crate::{
    app::App,
    append::NotStored,
    publish::{Shown, Site},
    random::NoRandomness,
};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A record that is durable.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its receipt.
    pub(crate) receipt: String,
    /// Whether it was stored now; otherwise it was there already.
    pub(crate) is_new: bool,
}

/// Why a submission was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A field is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Another record has this id.
    #[error("another record has this id")]
    Conflict,
    /// Not now.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The store failed before anything was written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no randomness for the salt.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Checks a submission, commits it and signs its receipt.
pub(crate) async fn accept(
    app: &App,
    site: &Site,
    submission: &Submission,
    device: &'static str,
) -> Result<Accepted, Refused> {
    let now_ms = app.clock.now_ms();
    let subject = submission.check(now_ms)?;
    let shown = site
        .shown(app.store.as_ref(), submission.revision, submission.notice)
        .await?
        .ok_or_else(unknown_notice)?;
    check_services(&submission.services, submission.choice, &shown.offered)?;
    let mut salt = Salt([0; 16]);
    app.random.fill(&mut salt.0)?;
    let record = ConsentRecord {
        version: 1,
        id: submission.id,
        site: site.id().to_owned(),
        subject,
        revision: submission.revision,
        notice: submission.notice,
        rule: shown.rule.clone(),
        language: shown.language.clone(),
        event: Event::of(
            submission.asked,
            submission.previous,
            submission.choice,
            &submission.services,
        ),
        method: submission.method,
        choice: submission.choice,
        services: submission.services.clone(),
        asked: submission.asked,
        gpc: submission.gpc,
        dnt: submission.dnt,
        previous: submission.previous,
        decided_at_ms: submission.decided_at_ms,
        received_at_ms: now_ms,
        expires_at_ms: submission.decided_at_ms + i64::from(shown.expiry_days) * DAY_MS,
        salt,
    };
    let counts = Measure::of(submission.choice, &submission.services, submission.asked)
        .map(|measure| count(site.id(), submission.revision, &shown, device, measure, now_ms))
        .collect();
    let committed = app.queue.append(NewRecord::new(record.clone(), counts))?;
    // Signed while the disk works; nobody gets the receipt before the commit.
    let receipt = app.signer.sign(&record);
    let stored = match committed.await? {
        Appended::New => {
            return Ok(Accepted {
                id: record.id,
                receipt,
                is_new: true,
            });
        }
        Appended::Duplicate(stored) => stored,
        Appended::Conflict => return Err(Refused::Conflict),
        Appended::Unknown => return Err(unknown_notice().into()),
    };
    Ok(Accepted {
        id: stored.id,
        receipt: app.signer.sign(&stored),
        is_new: false,
    })
}

/// The notice was never published under that revision.
pub(crate) const fn unknown_notice() -> Invalid {
    Invalid {
        field: "notice",
        problem: "was not shown under this revision of the site",
    }
}

/// One more of `measure` in the present hour.
pub(crate) fn count(
    site: &str,
    revision: u32,
    shown: &Shown,
    device: &'static str,
    measure: Measure,
    now_ms: i64,
) -> Count {
    Count {
        site: site.to_owned(),
        hour: i32::try_from(now_ms.div_euclid(HOUR_MS)).unwrap_or(i32::MAX),
        revision,
        rule: shown.rule.clone(),
        language: shown.language.clone(),
        device,
        measure,
    }
}

/// Class of the device by its user agent: `phone`, `tablet` or `desktop`. Nothing else of the user agent is
/// kept.
pub(crate) fn device(user_agent: &str) -> &'static str {
    let has = |part| user_agent.contains(part);
    if has("iPad") || has("Tablet") || (has("Android") && !has("Mobile")) {
        "tablet"
    } else if has("Mobi") {
        "phone"
    } else {
        "desktop"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_apart_as_far_as_their_user_agents_tell() {
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0";
        assert_eq!(
            device(&format!("Mozilla/5.0 (X11; Linux x86_64) {chrome} Safari/537.36")),
            "desktop"
        );
        assert_eq!(
            device(&format!(
                "Mozilla/5.0 (Linux; Android 10; K) {chrome} Mobile Safari/537.36"
            )),
            "phone"
        );
        assert_eq!(
            device(&format!(
                "Mozilla/5.0 (Linux; Android 10; K) {chrome} Safari/537.36"
            )),
            "tablet"
        );
        assert_eq!(
            device("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"),
            "phone"
        );
        assert_eq!(device(""), "desktop");
    }
}
