//! What stands on the console's pages.

mod fixture;

use assent_consent::site::BlockingMode;
use assent_console::{
    Counts, Frame, RatesPage, RecordPage, RecordState, RecordsPage, SetPasswordPage, SignInPage, SiteLink,
    Stored, ThirdPartiesPage, erase_record, rates, record, records, set_password, sign_in, third_parties,
};
use fixture::{ASSETS, Fixture, RECORD, TODAY, held, restricted, stored};

/// What a reader sees: the text without the tags.
fn text(html: &str) -> String {
    let mut inside = false;
    html.chars()
        .filter(|letter| match letter {
            '<' => {
                inside = true;
                false
            }
            '>' => !std::mem::take(&mut inside),
            _ => !inside,
        })
        .collect::<String>()
        .replace('\u{a0}', " ")
}

#[test]
fn denominators_stand_beside_their_rates() {
    let mut fixture = Fixture::new(1);
    fixture.days[0].counts = Counts {
        shown: 1_938,
        accepted_all: 700,
        rejected_all: 400,
        mixed: 104,
        performance: 790,
        functional: 760,
        targeting: 710,
    };
    let text = text(&rates(&fixture.page()));
    for part in [
        "Decided62.1 %1,204 of 1,938 shown",
        "Accepted all58.1 %700 of 1,204 decided",
        "Rejected all33.2 %400 of 1,204 decided",
        "Mixed8.6 %104 of 1,204 decided",
        "Performance65.6 % · 790 of 1,204 decided",
        "Functional63.1 % · 760 of 1,204 decided",
        "Targeting59.0 % · 710 of 1,204 decided",
        "58.1 % 700 of 1,204",
        "65.6 % 790 of 1,204",
        "59.0 % 710 of 1,204",
        "20 Nov 2026: 65.6 %, 790 of 1,204 decided",
        "page views, not people",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn changes_are_against_the_previous_period() {
    let mut fixture = Fixture::new(1);
    fixture.days[0].counts = Counts {
        shown: 200,
        accepted_all: 60,
        ..Counts::default()
    };
    let page = RatesPage {
        previous: Counts {
            shown: 100,
            accepted_all: 20,
            rejected_all: 20,
            ..Counts::default()
        },
        ..fixture.page()
    };
    let seen = text(&rates(&page));
    assert!(seen.contains("Up 100.0 % from 100"), "{seen}");
    assert!(seen.contains("Down 10.0 points from 40.0 %"), "{seen}");
    assert!(seen.contains("Up 50.0 points from 50.0 %"), "{seen}");
    let seen = text(&rates(&RatesPage {
        previous: Counts::default(),
        ..page
    }));
    assert_eq!(seen.matches("no earlier figures").count(), 1, "{seen}");
    assert!(!seen.contains("Changes are against"), "{seen}");
}

#[test]
fn no_rate_is_made_from_nothing() {
    let mut fixture = Fixture::new(2);
    for entry in &mut fixture.days {
        entry.counts = Counts {
            shown: 3,
            ..Counts::default()
        };
    }
    let text = text(&rates(&RatesPage {
        previous: Counts::default(),
        ..fixture.page()
    }));
    assert!(text.contains("Accepted all–0 of 0 decided"), "{text}");
    assert!(text.contains("Performance– · 0 of 0 decided"), "{text}");
    assert!(text.contains("Decided0.0 %0 of 6 shown"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("inf%"), "{text}");
}

#[test]
fn a_day_without_decisions_has_no_opt_in_rate() {
    let mut fixture = Fixture::new(2);
    fixture.days[0].counts = Counts {
        shown: 9,
        ..Counts::default()
    };
    fixture.days[1].counts = Counts {
        shown: 9,
        rejected_all: 4,
        ..Counts::default()
    };
    let html = rates(&fixture.page());
    let (_, chart) = html.split_once("id=\"opt-in-targeting-title\"").unwrap();
    let (chart, _) = chart.split_once("</svg>").unwrap();
    assert!(chart.contains(">1 bar, "), "{chart}");
    let seen = text(chart);
    assert!(seen.contains("19 Nov 2026: nobody decided"), "{seen}");
    assert!(seen.contains("20 Nov 2026: 0.0 %, 0 of 4 decided"), "{seen}");
    assert_eq!(chart.matches("class=\"shown\"").count(), 1, "{chart}");
    assert_eq!(chart.matches("class=\"accepted\"").count(), 0, "{chart}");
}

#[test]
fn without_counts_the_owner_learns_what_to_do() {
    let fixture = Fixture::new(30);
    let html = rates(&RatesPage {
        days: &[],
        ..fixture.page()
    });
    assert!(
        html.contains("&lt;script async fetchpriority=\"high\" src=\"https://consent.marram.example/s/demo.js\"&gt;&lt;/script&gt;"),
        "{html}"
    );
    for absent in ["<table", "class=\"chart\"", "class=\"figures\"", "0.0"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn what_would_happen_is_said_before_it_is_switched_on() {
    let fixture = Fixture::new(1);
    let page = fixture.third_parties();
    let seen = text(&third_parties(&page));
    for part in [
        "2 third parties would wait until the visitor agrees: 1 for the category of a service that declares it, 1 for",
        "2 third parties that nobody declares would load as before",
        "connect.facebook.nettargeting (shipped list)script, picture1,2044,84720 Nov",
        "www.youtube-nocookie.comYouTube (functional)frame",
        "fonts.gstatic.comunknown: nobody declares itfrom a style sheet03111 Nov",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert_eq!(
        seen.matches("\"hosts\": [\"").count(),
        3,
        "what a service declares needs no entry"
    );
    let strict = text(&third_parties(&ThirdPartiesPage {
        holds_unknown: true,
        ..page.clone()
    }));
    assert!(strict.contains("would wait for all categories"), "{strict}");
    let unknown = text(&third_parties(&ThirdPartiesPage {
        found: &fixture.found[3..],
        ..page.clone()
    }));
    assert!(unknown.contains("None of them is declared"), "{unknown}");
    assert!(
        unknown.contains("1 third party that nobody declares"),
        "{unknown}"
    );
}

#[test]
fn without_reports_the_owner_learns_how_to_get_them() {
    let fixture = Fixture::new(1);
    for (mode, words) in [
        (BlockingMode::Off, "\"blocking\": { \"mode\": \"report\" }"),
        (BlockingMode::Report, "have reported nothing"),
        (BlockingMode::Enforce, "Nothing got past"),
    ] {
        let seen = text(&third_parties(&ThirdPartiesPage {
            mode,
            found: &[],
            ..fixture.third_parties()
        }));
        assert!(
            seen.contains(&words.replace('"', "&quot;")) || seen.contains(words),
            "{seen}"
        );
        assert!(!seen.contains("Last seen"), "{seen}");
    }
}

fn record_page(fixture: &Fixture, stored: Stored<'_>) -> String {
    record(&RecordPage {
        frame: fixture.frame(),
        id: RECORD,
        state: RecordState::Stored(Box::new(stored)),
        refusal: None,
    })
}

#[test]
fn what_can_be_done_with_a_record_depends_on_what_keeps_it() {
    let fixture = Fixture::new(1);
    let deeds = [
        "/export",
        "/hold",
        "/lift-hold",
        "/restrict",
        "/lift-restriction",
        "/erase",
    ];
    let offered = |hold, restriction| {
        let html = record_page(
            &fixture,
            Stored {
                hold,
                restriction,
                ..stored()
            },
        );
        deeds
            .into_iter()
            .filter(|deed| html.contains(&format!("{RECORD}{deed}\"")))
            .collect::<String>()
    };
    assert_eq!(offered(None, None), "/export/hold/restrict/erase");
    assert_eq!(offered(Some(held(true)), None), "/export/lift-hold/restrict");
    assert_eq!(offered(None, Some(restricted(false))), "/hold/lift-restriction");
    assert_eq!(offered(None, Some(restricted(true))), "/hold");
    assert_eq!(offered(Some(held(true)), Some(restricted(true))), "/lift-hold");
}

#[test]
fn every_form_about_records_carries_the_sessions_token() {
    let fixture = Fixture::new(1);
    let pages = [
        records(&fixture.records()),
        record_page(&fixture, stored()),
        erase_record(&fixture.frame(), RECORD),
    ];
    for html in pages {
        let forms = html.matches("method=\"post\"").count();
        let tokens = html
            .matches("<input type=\"hidden\" name=\"csrf\" value=\"token\">")
            .count();
        assert_eq!(forms, tokens, "{html}");
    }
}

#[test]
fn nothing_that_an_owner_writes_becomes_markup() {
    let bad = "<script>alert(1)</script>\"'&";
    let fixture = Fixture::new(7);
    let html = rates(&RatesPage {
        frame: Frame {
            email: bad,
            csrf: bad,
            site_name: bad,
            sites: &[SiteLink {
                name: bad.to_owned(),
                address: bad.to_owned(),
                current: true,
            }],
            ..fixture.frame()
        },
        script_tag: bad,
        ..fixture.page()
    });
    assert!(!html.contains("<script"), "{html}");
    let mut fixture = Fixture::new(1);
    fixture.found[0].host = bad.to_owned();
    fixture.found[0].entry = bad.to_owned();
    let html = third_parties(&ThirdPartiesPage {
        allowing: bad,
        ..fixture.third_parties()
    });
    assert!(!html.contains("<script"), "{html}");
    fixture.holds[0].reason = bad.to_owned();
    let html = records(&RecordsPage {
        asked: bad,
        error: Some(bad),
        ..fixture.records()
    });
    assert!(!html.contains("<script"), "{html}");
    let html = set_password(&SetPasswordPage {
        assets: ASSETS,
        action: bad,
        hidden: &[("x", bad.to_owned())],
        token: bad,
        email: bad,
        error: Some(bad),
    });
    assert!(!html.contains("<script"), "{html}");
}

#[test]
fn nothing_needs_a_looser_content_security_policy() {
    let fixture = Fixture::new(30);
    let pages = [
        rates(&fixture.page()),
        third_parties(&fixture.third_parties()),
        records(&fixture.records()),
        record_page(&fixture, stored()),
        sign_in(&SignInPage {
            assets: ASSETS,
            action: "/console/sign-in",
            hidden: &[],
            email: "",
            error: None,
        }),
    ];
    for html in pages {
        assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
        for inline in ["style=", "<style", "<script", " onclick"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }
}

#[test]
fn signing_out_carries_the_token_and_the_period_is_marked() {
    let html = rates(&Fixture::new(30).page());
    assert!(
        html.contains("<input type=\"hidden\" name=\"csrf\" value=\"token\">"),
        "{html}"
    );
    assert!(
        html.contains("href=\"/console/sites/demo?days=30\" aria-current=\"true\""),
        "{html}"
    );
    assert!(!html.contains("?days=7\" aria-current"), "{html}");
    assert!(html.contains("value=\"2026-10-22\" max=\"2026-11-20\""), "{html}");
    let fixture = Fixture::new(31);
    let earlier = RatesPage {
        to_day: TODAY - 1,
        ..fixture.page()
    };
    assert!(!rates(&earlier).contains("aria-current=\"true\""));
}
