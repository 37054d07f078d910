//! `completions` and `man`: what shells and man(1) want to know, made from the command line's own definition.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;

use super::args::{Cli, Shell};
use super::exit::{Exit, Failure};

/// Prints the completions of a shell.
///
/// # Errors
/// Where they cannot be printed.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut Cli::command(), "leafwatch", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

/// Writes a man page for each command into `folder`.
///
/// # Errors
/// Where the folder cannot be written.
pub fn man(folder: &Path) -> Result<Exit, Failure> {
    write(folder).map_err(|error| {
        let what = format!("cannot write man pages into {}", folder.display());
        Failure::new(Exit::Fallen, anyhow::Error::new(error).context(what))
    })?;
    super::print(&format!(
        "The man pages are in {0}; read one with: man -l {0}/leafwatch.1\n",
        folder.display()
    ))
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A page's source must not change with every commit.
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    clap_mangen::generate_to(command, folder)
}
