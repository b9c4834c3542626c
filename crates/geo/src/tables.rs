//! All tables of a generation, asked as one.

use crate::against;
use crate::embedded::{self, Embedded};
use crate::error::Error;
use crate::file::Stamp;
use crate::network;
use crate::overrides::Overrides;
use crate::record::Record;
use crate::table::Table;
use nearside_core::generation::Cidr;
use nearside_core::place::{Country, Place};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What the configuration says of tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spec<'a> {
    /// Files in MaxMind's format: each adds what those before it do not know. None: the embedded table.
    pub files: &'a [PathBuf],
    /// What holds whatever the tables say.
    pub overrides: &'a [(Cidr, Place)],
    /// Addresses whose country is known: tables that say otherwise are refused.
    pub canaries: &'a [(IpAddr, Country)],
}

/// Which place an address is in: by the overrides, then by the files in their order, or by the embedded table.
///
/// Everything is in memory and checked: a file that is replaced, cut or overwritten later changes nothing here. Asking
/// allocates nothing and cannot fail.
#[derive(Debug)]
pub struct Tables {
    overrides: Overrides,
    files: Vec<Arc<Table>>,
    embedded: Option<Embedded>,
}

/// What is known of an address, and from where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// Where it is.
    pub place: Place,
    /// The network that the source knows it by; the embedded table does not tell.
    pub network: Option<Cidr>,
    /// Who said so.
    pub source: Source<'a>,
    /// The autonomous system that announces it.
    pub asn: Option<u32>,
}

/// Who placed an address; of several that agree, the first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source<'a> {
    /// An override of the operator.
    Override,
    /// The table in this file.
    File(&'a Path),
    /// The embedded table.
    Embedded,
    /// Nobody: the place is unknown.
    Nobody,
}

/// A file in use.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Where it was read.
    pub path: &'a Path,
    /// Its type, as it says itself.
    pub kind: &'a str,
    /// When it was built.
    pub built: SystemTime,
    /// How many networks it knows something of.
    pub networks: u64,
    /// The SHA-256 of what it holds.
    pub digest: &'a [u8; 32],
}

impl Tables {
    /// No table: every place is unknown.
    #[must_use]
    pub fn none() -> Self {
        Self { overrides: Overrides::new(&[]), files: Vec::new(), embedded: None }
    }

    /// Reads and checks what `spec` names. A file that did not change since `previous` is not read again; one that did is
    /// held against the edition that runs.
    ///
    /// # Errors
    /// All that is wrong, each with the file it is about. The tables of `previous` are as good as before.
    pub fn load(spec: Spec<'_>, previous: Option<&Self>, now: SystemTime) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let files = spec.files.iter().filter_map(|path| {
            let running = previous.and_then(|tables| tables.files.iter().find(|table| table.path == *path));
            load(path, running, now).map_err(|error| errors.push(error)).ok()
        });
        let files: Vec<_> = files.collect();
        let tables = Self {
            overrides: Overrides::new(spec.overrides),
            files,
            embedded: spec.files.is_empty().then(Embedded::new),
        };
        if errors.is_empty() {
            errors.extend(spec.canaries.iter().filter_map(|canary| tables.contradicts(*canary)));
        }
        if errors.is_empty() { Ok(tables) } else { Err(errors) }
    }

    /// The place of `address`.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        self.located(address.to_canonical()).0.place
    }

    /// All that is known of `address`.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Found<'_> {
        let address = address.to_canonical();
        let asn = self.files.iter().find_map(|table| table.find(address).0.asn);
        Found { asn, ..self.located(address).0 }
    }

    /// The files in use.
    pub fn files(&self) -> impl Iterator<Item = File<'_>> {
        self.files.iter().map(|table| File {
            path: &table.path,
            kind: &table.kind,
            built: table.built,
            networks: table.networks.all,
            digest: &table.digest,
        })
    }

    /// The place of `address`, and how long the prefix is that certainly shares it.
    pub(crate) fn located(&self, address: IpAddr) -> (Found<'_>, u8) {
        let mut found = Found { place: Place::UNKNOWN, network: None, source: Source::Nobody, asn: None };
        let (chosen, mut shared) = self.overrides.find(address);
        if let Some((network, place)) = chosen {
            return (Found { place, network: Some(network), source: Source::Override, ..found }, shared);
        }
        if let Some(embedded) = &self.embedded {
            found.place = embedded.place(address);
            shared = shared.max(embedded::step(address, found.place));
            if found.place != Place::UNKNOWN {
                found.source = Source::Embedded;
            }
        }
        let mut known = Record::NOTHING;
        for table in self.files.iter().filter(|table| table.has_places) {
            let (record, prefix) = table.find(address);
            shared = shared.max(prefix);
            if record.place == Place::UNKNOWN {
                continue;
            }
            known.add(record);
            found.place = known.place;
            if found.source == Source::Nobody {
                found.source = Source::File(&table.path);
                found.network = Some(network::around(address, prefix));
            }
        }
        (found, shared)
    }

    fn contradicts(&self, (address, expected): (IpAddr, Country)) -> Option<Error> {
        let found = self.place(address).country;
        (found != expected).then_some(Error::Canary { address, expected, found })
    }
}

fn load(path: &Path, running: Option<&Arc<Table>>, now: SystemTime) -> Result<Arc<Table>, Error> {
    let stamp = Stamp::of(path)?;
    match running {
        Some(running) if running.stamp == stamp => Ok(Arc::clone(running)),
        Some(running) => {
            let table = Table::load(path, stamp, now)?;
            against::check(&table, running)?;
            Ok(Arc::new(table))
        }
        None => Table::load(path, stamp, now).map(Arc::new),
    }
}
