//! Gate: the first look at the raw bytes of a head, before anything splits them into tokens.
//!
//! A lenient tokeniser behind us may take a lone line feed for a line's end, or stop at a NUL. None gets past here. A head
//! that arrives whole is read at once (`quick`), and comes here only if there is anything about it that is not as usual: then it
//! is to be said what.

use crate::bytes_of::control;
use crate::{Limits, Refusal};

/// Finds the end of a head in a buffer that grows, and looks at each byte once.
///
/// It belongs to one buffer: between two calls bytes may be appended, nothing else, until it says where the head
/// ends. Then it starts anew by itself; [`Gate::reset`] does so earlier.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate {
    scanned: usize,
    line: usize,
    head: usize,
    first_line_ended: bool,
}

/// Where a head stands in its buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Where the first line starts: after the one empty line that is tolerated before it.
    pub start: usize,
    /// Behind the empty line that ends the head.
    pub end: usize,
}

impl Gate {
    /// Starts anew, for another buffer.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether it has looked at nothing yet.
    pub(crate) fn is_new(&self) -> bool {
        self.scanned == 0
    }

    /// The bounds of the head, once its end has arrived.
    ///
    /// # Errors
    /// Bare line feed, bare carriage return, NUL, or a head or first line above its limit; as early as it can be told.
    pub fn find(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Bounds>, Refusal> {
        let window = buffer.get(..limits.head_bytes).unwrap_or(buffer);
        let mut at = self.scanned;
        while let Some(offset) = control(window.get(at..).unwrap_or_default()) {
            at += offset;
            if !self.first_line_ended && at > self.head + limits.line_bytes {
                return Err(Refusal::LineTooLong);
            }
            match window.get(at..) {
                Some([b'\r', b'\n', ..]) => {}
                Some([b'\r']) => return self.wait(at, buffer, limits),
                Some([b'\r', ..]) => return Err(Refusal::BareCr),
                Some([b'\n', ..]) => return Err(Refusal::BareLf),
                Some([0, ..]) => return Err(Refusal::Nul),
                _ => {
                    // The tokeniser judges all other control bytes.
                    at += 1;
                    continue;
                }
            }
            if let Some(bounds) = self.end_line(at)? {
                return Ok(Some(bounds));
            }
            at += 2;
        }
        self.wait(window.len(), buffer, limits)
    }

    /// Takes the line that ends at `at`; the empty one ends the head.
    fn end_line(&mut self, at: usize) -> Result<Option<Bounds>, Refusal> {
        let empty = at == self.line;
        self.line = at + 2;
        self.scanned = at + 2;
        if !empty {
            self.first_line_ended = true;
        } else if self.first_line_ended {
            let bounds = Bounds { start: self.head, end: at + 2 };
            self.reset();
            return Ok(Some(bounds));
        } else if self.head == 0 {
            self.head = 2;
        } else {
            return Err(Refusal::FirstLine);
        }
        Ok(None)
    }

    /// Remembers how far it looked, unless the head has no room left to end in.
    fn wait(&mut self, scanned: usize, buffer: &[u8], limits: &Limits) -> Result<Option<Bounds>, Refusal> {
        self.scanned = scanned;
        if !self.first_line_ended && scanned > self.head + limits.line_bytes {
            Err(Refusal::LineTooLong)
        } else if buffer.len() > limits.head_bytes {
            Err(Refusal::HeadTooLarge)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Gate};
    use crate::{Limits, Refusal};

    const SMALL: Limits = Limits { head_bytes: 64, fields: 10, line_bytes: 16 };

    fn check(head: &str, expected: Result<Option<(usize, usize)>, Refusal>) {
        let expected = expected.map(|found| found.map(|(start, end)| Bounds { start, end }));
        assert_eq!(Gate::default().find(head.as_bytes(), &SMALL), expected, "{head:?} whole");
        let mut gate = Gate::default();
        let mut last = Ok(None);
        for end in 1..=head.len() {
            last = gate.find(&head.as_bytes()[..end], &SMALL);
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        assert_eq!(last, expected, "{head:?} byte by byte");
    }

    #[test]
    fn the_end_is_found_and_the_rest_left_alone() {
        check("GET / HTTP/1.1\r\na: b\r\n\r\n", Ok(Some((0, 24))));
        check("GET / HTTP/1.1\r\na: b\r\n\r", Ok(None));
        let mut gate = Gate::default();
        let pipelined = b"GET / HTTP/1.1\r\n\r\n\0\n";
        assert_eq!(gate.find(pipelined, &SMALL), Ok(Some(Bounds { start: 0, end: 18 })));
        assert_eq!(gate.find(b"GET / HTTP/1.1\r\n\r\n", &SMALL), Ok(Some(Bounds { start: 0, end: 18 })));
    }

    #[test]
    fn one_empty_line_before_the_head_is_tolerated_and_no_second() {
        check("\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some((2, 20))));
        check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Err(Refusal::FirstLine));
    }

    #[test]
    fn bare_line_ends_and_nul_are_refused_wherever_they_stand() {
        check("GET / HTTP/1.1\n", Err(Refusal::BareLf));
        check("\nGET / HTTP/1.1\r\n\r\n", Err(Refusal::BareLf));
        check("GET / HTTP/1.1\r\na: b\n\r\n", Err(Refusal::BareLf));
        check("GET / HTTP/1.1\r\na: b\rc: d\r\n\r\n", Err(Refusal::BareCr));
        check("GET / HTTP/1.1\r\na: b\r\r\n\r\n", Err(Refusal::BareCr));
        check("GET / HTTP/1.1\r\na: \0b\r\n\r\n", Err(Refusal::Nul));
        check("GET / HTTP/1.1\r\n\n", Err(Refusal::BareLf));
    }

    #[test]
    fn a_line_and_a_head_may_reach_their_limit_and_not_pass_it() {
        check("GET /1 HTTP/1.10\r\n\r\n", Ok(Some((0, 20))));
        check("GET /12 HTTP/1.10\r\n\r\n", Err(Refusal::LineTooLong));
        check("GET /1234567890123", Err(Refusal::LineTooLong));
        let fields = |length: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(length - 23));
        check(&fields(64), Ok(Some((0, 64))));
        check(&fields(65), Err(Refusal::HeadTooLarge));
        check(&fields(90), Err(Refusal::HeadTooLarge));
    }
}
