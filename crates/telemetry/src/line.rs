//! A record as one line.

mod combined;
mod ecs;

use crate::field;
use crate::record::{Record, Word};
use crate::trace::TraceId;
use nearside_core::generation::{LogFormat, Stamp};
use nearside_core::{Reason, hex};
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;

/// Writes lines. What one line has in common with the one before, the second and the generation, is not written out again.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: Option<u64>,
    /// The second as RFC 3339 has it, up to its fraction.
    time: String,
    stamp: Stamp,
    generation: String,
}

impl Lines {
    /// Appends the line of `record`, its end included, to `out`.
    pub(crate) fn append(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.look(record);
        match record.generation.observe.access_log.format {
            LogFormat::Json => self.json(record, out),
            LogFormat::Ecs => self.ecs(record, out),
            LogFormat::Combined => combined::append(record, out),
        }
    }

    fn json(&self, record: &Record, out: &mut Vec<u8>) {
        let names = record.names();

        out.push(b'{');
        let mut line = Line { out };
        self.time(&mut line, field::TIME, record.time);
        line.bytes(field::REF, record.asked.reference());
        line.address(field::CLIENT, record.client);
        if record.peer != record.client {
            line.address(field::PEER, record.peer);
        }
        line.text(field::PROTOCOL, record.protocol.name());
        line.optional(field::TLS, record.tls.map(crate::TlsVersion::name));
        line.bytes(field::HOST, record.asked.host());
        line.bytes(field::METHOD, record.asked.method());
        line.bytes(field::PATH, record.asked.path());
        if let Some(words) = &record.words {
            line.word(field::QUERY, words.query.as_ref());
            line.word(field::COOKIE, words.cookie.as_ref());
            line.word(field::AUTHORIZATION, words.authorization.as_ref());
        }
        if let Some(status) = record.status {
            line.number(field::STATUS, status);
        }
        line.optional(field::REASON, record.reason.map(Reason::name));
        line.optional(field::ROUTE, names.route);
        line.optional(field::POOL, names.pool);
        line.optional(field::REGION, names.region);
        line.optional(field::BACKEND, names.backend);
        line.number(field::TRIES, record.tries);
        line.micros(field::TOTAL_US, record.total);
        for (name, time) in [(field::CONNECT_US, record.connect), (field::FIRST_BYTE_US, record.first_byte)] {
            if let Some(time) = time {
                line.micros(name, time);
            }
        }
        line.number(field::BYTES_IN, record.bytes_in);
        line.number(field::BYTES_OUT, record.bytes_out);
        line.trace(field::TRACE_ID, record.trace);
        line.text(field::GENERATION, &self.generation);
        out.extend_from_slice(b"}\n");
    }

    /// Writes out what is new since the last line.
    fn look(&mut self, record: &Record) {
        let second = since_epoch(record.time).as_secs();
        if self.second.replace(second) != Some(second) {
            let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].");
            self.time = OffsetDateTime::from(record.time).format(format).unwrap_or_default();
        }
        let stamp = record.generation.stamp;
        if self.generation.is_empty() || self.stamp != stamp {
            (self.stamp, self.generation) = (stamp, stamp.to_string());
        }
    }

    fn time(&self, line: &mut Line<'_>, name: &str, time: SystemTime) {
        line.out.extend_from_slice(b"\"");
        line.out.extend_from_slice(name.as_bytes());
        line.out.extend_from_slice(b"\":\"");
        line.out.extend_from_slice(self.time.as_bytes());
        let mut digits = itoa::Buffer::new();
        // A one before them keeps the zeros; it is left out again.
        let digits = digits.format(1000 + since_epoch(time).subsec_millis()).as_bytes();
        line.out.extend_from_slice(digits.get(1..).unwrap_or_default());
        line.out.extend_from_slice(b"Z\"");
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writing into memory cannot fail, so the results of `write!` and `to_writer` have nothing to say.
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

#[expect(
    clippy::inline_always,
    reason = "a name that the compiler sees is a few words stored, not three copies"
)]
impl Line<'_> {
    #[inline(always)]
    fn name(&mut self, name: &str) {
        self.out.reserve(name.len() + 64);
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline(always)]
    fn text(&mut self, name: &str, value: &str) {
        self.bytes(name, value.as_bytes());
    }

    #[inline(always)]
    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn word(&mut self, name: &str, value: Option<&Word>) {
        if let Some(value) = value {
            self.bytes(name, value.bytes());
        }
    }

    #[inline(always)]
    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.quoted(value);
    }

    fn quoted(&mut self, value: &[u8]) {
        if is_plain(value) {
            self.out.reserve(value.len() + 2);
            self.out.push(b'"');
            self.out.extend_from_slice(value);
            self.out.push(b'"');
        } else {
            drop(serde_json::to_writer(&mut *self.out, &String::from_utf8_lossy(value)));
        }
    }

    /// A value that is JSON already.
    fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline(always)]
    fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.name(name);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn micros(&mut self, name: &str, value: Duration) {
        self.number(name, u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
    }

    /// The 32 digits of a trace's id.
    fn trace(&mut self, name: &str, value: TraceId) {
        self.name(name);
        let [high, low] = value.halves().map(hex::digits);
        self.out.push(b'"');
        self.out.extend_from_slice(&high);
        self.out.extend_from_slice(&low);
        self.out.push(b'"');
    }

    fn address(&mut self, name: &str, value: IpAddr) {
        self.name(name);
        self.out.push(b'"');
        match value {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.out.push(b'.');
                    }
                    self.out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
                }
            }
            IpAddr::V6(address) => drop(write!(self.out, "{address}")),
        }
        self.out.push(b'"');
    }
}

/// Whether JSON has the bytes as they are: ASCII without controls, quotes and backslashes. Eight are looked at in one
/// step; a subtraction that borrows sets the high bit of the byte that it is asked about (Warren, Hacker's Delight, 6-1).
fn is_plain(bytes: &[u8]) -> bool {
    const fn eight(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    const fn is(word: u64, byte: u8) -> u64 {
        (word ^ eight(byte)).wrapping_sub(eight(1))
    }
    const fn found(word: u64) -> u64 {
        word | word.wrapping_sub(eight(b' ')) | is(word, b'"') | is(word, b'\\')
    }
    let Some(last) = bytes.last_chunk() else {
        return found(bytes.iter().fold(eight(b'a'), |word, byte| word << 8 | u64::from(*byte)))
            & eight(0x80)
            == 0;
    };
    // The last eight stand for what is over; some of them may have been looked at before.
    let (words, _) = bytes.as_chunks::<8>();
    let all = words
        .iter()
        .fold(found(u64::from_le_bytes(*last)), |all, word| all | found(u64::from_le_bytes(*word)));
    all & eight(0x80) == 0
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_json_escapes_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let as_it_is = byte.is_ascii() && serde_json::to_string(&char::from(byte)).unwrap().len() == 3;
            for (length, at) in (1..20).flat_map(|length| (0..length).map(move |at| (length, at))) {
                let mut bytes = vec![b'a'; length];
                bytes[at] = byte;
                assert_eq!(is_plain(&bytes), as_it_is, "{byte} at {at} of {length}");
            }
        }
    }
}
