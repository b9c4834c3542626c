//! Completion: what a shell offers while a command is typed. Its script calls the program itself, so that options are those
//! of this program, and regions and backends those of the file or of the running PoP.

use crate::args::{Args, Shell};
use crate::{client, file, state};
use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use nearside_core::Generation;
use serde_json::Value;
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The variable by which a script asks.
const VARIABLE: &str = "NEARSIDE_COMPLETE";
const PROGRAM: &str = "nearside";
/// Zsh loads a file of its folders with the first completion that needs it, and calls it by its name: that call is to be
/// answered too.
const ZSH_FIRST_CALL: &str =
    "if [[ ${funcstack[1]} == _nearside ]]; then _clap_dynamic_completer_nearside \"$@\"; fi\n";

/// Answers a shell that asks; `false` where this is an ordinary call.
///
/// # Errors
/// The question is not one that the scripts ask.
pub(crate) fn answer() -> Result<bool, clap::Error> {
    let here = env::current_dir().ok();
    CompleteEnv::with_factory(Args::command).var(VARIABLE).try_complete(env::args_os(), here.as_deref())
}

/// The script of a shell.
///
/// # Errors
/// It cannot be written.
pub(crate) fn script(shell: Shell) -> io::Result<String> {
    let name = match shell {
        Shell::Bash => "bash",
        Shell::Fish => "fish",
        Shell::Zsh => "zsh",
    };
    let shells = Shells::builtins();
    let completer =
        shells.completer(name).ok_or_else(|| io::Error::other(format!("no script for {name}")))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    if matches!(shell, Shell::Zsh) {
        script.extend_from_slice(ZSH_FIRST_CALL.as_bytes());
    }
    String::from_utf8(script).map_err(io::Error::other)
}

/// Regions, then backends as `pool/backend`.
pub(crate) fn targets() -> Vec<CompletionCandidate> {
    candidates(known(&words()))
}

/// Regions.
pub(crate) fn regions() -> Vec<CompletionCandidate> {
    candidates(known(&words()).into_iter().filter(|name| !name.contains('/')).collect())
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// What is typed so far; the script puts it behind a `--`.
fn words() -> Vec<OsString> {
    env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

/// The names in the file, or, where there is none that is sound, those that the running PoP has.
fn known(words: &[OsString]) -> Vec<String> {
    let path = option(words, "--file").unwrap_or_else(|| PathBuf::from("routes.yaml"));
    match file::load(&path) {
        Ok(Ok(loaded)) => declared(&loaded.generation),
        Ok(Err(_)) | Err(_) => running(option(words, "--state-dir").as_deref()),
    }
}

/// The value of an option among the words. Bash makes three words of `--file=routes.yaml`.
fn option(words: &[OsString], name: &str) -> Option<PathBuf> {
    let mut rest = words.iter().skip_while(|word| *word != name).skip(1);
    rest.find(|word| *word != "=").map(PathBuf::from)
}

fn declared(generation: &Generation) -> Vec<String> {
    let regions = generation.regions.iter().map(|region| region.name.to_string());
    let backends = generation.backends.iter().map(|backend| {
        let pool = generation.pool(backend.pool).map(|pool| &*pool.name);
        format!("{}/{}", pool.unwrap_or_default(), backend.name)
    });
    regions.chain(backends).collect()
}

fn running(chosen: Option<&Path>) -> Vec<String> {
    let status = state::folder(chosen).and_then(|folder| client::status(&folder));
    let Ok(Some(status)) = status else { return Vec::new() };
    let of = |list: &str, key: &str| -> Vec<String> {
        let all = status.get(list).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| one.get(key)?.as_str()).map(str::to_owned).collect()
    };
    [of("regions", "name"), of("backends", "key")].concat()
}
