//! `cargo xtask serve`: the demo site in the foreground.

use std::{path::Path, process::Command};

use crate::{Result, build, paths};

/// Builds what is missing, then becomes `assent serve --demo`. The development build is taken: it is the
/// quickest to have again after a change.
///
/// # Errors
/// The build's, or the server cannot be started.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let binary = build::debug()?;
    become_program(server(&binary, arguments))
}

/// The server in the root of the working tree, so that its own default, the folder `data`, is there wherever this was
/// called from. Nothing is set in its place: flags, environment and file count in the order that the server gives them.
fn server(binary: &Path, arguments: &[&str]) -> Command {
    let mut server = Command::new(binary);
    server
        .current_dir(paths::root())
        .args(["serve", "--demo"])
        .args(arguments);
    server
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_does_not_set_is_left_to_the_server() {
        let command = server(Path::new("assent"), &["--database", "sqlite:a.db"]);
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["serve", "--demo", "--database", "sqlite:a.db"]);
        assert_eq!(command.get_envs().count(), 0);
        assert_eq!(command.get_current_dir(), Some(paths::root()));
    }
}
