//! `cargo xtask size`: what a visitor downloads, against its budget.

use std::{fs, path::Path};

use crate::{Result, assets::ASSETS, build, http::Connection, paths, server::Server};

/// Of the demo site's loader in English. In other languages it is as long as their words are.
const LOADER_BUDGET: usize = 8_192;
const DIALOG_BUDGET: usize = 28 * 1_024;
// Above this, older Chromium compiles no module on the page's own thread.
const GATE_RAW_BUDGET: usize = 4_096;

/// Sizes in bytes.
#[derive(Clone, Copy, Default)]
struct Sizes {
    raw: usize,
    gzip: usize,
    brotli: usize,
}

struct Row {
    name: String,
    sizes: Sizes,
    budgets: Vec<Budget>,
}

/// What counts, the most that it may be, and the unit in words.
#[derive(Clone, Copy)]
struct Budget {
    size: usize,
    most: usize,
    unit: &'static str,
}

/// Builds the server and prints the table.
///
/// # Errors
/// The build's, or an asset over its budget.
pub(crate) fn run() -> Result {
    let binary = build::debug()?;
    check(&binary)
}

/// Prints the table for a built server: the loader as it serves it, and the assets as they were built.
///
/// # Errors
/// An asset is over its budget.
pub(crate) fn check(binary: &Path) -> Result {
    let mut rows = loaders(binary)?;
    let mut dialog = Sizes::default();
    for (name, most) in ASSETS {
        let sizes = compressed(&fs::read(paths::assets().join(name))?);
        if name == "dialog.js" || name == "dialog.wasm" {
            dialog.raw += sizes.raw;
            dialog.gzip += sizes.gzip;
            dialog.brotli += sizes.brotli;
        }
        let mut budgets = vec![sizes.within(most)];
        if name == "gate.wasm" || name == "gate-services.wasm" {
            budgets.push(Budget {
                size: sizes.raw,
                most: GATE_RAW_BUDGET,
                unit: "raw",
            });
        }
        rows.push(Row {
            name: name.into(),
            sizes,
            budgets,
        });
    }
    rows.push(Row {
        name: "dialog.js + dialog.wasm".into(),
        sizes: dialog,
        budgets: vec![dialog.within(DIALOG_BUDGET)],
    });

    println!("{}", table(&rows));
    let over: Vec<&str> = rows
        .iter()
        .filter(|row| row.is_over())
        .map(|row| row.name.as_str())
        .collect();
    if over.is_empty() {
        Ok(())
    } else {
        Err(format!("over budget: {}", over.join(", ")).into())
    }
}

impl Sizes {
    fn within(self, most: usize) -> Budget {
        Budget {
            size: self.brotli,
            most,
            unit: "brotli",
        }
    }
}

impl Budget {
    fn is_over(&self) -> bool {
        self.size > self.most
    }
}

impl Row {
    fn is_over(&self) -> bool {
        self.budgets.iter().any(Budget::is_over)
    }
}

/// The demo site's loader in each of its languages.
fn loaders(binary: &Path) -> Result<Vec<Row>> {
    // The demo's pages stand on its own server, whose address is therefore in the loader, as that of the cookie policy,
    // and brotli needs some bytes more or less for one or the other. So it is an ordinary one.
    let server = Server::start(binary, &[("ASSENT_PUBLIC_URL", "https://consent.example.org")])?;
    let mut connection = Connection::open(server.address)?;
    let mut rows = Vec::new();
    for (language, name) in [("en", "English"), ("de", "German"), ("fr", "French")] {
        let mut size_as = |encoding: &str| -> Result<usize> {
            let address = format!("/s/demo.js?lang={language}");
            let answer = connection.get(&address, &format!("Accept-Encoding: {encoding}\r\n"))?;
            let expected = if encoding == "identity" { "" } else { encoding };
            if answer.status == 200 && answer.encoding == expected {
                Ok(answer.body.len())
            } else {
                Err(format!("the loader was served as {} {:?}", answer.status, answer.encoding).into())
            }
        };
        let sizes = Sizes {
            raw: size_as("identity")?,
            gzip: size_as("gzip")?,
            brotli: size_as("br")?,
        };
        let budgets = if language == "en" {
            vec![sizes.within(LOADER_BUDGET)]
        } else {
            Vec::new()
        };
        rows.push(Row {
            name: format!("loader as served, demo site, {name}"),
            sizes,
            budgets,
        });
    }
    Ok(rows)
}

fn compressed(bytes: &[u8]) -> Sizes {
    Sizes {
        raw: bytes.len(),
        gzip: assent_compression::gzip(bytes).len(),
        brotli: assent_compression::brotli(bytes).len(),
    }
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| asset | raw | gzip 9 | brotli 11 | budget |".to_owned(),
        "|---|---:|---:|---:|---|".to_owned(),
    ];
    for row in rows {
        let Sizes { raw, gzip, brotli } = row.sizes;
        let budgets: Vec<String> = row
            .budgets
            .iter()
            .map(|budget| {
                let verdict = if budget.is_over() { " **over**" } else { "" };
                format!("{} {}{verdict}", budget.most, budget.unit)
            })
            .collect();
        let budget = budgets.join(", ");
        lines.push(format!("| {} | {raw} | {gzip} | {brotli} | {budget} |", row.name));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_up_to_its_last_byte() {
        let row = |size| Row {
            name: "a".into(),
            sizes: Sizes::default(),
            budgets: vec![
                Budget {
                    size,
                    most: 10,
                    unit: "raw",
                },
                Sizes::default().within(5),
            ],
        };
        assert!(!row(10).is_over());
        assert!(row(11).is_over());
        assert!(table(&[row(11)]).ends_with("| a | 0 | 0 | 0 | 10 raw **over**, 5 brotli |"));
    }

    #[test]
    fn compresses_with_both() {
        let sizes = compressed(&[b'a'; 10_000]);
        assert_eq!(sizes.raw, 10_000);
        assert!(sizes.gzip < 100 && sizes.brotli < 100);
    }
}
