//! Extension: what may follow a chunk's size. We use none, and drop them all; but they have to be well formed, and few.

use crate::Refusal;
use crate::bytes_of::{is_token_byte, is_value_byte};

/// Bytes of the extensions of one chunk.
const ONE: u32 = 512;

/// Bytes of the extensions of a whole body.
const SUM: u32 = 16 * 1024;

/// Reads the extensions of a body's chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Extension {
    place: Place,
    here: u32,
    sum: u32,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Behind a size, a name or a value and a space: only a semicolon can follow.
    #[default]
    Gap,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
}

impl Extension {
    /// Starts with the next chunk.
    pub(super) fn begin(&mut self) {
        self.place = Place::Gap;
        self.here = 0;
    }

    /// Takes a byte; true when it is the carriage return that ends the line.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.place = match (self.place, byte) {
            (Place::Name | Place::Value | Place::AfterQuoted, b'\r') => return Ok(true),
            (_, b'\n') => return Err(Refusal::BareLf),
            (Place::Gap, b';') => Place::BeforeName,
            (Place::Name | Place::AfterName | Place::Value | Place::AfterQuoted, b';') => Place::BeforeName,
            (Place::Name | Place::AfterName, b'=') => Place::BeforeValue,
            (Place::Name | Place::AfterName, b' ' | b'\t') => Place::AfterName,
            (Place::Gap | Place::Value | Place::AfterQuoted, b' ' | b'\t') => Place::Gap,
            (Place::BeforeName | Place::BeforeValue, b' ' | b'\t') => self.place,
            (Place::BeforeName | Place::Name, _) if is_token_byte(byte) => Place::Name,
            (Place::BeforeValue | Place::Value, _) if is_token_byte(byte) => Place::Value,
            (Place::BeforeValue, b'"') => Place::Quoted,
            (Place::Quoted, b'"') => Place::AfterQuoted,
            (Place::Quoted, b'\\') => Place::Escaped,
            (Place::Quoted | Place::Escaped, _) if is_value_byte(byte) => Place::Quoted,
            _ => return Err(Refusal::ChunkExtension),
        };
        self.here += 1;
        self.sum += 1;
        if self.here > ONE || self.sum > SUM { Err(Refusal::ChunkExtensionsTooLarge) } else { Ok(false) }
    }
}
