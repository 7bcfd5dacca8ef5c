//! The `assent` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    assent_server::cli::run()
}
