//! Records as lines of text.

mod combined;
mod ecs;
mod json;
mod line;
mod way;

use crate::field;
use crate::record::Record;
use line::{Line, next, since_epoch};
use nearside_core::generation::{LogFormat, Stamp};
use time::OffsetDateTime;
use time::macros::format_description;
use way::Ways;

/// Writes lines. What one line has in common with those before, the second, the generation and most ways, is not written
/// out again.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: Option<u64>,
    /// The second as RFC 3339 has it, up to its fraction.
    time: String,
    stamp: Option<Stamp>,
    /// The generation as the last field of a line, with the end of the text before it.
    generation: Vec<u8>,
    ways: Ways,
}

impl Lines {
    /// Appends the line of `record`, its end included, to `out`.
    pub(crate) fn append(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.look(record);
        match record.generation.observe.access_log.format {
            LogFormat::Json => self.json(record, &mut Line { out }),
            LogFormat::Ecs => self.ecs(record, &mut Line { out }),
            LogFormat::Combined => combined::append(record, out),
        }
    }

    /// Writes out what is new since the last line.
    fn look(&mut self, record: &Record<'_>) {
        let second = since_epoch(record.time).as_secs();
        if self.second.replace(second) != Some(second) {
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].");
            self.time = OffsetDateTime::from(record.time).format(format).unwrap_or_default();
        }
        let stamp = record.generation.stamp;
        if self.stamp.replace(stamp) != Some(stamp) {
            let name = match record.generation.observe.access_log.format {
                LogFormat::Ecs => next!("nearside.generation").as_slice(),
                LogFormat::Json | LogFormat::Combined => next!(field::GENERATION),
            };
            self.generation = [name, stamp.to_string().as_bytes(), b"\"}\n"].concat();
            self.ways = Ways::default();
        }
    }
}
