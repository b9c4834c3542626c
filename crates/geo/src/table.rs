//! One table: a file, checked and compiled.

use crate::against::Networks;
use crate::error::{Damage, Error};
use crate::file::{self, Digest, Stamp};
use crate::mmdb::{self, Leaf};
use crate::record::Record;
use crate::tree::{RecordId, Tree};
use crate::value::Value;
use maxminddb::Reader;
use nearside_core::place::Place;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use time::{Date, OffsetDateTime};

const DAY: Duration = Duration::from_secs(86_400);

/// A table, of which nothing but the tree and what it says of places is kept.
#[derive(Debug)]
pub(crate) struct Table {
    /// The file that it was read from.
    pub(crate) path: PathBuf,
    /// The state that the file was in.
    pub(crate) stamp: Stamp,
    /// What the file holds.
    pub(crate) digest: Digest,
    /// Its type, as it says itself.
    pub(crate) kind: Box<str>,
    /// When it was built.
    pub(crate) built: SystemTime,
    /// How many networks it knows something of.
    pub(crate) networks: Networks,
    /// Whether it knows places, and not numbers alone.
    pub(crate) has_places: bool,
    tree: Tree,
    records: Vec<Record>,
}

impl Table {
    /// Reads the file at `path`, which is in the state `stamp`; `now` is what it cannot be younger than.
    ///
    /// # Errors
    /// The file is refused whole when any part of it is unsound.
    pub(crate) fn load(path: &Path, stamp: Stamp, now: SystemTime) -> Result<Self, Error> {
        let (bytes, digest) = file::read(path, &stamp)?;
        let damaged = |damage| Error::Damaged { path: path.to_owned(), damage };
        let reader = Reader::from_source(bytes.as_slice()).map_err(|error| damaged(error.into()))?;
        let metadata = reader.metadata();
        let kind = metadata.database_type.as_str().into();
        let built = metadata.build_time().map_err(|error| damaged(error.into()))?;
        if built.duration_since(now).is_ok_and(|ahead| ahead > DAY) {
            return Err(Error::Future { path: path.to_owned(), built: date(built) });
        }
        let mut records = Records::default();
        let tree = mmdb::tree(&bytes, metadata, |leaf| records.number(&reader, leaf)).map_err(damaged)?;
        let Records { list, networks, .. } = records;
        if networks.all == 0 {
            return Err(Error::Nothing { path: path.to_owned(), kind });
        }
        let has_places = list.iter().any(|record| record.place != Place::UNKNOWN);
        let path = path.to_owned();
        Ok(Self { path, stamp, digest, kind, built, networks, has_places, tree, records: list })
    }

    /// What it says of `address`, and how long the prefix is of which it says the same.
    pub(crate) fn find(&self, address: IpAddr) -> (&Record, u8) {
        let (record, prefix) = self.tree.find(address);
        (self.records.get(record as usize).unwrap_or(&Record::NOTHING), prefix)
    }
}

/// The day of a time, for people.
pub(crate) fn date(time: SystemTime) -> Date {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or(Date::MAX, OffsetDateTime::date)
}

/// The records of a file, each decoded once.
struct Records {
    list: Vec<Record>,
    by_value: HashMap<u32, RecordId>,
    networks: Networks,
}

impl Default for Records {
    fn default() -> Self {
        Self { list: vec![Record::NOTHING], by_value: HashMap::new(), networks: Networks::default() }
    }
}

impl Records {
    fn number(&mut self, reader: &Reader<&[u8]>, leaf: Leaf) -> Result<RecordId, Damage> {
        let known = self.by_value.get(&leaf.value).copied();
        let id = match known {
            Some(id) => id,
            None => {
                let id = self.keep(decode(reader, leaf.address)?);
                self.by_value.insert(leaf.value, id);
                id
            }
        };
        if let Some(record) = self.list.get(id as usize).filter(|record| !record.is_empty()) {
            self.networks.count(record.place.country);
        }
        Ok(id)
    }

    /// The first record says nothing, and stands for all that do so.
    fn keep(&mut self, record: Record) -> RecordId {
        if record.is_empty() {
            return 0;
        }
        self.list.push(record);
        RecordId::try_from(self.list.len() - 1).unwrap_or_default()
    }
}

fn decode(reader: &Reader<&[u8]>, address: IpAddr) -> Result<Record, Damage> {
    match reader.lookup(address)?.decode::<Value<'_>>()? {
        Some(value @ Value::Map(_)) => Ok(Record::read(&value)),
        _ => Err(Damage::Record),
    }
}
