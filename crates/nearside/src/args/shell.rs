//! What concerns the shell in which nearside is called.

use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `nearside completions`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// A shell that can ask for completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    /// In ~/.bashrc: `source <(nearside completions bash)`.
    Bash,
    /// In ~/.config/fish/config.fish: `nearside completions fish | source`.
    Fish,
    /// In ~/.zshrc, after `compinit`: `source <(nearside completions zsh)`.
    Zsh,
}

/// `nearside man`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// The folder, such as ~/.local/share/man/man1; it is made where it is not there.
    pub(crate) folder: PathBuf,
}
