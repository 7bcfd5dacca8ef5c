//! Writes the pages with two months of a shop into the folder that the first argument names: for looking at
//! their design without a server.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::{fs, path::Path};

use assent_consent::site::BlockingMode;
use assent_console::{
    MessagePage, RatesPage, RecordPage, RecordState, RecordsPage, SetPasswordPage, SignInPage, Stored,
    ThirdPartiesPage, erase_record, message, rates, record, records, set_password, sign_in, third_parties,
};
use fixture::{ASSETS, Fixture, RECORD, held, restricted, stored};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let write = |name: &str, html: String| fs::write(Path::new(&folder).join(name), html);
    for days in [7, 30, 90, 366] {
        write(&format!("rates-{days}.html"), rates(&Fixture::new(days).page()))?;
    }
    let fixture = Fixture::new(30);
    write(
        "rates-empty.html",
        rates(&RatesPage {
            days: &[],
            ..fixture.page()
        }),
    )?;
    write("third-parties.html", third_parties(&fixture.third_parties()))?;
    for (name, mode) in [("off", BlockingMode::Off), ("report", BlockingMode::Report)] {
        write(
            &format!("third-parties-empty-{name}.html"),
            third_parties(&ThirdPartiesPage {
                mode,
                found: &[],
                ..fixture.third_parties()
            }),
        )?;
    }
    write("records.html", records(&fixture.records()))?;
    write(
        "records-empty.html",
        records(&RecordsPage {
            run: None,
            holds: &[],
            trail: &[],
            asked: "banana",
            error: Some("This is neither a receipt nor the id of a record."),
            ..fixture.records()
        }),
    )?;
    let bound = Stored {
        content: None,
        hold: Some(held(true)),
        restriction: Some(restricted(true)),
        ..stored()
    };
    for (name, state) in [
        ("record", RecordState::Stored(Box::new(stored()))),
        ("record-bound", RecordState::Stored(Box::new(bound))),
        ("record-erased", RecordState::Erased),
    ] {
        let page = RecordPage {
            frame: fixture.frame(),
            id: RECORD,
            state,
            refusal: None,
        };
        write(&format!("{name}.html"), record(&page))?;
    }
    write("record-erase.html", erase_record(&fixture.frame(), RECORD))?;
    write(
        "sign-in.html",
        sign_in(&SignInPage {
            assets: ASSETS,
            action: "/console/sign-in",
            hidden: &[],
            email: "owner@localhost",
            error: Some("That email and password do not belong together."),
        }),
    )?;
    write(
        "password.html",
        set_password(&SetPasswordPage {
            assets: ASSETS,
            action: "/console/password",
            hidden: &[],
            token: "token",
            email: "owner@localhost",
            error: None,
        }),
    )?;
    write(
        "message.html",
        message(&MessagePage {
            assets: ASSETS,
            title: "This link has been used",
            text: "A sign-in link works once, and for a limited time. Start the server again to get a new one.",
            link: Some(("Sign in with a password", "/console/sign-in")),
        }),
    )
}
