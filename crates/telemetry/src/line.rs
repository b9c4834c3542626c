//! A record as one line.

mod combined;
mod ecs;
mod way;

use crate::field;
use crate::record::{Record, Word};
use crate::trace::TraceId;
use nearside_core::generation::{LogFormat, Stamp};
use nearside_core::hex;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;
use way::{Keys, Ways};

/// A field's name with what stands around it, as a constant: `,"name":`.
macro_rules! key {
    ($name:expr) => {{
        const KEY: [u8; $name.len() + 4] = crate::line::framed($name);
        &KEY
    }};
}
use key;

/// Writes lines. What one line has in common with those before, the second, the generation and most ways, is not written
/// out again.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: Option<u64>,
    /// The second as RFC 3339 has it, up to its fraction.
    time: String,
    stamp: Stamp,
    generation: String,
    ways: Ways,
}

impl Lines {
    /// Appends the line of `record`, its end included, to `out`.
    pub(crate) fn append(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.look(record);
        match record.generation.observe.access_log.format {
            LogFormat::Json => self.json(record, out),
            LogFormat::Ecs => self.ecs(record, out),
            LogFormat::Combined => combined::append(record, out),
        }
    }

    fn json(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        const WAY: Keys = Keys {
            route: key!(field::ROUTE),
            pool: key!(field::POOL),
            region: key!(field::REGION),
            backend: key!(field::BACKEND),
        };
        let mut line = Line { out };
        self.time(&mut line, key!(field::TIME), record.time);
        line.plain(key!(field::REF), &record.asked.reference);
        line.address(key!(field::CLIENT), record.client);
        if record.peer != record.client {
            line.address(key!(field::PEER), record.peer);
        }
        line.plain(key!(field::PROTOCOL), record.protocol.name().as_bytes());
        if let Some(tls) = record.tls {
            line.plain(key!(field::TLS), tls.name().as_bytes());
        }
        line.bytes(key!(field::HOST), &record.asked.host);
        line.bytes(key!(field::METHOD), &record.asked.method);
        line.bytes(key!(field::PATH), &record.asked.path);
        if let Some(words) = &record.words {
            line.word(key!(field::QUERY), words.query.as_ref());
            line.word(key!(field::COOKIE), words.cookie.as_ref());
            line.word(key!(field::AUTHORIZATION), words.authorization.as_ref());
        }
        if let Some(status) = record.status {
            line.number(key!(field::STATUS), status);
        }
        if let Some(reason) = record.reason {
            line.plain(key!(field::REASON), reason.name().as_bytes());
        }
        self.ways.append(record, &WAY, line.out);
        line.number(key!(field::TRIES), record.tries);
        line.micros(key!(field::TOTAL_US), record.total);
        if let Some(connect) = record.connect {
            line.micros(key!(field::CONNECT_US), connect);
        }
        if let Some(first_byte) = record.first_byte {
            line.micros(key!(field::FIRST_BYTE_US), first_byte);
        }
        line.number(key!(field::BYTES_IN), record.bytes_in);
        line.number(key!(field::BYTES_OUT), record.bytes_out);
        line.trace(key!(field::TRACE_ID), record.trace);
        line.plain(key!(field::GENERATION), self.generation.as_bytes());
        out.extend_from_slice(b"}\n");
    }

    /// Writes out what is new since the last line.
    fn look(&mut self, record: &Record<'_>) {
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

    /// Begins a line, with the time as its first field.
    fn time(&self, line: &mut Line<'_>, key: &[u8], time: SystemTime) {
        line.out.push(b'{');
        line.out.extend_from_slice(key.strip_prefix(b",").unwrap_or(key));
        line.out.push(b'"');
        line.out.extend_from_slice(self.time.as_bytes());
        let millis = since_epoch(time).subsec_millis();
        let [hundreds, tens, ones] = [100, 10, 1].map(|unit| digit(millis / unit));
        line.out.extend_from_slice(&[hundreds, tens, ones, b'Z', b'"']);
    }
}

/// [`key!`] of a field's name.
const fn framed<const LENGTH: usize>(name: &str) -> [u8; LENGTH] {
    let mut key = [b','; LENGTH];
    let (_, rest) = key.split_at_mut(1);
    let (quote, rest) = rest.split_at_mut(1);
    let (text, end) = rest.split_at_mut(name.len());
    quote.copy_from_slice(b"\"");
    text.copy_from_slice(name.as_bytes());
    end.copy_from_slice(b"\":");
    key
}

/// The last decimal digit of `number`.
fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writing into memory cannot fail, so the results of `write!` and `to_writer` have nothing to say.
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

#[expect(clippy::inline_always, reason = "a key that the compiler sees is a few words stored, not a copy")]
impl Line<'_> {
    #[inline(always)]
    fn key(&mut self, key: &[u8]) {
        self.out.extend_from_slice(key);
    }

    #[inline(always)]
    fn text(&mut self, key: &[u8], value: &str) {
        self.bytes(key, value.as_bytes());
    }

    #[inline(always)]
    fn optional(&mut self, key: &[u8], value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn word(&mut self, key: &[u8], value: Option<&Word>) {
        if let Some(value) = value {
            self.bytes(key, value.bytes());
        }
    }

    #[inline(always)]
    fn bytes(&mut self, key: &[u8], value: &[u8]) {
        self.key(key);
        self.quoted(value);
    }

    fn quoted(&mut self, value: &[u8]) {
        if is_plain(value) {
            self.out.push(b'"');
            self.out.extend_from_slice(value);
            self.out.push(b'"');
        } else {
            drop(serde_json::to_writer(&mut *self.out, &String::from_utf8_lossy(value)));
        }
    }

    /// A text of our own, in which there is nothing to escape.
    #[inline(always)]
    fn plain(&mut self, key: &[u8], value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(value);
        self.out.push(b'"');
    }

    /// A value that is JSON already.
    fn raw(&mut self, key: &[u8], value: &str) {
        self.key(key);
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline(always)]
    fn number(&mut self, key: &[u8], value: impl itoa::Integer) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn micros(&mut self, key: &[u8], value: Duration) {
        let seconds = value.as_secs().saturating_mul(1_000_000);
        self.number(key, seconds.saturating_add(u64::from(value.subsec_micros())));
    }

    /// The 32 digits of a trace's id.
    fn trace(&mut self, key: &[u8], value: TraceId) {
        self.key(key);
        let [high, low] = value.halves().map(hex::digits);
        self.out.push(b'"');
        self.out.extend_from_slice(&high);
        self.out.extend_from_slice(&low);
        self.out.push(b'"');
    }

    fn address(&mut self, key: &[u8], value: IpAddr) {
        self.key(key);
        self.out.push(b'"');
        match value {
            IpAddr::V4(address) => {
                // Put together here, as each byte that goes into `out` asks whether there is room.
                let (mut text, mut length) = ([0; "255.255.255.255".len()], 0);
                let mut put = |byte| {
                    if let Some(place) = text.get_mut(length) {
                        *place = byte;
                        length += 1;
                    }
                };
                for (index, octet) in address.octets().map(u32::from).into_iter().enumerate() {
                    if index > 0 {
                        put(b'.');
                    }
                    if octet >= 100 {
                        put(digit(octet / 100));
                    }
                    if octet >= 10 {
                        put(digit(octet / 10));
                    }
                    put(digit(octet));
                }
                self.out.extend_from_slice(text.get(..length).unwrap_or_default());
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
