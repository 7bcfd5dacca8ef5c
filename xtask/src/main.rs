//! The only build entry of Assent: `cargo xtask help` lists what it does.
//!
//! Cargo alone cannot build Assent, because the server embeds a bundled script, two WebAssembly modules and
//! style sheets. Each command here says what it does while it works, skips what is up to date, and shows a
//! tool's output only where the tool failed. What cargo needs itself (a current rustc, a C compiler and
//! linker) is checked by cargo before this program can run at all.

use std::process::ExitCode;

#[path = "../../server/assets.rs"]
mod assets;
mod bench;
mod browsers;
mod build;
mod debian;
mod faults;
mod fuzz;
mod http;
mod lint;
mod node;
mod paths;
mod postgres;
mod prepare;
mod process;
mod serve;
mod server;
mod size;
mod step;
mod test;
mod wasm;

/// Why a command stopped, in words for the person who called it.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Error>;

const USAGE: &str = "\
Usage: cargo xtask <command>

  build [--release]       the server with every asset; --release leaves one stand-alone binary
  serve [arguments…]      builds what is missing, then starts the demo site (arguments go to `assent serve`)
  test [--no-browser]     installs what the tests need (as root on Debian) and runs all of them; without browsers they
                          still need PostgreSQL and PgBouncer
  lint                    format, clippy for the server and for WebAssembly, TypeScript
  size                    each asset's size against its budget
  faults KILLS            kill -9 so many times; whatever was acknowledged is there afterwards
  fuzz SECONDS            every fuzz target, each for that long
  bench records [sqlite|postgres|c15t]… [--stored N] [--seconds S] [--rate R]
                          durable consent records per second on SQLite and on a PostgreSQL of its own, beside
                          c15t's backend; with --stored, with N records there before, too
  bench loader            the loader beside other banners, in Chromium
  prepare                 writes the stores' checked queries anew: store/sqlite/.sqlx and store/postgres/.sqlx";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result {
    match arguments {
        ["build"] => build::debug().map(drop),
        ["build", "--release"] => build::release().map(drop),
        ["serve", "--", rest @ ..] | ["serve", rest @ ..] => serve::run(rest),
        ["test"] => test::run(true),
        ["test", "--no-browser"] => test::run(false),
        ["lint"] => lint::run(),
        ["size"] => size::run(),
        ["faults", kills] => faults::run(kills),
        ["fuzz", seconds] => fuzz::run(seconds),
        ["bench", "records", rest @ ..] => bench::records::run(rest),
        ["bench", "loader"] => bench::loader::run(),
        ["prepare"] => prepare::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => Err(USAGE.into()),
        unknown => Err(format!("unknown command `{}`\n\n{USAGE}", unknown.join(" ")).into()),
    }
}
