//! A generation as it is kept: the file's text under its own hash, and what else it was made from.

use crate::gates::Passed;
use anyhow::{Context, bail};
use nearside_config::Report;
use nearside_core::Generation;
use nearside_geo::Tables;
use nearside_telemetry::journal::{GENERATIONS, Journal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What is kept of a generation.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its name.
    pub(crate) name: String,
    about: About,
    text: Vec<u8>,
}

/// What it was made from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct About {
    /// The name of the file's text.
    text: String,
    /// Where the file was: paths in it are relative to its folder.
    file: PathBuf,
    /// The geo tables by path, with the SHA-256 of each.
    tables: Vec<(PathBuf, String)>,
    /// The program's version.
    version: String,
}

impl Kept {
    /// What is to be kept of a file that has passed the gates.
    pub(crate) fn of(passed: &Passed, file: &Path) -> anyhow::Result<Self> {
        let text = passed.source.text().as_bytes().to_vec();
        let about = About {
            text: format!("{}.yaml", name(passed.source.digest())),
            file: std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            tables: digests(&passed.geo),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let own: [u8; 32] = Sha256::digest(serde_json::to_vec(&about)?).into();
        let name = format!("{}.json", name(&own));
        Ok(Self { name, about, text })
    }

    /// Hands it to the journal; its name.
    pub(crate) fn store(self, journal: &Journal) -> anyhow::Result<[String; 2]> {
        let about = serde_json::to_vec_pretty(&self.about)?;
        journal.store(&self.about.text, self.text);
        journal.store(&self.name, about);
        Ok([self.name, self.about.text])
    }
}

/// A generation of the past, made again.
pub(crate) struct Again {
    /// What the file said.
    pub(crate) generation: Generation,
    /// Where addresses are, as far as that is known.
    pub(crate) tables: Tables,
    /// What is not as it was then.
    pub(crate) notes: Vec<String>,
}

/// Makes the generation that is kept under `name` in the state folder again.
///
/// # Errors
/// It is not there any more, or this program does not understand it.
pub(crate) fn again(state: &Path, name: &str) -> anyhow::Result<Again> {
    let folder = state.join(GENERATIONS);
    let read = |name: &str| {
        // Names come out of the evidence, which others may have written.
        if name.contains('/') || name.is_empty() {
            bail!("the evidence names no generation");
        }
        let path = folder.join(name);
        fs::read(&path)
            .with_context(|| format!("the generation of then is not kept any more: {}", path.display()))
    };
    let about: About = serde_json::from_slice(&read(name)?).context("the generation of then is damaged")?;
    let text = String::from_utf8(read(&about.text)?).context("the generation of then is damaged")?;
    let base = about.file.parent().unwrap_or(Path::new("/"));
    let loaded = nearside_config::load_at(&text, base).map_err(|report: Report| {
        anyhow::anyhow!(
            "this nearside ({}) does not understand the file of then, which {} did:\n{report}",
            env!("CARGO_PKG_VERSION"),
            about.version
        )
    })?;
    let generation = loaded.0;
    let (tables, notes) = tables(&generation, &about)?;
    Ok(Again { generation, tables, notes })
}

/// The tables of then, where they are still there; else what is left, and a word on it.
fn tables(generation: &Generation, about: &About) -> anyhow::Result<(Tables, Vec<String>)> {
    match crate::gates::open_tables(generation) {
        Ok(tables) if digests(&tables) == about.tables => Ok((tables, Vec::new())),
        Ok(tables) => {
            let note = "the geo tables of then are gone: places are those of the tables of now";
            Ok((tables, vec![note.to_owned()]))
        }
        Err(cause) => {
            let mut bare = generation.clone();
            bare.geo.tables = Default::default();
            let tables = crate::gates::open_tables(&bare)?;
            Ok((
                tables,
                vec![format!("answered without the geo tables of then, by the embedded one: {cause:#}")],
            ))
        }
    }
}

fn digests(tables: &Tables) -> Vec<(PathBuf, String)> {
    tables.files().map(|file| (file.path.to_owned(), hex(file.digest))).collect()
}

/// What a thing with this digest is called.
fn name(digest: &[u8; 32]) -> String {
    hex(digest).chars().take(32).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
