//! Finds the browsers for the tests, or installs Debian's.

use std::path::Path;

use crate::{Result, debian};

/// A program that the browser tests start.
struct Program {
    /// The environment variable that names it to the tests, and by which a caller chooses another.
    variable: &'static str,
    /// What it may be called.
    names: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
}

const CHROMIUM: Program = Program {
    variable: "CHROMIUM",
    names: &["chromium", "chromium-browser", "google-chrome"],
    package: "chromium",
};

/// The engines, and the display that the last of them needs.
const ALL: [Program; 4] = [
    CHROMIUM,
    Program {
        variable: "FIREFOX",
        names: &["firefox-esr", "firefox"],
        package: "firefox-esr",
    },
    Program {
        variable: "WEBKIT_DRIVER",
        names: &["WebKitWebDriver"],
        package: "webkit2gtk-driver",
    },
    Program {
        variable: "XVFB",
        names: &["Xvfb"],
        package: "xvfb",
    },
];

/// The same browser without its own windows, whose pages load beside every new tab and disturb a measurement.
const SHELL: Program = Program {
    variable: "CHROMIUM",
    names: &["chromium-headless-shell"],
    package: "chromium-headless-shell",
};

/// The environment that names each program to the tests; installs Debian's where one is not found and this
/// runs as root.
///
/// # Errors
/// One is not found and cannot be installed: says how to get it.
pub(crate) fn for_tests() -> Result<Vec<(&'static str, String)>> {
    find_or_install(&ALL)
}

/// The path of the browser to measure with: the headless shell, which Debian packages, else what the tests use.
///
/// # Errors
/// There is none and none can be installed: says how to get one.
pub(crate) fn for_measuring() -> Result<String> {
    if find(&SHELL).is_none() {
        // Without it the figures are noisier, but there are figures.
        let _ = install(vec![SHELL.package]);
    }
    if let Some(found) = find(&SHELL) {
        return Ok(found);
    }
    let found = find_or_install(&[CHROMIUM])?;
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn find_or_install(programs: &[Program]) -> Result<Vec<(&'static str, String)>> {
    let packages = missing(programs);
    if !packages.is_empty() {
        install(packages)?;
    }
    let packages = missing(programs);
    if !packages.is_empty() {
        return Err(advice(programs, &packages).into());
    }
    Ok(programs
        .iter()
        .filter_map(|program| Some((program.variable, find(program)?)))
        .collect())
}

/// The packages of the programs that are not there.
fn missing(programs: &[Program]) -> Vec<&'static str> {
    programs
        .iter()
        .filter(|program| find(program).is_none())
        .map(|program| program.package)
        .collect()
}

/// How to get what is missing.
fn advice(programs: &[Program], packages: &[&str]) -> String {
    let variables: Vec<_> = programs
        .iter()
        .filter(|program| packages.contains(&program.package))
        .map(|program| program.variable)
        .collect();
    format!(
        "Not found: {names}. Install it (Debian: sudo apt install {packages}), or name the program in {variables}, \
         or run `cargo xtask test --no-browser`.",
        names = packages.join(", "),
        packages = packages.join(" "),
        variables = variables.join(", "),
    )
}

fn install(mut packages: Vec<&str>) -> Result {
    packages.push("fonts-dejavu-core");
    debian::install("browsers", &packages)
}

fn find(program: &Program) -> Option<String> {
    if let Ok(path) = std::env::var(program.variable) {
        return Path::new(&path).exists().then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| program.names.iter().map(move |name| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .map(|found| found.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{ALL, advice};

    #[test]
    fn the_advice_names_what_is_missing_and_nothing_else() {
        let text = advice(&ALL, &["firefox-esr", "xvfb"]);
        assert!(text.contains("apt install firefox-esr xvfb)"), "{text}");
        assert!(text.contains("in FIREFOX, XVFB,"), "{text}");
        assert!(!text.contains("chromium"), "{text}");
    }
}
