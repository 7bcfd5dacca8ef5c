//! `cargo xtask size`: what a visitor downloads, against its budget.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};

use crate::{Result, build, http::Connection, paths, server::Server};

const LOADER_BUDGET: usize = 8_192;
const STUB_BUDGET: usize = 700;
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
    /// What counts, what it may be, and the unit in words.
    budget: Option<(usize, usize, &'static str)>,
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
    let mut rows = vec![loader(binary)?];
    let mut dialog = Sizes::default();
    let mut files: Vec<_> = fs::read_dir(paths::assets())?.collect::<std::io::Result<_>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        let sizes = compressed(&fs::read(file.path())?)?;
        if name == "dialog.js" || name == "dialog.wasm" {
            dialog.raw += sizes.raw;
            dialog.gzip += sizes.gzip;
            dialog.brotli += sizes.brotli;
        }
        let budget = match name.as_str() {
            "gate.wasm" | "gate-services.wasm" => Some((sizes.raw, GATE_RAW_BUDGET, "raw")),
            "stub.js" => Some((sizes.brotli, STUB_BUDGET, "brotli")),
            _ => None,
        };
        rows.push(Row { name, sizes, budget });
    }
    rows.push(Row {
        name: "dialog.js + dialog.wasm".into(),
        sizes: dialog,
        budget: Some((dialog.brotli, DIALOG_BUDGET, "brotli")),
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

impl Row {
    fn is_over(&self) -> bool {
        self.budget.is_some_and(|(size, most, _)| size > most)
    }
}

fn loader(binary: &Path) -> Result<Row> {
    // The loader names its server, and compresses to up to 40 bytes more or less by that name alone: this one is what
    // `assent serve` has without settings.
    let server = Server::start(binary, &[("ASSENT_PUBLIC_URL", "http://127.0.0.1:8787")])?;
    let mut connection = Connection::open(server.address)?;
    let mut size_as = |encoding: &str| -> Result<usize> {
        let answer = connection.get("/s/demo.js?lang=en", &format!("Accept-Encoding: {encoding}\r\n"))?;
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
    Ok(Row {
        name: "loader, demo site, English, as served".into(),
        sizes,
        budget: Some((sizes.brotli, LOADER_BUDGET, "brotli")),
    })
}

fn compressed(bytes: &[u8]) -> Result<Sizes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    let mut brotli = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut brotli, &parameters)?;
    Ok(Sizes {
        raw: bytes.len(),
        gzip: gzip.finish()?.len(),
        brotli: brotli.len(),
    })
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| asset | raw | gzip 9 | brotli 11 | budget |".to_owned(),
        "|---|---:|---:|---:|---|".to_owned(),
    ];
    for row in rows {
        let Sizes { raw, gzip, brotli } = row.sizes;
        let budget = row.budget.map_or_else(String::new, |(_, most, unit)| {
            let verdict = if row.is_over() { " **over**" } else { "" };
            format!("{most} {unit}{verdict}")
        });
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
            budget: Some((size, 10, "raw")),
        };
        assert!(!row(10).is_over());
        assert!(row(11).is_over());
        assert!(table(&[row(11)]).ends_with("| a | 0 | 0 | 0 | 10 raw **over** |"));
    }

    #[test]
    fn compresses_with_both() {
        let sizes = compressed(&[b'a'; 10_000]).unwrap();
        assert_eq!(sizes.raw, 10_000);
        assert!(sizes.gzip < 100 && sizes.brotli < 100);
    }
}
