//! `cargo xtask serve`: the demo site in the foreground.

use std::process::Command;

use crate::{Result, build, paths};

/// Builds what is missing, then becomes `assent serve --demo`. The development build is taken: it is the
/// quickest to have again after a change.
///
/// # Errors
/// The build's, or the server cannot be started.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let binary = build::debug()?;
    let mut server = Command::new(binary);
    server.args(["serve", "--demo"]);
    if !arguments.iter().any(|argument| argument.starts_with("--data")) {
        server.arg("--data").arg(paths::root().join("data"));
    }
    server.args(arguments);
    become_program(server)
}

// The server takes this process's place, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
fn become_program(mut server: Command) -> Result {
    use std::os::unix::process::CommandExt;
    let error = server.exec();
    Err(format!("cannot start {}: {error}", server.get_program().to_string_lossy()).into())
}

#[cfg(not(unix))]
fn become_program(mut server: Command) -> Result {
    crate::process::loud(&mut server)
}
