//! The suite that every store passes. A store's own tests call [`run`] with a way to make empty stores.
//!
//! Each case is a function that says in its name what holds, and gets a store of its own. What only one
//! database can get wrong (durability, query plans, altered rows) is tested beside that store.

use assent_consent::{
    Category,
    notice::{Notice, NoticeHash},
    record::{ConsentRecord, Event, Method},
    site::SiteConfig,
};
use uuid::Uuid;

use crate::{
    Appended, ArchivedNotice, Batch, Grant, Kind, Measure, NewRecord, OrganisationId, RateRow, Session,
    Sighting, Store, StoreError, ThirdPartyDay, WaitsFor,
    third_parties::{DAYS_KEPT, PER_DAY_MAX},
};

mod custody;
mod ledger;
pub mod sample;

use custody::{
    a_held_record_is_erased_by_nobody_before_the_hold_ends, a_hold_that_has_ended_holds_nothing,
    an_owner_erases_one_record, holds_that_have_ended_are_cleared_away_in_batches,
    looks_for_what_is_due_add_up, restricted_records_are_neither_given_out_nor_erased,
    what_came_before_an_erased_record_counts_no_more, what_is_kept_for_too_long_goes_in_batches,
};
use ledger::{
    an_erased_id_is_not_stored_again, an_erased_record_leaves_its_entry, concurrent_appends_fork_no_log,
    duplicates_and_the_unknown_leave_no_gap_in_the_log, each_new_record_gets_the_next_index_of_its_sites_log,
    full_tiles_are_hashed_into_the_level_above, signed_heads_are_kept_in_order,
};
use sample::{HOUR, NOW_MS};

const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));
const OTHER_ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(2));
const OWNER: Uuid = Uuid::from_u128(3);
const DAY: i32 = HOUR / 24;

macro_rules! each {
    ($make:ident: $($case:ident),+ $(,)?) => {
        $(
            let store = $make().await;
            $case(&store).await;
            store.close().await;
        )+
    };
}

/// Runs every case, each on a new empty store of `make`.
///
/// # Panics
/// If a case does not hold.
pub async fn run<S: Store>(make: impl AsyncFn() -> S) {
    each![make:
        the_first_revision_is_number_one,
        revisions_are_numbered_without_gaps,
        an_unchanged_configuration_is_no_new_revision,
        only_a_wider_configuration_asks_again,
        the_newest_revision_of_each_site_is_current,
        an_organisation_sees_its_own_sites_only,
        a_site_cannot_be_taken_over,
        an_organisation_is_made_once,
        a_notice_comes_back_as_it_was_archived,
        a_notice_belongs_to_the_revisions_that_show_it,
        notices_are_listed_with_the_revisions_that_showed_them,
        notices_need_a_published_revision,
        a_record_comes_back_as_it_was_appended,
        a_record_is_given_to_its_subject_only,
        a_duplicate_in_a_later_batch_is_answered_with_what_is_stored,
        a_duplicate_in_the_same_batch_is_answered_with_the_first,
        a_batch_that_mixes_everything_is_answered_in_order,
        an_id_of_another_subject_is_a_conflict_that_tells_nothing,
        the_same_id_at_two_sites_is_two_records,
        a_record_of_something_unpublished_is_not_stored,
        one_of_two_concurrent_appends_is_the_duplicate,
        an_empty_batch_is_answered_with_nothing,
        each_new_record_gets_the_next_index_of_its_sites_log,
        duplicates_and_the_unknown_leave_no_gap_in_the_log,
        concurrent_appends_fork_no_log,
        full_tiles_are_hashed_into_the_level_above,
        an_erased_record_leaves_its_entry,
        an_erased_id_is_not_stored_again,
        a_held_record_is_erased_by_nobody_before_the_hold_ends,
        a_hold_that_has_ended_holds_nothing,
        restricted_records_are_neither_given_out_nor_erased,
        an_owner_erases_one_record,
        what_is_kept_for_too_long_goes_in_batches,
        what_came_before_an_erased_record_counts_no_more,
        holds_that_have_ended_are_cleared_away_in_batches,
        looks_for_what_is_due_add_up,
        signed_heads_are_kept_in_order,
        history_is_newest_first_and_limited,
        history_is_of_one_subject_at_one_site,
        rates_add_up_per_day,
        a_duplicate_is_counted_once,
        rates_are_shown_to_the_sites_organisation_only,
        third_parties_add_up_per_day,
        a_day_holds_so_many_third_parties,
        old_third_parties_go_when_a_day_begins,
        third_parties_are_shown_to_the_sites_organisation_only,
        an_owner_is_known_by_email_in_any_case,
        an_owner_is_made_once,
        a_session_ends_when_told_or_expired,
        a_new_password_ends_all_sessions_and_links,
        a_token_is_good_once,
        a_token_taken_twice_at_once_is_given_once,
        a_token_expires,
        a_token_carries_a_subject_key,
        sweeping_removes_what_has_expired_only,
    ];
}

/// A site on revision 1 with one archived notice.
struct Site {
    config: SiteConfig,
    notice: Notice,
    hash: NoticeHash,
}

impl Site {
    async fn publish(store: &dyn Store, id: &str) -> Self {
        store
            .ensure_organisation(ORGANISATION, "Sample Ltd")
            .await
            .expect("organisation");
        let config = sample::config(id);
        store
            .publish_revision(ORGANISATION, &config, NOW_MS)
            .await
            .expect("publishes");
        let notice = sample::notice(&config, "first");
        store
            .archive_notices(id, 1, std::slice::from_ref(&notice))
            .await
            .expect("archives");
        let hash = notice.hash();
        Self { config, notice, hash }
    }

    /// The `number`-th record, of the subject with the same number.
    fn record(&self, number: u32) -> ConsentRecord {
        sample::record(&self.notice, self.hash, number, sample::subject(number))
    }

    fn accepted(&self, number: u32) -> NewRecord {
        sample::accepted(&self.notice, self.record(number))
    }
}

async fn append(store: &dyn Store, records: &[&ConsentRecord]) -> Vec<Appended> {
    let records = records
        .iter()
        .map(|record| NewRecord::new((*record).clone(), Vec::new()))
        .collect();
    store
        .append(Batch {
            records,
            counts: Vec::new(),
        })
        .await
        .expect("appends")
}

fn duplicate(record: &ConsentRecord) -> Appended {
    Appended::Duplicate(Box::new(record.clone()))
}

async fn the_first_revision_is_number_one(store: &dyn Store) {
    store
        .ensure_organisation(ORGANISATION, "Sample Ltd")
        .await
        .expect("organisation");
    let config = sample::config("shop");
    let first = store
        .publish_revision(ORGANISATION, &config, NOW_MS)
        .await
        .expect("publishes");
    assert_eq!(first.organisation, ORGANISATION);
    assert_eq!((first.number, first.valid_from), (1, 1));
    assert_eq!(first.published_at_ms, NOW_MS);
    assert_eq!(first.config, config);
}

async fn revisions_are_numbered_without_gaps(store: &dyn Store) {
    let mut site = Site::publish(store, "shop").await;
    for number in 2..=4 {
        site.config.name = format!("Sample {number}");
        // What changes nothing, and what fails, uses up no number.
        store
            .publish_revision(OTHER_ORGANISATION, &site.config, NOW_MS)
            .await
            .expect_err("is refused");
        for _ in 0..2 {
            let published = store
                .publish_revision(ORGANISATION, &site.config, NOW_MS)
                .await
                .expect("publishes");
            assert_eq!(published.number, number);
        }
    }
}

async fn an_unchanged_configuration_is_no_new_revision(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let again = store
        .publish_revision(ORGANISATION, &site.config, NOW_MS + 60_000)
        .await
        .expect("publishes");
    assert_eq!(again.number, 1);
    assert_eq!(again.published_at_ms, NOW_MS);
}

async fn only_a_wider_configuration_asks_again(store: &dyn Store) {
    let mut site = Site::publish(store, "shop").await;
    let valid_from = async |config: &SiteConfig| {
        let published = store
            .publish_revision(ORGANISATION, config, NOW_MS)
            .await
            .expect("publishes");
        (published.number, published.valid_from)
    };
    "Renamed".clone_into(&mut site.config.name);
    assert_eq!(valid_from(&site.config).await, (2, 1));
    site.config
        .services
        .push(sample::service("ads", Category::Targeting, &["_ads"]));
    assert_eq!(valid_from(&site.config).await, (3, 3));
    "Renamed again".clone_into(&mut site.config.name);
    assert_eq!(valid_from(&site.config).await, (4, 3));
    site.config.services.pop();
    assert_eq!(valid_from(&site.config).await, (5, 3));
}

async fn the_newest_revision_of_each_site_is_current(store: &dyn Store) {
    assert_eq!(store.current_revisions().await.expect("reads"), []);
    let mut shop = Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    "Renamed".clone_into(&mut shop.config.name);
    store
        .publish_revision(ORGANISATION, &shop.config, NOW_MS + 1)
        .await
        .expect("publishes");
    let current = store.current_revisions().await.expect("reads");
    let summary: Vec<_> = current
        .iter()
        .map(|revision| (revision.config.id.as_str(), revision.number))
        .collect();
    assert_eq!(summary, [("magazine", 1), ("shop", 2)]);
    assert_eq!(current[1].config, shop.config);
    assert_eq!(current[1].published_at_ms, NOW_MS + 1);
}

async fn an_organisation_sees_its_own_sites_only(store: &dyn Store) {
    Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    store
        .ensure_organisation(OTHER_ORGANISATION, "Other Ltd")
        .await
        .expect("organisation");
    store
        .publish_revision(OTHER_ORGANISATION, &sample::config("other"), NOW_MS)
        .await
        .expect("publishes");
    for (organisation, expected) in [
        (ORGANISATION, vec!["magazine", "shop"]),
        (OTHER_ORGANISATION, vec!["other"]),
    ] {
        let sites = store.sites(organisation).await.expect("reads");
        let ids: Vec<_> = sites.iter().map(|revision| revision.config.id.as_str()).collect();
        assert_eq!(ids, expected);
        assert!(sites.iter().all(|revision| revision.organisation == organisation));
    }
    assert_eq!(store.current_revisions().await.expect("reads").len(), 3);
}

async fn a_site_cannot_be_taken_over(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    store
        .ensure_organisation(OTHER_ORGANISATION, "Other Ltd")
        .await
        .expect("organisation");
    let mut changed = site.config.clone();
    "Taken".clone_into(&mut changed.name);
    for config in [&site.config, &changed] {
        let refused = store.publish_revision(OTHER_ORGANISATION, config, NOW_MS).await;
        assert!(matches!(refused, Err(StoreError::ForeignSite)), "{refused:?}");
    }
    assert_eq!(store.sites(OTHER_ORGANISATION).await.expect("reads"), []);
    assert_eq!(
        store.sites(ORGANISATION).await.expect("reads")[0].config,
        site.config
    );
}

async fn an_organisation_is_made_once(store: &dyn Store) {
    for name in ["Sample Ltd", "Sample Ltd", "Renamed Ltd"] {
        store
            .ensure_organisation(ORGANISATION, name)
            .await
            .expect("organisation");
    }
    assert_eq!(store.sites(ORGANISATION).await.expect("reads"), []);
}

async fn a_notice_comes_back_as_it_was_archived(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let found = store.notice("shop", site.hash).await.expect("reads");
    assert_eq!(found.map(String::into_bytes), Some(site.notice.canonical()));
    assert_eq!(store.notice("magazine", site.hash).await.expect("reads"), None);
    assert_eq!(store.notice("unknown", site.hash).await.expect("reads"), None);
    assert_eq!(
        store.notice("shop", NoticeHash([7; 32])).await.expect("reads"),
        None
    );
}

async fn a_notice_belongs_to_the_revisions_that_show_it(store: &dyn Store) {
    let mut site = Site::publish(store, "shop").await;
    site.config
        .services
        .push(sample::service("ads", Category::Targeting, &["_ads"]));
    store
        .publish_revision(ORGANISATION, &site.config, NOW_MS)
        .await
        .expect("publishes");
    let second = sample::notice(&site.config, "second");
    let found = async |revision, hash| {
        store
            .revision_notice("shop", revision, hash)
            .await
            .expect("reads")
    };
    assert_eq!(found(2, site.hash).await, None);
    for _ in 0..2 {
        let notices = [site.notice.clone(), second.clone()];
        store
            .archive_notices("shop", 2, &notices)
            .await
            .expect("archives");
    }
    let (revision, notice) = found(2, site.hash).await.expect("is shown by revision 2");
    assert_eq!((revision.number, revision.valid_from), (2, 2));
    assert_eq!(revision.organisation, ORGANISATION);
    assert_eq!(revision.config, site.config);
    assert_eq!(notice, site.notice);
    assert_eq!(
        found(2, second.hash()).await.expect("is shown by revision 2").1,
        second
    );
    assert_eq!(
        found(1, site.hash)
            .await
            .expect("is shown by revision 1")
            .0
            .number,
        1
    );
    assert_eq!(found(1, second.hash()).await, None);
    assert_eq!(found(3, site.hash).await, None);
}

async fn notices_are_listed_with_the_revisions_that_showed_them(store: &dyn Store) {
    let mut site = Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let listed = async |organisation, limit| store.notices(organisation, "shop", limit).await.expect("reads");
    let first = ArchivedNotice {
        hash: site.hash,
        rule: site.notice.rule.clone(),
        language: site.notice.language.clone(),
        first_revision: 1,
        last_revision: 1,
        published_at_ms: NOW_MS,
    };
    assert_eq!(listed(ORGANISATION, 10).await, std::slice::from_ref(&first));
    for (revision, version) in [(2, "first"), (3, "second")] {
        site.config.controller.push('!');
        store
            .publish_revision(ORGANISATION, &site.config, NOW_MS + i64::from(revision))
            .await
            .expect("publishes");
        let mut notice = site.notice.clone();
        notice.banner_html = format!("<p>{version}</p>");
        store
            .archive_notices("shop", revision, &[notice])
            .await
            .expect("archives");
    }
    let found = listed(ORGANISATION, 10).await;
    let shown: Vec<_> = found
        .iter()
        .map(|notice| {
            (
                notice.first_revision,
                notice.last_revision,
                notice.published_at_ms - NOW_MS,
            )
        })
        .collect();
    assert_eq!(shown, [(3, 3, 3), (1, 2, 0)]);
    assert_eq!(found[1].hash, first.hash);
    assert_eq!(listed(ORGANISATION, 1).await, found[..1]);
    store
        .ensure_organisation(OTHER_ORGANISATION, "Other")
        .await
        .expect("organisation");
    assert_eq!(listed(OTHER_ORGANISATION, 10).await, []);
}

async fn notices_need_a_published_revision(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let other = sample::notice(&site.config, "other");
    for (id, revision) in [("shop", 2), ("shop", 0), ("unknown", 1)] {
        let refused = store
            .archive_notices(id, revision, std::slice::from_ref(&other))
            .await;
        assert!(matches!(refused, Err(StoreError::UnknownRevision)), "{refused:?}");
    }
    assert_eq!(store.notice("shop", other.hash()).await.expect("reads"), None);
}

async fn a_record_comes_back_as_it_was_appended(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    for (number, method) in (0..).zip(Method::ALL) {
        let mut record = site.record(number);
        record.method = method;
        record.choice.performance = number == 0;
        record.choice.functional = number == 1;
        record.choice.targeting = number == 2;
        record.asked = number == 3;
        record.gpc = number == 2;
        record.dnt = number == 1;
        record.services = (1..number).map(|at| (format!("service-{at}"), at == 1)).collect();
        record.previous = (number > 0).then(|| sample::id(number - 1));
        record.event = Event::of(record.asked, record.previous, record.choice, &record.services);
        assert_eq!(append(store, &[&record]).await, [Appended::New]);
        let found = store
            .record("shop", record.id, record.subject)
            .await
            .expect("reads");
        assert_eq!(found.as_ref(), Some(&record));
        // What is signed does not change by being stored.
        assert_eq!(found.map(|found| found.canonical()), Some(record.canonical()));
    }
}

async fn a_record_is_given_to_its_subject_only(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let record = site.record(0);
    append(store, &[&record]).await;
    for (id, record_id, subject) in [
        ("shop", record.id, sample::subject(1)),
        ("shop", sample::id(1), record.subject),
        ("magazine", record.id, record.subject),
        ("unknown", record.id, record.subject),
    ] {
        assert_eq!(store.record(id, record_id, subject).await.expect("reads"), None);
    }
}

async fn a_duplicate_in_a_later_batch_is_answered_with_what_is_stored(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let record = site.record(0);
    let mut again = record.clone();
    again.received_at_ms += 5_000;
    again.choice.targeting = false;
    assert_eq!(append(store, &[&record]).await, [Appended::New]);
    assert_eq!(
        append(store, &[&again, &record]).await,
        [duplicate(&record), duplicate(&record)]
    );
    let found = store
        .record("shop", record.id, record.subject)
        .await
        .expect("reads");
    assert_eq!(found, Some(record));
}

async fn a_duplicate_in_the_same_batch_is_answered_with_the_first(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let record = site.record(0);
    let mut again = record.clone();
    again.received_at_ms += 1;
    let mut stranger = record.clone();
    stranger.subject = sample::subject(9);
    assert_eq!(
        append(store, &[&record, &again, &stranger]).await,
        [Appended::New, duplicate(&record), Appended::Conflict],
    );
    let history = store.history("shop", record.subject, 10).await.expect("reads");
    assert_eq!(history, [record]);
}

async fn a_batch_that_mixes_everything_is_answered_in_order(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let before: Vec<_> = (0..3).map(|number| site.record(number)).collect();
    append(store, &before.iter().collect::<Vec<_>>()).await;
    let new = site.record(10);
    let mut unknown = site.record(11);
    unknown.revision = 2;
    let mut foreign = before[2].clone();
    foreign.subject = sample::subject(99);
    let last = site.record(12);
    assert_eq!(
        append(
            store,
            &[&before[1], &new, &unknown, &foreign, &new, &before[0], &last]
        )
        .await,
        [
            duplicate(&before[1]),
            Appended::New,
            Appended::Unknown,
            Appended::Conflict,
            duplicate(&new),
            duplicate(&before[0]),
            Appended::New,
        ],
    );
}

async fn an_id_of_another_subject_is_a_conflict_that_tells_nothing(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let record = site.record(0);
    append(store, &[&record]).await;
    let mut stranger = record.clone();
    stranger.subject = sample::subject(1);
    assert_eq!(append(store, &[&stranger]).await, [Appended::Conflict]);
    assert_eq!(
        store.history("shop", stranger.subject, 10).await.expect("reads"),
        []
    );
    let kept = store
        .record("shop", record.id, record.subject)
        .await
        .expect("reads");
    assert_eq!(kept, Some(record));
}

async fn the_same_id_at_two_sites_is_two_records(store: &dyn Store) {
    let shop = Site::publish(store, "shop").await.record(0);
    let magazine = Site::publish(store, "magazine").await.record(0);
    assert_eq!(shop.id, magazine.id);
    assert_eq!(
        append(store, &[&shop, &magazine]).await,
        [Appended::New, Appended::New]
    );
    assert_eq!(
        append(store, &[&magazine, &shop]).await,
        [duplicate(&magazine), duplicate(&shop)],
    );
}

async fn a_record_of_something_unpublished_is_not_stored(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let magazine = Site::publish(store, "magazine").await;
    let altered = |alter: fn(&mut ConsentRecord, &Site), number| {
        let mut record = site.record(number);
        alter(&mut record, &magazine);
        record
    };
    let records = [
        altered(|record, _| "unknown".clone_into(&mut record.site), 0),
        altered(|record, _| record.revision = 2, 1),
        altered(|record, _| record.notice = NoticeHash([7; 32]), 2),
        altered(|record, other| record.notice = other.hash, 3),
        altered(|record, _| "us".clone_into(&mut record.rule), 4),
        altered(|record, _| "de".clone_into(&mut record.language), 5),
    ];
    for record in &records {
        assert_eq!(append(store, &[record]).await, [Appended::Unknown]);
        let found = store
            .record(&record.site, record.id, record.subject)
            .await
            .expect("reads");
        assert_eq!(found, None);
    }
}

async fn one_of_two_concurrent_appends_is_the_duplicate(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let record = site.record(0);
    let batch = [&record];
    let (one, other) = tokio::join!(append(store, &batch), append(store, &batch));
    let mut answers = [one, other].concat();
    answers.sort_by_key(|answer| *answer != Appended::New);
    assert_eq!(answers, [Appended::New, duplicate(&record)]);
}

async fn an_empty_batch_is_answered_with_nothing(store: &dyn Store) {
    assert_eq!(store.append(Batch::default()).await.expect("appends"), []);
}

async fn history_is_newest_first_and_limited(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let subject = sample::subject(0);
    let mut records: Vec<_> = (0..5)
        .map(|number| sample::record(&site.notice, site.hash, number, subject))
        .collect();
    // The order is the log's, not that of the ids or of any clock.
    records[1].received_at_ms = NOW_MS + 9_000;
    records[4].received_at_ms = NOW_MS - 9_000;
    records.swap(0, 2);
    for record in &records {
        append(store, &[record]).await;
    }
    let history = store.history("shop", subject, 10).await.expect("reads");
    let expected = [4, 3, 2, 1, 0].map(|number: usize| records[number].clone());
    assert_eq!(history, expected);
    assert_eq!(
        store.history("shop", subject, 2).await.expect("reads"),
        expected[..2]
    );
    assert_eq!(store.history("shop", subject, 0).await.expect("reads"), []);
}

async fn history_is_of_one_subject_at_one_site(store: &dyn Store) {
    let shop = Site::publish(store, "shop").await;
    let magazine = Site::publish(store, "magazine").await;
    let (mine, theirs, elsewhere) = (shop.record(0), shop.record(1), magazine.record(0));
    append(store, &[&mine, &theirs, &elsewhere]).await;
    assert_eq!(mine.subject, elsewhere.subject);
    assert_eq!(
        store.history("shop", mine.subject, 10).await.expect("reads"),
        [mine]
    );
    assert_eq!(
        store
            .history("shop", sample::subject(7), 10)
            .await
            .expect("reads"),
        []
    );
    assert_eq!(
        store.history("unknown", theirs.subject, 10).await.expect("reads"),
        []
    );
}

async fn rates_add_up_per_day(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let shown = |hours| sample::count(&site.notice, hours, Measure::Shown);
    let mut on_a_desktop = shown(0);
    on_a_desktop.device = "desktop";
    let mut elsewhere = shown(0);
    "unknown".clone_into(&mut elsewhere.site);
    for _ in 0..2 {
        // Hours 0 to 3 are of one day, hour 4 of the next.
        let counts = [
            shown(0),
            shown(0),
            shown(3),
            shown(4),
            on_a_desktop.clone(),
            elsewhere.clone(),
        ];
        let batch = Batch {
            records: Vec::new(),
            counts: counts.to_vec(),
        };
        assert_eq!(store.append(batch).await.expect("appends"), []);
    }
    let batch = Batch {
        records: vec![site.accepted(0), site.accepted(1)],
        counts: vec![shown(1)],
    };
    store.append(batch).await.expect("appends");

    let mut first = RateRow::new(DAY);
    first.add(Measure::Shown, 9);
    for measure in [
        Measure::AcceptedAll,
        Measure::Performance,
        Measure::Functional,
        Measure::Targeting,
    ] {
        first.add(measure, 2);
    }
    let mut second = RateRow::new(DAY + 1);
    second.add(Measure::Shown, 2);

    let days = async |from_day, to_day| {
        store
            .rates(ORGANISATION, "shop", from_day, to_day)
            .await
            .expect("reads")
            .days
    };
    assert_eq!(days(DAY, DAY + 1).await, [first, second]);
    assert_eq!(days(i32::MIN, i32::MAX).await, [first, second]);
    assert_eq!(days(DAY, DAY).await, [first]);
    assert_eq!(days(DAY + 1, DAY + 30).await, [second]);
    assert_eq!(days(DAY + 2, DAY + 30).await, []);
}

async fn a_duplicate_is_counted_once(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    let mut conflict = site.accepted(0);
    conflict.record.subject = sample::subject(9);
    let mut unknown = site.accepted(1);
    unknown.record.revision = 2;
    for _ in 0..2 {
        let records = vec![
            site.accepted(0),
            site.accepted(0),
            conflict.clone(),
            unknown.clone(),
        ];
        store
            .append(Batch {
                records,
                counts: Vec::new(),
            })
            .await
            .expect("appends");
    }
    let rates = store.rates(ORGANISATION, "shop", DAY, DAY).await.expect("reads");
    assert_eq!(rates.total().get(Measure::AcceptedAll), 1);
}

async fn rates_are_shown_to_the_sites_organisation_only(store: &dyn Store) {
    let site = Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let records = vec![site.accepted(0)];
    store
        .append(Batch {
            records,
            counts: Vec::new(),
        })
        .await
        .expect("appends");
    for (organisation, id) in [
        (OTHER_ORGANISATION, "shop"),
        (ORGANISATION, "magazine"),
        (ORGANISATION, "unknown"),
    ] {
        let rates = store.rates(organisation, id, DAY, DAY).await.expect("reads");
        assert_eq!(rates.days, []);
    }
}

fn sighting(day: i32, host: &str, waits_for: WaitsFor, kinds: &[Kind]) -> Sighting {
    Sighting {
        site: "shop".to_owned(),
        day,
        host: host.to_owned(),
        waits_for,
        kinds: kinds.iter().copied().collect(),
    }
}

async fn third_parties(store: &dyn Store, from_day: i32, to_day: i32) -> Vec<ThirdPartyDay> {
    store
        .third_parties(ORGANISATION, "shop", from_day, to_day)
        .await
        .expect("reads")
}

async fn third_parties_add_up_per_day(store: &dyn Store) {
    Site::publish(store, "shop").await;
    let script = |day| sighting(day, "b.example", WaitsFor::Targeting, &[Kind::Script]);
    let mut elsewhere = script(DAY);
    "unknown".clone_into(&mut elsewhere.site);
    for _ in 0..2 {
        let sightings = [
            script(DAY),
            script(DAY + 1),
            script(DAY),
            sighting(DAY, "b.example", WaitsFor::Targeting, &[Kind::Image, Kind::Other]),
            sighting(DAY, "b.example", WaitsFor::Declared, &[Kind::Frame]),
            sighting(DAY, "a.example", WaitsFor::Unknown, &[Kind::Beacon]),
            elsewhere.clone(),
        ];
        store.count_third_parties(&sightings).await.expect("counts");
    }
    store.count_third_parties(&[]).await.expect("counts");
    let row = |day, host: &str, waits_for, kinds: &[Kind], page_views| ThirdPartyDay {
        day,
        host: host.to_owned(),
        waits_for,
        kinds: kinds.iter().copied().collect(),
        page_views,
    };
    let first = [
        row(DAY, "a.example", WaitsFor::Unknown, &[Kind::Beacon], 2),
        row(DAY, "b.example", WaitsFor::Declared, &[Kind::Frame], 2),
        row(
            DAY,
            "b.example",
            WaitsFor::Targeting,
            &[Kind::Script, Kind::Image, Kind::Other],
            6,
        ),
    ];
    let second = row(DAY + 1, "b.example", WaitsFor::Targeting, &[Kind::Script], 2);
    assert_eq!(third_parties(store, DAY, DAY).await, first);
    let both = [&first[..], &[second]].concat();
    assert_eq!(third_parties(store, DAY + 1, DAY + 1).await, both[3..]);
    assert_eq!(third_parties(store, i32::MIN, i32::MAX).await, both);
    assert_eq!(third_parties(store, DAY + 2, DAY + 30).await, []);
}

async fn a_day_holds_so_many_third_parties(store: &dyn Store) {
    Site::publish(store, "shop").await;
    let many = |day, prefix: &str, count: usize| -> Vec<_> {
        (0..count)
            .map(|number| {
                let host = format!("{prefix}{number:03}.example");
                sighting(day, &host, WaitsFor::Unknown, &[Kind::Script])
            })
            .collect()
    };
    let known = many(DAY, "a", PER_DAY_MAX - 1);
    store.count_third_parties(&known).await.expect("counts");
    // The last place of the day goes to one of these; what is known already is counted on, and so is another day.
    let more = [many(DAY, "b", 5), known, many(DAY + 1, "c", 1)].concat();
    for _ in 0..2 {
        store.count_third_parties(&more).await.expect("counts");
    }
    let found = third_parties(store, DAY, DAY).await;
    assert_eq!(found.len(), PER_DAY_MAX);
    assert_eq!(found[0].page_views, 3);
    assert_eq!(
        found
            .iter()
            .filter(|row| row.host.starts_with('b'))
            .map(|row| row.page_views)
            .collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(third_parties(store, DAY + 1, DAY + 1).await.len(), 1);
}

async fn old_third_parties_go_when_a_day_begins(store: &dyn Store) {
    Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let on = |day| sighting(day, "a.example", WaitsFor::Unknown, &[Kind::Script]);
    let mut elsewhere = on(DAY);
    "magazine".clone_into(&mut elsewhere.site);
    store
        .count_third_parties(&[on(DAY), on(DAY + 1), elsewhere])
        .await
        .expect("counts");
    let last = DAY + DAYS_KEPT;
    store.count_third_parties(&[on(last)]).await.expect("counts");
    let days: Vec<_> = third_parties(store, i32::MIN, i32::MAX)
        .await
        .iter()
        .map(|row| row.day)
        .collect();
    assert_eq!(days, [DAY + 1, last]);
    let kept = store
        .third_parties(ORGANISATION, "magazine", DAY, DAY)
        .await
        .expect("reads");
    assert_eq!(kept.len(), 1, "another site's day has not begun");
}

async fn third_parties_are_shown_to_the_sites_organisation_only(store: &dyn Store) {
    Site::publish(store, "shop").await;
    Site::publish(store, "magazine").await;
    let seen = sighting(DAY, "a.example", WaitsFor::Unknown, &[Kind::Script]);
    store.count_third_parties(&[seen]).await.expect("counts");
    for (organisation, id) in [
        (OTHER_ORGANISATION, "shop"),
        (ORGANISATION, "magazine"),
        (ORGANISATION, "unknown"),
    ] {
        let found = store
            .third_parties(organisation, id, DAY, DAY)
            .await
            .expect("reads");
        assert_eq!(found, []);
    }
}

/// The organisation with its owner.
async fn make_owner(store: &dyn Store) {
    store
        .ensure_organisation(ORGANISATION, "Sample Ltd")
        .await
        .expect("organisation");
    store
        .ensure_owner(ORGANISATION, OWNER, "Ada@sample.example")
        .await
        .expect("owner");
}

async fn an_owner_is_known_by_email_in_any_case(store: &dyn Store) {
    make_owner(store).await;
    let owner = store.owner(OWNER).await.expect("reads").expect("is there");
    assert_eq!(owner.id, OWNER);
    assert_eq!(owner.organisation, ORGANISATION);
    assert_eq!(owner.email, "Ada@sample.example");
    assert_eq!(owner.password_hash, None);
    let by_email = async |email| store.owner_by_email(email).await.expect("reads");
    assert_eq!(by_email("ada@SAMPLE.example").await, Some(owner));
    assert_eq!(by_email("bob@sample.example").await, None);
    assert_eq!(store.owner(Uuid::from_u128(99)).await.expect("reads"), None);
}

async fn an_owner_is_made_once(store: &dyn Store) {
    make_owner(store).await;
    store.set_password(OWNER, "$argon2id$sample").await.expect("sets");
    store
        .ensure_organisation(OTHER_ORGANISATION, "Other Ltd")
        .await
        .expect("organisation");
    let again = store
        .ensure_owner(OTHER_ORGANISATION, Uuid::from_u128(99), "ada@sample.example")
        .await
        .expect("owner");
    assert_eq!(again.id, OWNER);
    assert_eq!(again.organisation, ORGANISATION);
    assert_eq!(again.password_hash.as_deref(), Some("$argon2id$sample"));
    assert_eq!(store.owner(Uuid::from_u128(99)).await.expect("reads"), None);
    let moved = store
        .ensure_owner(ORGANISATION, OWNER, "countess@sample.example")
        .await
        .expect("owner");
    assert_eq!(moved.id, OWNER);
    assert_eq!(moved.email, "countess@sample.example");
    assert_eq!(moved.password_hash.as_deref(), Some("$argon2id$sample"));
}

async fn begin_session(store: &dyn Store, token: u8, expires_at_ms: i64) {
    let session = Session {
        token_hash: [token; 32],
        owner: OWNER,
        expires_at_ms,
    };
    store.begin_session(&session).await.expect("begins");
}

async fn session_owner(store: &dyn Store, token: u8, now_ms: i64) -> Option<Uuid> {
    let owner = store.session_owner([token; 32], now_ms).await.expect("reads");
    owner.map(|owner| owner.id)
}

async fn a_session_ends_when_told_or_expired(store: &dyn Store) {
    make_owner(store).await;
    begin_session(store, 1, NOW_MS + 10).await;
    begin_session(store, 2, NOW_MS + 10).await;
    assert_eq!(session_owner(store, 1, NOW_MS + 9).await, Some(OWNER));
    assert_eq!(session_owner(store, 1, NOW_MS + 10).await, None);
    assert_eq!(session_owner(store, 3, NOW_MS).await, None);
    store.end_session([1; 32]).await.expect("ends");
    assert_eq!(session_owner(store, 1, NOW_MS).await, None);
    assert_eq!(session_owner(store, 2, NOW_MS).await, Some(OWNER));
}

async fn a_new_password_ends_all_sessions_and_links(store: &dyn Store) {
    make_owner(store).await;
    begin_session(store, 1, NOW_MS + 10).await;
    put_token(store, 1, &Grant::SignIn(OWNER), NOW_MS + 10).await;
    store.set_password(OWNER, "$argon2id$sample").await.expect("sets");
    assert_eq!(session_owner(store, 1, NOW_MS).await, None);
    assert_eq!(store.peek_token([1; 32], NOW_MS).await.expect("peeks"), None);
    let owner = store.owner(OWNER).await.expect("reads").expect("is there");
    assert_eq!(owner.password_hash.as_deref(), Some("$argon2id$sample"));
}

async fn put_token(store: &dyn Store, token: u8, grant: &Grant, expires_at_ms: i64) {
    store
        .put_token([token; 32], grant, expires_at_ms)
        .await
        .expect("puts");
}

async fn a_token_is_good_once(store: &dyn Store) {
    make_owner(store).await;
    let grant = Grant::SignIn(OWNER);
    put_token(store, 1, &grant, NOW_MS + 10).await;
    for _ in 0..2 {
        assert_eq!(
            store.peek_token([1; 32], NOW_MS).await.expect("peeks"),
            Some(grant.clone())
        );
    }
    assert_eq!(store.take_token([2; 32], NOW_MS).await.expect("takes"), None);
    assert_eq!(
        store.take_token([1; 32], NOW_MS).await.expect("takes"),
        Some(grant)
    );
    assert_eq!(store.take_token([1; 32], NOW_MS).await.expect("takes"), None);
    assert_eq!(store.peek_token([1; 32], NOW_MS).await.expect("peeks"), None);
}

async fn a_token_taken_twice_at_once_is_given_once(store: &dyn Store) {
    make_owner(store).await;
    put_token(store, 1, &Grant::SignIn(OWNER), NOW_MS + 10).await;
    let (one, other) = tokio::join!(
        store.take_token([1; 32], NOW_MS),
        store.take_token([1; 32], NOW_MS)
    );
    let given = [one.expect("takes"), other.expect("takes")];
    assert_eq!(given.iter().flatten().count(), 1);
}

async fn a_token_expires(store: &dyn Store) {
    make_owner(store).await;
    put_token(store, 1, &Grant::SignIn(OWNER), NOW_MS + 10).await;
    assert_eq!(store.peek_token([1; 32], NOW_MS + 10).await.expect("peeks"), None);
    assert_eq!(store.take_token([1; 32], NOW_MS + 10).await.expect("takes"), None);
}

async fn a_token_carries_a_subject_key(store: &dyn Store) {
    let grant = Grant::Subject {
        site: "shop".to_owned(),
        key: "00112233445566778899aabbccddeeff".to_owned(),
    };
    put_token(store, 1, &grant, NOW_MS + 10).await;
    assert_eq!(
        store.take_token([1; 32], NOW_MS).await.expect("takes"),
        Some(grant)
    );
}

async fn sweeping_removes_what_has_expired_only(store: &dyn Store) {
    make_owner(store).await;
    for (token, expires_at_ms) in [(1, NOW_MS), (2, NOW_MS + 1)] {
        begin_session(store, token, expires_at_ms).await;
        put_token(store, token, &Grant::SignIn(OWNER), expires_at_ms).await;
    }
    store.sweep(NOW_MS).await.expect("sweeps");
    // Asked as of an earlier time, so that only the deletion can be what hides them.
    assert_eq!(session_owner(store, 1, 0).await, None);
    assert_eq!(store.peek_token([1; 32], 0).await.expect("peeks"), None);
    assert_eq!(session_owner(store, 2, 0).await, Some(OWNER));
    assert!(store.peek_token([2; 32], 0).await.expect("peeks").is_some());
}
