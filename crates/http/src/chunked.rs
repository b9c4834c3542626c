//! Chunked: bodies in chunks, read a piece at a time and written around pieces (RFC 9112, 7.1).

mod extension;

use self::extension::Extension;
use crate::bytes_of::hex;
use crate::{Fields, Known, Refusal, trailers};
use arrayvec::ArrayVec;
use bytes::BufMut;
use std::ops::Range;

/// What ends a body without trailers.
pub const LAST: &[u8] = b"0\r\n\r\n";

/// What ends each chunk.
pub const END: &[u8] = b"\r\n";

/// Digits of the largest size.
const DIGITS: u8 = 16;

/// Reads a chunked body. Data is never copied: each step says which bytes of the input it is.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
    size: u64,
    extensions: Extension,
    section: Vec<u8>,
    trailers: Fields,
}

/// What a piece of input was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// These bytes of the input are data; go on behind them.
    Data(Range<usize>),
    /// All of the input has been used, and more must come.
    More,
    /// The body ended after so many bytes of the input; trailers can be read.
    End(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// In a size of so many digits.
    Size(u8),
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
}

impl Default for State {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts anew with another body and keeps the space.
    pub fn reset(&mut self) {
        self.state = State::default();
        self.size = 0;
        self.extensions = Extension::default();
        self.section.clear();
        self.trailers.clear();
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// The trailers that may be passed on; empty before the end.
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// Leaves out the trailers that `head`, of the same message, says end at this hop.
    pub fn strip_trailers(&mut self, head: &Fields) {
        if !self.trailers.is_empty() && head.contains(Known::Connection) {
            self.trailers.drop_named_by(head);
        }
    }

    /// Reads on in the body. The next call takes the input behind what this step says.
    ///
    /// # Errors
    /// Anything but the letter of the law, and extensions or trailers above their limits.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Refusal> {
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            match self.state {
                State::Data => return Ok(self.data(at, input.len())),
                State::End => return Ok(Step::End(at)),
                State::Trailers => {
                    at += 1;
                    if self.trailer_byte(*byte)? {
                        return Ok(Step::End(at));
                    }
                }
                _ => {
                    self.frame_byte(*byte)?;
                    at += 1;
                }
            }
        }
        Ok(if self.is_done() { Step::End(at) } else { Step::More })
    }

    /// Gives out what the input has of the chunk.
    fn data(&mut self, at: usize, end: usize) -> Step {
        let wanted = usize::try_from(self.size).unwrap_or(usize::MAX);
        let taken = wanted.min(end - at);
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = State::DataCr;
        }
        Step::Data(at..at + taken)
    }

    /// Takes a byte that stands around data.
    fn frame_byte(&mut self, byte: u8) -> Result<(), Refusal> {
        self.state = match (self.state, byte) {
            (State::Size(digits), _) => self.size_byte(digits, byte)?,
            (State::Extension, _) => {
                if self.extensions.take(byte)? {
                    State::SizeLf
                } else {
                    State::Extension
                }
            }
            (State::SizeLf, b'\n') if self.size == 0 => State::Trailers,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0),
            (State::SizeLf, _) => return Err(Refusal::BareCr),
            _ => return Err(Refusal::ChunkEnd),
        };
        Ok(())
    }

    fn size_byte(&mut self, digits: u8, byte: u8) -> Result<State, Refusal> {
        match (hex(byte), byte) {
            (Some(_), _) if digits == DIGITS => Err(Refusal::ChunkSize),
            (Some(digit), _) => {
                self.size = self.size << 4 | u64::from(digit);
                Ok(State::Size(digits + 1))
            }
            (None, b'\r') if digits > 0 => Ok(State::SizeLf),
            (None, b';' | b' ' | b'\t') if digits > 0 => {
                self.extensions.begin();
                self.extensions.take(byte)?;
                Ok(State::Extension)
            }
            (None, b'\n') => Err(Refusal::BareLf),
            _ => Err(Refusal::ChunkSize),
        }
    }

    /// Gathers the trailer section; true when it is whole and read.
    fn trailer_byte(&mut self, byte: u8) -> Result<bool, Refusal> {
        let after_cr = self.section.last() == Some(&b'\r');
        match byte {
            b'\n' if !after_cr => return Err(Refusal::BareLf),
            b'\n' => {}
            _ if after_cr => return Err(Refusal::BareCr),
            0 => return Err(Refusal::Nul),
            _ => {}
        }
        if self.section.len() >= trailers::LIMITS.head_bytes {
            return Err(Refusal::TrailersTooLarge);
        }
        self.section.push(byte);
        if self.section != b"\r\n" && !self.section.ends_with(b"\r\n\r\n") {
            return Ok(false);
        }
        trailers::read(&self.section, &mut self.trailers)?;
        self.section.clear();
        self.state = State::End;
        Ok(true)
    }
}

/// The line before a chunk of so many bytes. A chunk of none would end the body: write nothing for it.
pub fn size_line(size: usize) -> ArrayVec<u8, 18> {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    let digit = |place: u32| b"0123456789abcdef".get(size >> (place * 4) & 0xf).copied().unwrap_or(b'0');
    (0..digits).rev().map(digit).chain(END.iter().copied()).collect()
}

/// Writes what ends a body: the last chunk, and the trailers that may be passed on.
pub fn write_end(trailers: &Fields, out: &mut impl BufMut) {
    out.put_slice(b"0\r\n");
    for field in trailers.iter().filter(|field| trailers::is_allowed(field.name)) {
        for part in [field.name, b": ", field.value, END] {
            out.put_slice(part);
        }
    }
    out.put_slice(END);
}

#[cfg(test)]
mod tests;
